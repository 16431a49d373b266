"""Doors of which one is worth much and the others cost as much. Only the teacher knows which.

Published (arXiv 2007.12173, "PoisonedDoors"): four doors and no map. Behind a random one of three
doors is a reward of 2, behind the others -2. The fourth door needs a code of ten digits from 0 to
2, the same in all episodes; it gives 1, and a wrong digit ends the episode with 0. The expert opens
the right door at once; to an agent at the fourth door it tells the code.

Here: the agent starts between three doors, worth 2, -2 and -2 in a random order, and a passage to a
field of hidden traps. A step onto a trap ends the episode with 0. The way across the field is the
code: 7 cells, the same in all episodes. The door behind it gives 1. The teacher opens the right
door; to an agent in the passage or the field it shows the way. Other than published, the agent may
turn back.

Rewards do not shrink with time. An episode is a success if its return is at least 1, the sure one.
A student that imitates cannot tell the three doors apart: it succeeds once in three times and
returns -0.67. The sure door returns 1, so look at returns first: a teacher's is 2.
"""

from typing import Any

import numpy as np
from minigrid.core.grid import Grid
from minigrid.core.mission import MissionSpace
from minigrid.core.world_object import Door
from minigrid.minigrid_env import MiniGridEnv

from env.remembered_map import Cell, RememberedMap, truth
from env.symbols import COLORS, LAVA, WALL

WIDTH, HEIGHT, MAX_STEPS = 9, 9, 100
DOORS: dict[Cell, str] = {(3, 2): "red", (4, 1): "green", (5, 2): "blue"}
"""The doors beside the start, with their colours."""
START: Cell = (4, 2)
PASSAGE: Cell = (4, 3)
CODE: tuple[Cell, ...] = ((4, 4), (3, 4), (3, 5), (3, 6), (4, 6), (5, 6), (5, 7))
"""The cells of the field without a trap, from the passage to the sure door."""
SURE_DOOR: Cell = (5, 8)
TRAPS = {(x, y) for x in range(1, WIDTH - 1) for y in range(4, HEIGHT - 1)} - {*CODE}
GOOD, SURE, POISONED = 2.0, 1.0, -2.0
"""What the doors are worth."""


def _mission() -> str:
    return "open the door"


class PoisonedDoors(MiniGridEnv):
    """Three doors above a field of traps. Opening a door ends the episode."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(
            MissionSpace(_mission), width=WIDTH, height=HEIGHT, max_steps=MAX_STEPS, **kwargs
        )
        self.remembered = RememberedMap(self)

    def _gen_grid(self, width: int, height: int) -> None:
        self.grid = Grid(width, height)
        self.grid.wall_rect(0, 0, width, height)
        for y in range(1, PASSAGE[1] + 1):
            self.grid.horz_wall(0, y)
        self.grid.set(*START, None)
        self.grid.set(*PASSAGE, None)
        for cell, color in (DOORS | {SURE_DOOR: "yellow"}).items():
            self.put_obj(Door(color), *cell)
        self.good_door: Cell = self._rand_elem(list(DOORS))
        self.agent_pos, self.agent_dir = START, 3
        self.mission = _mission()

    def step(  # type: ignore[override]
        self, action: Any
    ) -> tuple[dict[str, Any], float, bool, bool, dict[str, Any]]:
        observation, _, terminated, truncated, info = super().step(action)
        opened = next((cell for cell in (*DOORS, SURE_DOOR) if self._is_open(cell)), None)
        reward = self.worth(opened) if opened else 0.0
        info["success"] = reward >= SURE
        terminated |= bool(opened) or self.remembered.pose[:2] in TRAPS
        return observation, reward, terminated, truncated, info

    def worth(self, door: Cell) -> float:
        """The reward for opening a door."""
        if door == SURE_DOOR:
            return SURE
        return GOOD if door == self.good_door else POISONED

    def _is_open(self, cell: Cell) -> bool:
        door = self.grid.get(*cell)
        return isinstance(door, Door) and door.is_open

    def teacher_map(self) -> np.ndarray:
        """The map that a teacher gets, (width, height, 4) uint8: traps are lava, and the only door
        is the one that it wants open."""
        cells = truth(self)
        for cell in TRAPS:
            cells[cell] = LAVA, COLORS["red"], 0
        wanted = self.good_door if self.remembered.pose[:2] == START else SURE_DOOR
        for cell in {*DOORS, SURE_DOOR} - {wanted}:
            cells[cell] = WALL, COLORS["grey"], 0
        return self.remembered.with_agent(cells)
