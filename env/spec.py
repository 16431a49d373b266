"""What one environment observes and does, known before any is built."""

from dataclasses import dataclass
from typing import Any

import gymnasium as gym


@dataclass(frozen=True)
class Spec:
    """`observation`: boxes by name; `action`: discrete, or a box; `max_steps` of an episode;
    `view_size`: how many cells ahead an agent in a room sees."""

    observation: gym.spaces.Dict
    action: gym.spaces.Space[Any]
    max_steps: int
    view_size: int = 3

    def stacked(self, frames: int) -> "Spec":
        """The same where the `image` has the frames before it beside it, under `before`."""
        if frames == 1:
            return self
        image = self.observation["image"]
        assert isinstance(image, gym.spaces.Box)
        *place, channels = image.shape
        shape = (*place, channels * (frames - 1))
        before = gym.spaces.Box(image.low.min(), image.high.max(), shape, image.dtype.type)
        spaces = gym.spaces.Dict({"image": image, "before": before})
        return Spec(spaces, self.action, self.max_steps, self.view_size)
