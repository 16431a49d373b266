"""A process of `main.py` that brings an experiment further, and why it failed."""

import os
import shlex
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

from commands.experiments.experiment import Experiment, State
from commands.provenance import PROJECT
from commands.run_files import last_lines
from utils.files import writing
from utils.processes import end_with_parent

OUTPUT = "output"
"""Folder with what the processes of each experiment print."""


def output_of(experiment: Experiment, out: Path) -> Path:
    """The file that keeps what an experiment's processes print."""
    parts = experiment.method, experiment.task.lower(), *experiment.variant
    return out / OUTPUT / f"{'-'.join(parts)}.log"


def shown(command: list[str]) -> str:
    """A command line as one types it."""
    return shlex.join(["python", "main.py", *command])


def start(command: list[str], output: Path) -> subprocess.Popen[bytes]:
    """Start `main.py` with a command line; what it prints is added to `output`. UserError if that
    file cannot be written.

    The process has a group of its own, so the terminal's Ctrl-C does not reach it directly. It gets
    SIGTERM when this process dies.
    """
    with writing(output):
        output.parent.mkdir(parents=True, exist_ok=True)
        with output.open("ab") as file:
            file.write(f"$ {shown(command)}\n".encode())
            file.flush()
            return subprocess.Popen(
                [sys.executable, str(PROJECT / "main.py"), *command],
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=subprocess.STDOUT,
                process_group=0,
                preexec_fn=_prepare,
            )


def _prepare() -> None:
    """In the new process, before it becomes `main.py`."""
    end_with_parent(signal.SIGTERM)
    # Slurm sends it to every process of a job shortly before the time limit. It would kill this
    # one; the parent sends SIGTERM instead.
    signal.signal(signal.SIGUSR2, signal.SIG_IGN)


def stop(process: subprocess.Popen[bytes]) -> None:
    """Let a process save what it has done, and wait until it has ended.

    A signal handler may call this even if it interrupted `process.wait()`, which holds a lock: so
    the process is only looked at, and `process.wait()` still gets its exit code.
    """
    with suppress(ProcessLookupError, ChildProcessError):
        if process.returncode is None:
            os.kill(process.pid, signal.SIGTERM)
            os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)


def failure(before: State, after: State, code: int, output: Path) -> str:
    """Why a process left its experiment unfinished: the last line that it printed, with its exit
    code or the signal that killed it. Empty if it got one stage further and ended with 0."""
    if code:
        lines = [line.strip() for line in last_lines(output) if line.strip()]
        said = lines[-1] if lines and not lines[-1].startswith("$ ") else "it printed nothing"
        how = f"killed by {signal.Signals(-code).name}" if code < 0 else f"exit code {code}"
        return f"{said} ({how})"
    if after.stage in (before.stage, "begun"):
        return f"its process ended too early; see {output}"
    return ""
