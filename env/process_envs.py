"""Environments in processes of their own, for simulators."""

import multiprocessing
import signal
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from multiprocessing import resource_tracker
from multiprocessing.connection import wait
from multiprocessing.process import BaseProcess
from typing import Any

import numpy as np
import torch
from gymnasium.vector import AsyncVectorEnv, AutoresetMode

from env.drawing import Drawing
from env.episode import Episode
from env.vector import RestingEnv, Seeds, Step, check_count
from utils.errors import UserError
from utils.processes import end_with_parent
from utils.tensors import Tensors

STOPS = signal.SIGINT, signal.SIGTERM, signal.SIGHUP
CLOSED_PIPE = EOFError, BrokenPipeError, ConnectionResetError
LAST_MOMENTS = 5.0
"""Seconds to wait for the exit code of a process that has closed its pipe."""
_running: set[BaseProcess] = set()
"""The processes of all `ProcessEnvs` that are open."""


def _in_process(make: Callable[[], Episode]) -> Episode:
    """Make an environment in its own process, on one core. The process ends with its parent."""
    if multiprocessing.parent_process():
        end_with_parent(signal.SIGKILL)
        torch.set_num_threads(1)
    return make()


class _Processes(AsyncVectorEnv):
    """Gymnasium's processes; an error in one is raised here without log messages."""

    def _check_spaces(self) -> None:
        """Wait until the environments are made. A dead process is found at the next call."""
        with suppress(*CLOSED_PIPE):
            super()._check_spaces()

    def _raise_if_errors(self, successes: Iterable[bool]) -> None:
        if all(successes):
            return
        _, _, error, trace = self.error_queue.get()
        if isinstance(error, UserError):
            raise error
        raise RuntimeError(f"an environment failed in its process\n{trace}")


class ProcessEnvs(RestingEnv):
    """Single environments, each in its own process, for simulators.

    UserError as soon as any process of any open `ProcessEnvs` is dead; this one's processes then
    end, too. `start_advice` joins that message if a process exits during the first reset.
    """

    def __init__(self, make: Callable[[], Episode], num_envs: int, start_advice: str = "") -> None:
        check_count(num_envs)
        self.start_advice, self._has_started = start_advice, False
        mode, work = AutoresetMode.DISABLED, partial(_in_process, make)
        # The processes inherit this mask, so that these signals reach the main process alone. The
        # resource tracker must run before: starting it would clear the mask.
        resource_tracker.ensure_running()
        blocked = signal.pthread_sigmask(signal.SIG_BLOCK, STOPS)
        try:
            # Observations come through pipes. In shared memory, a full disk would end this process
            # with a segmentation fault.
            self.processes = _Processes(
                [work] * num_envs, shared_memory=False, context="spawn", autoreset_mode=mode
            )
        except OSError as error:
            raise UserError(
                f"cannot start environment processes: {error.strerror or error}; they need space "
                "in /dev/shm"
            ) from error
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, blocked)
        _running.update(self.processes.processes)
        with self._watched():
            described = self.processes.call("described")[0]
        super().__init__(num_envs, described)
        self.render_mode = self.processes.render_mode

    def _restart(self, seed: Seeds, mask: Any | None) -> Tensors:
        options = {} if mask is None else {"reset_mask": np.asarray(mask, bool)}
        with self._watched():
            observation, _ = self.processes.reset(seed=self._seed_list(seed), options=options)
        self._has_started = True
        return {name: torch.tensor(array) for name, array in observation.items()}

    def step(self, actions: Any) -> Step:
        """One step of every environment that does not rest; `actions` is (N, *A)."""
        chosen = torch.as_tensor(actions).cpu().numpy()
        with self._watched():
            observation, rewards, terminated, truncated, info = self.processes.step(chosen)
        seen = {name: torch.tensor(array) for name, array in observation.items()}
        outcome: dict[str, Any] = {k: torch.tensor(info[k]) for k in ("success", "duration")}
        # Gymnasium adds a mask `_name` to every `name`.
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
        # A dead process is an error while environments are used, not while they close.
        with suppress(UserError), self._watched():
            self.processes.close()
        self._kill()

    @contextmanager
    def _watched(self) -> Iterator[None]:
        """Talk to the processes, and end them after any error. UserError if one is dead."""
        try:
            self._check(_running)
            yield
        except CLOSED_PIPE:
            own = self.processes.processes
            ended = wait([process.sentinel for process in own], LAST_MOMENTS)
            for process in own:
                if process.sentinel in ended:
                    process.join(LAST_MOMENTS)
            try:
                self._check(own)
            finally:
                self._kill()
            raise
        except BaseException:
            self._kill()
            raise

    def _check(self, processes: Iterable[BaseProcess]) -> None:
        for process in processes:
            if process.exitcode is not None:
                raise UserError(self._death(process.pid, process.exitcode))

    def _death(self, pid: int | None, code: int) -> str:
        if code < 0:
            cause = f"was killed by {signal.Signals(-code).name}"
            advice = "if memory ran out, use fewer --num_envs"
        else:
            cause = f"exited with code {code}"
            advice = "" if self._has_started else self.start_advice
        return f"the environment process {pid} {cause}" + (f"; {advice}" if advice else "")

    def _kill(self) -> None:
        for process in self.processes.processes:
            process.kill()
            process.join()
        _running.difference_update(self.processes.processes)
        # Without this, closing would wait for answers.
        self.processes.closed = True
