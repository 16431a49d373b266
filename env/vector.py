"""Vectors of environments that step together, behind Gymnasium's vector interface."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from functools import cached_property
from typing import Any

import gymnasium as gym
import numpy as np
import torch
from gymnasium.vector import AutoresetMode, VectorEnv
from gymnasium.vector.utils import batch_space
from torch import Tensor

from env.drawing import Drawing
from env.episode import Episode
from env.spec import Spec
from utils.tensors import Tensors

Seeds = int | Sequence[int | None] | Tensor | None
"""One seed per environment, or the first of consecutive seeds, or none."""
Step = tuple[Tensors, Tensor, Tensor, Tensor, dict[str, Any]]


class RestingEnv(VectorEnv, ABC):
    """N environments. An observation is a dictionary of tensors (N, ...).

    Nothing resets by itself. After its episode an environment rests: it keeps its last observation
    and its flags, with reward 0, until `reset` selects it. So the value of a truncated episode's
    last observation can be bootstrapped, and no step is a dummy.
    """

    metadata: dict[str, Any] = {"autoreset_mode": AutoresetMode.DISABLED}  # noqa: RUF012
    capturable = False
    """Whether a CUDA graph can hold a step."""
    device = torch.device("cpu")

    def __init__(self, num_envs: int, described: Spec) -> None:
        check_count(num_envs)
        self.num_envs = num_envs
        self.described = described
        self.single_observation_space = described.observation
        self.single_action_space = described.action
        self.max_steps = described.max_steps

    # Built on demand: the bounds of all cells take more memory than the rooms.

    @cached_property
    def observation_space(self) -> gym.Space[Any]:  # type: ignore[override]
        return batch_space(self.single_observation_space, self.num_envs)

    @cached_property
    def action_space(self) -> gym.Space[Any]:  # type: ignore[override]
        return batch_space(self.single_action_space, self.num_envs)

    def reset(
        self, *, seed: Seeds | np.integer[Any] = None, options: dict[str, Any] | None = None
    ) -> tuple[Tensors, dict[str, Any]]:
        """Start new episodes where `options["reset_mask"]` (N,) bool is set, or everywhere.

        Returns the observations of all N environments.
        """
        if isinstance(seed, np.integer):
            seed = int(seed)
        super().reset(seed=seed if isinstance(seed, int) else None)
        return self._restart(seed, (options or {}).get("reset_mask")), {}

    @abstractmethod
    def _restart(self, seed: Seeds, mask: Any | None) -> Tensors:
        """Do what `reset` says, with its mask or None."""

    def _seed_list(self, seed: Seeds) -> list[int | None]:
        if seed is None or isinstance(seed, int):
            return [seed if seed is None else seed + i for i in range(self.num_envs)]
        return seed.tolist() if isinstance(seed, Tensor) else list(seed)

    def _seed_words(self, seed: Seeds, device: torch.device) -> Tensor:
        """The seeds as (N,) int64, with the bits of unsigned ones; missing seeds are drawn."""
        if isinstance(seed, Tensor):
            if seed.shape != (self.num_envs,) or seed.is_floating_point():
                kind = f"{seed.dtype} {tuple(seed.shape)}"
                raise ValueError(f"seeds must be {self.num_envs} integers, not {kind}")
            return seed.to(device, torch.int64)
        words = self.np_random.integers(2**63, size=self.num_envs).astype(np.uint64)
        if isinstance(seed, int):
            words = np.uint64(seed) + np.arange(self.num_envs, dtype=np.uint64)
        elif seed is not None:
            given = [new if own is None else own for own, new in zip(seed, words, strict=True)]
            words = np.array(given, np.uint64)
        return torch.from_numpy(words.view(np.int64)).to(device)

    @property
    def bytes_each(self) -> int | None:
        """The bytes that one environment keeps between steps, or None if unknown."""
        return None

    def pictures(self) -> dict[str, Any]:
        """Pictures of the first environment by title, (height, width, 3) uint8; maybe none."""
        return {}

    def drawing(self) -> Drawing:
        """A drawing of the first environment for a web page."""
        return Drawing("pictures", {}, {}, self.pictures())


def check_count(num_envs: int) -> None:
    if num_envs < 1:
        raise ValueError(f"num_envs must be at least 1, not {num_envs}")


class SerialEnvs(RestingEnv):
    """Single environments, stepped one after the other in this process."""

    def __init__(self, make: Callable[[], Episode], num_envs: int) -> None:
        check_count(num_envs)
        self.envs: list[Episode] = []
        with ExitStack() as made:
            for _ in range(num_envs):
                self.envs.append(make())
                made.callback(self.envs[-1].close)
            made.pop_all()
        super().__init__(num_envs, self.envs[0].described)
        self.render_mode = self.envs[0].render_mode
        self._seen: list[dict[str, np.ndarray]] = [{}] * num_envs

    def _restart(self, seed: Seeds, mask: Any | None) -> Tensors:
        chosen = np.ones(self.num_envs, bool) if mask is None else np.asarray(mask, bool)
        seeds = self._seed_list(seed)
        for i in np.flatnonzero(chosen):
            self._seen[i], _ = self.envs[i].reset(seed=seeds[i])
        return self._observation()

    def step(self, actions: Any) -> Step:
        """One step of every environment that does not rest; `actions` is (N, *A)."""
        chosen = torch.as_tensor(actions).cpu().numpy()
        results = [env.step(action) for env, action in zip(self.envs, chosen, strict=True)]
        self._seen, rewards, terminated, truncated, infos = map(list, zip(*results, strict=True))
        info: dict[str, Any] = {
            name: torch.tensor([each[name] for each in infos]) for name in ("success", "duration")
        }
        measures = dict.fromkeys(name for info in infos for name in info["measures"])
        info["measures"] = {
            name: torch.tensor([float(info["measures"].get(name, 0)) for info in infos])
            for name in measures
        }
        flags = torch.tensor(terminated), torch.tensor(truncated)
        return self._observation(), torch.tensor(rewards, dtype=torch.float32), *flags, info

    def render(self) -> tuple[Any, ...]:
        return tuple(env.render() for env in self.envs)

    def pictures(self) -> dict[str, Any]:
        return self.envs[0].pictures()

    def drawing(self) -> Drawing:
        return self.envs[0].drawing()

    def close_extras(self, **kwargs: Any) -> None:
        for env in self.envs:
            env.close()

    def _observation(self) -> Tensors:
        names = self.described.observation.spaces
        return {
            name: torch.from_numpy(np.stack([seen[name] for seen in self._seen])) for name in names
        }
