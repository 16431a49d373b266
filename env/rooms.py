"""The MiniGrid tasks: one room, a locked door, a key, and a map of what the agent has seen.

The agent must find the key and open the door with it. Layouts are drawn with MiniGrid's own
random calls, so that a seed always gives the same room.
"""

from collections.abc import Iterator
from typing import Any

import numpy as np
from gymnasium import spaces
from minigrid.core.constants import COLOR_NAMES, DIR_TO_VEC, TILE_PIXELS
from minigrid.core.grid import Grid
from minigrid.core.mission import MissionSpace
from minigrid.core.world_object import Door, Key, Lava
from minigrid.minigrid_env import MiniGridEnv

from env.drawing import Drawing
from env.symbols import COLORS, EMPTY, NO_AGENT, STATES, TOGGLE, TYPES, UNSEEN

Cell = tuple[int, int]
HEADINGS = tuple((int(dx), int(dy)) for dx, dy in DIR_TO_VEC)
UNSEEN_GREY = 200


def _mission() -> str:
    return "pick up the key and open the door"


class DoorKeyRoom(MiniGridEnv):
    """A walled room of random size in the corner of a square grid, with one locked door.

    Observations are `image`, (grid_size, grid_size, 4) uint8 in absolute (x, y) coordinates, and
    the text `mission`. Three channels are the type, colour and state of each cell as last seen,
    zeros if never seen. The last one is the agent's direction at its own cell, and 4 elsewhere. The
    agent's own cell shows what it carries.

    The reward is 1 - 0.9 * steps / max_steps when a door opens, which ends the episode; else 0.
    `render()` shows the agent's memory, with unseen cells in grey.

    Other rooms override `choose_doors`, `choose_color` or `furnish`.
    """

    def __init__(
        self,
        grid_size: int = 10,
        min_size: int = 5,
        max_size: int = 10,
        max_steps: int = 150,
        agent_view_size: int = 3,
        **kwargs: Any,
    ) -> None:
        super().__init__(
            MissionSpace(_mission),
            grid_size=grid_size,
            max_steps=max_steps,
            agent_view_size=agent_view_size,
            **kwargs,
        )
        self.min_size, self.max_size = min_size, max_size
        self.doors: list[Cell] = []
        image = spaces.Box(0, 255, (grid_size, grid_size, 4), np.uint8)
        self.observation_space = spaces.Dict({"image": image, "mission": MissionSpace(_mission)})

    def _gen_grid(self, width: int, height: int) -> None:
        self.room = (
            self._rand_int(self.min_size, self.max_size + 1),
            self._rand_int(self.min_size, self.max_size + 1),
        )
        self.grid = Grid(width, height)
        self.grid.wall_rect(0, 0, *self.room)
        self.doors = self.choose_doors()
        color = self.choose_color()
        for x, y in self.doors:
            self.put_obj(Door(color, is_locked=True), x, y)
        self.furnish(color)

    def place_on_wall(self, side: int) -> Cell:
        """A random door place on the right (0), bottom (1), left (2) or top (3) wall."""
        size_x, size_y = self.room
        if side in (0, 2):
            return (size_x - 1 if side == 0 else 0), self._rand_int(1, size_y - 1)
        return self._rand_int(1, size_x - 1), (size_y - 1 if side == 1 else 0)

    def choose_doors(self) -> list[Cell]:
        return [self.place_on_wall(self._rand_elem([0, 1, 2, 3]))]

    def choose_color(self) -> str:
        return str(self._rand_elem(sorted(COLOR_NAMES)))

    def furnish(self, color: str) -> None:
        self.place_agent((0, 0), self.room)
        self.place_obj(Key(color), (0, 0), self.room)

    @staticmethod
    def inside_door(room: "DoorKeyRoom", cell: Cell) -> bool:
        """Whether a cell is beside a door. It must stay free, or the door cannot be opened."""
        return any(abs(cell[0] - x) + abs(cell[1] - y) == 1 for x, y in room.doors)

    def reset(  # type: ignore[override]
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[dict[str, Any], dict[str, Any]]:
        self._map = np.zeros((self.width, self.height, 4), np.uint8)
        self._map[..., 3] = NO_AGENT
        return super().reset(seed=seed, options=options)

    def step(  # type: ignore[override]
        self, action: Any
    ) -> tuple[dict[str, Any], float, bool, bool, dict[str, Any]]:
        observation, reward, terminated, truncated, info = super().step(action)
        info["success"] = action == TOGGLE and any(self._is_open(door) for door in self.doors)
        if info["success"]:
            reward, terminated = self._reward(), True
        return observation, float(reward), terminated, truncated, info

    def _is_open(self, door: Cell) -> bool:
        thing = self.grid.get(*door)
        return isinstance(thing, Door) and thing.is_open

    def gen_obs(self) -> dict[str, Any]:
        self._remember_view()
        x, y = self.agent_pos
        image = self._map.copy()
        image[x, y, :3] = self.carrying.encode() if self.carrying else (EMPTY, 0, 0)
        image[x, y, 3] = self.agent_dir
        return {"image": image, "mission": self.mission}

    def _remember_view(self) -> None:
        # Only cells in view can change, so the rest of the map stays true.
        for x, y in self._cells_in_view():
            cell = self.grid.get(x, y)
            self._map[x, y, :3] = cell.encode() if cell else (EMPTY, 0, 0)

    def _cells_in_view(self) -> Iterator[Cell]:
        """The cells that the agent sees now. Light spreads line by line away from it.

        On each line, once forth and once back, a lit transparent cell lights its neighbour and the
        two cells ahead of them.
        """
        size, half = self.agent_view_size, self.agent_view_size // 2
        (dx, dy), (x, y) = HEADINGS[self.agent_dir], self.agent_pos
        side_x, side_y = abs(dy), abs(dx)
        x, y = int(x) - half * side_x, int(y) - half * side_y
        lit = [place == half for place in range(size)]
        for _ in range(size):
            cells = [(x + place * side_x, y + place * side_y) for place in range(size)]
            clear = [on and self._seen_through(cell) for on, cell in zip(lit, cells, strict=True)]
            ahead = [False] * size
            for places, step in ((range(size - 1), 1), (range(size - 1, 0, -1), -1)):
                for place in places:
                    if clear[place]:
                        if not lit[place + step]:
                            lit[place + step] = True
                            clear[place + step] = self._seen_through(cells[place + step])
                        ahead[place] = ahead[place + step] = True
            for on, cell in zip(lit, cells, strict=True):
                if on and self._inside(cell):
                    yield cell
            lit = ahead
            x, y = x + dx, y + dy

    def _inside(self, cell: Cell) -> bool:
        return 0 <= cell[0] < self.width and 0 <= cell[1] < self.height

    def _seen_through(self, cell: Cell) -> bool:
        if not self._inside(cell):
            return False
        thing = self.grid.get(*cell)
        return thing is None or thing.see_behind()

    def get_full_render(self, highlight: bool, tile_size: int) -> np.ndarray:
        """The room as the agent remembers it, (height, width, 3) uint8."""
        self._remember_view()
        picture = self.render_truth(tile_size, highlight)
        unseen = (self._map[..., 0] == UNSEEN).T
        veil = unseen.repeat(tile_size, axis=0).repeat(tile_size, axis=1)
        picture[veil] = UNSEEN_GREY
        return picture

    def pictures(self) -> dict[str, Any]:
        """The agent's memory of the room, and the room itself, (height, width, 3) uint8 each, by
        title."""
        return {
            "as the agent remembers it (light grey: not seen yet)": self.render(),
            "as it is": self.render_truth(),
        }

    def drawing(self) -> Drawing:
        """The maps of the room and of the agent's memory, the agent, and the cells in its view.

        A map is a text with two base-36 digits per cell, column by column: (type * colours +
        colour) * states + state. The agent is x, y and direction; what it carries is one such
        cell. Cells in view are x * height + y.
        """

        def digits(cells: np.ndarray) -> str:
            kind, color, state = cells.reshape(-1, 3).astype(int).T
            codes = (kind * len(COLORS) + color) * len(STATES) + state
            return "".join(np.base_repr(code, 36).lower().zfill(2) for code in codes)

        types, colors = ({i: name for name, i in table.items()} for table in (TYPES, COLORS))
        held = self.carrying.encode() if self.carrying else (EMPTY, 0, 0)
        now = {
            "truth": digits(self.grid.encode()),
            "memory": digits(self._map[..., :3]),
            "agent": [*map(int, self.agent_pos), int(self.agent_dir)],
            "carries": digits(np.array(held)),
            "view": sorted(x * self.height + y for x, y in self._cells_in_view()),
        }
        size = [self.width, self.height]
        place = {"size": size, "types": types, "colors": colors, "states": len(STATES)}
        return Drawing("room", place, now, {})

    def render_truth(self, tile_size: int = TILE_PIXELS, highlight: bool = True) -> np.ndarray:
        """The room itself, (height, width, 3) uint8. `highlight` lights up the view."""
        in_view = np.zeros((self.width, self.height), bool)
        if highlight:
            in_view[tuple(np.array(list(self._cells_in_view())).T)] = True
        return self.grid.render(tile_size, tuple(self.agent_pos), self.agent_dir, in_view)


class ColoredDoorKeyRoom(DoorKeyRoom):
    """A blue door, its blue key, and a red key that does not fit."""

    def choose_color(self) -> str:
        return "blue"

    def furnish(self, color: str) -> None:
        self.place_agent((0, 0), self.room)
        keys = ("blue", "red")[: self._rand_int(2, 3)]
        for key in keys:
            self.place_obj(Key(key), (0, 0), self.room, reject_fn=self.inside_door)


class LavaDoorKeyRoom(DoorKeyRoom):
    """One cell of lava in the way, which ends the episode with reward 0."""

    def furnish(self, color: str) -> None:
        super().furnish(color)
        self.place_obj(Lava(), (0, 0), self.room, reject_fn=self.inside_door)


class TwoDoorRoom(DoorKeyRoom):
    """A large room with two doors in opposite walls and the key in the middle.

    The paper calls this task DivergedDoorKey.
    """

    def choose_doors(self) -> list[Cell]:
        right_or_bottom = self._rand_elem([0, 1])
        return [self.place_on_wall(right_or_bottom), self.place_on_wall(right_or_bottom + 2)]

    def furnish(self, color: str) -> None:
        size_x, size_y = self.room
        self.place_obj(Key(color), (size_x // 2 - 1, size_y // 2 - 1), (2, 2))
        self.place_agent((0, 0), self.room)
