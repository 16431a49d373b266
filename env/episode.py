"""One Gymnasium environment, as the adapters for many need it."""

from collections.abc import Callable
from typing import Any

import gymnasium as gym
import numpy as np

from env.spec import Spec

DEFAULT_VIEW_SIZE = 3
CHANNELS = 4
"""Of a map: type, colour, state, direction."""


class Episode(gym.Wrapper):
    """Observes boxes by name alone, says whether an episode succeeded, and rests when it is over:
    it then keeps its observation and its flags, with reward 0, until it is reset.

    A bare box is observed under `name`; of a dictionary what is no box, such as a text, is left
    out. Where the environment itself does not say `success`, a reward with the end is one. What
    it says under `measures` and `duration` is passed on. TypeError for an environment that observes
    no box, or whose actions are neither discrete nor a box.
    """

    def __init__(self, env: gym.Env, name: str = "image") -> None:
        super().__init__(env)
        space, self.name = env.observation_space, name
        spaces = space.spaces if isinstance(space, gym.spaces.Dict) else {name: space}
        boxes: dict[str, gym.Space[Any]] = {
            key: box for key, box in spaces.items() if isinstance(box, gym.spaces.Box)
        }
        if not boxes:
            raise TypeError(f"an environment must observe numbers, not {space}")
        if not isinstance(env.action_space, gym.spaces.Discrete | gym.spaces.Box):
            raise TypeError(
                "an environment must have discrete actions, or a box of them, "
                f"not {env.action_space}"
            )
        self.observation_space = gym.spaces.Dict(boxes)
        self.rests = True
        self.last: Any = None

    @property
    def described(self) -> Spec:
        """What there is to know of it without running it."""
        unwrapped = self.env.unwrapped
        limit: int | None = getattr(unwrapped, "max_steps", None)
        if limit is None and self.env.spec:
            limit = self.env.spec.max_episode_steps
        view_size = int(getattr(unwrapped, "agent_view_size", DEFAULT_VIEW_SIZE))
        assert isinstance(self.observation_space, gym.spaces.Dict)
        return Spec(self.observation_space, self.action_space, limit, view_size)

    def reset(self, **kwargs: Any) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
        observation, _ = self.env.reset(**kwargs)
        self.rests = False
        return self._seen(observation), {}

    def step(self, action: Any) -> tuple[dict[str, np.ndarray], float, bool, bool, dict[str, Any]]:
        if self.rests:
            observation, terminated, truncated, told = self.last
            return observation, 0.0, terminated, truncated, {**told, "success": False}
        observation, reward, terminated, truncated, info = self.env.step(action)
        told = {name: info[name] for name in ("measures", "duration") if name in info}
        success = bool(info.get("success", terminated and float(reward) > 0))
        seen = self._seen(observation)
        self.rests = bool(terminated or truncated)
        self.last = seen, bool(terminated), bool(truncated), told
        return seen, float(reward), bool(terminated), bool(truncated), {**told, "success": success}

    def pictures(self) -> dict[str, Any]:
        """(height, width, 3) uint8 each, under what they show: the environment as it is, or what it
        says itself that there is to see."""
        own = getattr(self.env.unwrapped, "pictures", None)
        return own() if own else {"": self.env.render()}

    def _seen(self, observation: Any) -> dict[str, np.ndarray]:
        named = observation if isinstance(observation, dict) else {self.name: observation}
        assert isinstance(self.observation_space, gym.spaces.Dict)
        return {name: np.asarray(named[name]) for name in self.observation_space.spaces}


def room(make: Callable[[], gym.Env]) -> Episode:
    """An environment of rooms, observed as a map alone. TypeError if it observes none."""
    env = make()
    space = env.observation_space
    image = space.spaces.get("image") if isinstance(space, gym.spaces.Dict) else space
    if (
        not isinstance(image, gym.spaces.Box)
        or image.shape[2:] != (CHANNELS,)
        or image.dtype != np.uint8
    ):
        raise TypeError(
            f"an environment must observe a uint8 map of shape (width, height, {CHANNELS}), "
            f"alone or as `image` of a dictionary, not {space}"
        )
    if not isinstance(env.action_space, gym.spaces.Discrete):
        raise TypeError(f"an environment must have discrete actions, not {env.action_space}")
    episode = Episode(env)
    episode.observation_space = gym.spaces.Dict({"image": image})
    return episode
