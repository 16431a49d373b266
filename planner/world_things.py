"""The things on remembered maps of MiniGrid and BabyAI tasks, and the ways to them."""

from dataclasses import dataclass
from itertools import count

import torch
from torch import Tensor
from torch.nn import functional

from env import symbols
from env.packed_maps import beside, flood, is_in, pack_cell, pack_each, touched
from env.symbols import BALL, BOX, DOOR, EMPTY, GOAL, KEY, LAVA, NO_AGENT, UNSEEN, WALL
from planner.room_scene import NOWHERE

FREE, UNSURE, BLOCKED, LOCKED_AWAY, NOT_SEEN = range(5)
"""The way to a thing: over known free cells; over cells not seen yet; only if balls, boxes or keys
are moved; only through a locked door, or not at all. Closed doors that are not locked are free."""
FAR = 1 << 12
"""More than any distance on a map, which has fewer cells."""


class Ground:
    """S remembered maps, (S, W, H, 4) uint8, and what can be reached on them.

    `agent` (S,) and `held_kind`, `held_color` (S,) int64: the agent's cell x * H + y, and what it
    holds (EMPTY if nothing). The other tensors are packed cells (S, W).
    """

    def __init__(self, image: Tensor) -> None:
        kind, color, state, direction = image.flatten(1, 2).unbind(-1)
        self.shape = image.shape[:3]
        height = image.shape[2]
        agent = (direction != NO_AGENT).to(torch.uint8).argmax(1, keepdim=True)
        self.agent = agent[:, 0]
        self.held_kind = kind.gather(1, agent)[:, 0].long()
        self.held_color = color.gather(1, agent)[:, 0].long()
        # The agent's own cell shows what it carries.
        self.kind, self.color = kind.scatter(1, agent, EMPTY), color

        self.locked = (self.kind == DOOR) & (state == symbols.LOCKED)
        kinds = (UNSEEN, EMPTY, WALL, DOOR, KEY, BALL, BOX, LAVA)
        self.unseen, empty, self.wall, door, key, ball, box, lava = pack_each(image[..., 0], *kinds)
        own = pack_cell(self.agent, height, self.wall)
        # The map does not show the door of a doorway in which the agent stands.
        east, south, west, north = beside(self.wall)
        self.doorway = own & (east & west | south & north)
        self.empty = (empty | own) & ~self.doorway
        self.movable = (key | ball | box) & ~own
        locked = door & pack_each(image[..., 2], symbols.LOCKED)[0]
        solid = self.unseen | self.wall | lava | locked | self.movable
        free = ~solid & ((1 << height) - 1)
        self.reached, self.steps = _flood_in_steps(free, own)
        self.hoped = flood(free | self.unseen, self.reached)
        """Cells that can be reached if the cells not seen are free."""
        self.cleared = flood(free | self.unseen | self.movable, self.hoped)
        """Cells that can be reached if also all balls, boxes and keys are moved."""
        self.explorable = (touched(self.reached) & self.unseen).any(1)
        """(S,) bool: whether a cell not seen borders on the cells that can be reached."""

    def has_room_beside(self, cells: Tensor) -> Tensor:
        """(S,) bool: whether next to these packed cells is a cell that can be reached and is empty,
        or may be empty because it was not seen."""
        room = touched(cells) & (self.empty | self.unseen)
        return (room & touched(self.hoped)).any(1)

    def blockers(self, hidden: Tensor) -> Tensor:
        """The things next to the agent's way that keep it from these packed cells.

        If several must be moved, these are the first ones on the ways with the fewest things.
        """
        near = touched(self.reached) & self.movable
        beyond = touched(self.cleared) & ~(self.hoped | touched(self.hoped)) & ~self.wall
        region = flood(beyond & ~self.movable, hidden & beyond)
        while True:
            found = touched(region) & near
            searching = ~found.any(1, keepdim=True)
            grown = region | (touched(region) & beyond & self.movable * searching)
            if torch.equal(grown, region):
                return found
            region = flood(beyond & ~self.movable, grown)


