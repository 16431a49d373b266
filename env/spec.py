"""The spec of an environment, which can be read before any is built."""

from dataclasses import dataclass
from typing import Any

import gymnasium as gym

MAX_SIDE = 62
"""The most cells of a map's side: env/packed_maps.py keeps each column in one integer."""


@dataclass(frozen=True)
class Spec:
    """`observation` holds boxes by name; `action` is discrete or a box; an episode has at most
    `max_steps`; an agent in a room sees `view_size` cells ahead."""

    observation: gym.spaces.Dict
    action: gym.spaces.Space[Any]
    max_steps: int
    view_size: int = 3

    def stacked(self, frames: int) -> "Spec":
        """The spec with this many frames: the earlier ones are joined in `before`."""
        if frames == 1:
            return self
        image = self.observation["image"]
        assert isinstance(image, gym.spaces.Box)
        *place, channels = image.shape
        shape = (*place, channels * (frames - 1))
        before = gym.spaces.Box(image.low.min(), image.high.max(), shape, image.dtype.type)
        spaces = {**self.observation.spaces, "before": before}
        return Spec(gym.spaces.Dict(spaces), self.action, self.max_steps, self.view_size)
