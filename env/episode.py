"""One Gymnasium environment, as the adapters for several environments need it."""

from collections.abc import Callable
from typing import Any

import gymnasium as gym
import numpy as np

from env.drawing import Drawing
from env.spec import Spec
from env.symbols import ACTIONS

CHANNELS = 4
"""Channels of a map: type, colour, state, direction."""


class Episode(gym.Wrapper[Any, Any, Any, Any]):
    """Wraps an environment. After the end of an episode it rests until it is reset: observation
    and flags stay the same, and rewards are 0.

    Observations are boxes by name. A bare box gets the name `name`; parts of a dictionary that are
    no boxes, such as a text, are left out. Continuous actions are clipped to [-1, 1] and scaled to
    the environment's own bounds. The info of every step has `success` (by default: a positive
    reward at the end), `duration` (by default 1) and `measures` (the latest ones).

    Raises TypeError if the environment observes no box or has no step limit. Its actions must be
    numbered from 0, or be a vector of bounded numbers; others are a TypeError, too.
    """

    def __init__(self, env: gym.Env[Any, Any], name: str = "image") -> None:
        super().__init__(env)
        space, self.name = env.observation_space, name
        spaces = space.spaces if isinstance(space, gym.spaces.Dict) else {name: space}
        boxes: dict[str, gym.Space[Any]] = {
            key: box for key, box in spaces.items() if isinstance(box, gym.spaces.Box)
        }
        if not boxes:
            raise TypeError(f"an environment must observe numbers, not {space}")
        if not is_discrete(env.action_space) and not is_vector(env.action_space):
            raise TypeError(
                "an environment must have discrete actions, numbered from 0, or a vector of "
                f"bounded numbers, not {env.action_space}"
            )
        self.observation_space = gym.spaces.Dict(boxes)
        self.bounds: tuple[np.ndarray, np.ndarray] | None = None
        if isinstance(env.action_space, gym.spaces.Box):
            low, high = env.action_space.low, env.action_space.high
            self.bounds = (low + high) / 2, (high - low) / 2
            self.action_space = gym.spaces.Box(-1, 1, env.action_space.shape, np.float32)
        limit = _attribute(env, "max_steps")
        if limit is None and env.spec:
            limit = env.spec.max_episode_steps
        if limit is None:
            raise TypeError(f"an environment must cut its episodes off at some step: {env}")
        self.max_steps = int(limit)
        self.rests = True
        self.last: Any = None
        self.measures: dict[str, float] = {}

    @property
    def described(self) -> Spec:
        """Its spec."""
        view_size = int(_attribute(self.env, "agent_view_size") or Spec.view_size)
        assert isinstance(self.observation_space, gym.spaces.Dict)
        return Spec(self.observation_space, self.action_space, self.max_steps, view_size)

    def reset(self, **kwargs: Any) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
        observation, _ = self.env.reset(**kwargs)
        self.rests, self.measures = False, {}
        return self._seen(observation), {}

    def step(self, action: Any) -> tuple[dict[str, np.ndarray], float, bool, bool, dict[str, Any]]:
        if self.rests:
            seen, terminated, truncated, outcome = self.last
            return seen, 0.0, terminated, truncated, {**outcome, "success": False}
        observation, reward, terminated, truncated, info = self.env.step(self._scaled(action))
        self.measures = {**self.measures, **info.get("measures", {})}
        outcome = {
            "success": bool(info.get("success", terminated and float(reward) > 0)),
            "duration": int(info.get("duration", 1)),
            "measures": self.measures,
        }
        seen, flags = self._seen(observation), (bool(terminated), bool(truncated))
        self.rests, self.last = any(flags), (seen, *flags, outcome)
        return seen, float(reward), *flags, outcome

    def _scaled(self, action: Any) -> Any:
        if self.bounds is None:
            # MiniGrid compares an action with each of its own, which is slow for numpy's numbers.
            return int(action)
        middle, reach = self.bounds
        return middle + reach * np.clip(action, -1, 1)

    def pictures(self) -> dict[str, Any]:
        """Pictures by title, (height, width, 3) uint8 each: the environment's own, or a rendered
        one."""
        own = _attribute(self.env, "pictures")
        return own() if own else {"": self.env.render()}

    def drawing(self) -> Drawing:
        """A drawing for a page: the environment's own, or else its pictures."""
        own = _attribute(self.env, "drawing")
        drawing: Drawing = own() if own else Drawing("pictures", {}, {}, self.pictures())
        return drawing

    def _seen(self, observation: Any) -> dict[str, np.ndarray]:
        named = observation if isinstance(observation, dict) else {self.name: observation}
        assert isinstance(self.observation_space, gym.spaces.Dict)
        return {name: np.asarray(named[name]) for name in self.observation_space.spaces}


def _attribute(env: gym.Env[Any, Any], name: str) -> Any:
    """An attribute of the outermost wrapper that has it, or of the environment, or None."""
    return env.get_wrapper_attr(name) if env.has_wrapper_attr(name) else None


def is_discrete(space: gym.Space[Any]) -> bool:
    return isinstance(space, gym.spaces.Discrete) and space.start == 0


def is_vector(space: gym.Space[Any]) -> bool:
    return isinstance(space, gym.spaces.Box) and len(space.shape) == 1 and space.is_bounded()


def room(make: Callable[[], gym.Env[Any, Any]]) -> Episode:
    """An environment of rooms: it observes its map, and perhaps a `privileged` one. TypeError if it
    is none."""
    env = make()
    try:
        return _as_room(env)
    except TypeError:
        env.close()
        raise


def _as_room(env: gym.Env[Any, Any]) -> Episode:
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
    actions = env.action_space
    if not is_discrete(actions) or actions.n != len(ACTIONS):  # type: ignore[attr-defined]
        raise TypeError(f"a room must have MiniGrid's {len(ACTIONS)} actions, not {actions}")
    episode = Episode(env)
    maps: dict[str, gym.Space[Any]] = {"image": image}
    if "privileged" in episode.described.observation.spaces:
        maps["privileged"] = image
    episode.observation_space = gym.spaces.Dict(maps)
    return episode
