"""Many environments in step, behind Gymnasium's vector interface."""

import multiprocessing
import signal
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from functools import cached_property, partial
from multiprocessing import resource_tracker
from typing import Any

import gymnasium as gym
import numpy as np
import torch
from gymnasium.vector import AsyncVectorEnv, AutoresetMode, VectorEnv
from gymnasium.vector.utils import batch_space
from torch import Tensor

from env.drawing import Drawing
from env.episode import Episode
from env.spec import Spec
from utils.errors import UserError
from utils.processes import end_with_parent
from utils.tensors import Tensors

Seeds = int | Sequence[int | None] | Tensor | None
"""A seed for each environment, or a first seed that counts up, or none."""
Step = tuple[Tensors, Tensor, Tensor, Tensor, dict[str, Any]]


class RestingEnv(VectorEnv, ABC):
    """N environments whose observations are tensors by name, (N, ...) each.

    No environment resets by itself. One whose episode has ended rests until `reset` names it: it
    keeps its last observation and its flags, and its reward is 0. So the last observation of a
    cut-off episode can be bootstrapped, and no step is a dummy.
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

    # Made only if needed: the bounds of all cells take more memory than the rooms.

    @cached_property
    def observation_space(self) -> gym.Space[Any]:  # type: ignore[override]
        return batch_space(self.single_observation_space, self.num_envs)

    @cached_property
    def action_space(self) -> gym.Space[Any]:  # type: ignore[override]
        return batch_space(self.single_action_space, self.num_envs)

    def reset(
        self, *, seed: Seeds | np.integer[Any] = None, options: dict[str, Any] | None = None
    ) -> tuple[Tensors, dict[str, Any]]:
        """Start new episodes, everywhere or where `options["reset_mask"]` (N,) bool is set.

        Returns all observations.
        """
        if isinstance(seed, np.integer):
            seed = int(seed)
        super().reset(seed=seed if isinstance(seed, int) else None)
        return self._restart(seed, (options or {}).get("reset_mask")), {}

    @abstractmethod
    def _restart(self, seed: Seeds, mask: Any | None) -> Tensors:
        """Start new episodes where the mask is set; without a mask, everywhere."""

    def _seed_list(self, seed: Seeds) -> list[int | None]:
        if seed is None or isinstance(seed, int):
            return [seed if seed is None else seed + i for i in range(self.num_envs)]
        return seed.tolist() if isinstance(seed, Tensor) else list(seed)

    def _seed_words(self, seed: Seeds, device: torch.device) -> Tensor:
        """(N,) int64, the bits of unsigned seeds."""
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
        """The bytes of the state of one environment, if they are known."""
        return None

    def pictures(self) -> dict[str, Any]:
        """Pictures of the first environment by title, (height, width, 3) uint8 each; perhaps
        none."""
        return {}

    def drawing(self) -> Drawing:
        """A drawing of the first environment, for a page."""
        return Drawing("pictures", {}, {}, self.pictures())


def check_count(num_envs: int) -> None:
    if num_envs < 1:
        raise ValueError(f"num_envs must be at least 1, not {num_envs}")


def _in_process(make: Callable[[], Episode]) -> Episode:
    """Make an environment. A process that holds only it ends with its parent, and uses one core."""
    if multiprocessing.parent_process():
        end_with_parent(signal.SIGKILL)
        torch.set_num_threads(1)
    return make()


class SerialEnvs(RestingEnv):
    """Single environments, stepped one after another in this process."""

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
        """One step of each that does not rest; `actions` is (N, *A)."""
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


STOPS = signal.SIGINT, signal.SIGTERM, signal.SIGHUP


class ProcessEnvs(RestingEnv):
    """Single environments, each in its own process: for simulators, which are slow or need a
    process for themselves."""

    def __init__(self, make: Callable[[], Episode], num_envs: int) -> None:
        check_count(num_envs)
        mode, work = AutoresetMode.DISABLED, partial(_in_process, make)
        # The new processes inherit the block, so only this process handles the signals. Starting
        # the resource tracker would lift the block, so it starts first.
        resource_tracker.ensure_running()
        blocked = signal.pthread_sigmask(signal.SIG_BLOCK, STOPS)
        try:
            self.processes = AsyncVectorEnv([work] * num_envs, context="spawn", autoreset_mode=mode)
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, blocked)
        try:
            with self._watched():
                described = self.processes.call("described")[0]
        except BaseException:
            # Otherwise the remaining processes would print long errors about closed pipes.
            self._kill()
            raise
        super().__init__(num_envs, described)
        self.render_mode = self.processes.render_mode

    def _restart(self, seed: Seeds, mask: Any | None) -> Tensors:
        options = {} if mask is None else {"reset_mask": np.asarray(mask, bool)}
        with self._watched():
            observation, _ = self.processes.reset(seed=self._seed_list(seed), options=options)
        return {name: torch.tensor(array) for name, array in observation.items()}

    def step(self, actions: Any) -> Step:
        """One step of each that does not rest; `actions` is (N, *A)."""
        chosen = torch.as_tensor(actions).cpu().numpy()
        with self._watched():
            observation, rewards, terminated, truncated, info = self.processes.step(chosen)
        seen = {name: torch.tensor(array) for name, array in observation.items()}
        outcome: dict[str, Any] = {k: torch.tensor(info[k]) for k in ("success", "duration")}
        # Gymnasium adds `_name` beside each name: which environments have reported it.
        outcome["measures"] = {
            name: torch.tensor(array, dtype=torch.float32)
            for name, array in info.get("measures", {}).items()
            if f"_{name}" in info["measures"]
        }
        flags = torch.tensor(terminated), torch.tensor(truncated)
        return seen, torch.tensor(rewards, dtype=torch.float32), *flags, outcome

    def pictures(self) -> dict[str, Any]:
        with self._watched():
            pictures: dict[str, Any] = self.processes.call("pictures")[0]
        return pictures

    def drawing(self) -> Drawing:
        with self._watched():
            drawing: Drawing = self.processes.call("drawing")[0]
        return drawing

    def close_extras(self, **kwargs: Any) -> None:
        # A process that has died is an error only where its result is needed.
        with suppress(UserError), self._watched():
            self.processes.close()
        self._kill()

    @contextmanager
    def _watched(self) -> Iterator[None]:
        """Around calls of the processes: if one has died, end all of them and raise UserError."""
        try:
            yield
        except (EOFError, BrokenPipeError, ConnectionResetError) as error:
            self._kill()
            raise UserError(
                "the process of an environment has died; its last output may tell why"
            ) from error

    def _kill(self) -> None:
        for process in self.processes.processes:
            process.kill()
            process.join()
        # Gymnasium would ask them to close.
        self.processes.closed = True