@dataclass
class Things:
    """All doors, keys, balls, boxes and goals on S maps, in a row of K; the last stands for none.

    `step` says on which map a thing is, `cell` is x * H + y. `way` is one of `FREE`, `UNSURE`,
    `BLOCKED`, `LOCKED_AWAY`; `distance` in steps, as the crow flies if the way is not free. All
    (K,) int64; `locked` bool. The last has the kind UNSEEN, the cell NOWHERE and the way NOT_SEEN.
    """

    ground: Ground
    step: Tensor
    cell: Tensor
    kind: Tensor
    color: Tensor
    locked: Tensor
    way: Tensor
    distance: Tensor

    @classmethod
    def on(cls, ground: Ground) -> "Things":
        height = ground.shape[2]
        # The types from DOOR to GOAL are those of all things that can be named.
        assert list(range(DOOR, GOAL + 1)) == [DOOR, KEY, BALL, BOX, GOAL]
        step, cell = ((ground.kind >= DOOR) & (ground.kind <= GOAL)).nonzero(as_tuple=True)
        x, y = cell // height, cell % height
        way = torch.full_like(step, LOCKED_AWAY)
        for name, cells in (
            (BLOCKED, ground.cleared),
            (UNSURE, ground.hoped),
            (FREE, ground.reached),
        ):
            way[is_in(touched(cells), step, x, y)] = name
        walked = sum(
            is_in(plane, step, x, y).long() << bit for bit, plane in enumerate(ground.steps)
        )
        own = ground.agent[step]
        crow = (x - own // height).abs() + (y - own % height).abs()
        kind, color, locked = (
            each[step, cell] for each in (ground.kind, ground.color, ground.locked)
        )
        none_of = {
            step: 0,
            cell: NOWHERE,
            kind.long(): UNSEEN,
            color.long(): 0,
            locked: False,
            way: NOT_SEEN,
            torch.where(way == FREE, walked, crow): 0,
        }
        padded = (functional.pad(each, (0, 1), value=none) for each, none in none_of.items())
        return cls(ground, *padded)

    def is_in(self, cells: Tensor) -> Tensor:
        """(K,) bool: which things lie on these packed cells."""
        height = self.ground.shape[2]
        return is_in(cells, self.step, self.cell // height, self.cell % height)

    def nearest(self, fits: Tensor, rank: Tensor | None = None) -> Tensor:
        """The nearest of the things that fit, (S,) int64: its number, or that of none.

        `fits` (K,) bool. A smaller `rank` (K,) counts first, by default the way.
        """
        maps, cells = self.ground.shape[0], self.ground.kind.shape[1]
        order = (self.way if rank is None else rank) * FAR + self.distance
        order = (order * cells + self.cell)[fits]
        step, number = self.step[fits], fits.nonzero()[:, 0]
        best = torch.full((maps,), torch.iinfo(torch.int64).max, device=order.device)
        best.scatter_reduce_(0, step, order, "amin")
        found = torch.full((maps,), len(self.step) - 1, device=order.device)
        chosen = order == best[step]
        found[step[chosen]] = number[chosen]
        return found


def _flood_in_steps(passable: Tensor, cells: Tensor) -> tuple[Tensor, list[Tensor]]:
    """Like `flood`, also with the number of steps to each cell that is reached or borders on one.

    The numbers are bits, from the lowest: bit b of the number of steps to a cell is whether the
    cell is in the packed cells `steps[b]`.
    """
    steps: list[Tensor] = []
    seen = cells
    for layer in count(1):
        edge = touched(seen & passable | cells) & ~seen
        if not edge.any():
            return cells | seen & passable, steps
        while layer >> len(steps):
            steps.append(torch.zeros_like(cells))
        for bit, plane in enumerate(steps):
            if layer >> bit & 1:
                plane |= edge
        seen = seen | edge
    raise AssertionError
