"""Many rooms in step, behind Gymnasium's vector interface."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from functools import cached_property
from typing import Any

import gymnasium as gym
import numpy as np
import torch
from gymnasium.vector import AutoresetMode, VectorEnv
from gymnasium.vector.utils import batch_space
from torch import Tensor

CHANNELS = 4
"""Of a map: type, colour, state, direction."""
DEFAULT_VIEW_SIZE = 3

Seeds = int | Sequence[int | None] | Tensor | None
"""One seed a room, or a first one that counts up, or none."""


class MapEnv(VectorEnv, ABC):
    """N rooms that are observed as maps, (N, W, H, C) uint8 tensors.

    Nothing resets by itself: a room whose episode has ended rests (it keeps its last observation,
    reward 0 and its flags) until `reset` names it, so that the last observation of a cut-off
    episode can be bootstrapped and no step is a dummy.
    """

    metadata: dict[str, Any] = {"autoreset_mode": AutoresetMode.DISABLED}  # noqa: RUF012

    def __init__(
        self, num_envs: int, shape: tuple[int, int, int], frame_stack: int, num_actions: int
    ) -> None:
        """`shape` is that of one map, before `frame_stack` of them are joined."""
        if num_envs < 1 or frame_stack < 1:
            raise ValueError(
                f"num_envs and frame_stack must be at least 1, not {num_envs} and {frame_stack}"
            )
        width, height, channels = shape
        self.num_envs = num_envs
        self.frame_stack = frame_stack
        self.map_shape = (width, height, channels * frame_stack)
        self.num_actions = num_actions
        self.single_observation_space = gym.spaces.Box(0, 255, self.map_shape, np.uint8)
        self.single_action_space = gym.spaces.Discrete(num_actions)

    # Made when somebody asks: bounds for every cell of every room are larger than the rooms.

    @cached_property
    def observation_space(self) -> gym.Space[Any]:  # type: ignore[override]
        return batch_space(self.single_observation_space, self.num_envs)

    @cached_property
    def action_space(self) -> gym.Space[Any]:  # type: ignore[override]
        return batch_space(self.single_action_space, self.num_envs)

    def reset(
        self, *, seed: Seeds | np.integer[Any] = None, options: dict[str, Any] | None = None
    ) -> tuple[Tensor, dict[str, Any]]:
        """Start new episodes, in all rooms or where `options["reset_mask"]` (N,) bool is set.

        Returns all observations.
        """
        if isinstance(seed, np.integer):
            seed = int(seed)
        super().reset(seed=seed if isinstance(seed, int) else None)
        return self._restart(seed, (options or {}).get("reset_mask")), {}

    @abstractmethod
    def _restart(self, seed: Seeds, mask: Any | None) -> Tensor:
        """What `reset` does; without a mask, in all rooms."""


class Rooms(MapEnv):
    """N plain Gymnasium environments stepped side by side; any with a map observation will do.

    An observation is the bare `image`, an (N, W, H, C) uint8 tensor, of the environment's
    dictionary (or its whole observation, if that is a map already). `frame_stack` = k joins the
    last k images along the channels, oldest first; at a reset the first is repeated.
    """

    def __init__(self, make: Callable[[], gym.Env], num_envs: int, frame_stack: int = 1) -> None:
        self.envs = [make() for _ in range(num_envs)]
        self.render_mode = self.envs[0].render_mode
        space = self.envs[0].observation_space
        image = space["image"] if isinstance(space, gym.spaces.Dict) else space
        if (
            not isinstance(image, gym.spaces.Box)
            or image.shape[2:] != (CHANNELS,)
            or image.dtype != np.uint8
        ):
            raise TypeError(
                f"an environment must observe a uint8 map of shape (width, height, {CHANNELS}), "
                f"alone or as `image` of a dictionary, not {space}"
            )
        actions = self.envs[0].action_space
        if not isinstance(actions, gym.spaces.Discrete):
            raise TypeError(f"an environment must have discrete actions, not {actions}")
        width, height, self.channels = image.shape
        shape = (width, height, self.channels)
        super().__init__(num_envs, shape, frame_stack, int(actions.n))
        self._images = np.zeros((num_envs, *self.map_shape), np.uint8)
        self.view_size = int(getattr(self.envs[0].unwrapped, "agent_view_size", DEFAULT_VIEW_SIZE))
        self._terminated = np.ones(num_envs, bool)
        self._truncated = np.zeros(num_envs, bool)

    def _restart(self, seed: Seeds, mask: Any | None) -> Tensor:
        chosen = np.ones(self.num_envs, bool) if mask is None else np.asarray(mask, bool)
        if seed is None or isinstance(seed, int):
            seeds = [seed if seed is None else seed + i for i in range(self.num_envs)]
        else:
            seeds = seed.tolist() if isinstance(seed, Tensor) else list(seed)
        for i in np.flatnonzero(chosen):
            observation, _ = self.envs[i].reset(seed=seeds[i])
            self._images[i] = np.tile(self._image(observation), self.frame_stack)
        self._terminated[chosen] = self._truncated[chosen] = False
        return self._observation()

    def step(self, actions: Any) -> tuple[Tensor, Tensor, Tensor, Tensor, dict[str, Any]]:
        """One step of every room that does not rest; `actions` is (N,) int.

        Returns observations (N, W, H, C) uint8, rewards (N,) float32, terminations and
        truncations (N,) bool, and an empty dictionary.
        """
        rewards = np.zeros(self.num_envs, np.float32)
        resting = self._terminated | self._truncated
        for i, action in enumerate(torch.as_tensor(actions).tolist()):
            if resting[i]:
                continue
            observation, reward, terminated, truncated, _ = self.envs[i].step(action)
            rewards[i] = reward
            self._terminated[i], self._truncated[i] = terminated, truncated
            if self.frame_stack > 1:
                self._images[i, ..., : -self.channels] = self._images[i, ..., self.channels :]
            self._images[i, ..., -self.channels :] = self._image(observation)
        flags = torch.tensor(self._terminated), torch.tensor(self._truncated)
        return self._observation(), torch.from_numpy(rewards), *flags, {}

    def render(self) -> tuple[Any, ...]:
        return tuple(env.render() for env in self.envs)

    def pictures(self) -> dict[str, Any]:
        """The first room, (height, width, 3) uint8 each, under what they show: as its agent
        remembers it and as it is, if the environment tells the two apart."""
        env = self.envs[0]
        truth = getattr(env.unwrapped, "render_truth", None)
        if not truth:
            return {"": env.render()}
        return {
            "as the agent remembers it (light grey: not seen yet)": env.render(),
            "as it is": truth(),
        }

    def close_extras(self, **kwargs: Any) -> None:
        for env in self.envs:
            env.close()

    @staticmethod
    def _image(observation: Any) -> np.ndarray:
        return np.asarray(observation["image"] if isinstance(observation, dict) else observation)

    def _observation(self) -> Tensor:
        return torch.tensor(self._images)
