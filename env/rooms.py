"""The MiniGrid tasks: one room, a locked door, a key, and a map of what the agent has seen.

The agent must find the key and open the door with it. Layouts are drawn with MiniGrid's own
random calls, so that a seed always gives the same room.
"""

from typing import Any

import numpy as np
from gymnasium import spaces
from minigrid.core.constants import COLOR_NAMES
from minigrid.core.grid import Grid
from minigrid.core.mission import MissionSpace
from minigrid.core.world_object import Box, Door, Key, Lava, Wall
from minigrid.minigrid_env import MiniGridEnv

from env.drawing import Drawing
from env.map_pictures import both_pictures, map_drawing, memory_picture
from env.remembered_map import Cell, RememberedMap
from env.symbols import DOOR, KEY, TOGGLE, UNSEEN, WALL


def _mission() -> str:
    return "pick up the key and open the door"


class DoorKeyRoom(MiniGridEnv):
    """A walled room of random size in the corner of a square grid, with one locked door.

    Observations are `image`, (grid_size, grid_size, 4) uint8 in absolute (x, y) coordinates, and
    the text `mission`. Three channels are the type, colour and state of each cell as last seen,
    zeros if never seen. The last one is the agent's direction at its own cell, and 4 elsewhere. The
    agent's own cell shows what it carries.

    The reward is 1 - 0.9 * steps / max_steps when a door opens, which ends the episode; else 0.
    With `privileged`, observations have a second map of that name, of all cells as they are: for a
    teacher that knows more than the student.

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
        privileged: bool = False,
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
        self.remembered = RememberedMap(self)
        self.privileged = privileged
        image = spaces.Box(0, 255, (grid_size, grid_size, 4), np.uint8)
        seen = {"image": image, "mission": MissionSpace(_mission)}
        self.observation_space = spaces.Dict(seen | ({"privileged": image} if privileged else {}))

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
        self.remembered.forget()
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
        self.remembered.look()
        seen = {"image": self.remembered.image(), "mission": self.mission}
        return seen | ({"privileged": self.remembered.whole()} if self.privileged else {})

    def get_full_render(self, highlight: bool, tile_size: int) -> np.ndarray:
        """The room as the agent remembers it, (height, width, 3) uint8."""
        # MiniGrid may render before it observes.
        self.remembered.look()
        return memory_picture(self.remembered, tile_size, highlight)

    def pictures(self) -> dict[str, np.ndarray]:
        """The agent's memory of the room, and the room itself, (height, width, 3) uint8 each, by
        title."""
        return both_pictures(self.remembered)

    def drawing(self) -> Drawing:
        """The room, the agent's memory of it, and the agent, for the script of a page."""
        return map_drawing(self.remembered)


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


class KeyInBoxRoom(DoorKeyRoom):
    """The key lies in a box, which must be opened first."""

    def furnish(self, color: str) -> None:
        self.place_agent((0, 0), self.room)
        self.place_box(Key(color))

    def place_box(self, contains: Key | None) -> None:
        """Put a box of a random colour where it blocks no door."""
        box = Box(self._rand_color(), contains)
        self.place_obj(box, (0, 0), self.room, reject_fn=self.inside_door)


class RandomBoxKeyRoom(KeyInBoxRoom):
    """Two or three boxes. One of them holds the key."""

    def furnish(self, color: str) -> None:
        super().furnish(color)
        for _ in range(self._rand_int(1, 3)):
            self.place_box(None)


class DynamicDoorKeyRoom(DoorKeyRoom):
    """Every ten steps the door moves to another place in the walls, until the agent sees the key.

    The agent hears it move. So it forgets all walls, except those that it sees then.
    """

    PERIOD = 10

    def step(  # type: ignore[override]
        self, action: Any
    ) -> tuple[dict[str, Any], float, bool, bool, dict[str, Any]]:
        found_key = self.carrying or (self.remembered.cells[..., 0] == KEY).any()
        if not found_key and self.step_count % self.PERIOD == self.PERIOD - 1:
            self._move_door()
        return super().step(action)

    def _move_door(self) -> None:
        ((x, y),) = self.doors
        door = self.grid.get(x, y)
        assert door
        self.grid.set(x, y, Wall())
        while self.doors == [(x, y)]:
            self.doors = self.choose_doors()
        self.put_obj(door, *self.doors[0])
        cells = self.remembered.cells
        cells[np.isin(cells[..., 0], (WALL, DOOR)), :3] = UNSEEN
