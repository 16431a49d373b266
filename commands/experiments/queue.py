"""Cells as ordinary processes of `main.py`, so many at a time."""

import os
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from commands.experiments.experiment import Cell, State, examine, iterations, last_lines
from commands.provenance import PROJECT
from utils import ownership
from utils.errors import UserError
from utils.files import writing
from utils.processes import end_with_parent

OUTPUT = "output"
"""Holds what the processes of each cell print."""
PAUSE = 0.2
"""Seconds from one look at the processes to the next."""


@dataclass(frozen=True, eq=False)
class Job:
    """A process that brings a cell further, from a state and a number of iterations on."""

    cell: Cell
    process: subprocess.Popen[bytes]
    state: State
    began: float
    done: int


class Queue:
    """Cells on their way: `waiting` in their order, under way in `jobs`, `failed` with the reason,
    `held` by a process that is not of this queue; `states` knows them all, those too that are
    other runs than the table says and are left alone.

    `tell` is called with a cell and a line of news about it.
    """

    def __init__(
        self, cells: Sequence[Cell], out: Path, count: int, tell: Callable[[Cell, str], None]
    ) -> None:
        self.cells = cells
        self.out = out
        self.count = count
        self.tell = tell
        self.states = {cell: examine(cell) for cell in cells}
        self.waiting = [cell for cell in cells if self.states[cell].words(cell)]
        self.jobs: list[Job] = []
        self.failed: dict[Cell, str] = {}
        self.held: dict[Cell, str] = {}
        self.paces: dict[tuple[str, str, str], float] = {}

    def run(self, stopped: Callable[[], bool], show: Callable[[], None]) -> None:
        """Until no cell can be brought further, or, once `stopped` says so, until the processes
        have ended their iterations. `show` is called again and again. Whatever ends this early
        kills the processes."""
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

    def is_finished(self, cell: Cell) -> bool:
        return self.states[cell].stage == "finished"

    def is_left_alone(self, cell: Cell) -> bool:
        return self.states[cell].stage == "other"

    def pace(self, cell: Cell) -> float | None:
        """Seconds an iteration of such a cell takes, by those of its row, or else of all, that were
        seen; None if none was."""
        known = [*self.paces.values()]
        return self.paces.get(cell.row, sum(known) / len(known) if known else None)

    def seconds_left(self) -> float | None:
        """What is left to train, over the processes at a time; None as long as nobody knows."""
        left = 0.0
        for cell in [*self.waiting, *(job.cell for job in self.jobs)]:
            pace = self.pace(cell)
            if cell.train and pace is None:
                return None
            left += max(cell.n_itr - iterations(cell), 0) * (pace or 0.0)
        return left / self.count

    def watch(self) -> None:
        """Learn from the processes under way how long an iteration takes."""
        for job in self.jobs:
            done = iterations(job.cell) - job.done
            if job.state.stage in ("new", "begun") and done > 0:
                self.paces[job.cell.row] = (time.monotonic() - job.began) / done

    def _fill(self) -> None:
        """Start what there is room for."""
        for cell in list(self.waiting):
            if len(self.jobs) >= self.count:
                return
            try:
                if holder := ownership.owner(cell.folder):
                    if self.held.get(cell) != holder:
                        self.tell(cell, f"waits: it is being trained by {holder}")
                    self.held[cell] = holder
                    continue
                self._start(cell)
            except UserError as error:
                self._fail(cell, str(error))
            self.held.pop(cell, None)
            self.waiting.remove(cell)

    def _start(self, cell: Cell) -> None:
        # Since it was looked at, another process may have brought it further.
        state = self.states[cell] = examine(cell)
        if words := state.words(cell):
            done = iterations(cell)
            process = start(words, output_of(cell, self.out))
            # First of all: what is among the jobs is ended whatever happens.
            self.jobs.append(Job(cell, process, state, time.monotonic(), done))
            self.tell(cell, TOLD[state.stage].format(done=done))
        else:
            self._settle(cell, state)

    def _settle(self, cell: Cell, state: State) -> None:
        """Tell of a cell that needs no process any more, or can have none."""
        if state.stage == "finished":
            self.tell(cell, f"finished: success {state.success:.3f}")
        else:
            self.tell(cell, f"is left alone: {state.why}")

    def _end(self, job: Job, stopping: bool) -> None:
        self.jobs.remove(job)
        cell, code = job.cell, job.process.returncode
        state = self.states[cell] = examine(cell)
        if not state.words(cell):
            self._settle(cell, state)
        elif code and stopping:
            self.tell(cell, "stopped")
        elif why := failure(job.state, state, code, output_of(cell, self.out)):
            self._fail(cell, why)
        else:
            self.waiting.insert(0, cell)

    def _fail(self, cell: Cell, why: str) -> None:
        self.failed[cell] = why
        self.tell(cell, f"failed: {why}")


TOLD = {
    "new": "trains",
    "begun": "goes on after {done} iterations",
    "to evaluate": "is being evaluated",
}
"""Stage -> what is said when its process starts."""


def output_of(cell: Cell, out: Path) -> Path:
    parts = cell.method, cell.task.lower(), cell.folder.name
    return out / OUTPUT / f"{'-'.join(dict.fromkeys(parts))}.log"


def start(words: list[str], output: Path) -> subprocess.Popen[bytes]:
    """`main.py` with these words. Its process is in a group of its own, so that it hears of the
    terminal's Ctrl-C from this one alone; if this one is killed, it ends as on SIGTERM. UserError
    if what it prints cannot be kept."""
    with writing(output):
        output.parent.mkdir(parents=True, exist_ok=True)
        with output.open("ab") as file:
            file.write(f"$ {shown(words)}\n".encode())
            file.flush()
            return subprocess.Popen(
                [sys.executable, str(PROJECT / "main.py"), *words],
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=subprocess.STDOUT,
                process_group=0,
                preexec_fn=partial(end_with_parent, signal.SIGTERM),
            )


def shown(words: list[str]) -> str:
    """A command line as one types it."""
    return shlex.join(["python", "main.py", *words])


def failure(before: State, after: State, code: int, output: Path) -> str:
    """Why a cell that is not at its end got no further by a process, which ended with a code;
    empty if it did."""
    if code:
        return last_words(output, code)
    if after.stage in (before.stage, "begun"):
        return f"its process ended too early; see {output}"
    return ""


def last_words(output: Path, code: int) -> str:
    """The last line that a process printed before it ended with a code."""
    lines = [line.strip() for line in last_lines(output) if line.strip()]
    said = lines[-1] if lines and not lines[-1].startswith("$ ") else "it printed nothing"
    how = f"killed by {signal.Signals(-code).name}" if code < 0 else f"exit code {code}"
    return f"{said} ({how})"
