"""What the agent of a MiniGrid environment sees, and the map that it remembers.

MiniGrid slices, turns and encodes a grid of its own for each view, which takes most of a step's
time. Here tables hold the cells in view from each pose, and bits the cells of one line.
"""

from collections.abc import Callable
from functools import cache
from operator import itemgetter
from typing import Any, NamedTuple

import numpy as np
from minigrid.core.world_object import Wall, WorldObj
from minigrid.minigrid_env import MiniGridEnv

from env.symbols import EMPTY, HEADINGS, NO_AGENT

Cell = tuple[int, int]
Pose = tuple[int, int, int]
"""x, y and direction."""
Code = tuple[int, int, int]
"""Type, colour and state."""

OUTSIDE = Wall()


class RememberedMap:
    """The map of a MiniGridEnv as its agent remembers it.

    `cells` (width, height, 4) uint8 are in absolute (x, y) coordinates: type, colour and state as
    last seen, zeros if never seen, and NO_AGENT. Call `forget` after a reset, and `look` after
    every reset and step.
    """

    def __init__(self, env: MiniGridEnv) -> None:
        self.env = env
        self.forget()

    def forget(self) -> None:
        width, height = self.env.width, self.env.height
        # The last row takes what is seen outside of the grid.
        self._rows = np.zeros((width * height + 1, 4), np.uint8)
        self._rows[:, 3] = NO_AGENT
        self.cells = self._rows[:-1].reshape(width, height, 4)

    def look(self) -> None:
        """Remember the cells in view. All others stay as last seen."""
        env = self.env
        self.at = _places(self.pose, env.width, env.height, env.agent_view_size)
        things = self.at.things([*env.grid.grid, OUTSIDE])
        self.lit = self._lit(things)
        codes = [code_of(things[place]) for place in self.lit]
        self.codes = np.array(codes, np.uint8).reshape(-1, 3)
        self._rows[[self.at.cells[place] for place in self.lit], :3] = self.codes

    def _lit(self, things: tuple[WorldObj | None, ...]) -> list[int]:
        """The places of the view that the agent can see, line by line away from it."""
        size = self.env.agent_view_size
        if self.env.see_through_walls:
            return list(range(size * size))
        lit, seen = 1 << size // 2, []
        for first in range(0, size * size, size):
            clear = 0
            for place in range(size):
                thing = things[first + place]
                if thing is None or thing.see_behind():
                    clear |= 1 << place
            line, lit = _spread(lit, clear, size)
            seen += [first + place for place in _ones(line)]
        return seen

    @property
    def pose(self) -> Pose:
        x, y = self.env.agent_pos
        return int(x), int(y), int(self.env.agent_dir)

    @property
    def held(self) -> Code:
        """What the agent carries, or an empty cell."""
        return code_of(self.env.carrying)

    @property
    def in_view(self) -> list[Cell]:
        """The cells that the agent saw at the last look."""
        cells = (self.at.cells[place] for place in self.lit)
        return [divmod(cell, self.env.height) for cell in cells if cell >= 0]

    def image(self) -> np.ndarray:
        """The map with the agent: its own cell shows what it carries and its direction."""
        return self.with_agent(self.cells[..., :3])

    def whole(self) -> np.ndarray:
        """The same, as if the agent had seen every cell and remembered it as it is now."""
        return self.with_agent(truth(self.env))

    def with_agent(self, codes: np.ndarray) -> np.ndarray:
        """Cells (width, height, 3) uint8 as a map (width, height, 4) with the agent."""
        image = np.full(self.cells.shape, NO_AGENT, np.uint8)
        image[..., :3] = codes
        x, y, direction = self.pose
        image[x, y] = (*self.held, direction)
        return image

    def view(self) -> np.ndarray:
        """What the agent saw at the last look, (V, V, 3) uint8, as MiniGrid encodes it."""
        size = self.env.agent_view_size
        seen = np.zeros((size * size, 3), np.uint8)
        seen[self.lit] = self.codes
        seen[size // 2] = self.held
        return seen.reshape(size, size, 3)[::-1].swapaxes(0, 1)


def truth(env: MiniGridEnv) -> np.ndarray:
    """The cells of an environment as they are, (width, height, 3) uint8."""
    codes = np.array([code_of(thing) for thing in env.grid.grid], np.uint8)
    return codes.reshape(env.height, env.width, 3).swapaxes(0, 1)


def code_of(thing: WorldObj | None) -> Code:
    return thing.encode() if thing else (EMPTY, 0, 0)


class _Places(NamedTuple):
    """The places of a view from one pose: line by line away from the agent, each from its left.

    `things` takes what is there from MiniGrid's list of things, to which one for all places outside
    has been appended. `cells` are x * height + y, or -1 outside.
    """

    things: Callable[[Any], tuple[WorldObj | None, ...]]
    cells: tuple[int, ...]


@cache
def _places(pose: Pose, width: int, height: int, size: int) -> _Places:
    x, y, direction = pose
    dx, dy = HEADINGS[direction]
    things, cells = [], []
    for line in range(size):
        for side in range(-(size // 2), size // 2 + 1):
            px, py = x + line * dx - side * dy, y + line * dy + side * dx
            inside = 0 <= px < width and 0 <= py < height
            things.append(py * width + px if inside else -1)
            cells.append(px * height + py if inside else -1)
    return _Places(itemgetter(*things), tuple(cells))


@cache
def _spread(lit: int, clear: int, size: int) -> tuple[int, int]:
    """The lit places of a line, and those of the line ahead; a place is a bit.

    Light spreads along a line through clear places. A lit clear place lights its neighbours, and
    the places ahead of itself and of them.
    """
    bright, reach = 0, lit
    while bright != reach & clear:
        bright = reach & clear
        reach = (bright | bright << 1 | bright >> 1) & (1 << size) - 1
    return lit | reach, reach if bright else 0


@cache
def _ones(bits: int) -> tuple[int, ...]:
    return tuple(place for place in range(bits.bit_length()) if bits >> place & 1)
