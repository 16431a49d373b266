"""A queue of experiments on this machine: a fixed number of processes at a time."""

import os
import signal
import subprocess
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from commands.experiments.experiment import Experiment, State, examine
from commands.experiments.process import failure, output_of, start
from commands.run_files import iterations
from utils import ownership
from utils.errors import UserError
from utils.terminal import counted

PAUSE = 0.2
"""Seconds between two looks at the processes."""


@dataclass(frozen=True, eq=False)
class Job:
    """A process that works on an experiment, the experiment's state when it began, and that time
    by `time.monotonic()`."""

    experiment: Experiment
    process: subprocess.Popen[bytes]
    state: State
    began: float


class Queue:
    """Experiments, each with its state in `states`.

    `waiting` ones have their order, `jobs` run, `failed` ones have a reason. `held` ones wait for
    another program, which trains in their folder.

    `tell` is called with an experiment and a line of news about it.
    """

    def __init__(
        self,
        states: Mapping[Experiment, State],
        out: Path,
        count: int,
        tell: Callable[[Experiment, str], None],
    ) -> None:
        self.experiments = [*states]
        self.states = dict(states)
        self.out = out
        self.count = count
        self.tell = tell
        self.waiting = [each for each, state in states.items() if state.command(each)]
        self.jobs: list[Job] = []
        self.failed: dict[Experiment, str] = {}
        self.held: dict[Experiment, str] = {}
        self.paces: dict[tuple[str, str, str], float] = {}

    def run(self, stopped: Callable[[], bool], show: Callable[[], None]) -> None:
        """Work until nothing is left to do. Once `stopped()` is true, only wait until the processes
        have saved and ended. An exception kills them. `show` is called at every look."""
        stopping = False
        try:
            while self.jobs or (self.waiting and not stopping):
                if stopped() and not stopping:
                    stopping = True
                    for job in self.jobs:
                        # A process that was started in the background ignores SIGINT at first.
                        job.process.terminate()
                for job in [job for job in self.jobs if job.process.poll() is not None]:
                    self._end(job, stopping)
                if not stopping:
                    self._fill()
                show()
                time.sleep(PAUSE)
        finally:
            for job in self.jobs:
                with suppress(ProcessLookupError):
                    os.killpg(job.process.pid, signal.SIGKILL)
                job.process.wait()

    def is_finished(self, experiment: Experiment) -> bool:
        return self.states[experiment].stage == "finished"

    def is_left_alone(self, experiment: Experiment) -> bool:
        return self.states[experiment].stage == "other"

    def pace(self, experiment: Experiment) -> float | None:
        """Seconds an iteration: as measured in its row, or else the mean of all rows; None if
        nothing was measured yet."""
        known = [*self.paces.values()]
        return self.paces.get(experiment.row, sum(known) / len(known) if known else None)

    def seconds_left(self) -> float | None:
        """Time for the iterations that are left, by all processes together; None if unknown."""
        left = 0.0
        for experiment in [*self.waiting, *(job.experiment for job in self.jobs)]:
            pace = self.pace(experiment)
            if experiment.train and pace is None:
                return None
            done = iterations(experiment.folder)
            left += max(experiment.n_itr - done, 0) * (pace or 0.0)
        return left / self.count

    def measure(self) -> None:
        """Measure how long an iteration takes in the processes that train."""
        for job in self.jobs:
            done = iterations(job.experiment.folder) - job.state.done
            if job.state.stage in ("new", "begun") and done > 0:
                self.paces[job.experiment.row] = (time.monotonic() - job.began) / done

    def _fill(self) -> None:
        """Start waiting experiments while there is room."""
        for experiment in list(self.waiting):
            if len(self.jobs) >= self.count:
                return
            try:
                if holder := ownership.owner(experiment.folder):
                    if self.held.get(experiment) != holder:
                        self.tell(experiment, f"waits: it is being trained by {holder}")
                    self.held[experiment] = holder
                    continue
                self._start(experiment)
            except UserError as error:
                self._fail(experiment, str(error))
            self.held.pop(experiment, None)
            self.waiting.remove(experiment)

    def _start(self, experiment: Experiment) -> None:
        # Another program may have brought it further meanwhile.
        state = self.states[experiment] = examine(experiment)
        if command := state.command(experiment):
            process = start(command, output_of(experiment, self.out))
            # At once: `run` ends every process that stands in `jobs`, whatever happens.
            self.jobs.append(Job(experiment, process, state, time.monotonic()))
            self.tell(experiment, NEWS[state.stage].format(done=counted(state.done, "iteration")))
        else:
            self._settle(experiment, state)

    def _settle(self, experiment: Experiment, state: State) -> None:
        """Tell about an experiment that needs no process, or can have none."""
        if state.stage == "finished":
            self.tell(experiment, f"finished: success {state.success:.3f}")
        else:
            self.tell(experiment, f"is left alone: {state.why}")

    def _end(self, job: Job, stopping: bool) -> None:
        self.jobs.remove(job)
        experiment, code = job.experiment, job.process.returncode
        state = self.states[experiment] = examine(experiment)
        if not state.command(experiment):
            self._settle(experiment, state)
        elif code and stopping:
            self.tell(experiment, "stopped")
        elif why := failure(job.state, state, code, output_of(experiment, self.out)):
            self._fail(experiment, why)
        else:
            self.waiting.insert(0, experiment)

    def _fail(self, experiment: Experiment, why: str) -> None:
        self.failed[experiment] = why
        self.tell(experiment, f"failed: {why}")


NEWS = {
    "new": "trains",
    "begun": "goes on after {done}",
    "to evaluate": "is being evaluated",
}
"""Stage -> the news when its process starts."""
