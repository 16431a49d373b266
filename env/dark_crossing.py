"""Crossings in the dark: the student must use a switch to see, and its teacher needs no light.

Published (arXiv 2007.12173, "faulty switch" and "once switch"): crossings of walls or lava, from
9 x 9 cells with 4 rivers to 15 x 15 with 7. One more action lights the view. With a faulty switch
the light goes out again after one observation; a switch that is used once lights the rest of the
episode. The expert knows the way and never uses the switch. So students that imitate it stay in the
dark.

Here: 9 x 9 cells and 4 rivers of lava. The action is MiniGrid's `toggle`, anywhere. A use of the
faulty switch also fails half of the time. In the dark the agent still knows its place and its
direction, and it remembers what it saw: the published student has an LSTM for that.

The reward is MiniGrid's, 1 - 0.9 * steps / max_steps at the goal. An episode that ends there is a
success.
"""

from typing import Any

from minigrid.core.world_object import WorldObj
from minigrid.envs.crossing import CrossingEnv

from env.remembered_map import RememberedMap
from env.symbols import TOGGLE


class DarkCrossing(CrossingEnv):
    """`toggle` turns the light on with the probability `works`. It stays on to the end of the
    episode if it `stays`, else for one observation."""

    def __init__(self, works: float = 1.0, stays: bool = True, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.works, self.stays = works, stays
        self.is_lit = False
        self.remembered = DarkMap(self)

    def reset(  # type: ignore[override]
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[dict[str, Any], dict[str, Any]]:
        self.is_lit = False
        return super().reset(seed=seed, options=options)

    def step(  # type: ignore[override]
        self, action: Any
    ) -> tuple[dict[str, Any], float, bool, bool, dict[str, Any]]:
        stays_lit = self.is_lit and self.stays
        self.is_lit = stays_lit or (action == TOGGLE and self.np_random.random() < self.works)
        observation, reward, terminated, truncated, info = super().step(action)
        return observation, float(reward), terminated, truncated, info


class DarkMap(RememberedMap):
    """The map of an agent that sees nothing in the dark."""

    env: DarkCrossing

    def _lit(self, things: tuple[WorldObj | None, ...]) -> list[int]:
        return super()._lit(things) if self.env.is_lit else []
