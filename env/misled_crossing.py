"""A crossing of lava with a teacher that is misled near it.

Published (arXiv 2007.12173, "LavaCrossing with a corrupt expert"): 15 x 15 cells and 7 rivers. The
expert walks the shortest way until it is 10 actions from the goal; from then on it acts at random.

Here: 9 x 9 cells and 2 rivers. The teacher walks the shortest way, but takes all lava for floor
while lava is within a cell of the agent. So it is wrong in places, not from some time on, its
advice is the same each time, and it often ends the episode. The student sees the lava.

The reward is MiniGrid's, 1 - 0.9 * steps / max_steps at the goal. An episode that ends there is a
success.
"""

from typing import Any

import numpy as np
from minigrid.envs.crossing import CrossingEnv

from env.remembered_map import RememberedMap, truth
from env.symbols import EMPTY, LAVA


class MisledCrossing(CrossingEnv):
    """A teacher takes lava for floor while some is within `near` cells, also diagonally."""

    def __init__(self, near: int = 1, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.near = near
        self.remembered = RememberedMap(self)

    def teacher_map(self) -> np.ndarray:
        """The map that a teacher gets, (width, height, 4) uint8."""
        cells = truth(self)
        lava = cells[..., 0] == LAVA
        x, y, _ = self.remembered.pose
        around = slice(max(x - self.near, 0), x + self.near + 1)
        if lava[around, max(y - self.near, 0) : y + self.near + 1].any():
            cells[lava] = EMPTY, 0, 0
        return self.remembered.with_agent(cells)
