"""Cells as a job array of Slurm."""

import shlex
import subprocess
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from commands.experiments.experiment import Cell, examine, read_json
from commands.experiments.queue import failure, output_of, start
from commands.provenance import PROJECT
from utils.errors import UserError
from utils.files import write_json

FOLDER = "slurm"
"""Holds submitit's files, and of each array which cells its tasks are."""
LISTS = ("setup", "teardown", "srun_args")
"""Parameters of several lines or words."""
QUEUED = ["squeue", "--me", "--array", "--noheader", "--format=%i"]
"""Prints the ids of one's tasks that wait or run."""


def check_installed() -> None:
    """UserError if the package that speaks with Slurm is not."""
    if not find_spec("submitit"):
        raise UserError("--launcher slurm: its package is missing: pip install submitit")


def submit(cells: Sequence[Cell], out: Path, given: Sequence[str], threads: int) -> str:
    """Hand the cells to Slurm, a task of an array each; returns the array's job id."""
    from submitit import SlurmExecutor
    from submitit.core.utils import FailedJobError, FailedSubmissionError

    parameters = {"job_name": out.name, "cpus_per_task": threads, **parse(given)}
    if "time" not in parameters:
        raise UserError("--slurm: say how long a cell may take, in minutes: --slurm time=600")
    # What is unpickled on a node must find this project, wherever it starts.
    setup = [f"export PYTHONPATH={shlex.quote(str(PROJECT))}", *parameters.pop("setup", [])]
    try:
        executor = SlurmExecutor(folder=out / FOLDER)
        executor.update_parameters(**parameters, setup=setup)
        jobs = executor.map_array(bring_to_end, cells, [out] * len(cells))
    except (RuntimeError, ValueError, TypeError, FailedJobError, FailedSubmissionError) as error:
        raise UserError(f"--launcher slurm: {' '.join(str(error).split())}") from error
    array = str(jobs[0].job_id).split("_")[0]
    tasks = {str(job.job_id): cell.name for job, cell in zip(jobs, cells, strict=True)}
    write_json(out / FOLDER / f"{array}.json", tasks)
    return array


def queued(out: Path) -> dict[str, str]:
    """Cells, by name, that wait or run in Slurm already, with the id of their task."""
    submitted = dict[str, str]()
    for path in sorted((out / FOLDER).glob("*.json")):
        submitted |= read_json(path) or {}
    if not submitted:
        return {}
    try:
        asked = subprocess.run(QUEUED, capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError) as error:
        why = getattr(error, "stderr", None) or str(error)
        raise UserError(f"--launcher slurm: squeue: {' '.join(why.split())}") from error
    return {submitted[task]: task for task in asked.stdout.split() if task in submitted}


def parse(given: Sequence[str]) -> dict[str, Any]:
    """KEY=VALUE, with numbers and `true` as such."""
    parameters = dict[str, Any]()
    for word in given:
        key, equals, value = word.partition("=")
        if not equals or not value:
            raise UserError(f"--slurm: {word!r} is not like partition=gpu")
        if key in LISTS:
            parameters.setdefault(key, []).append(value)
        elif value.isdigit():
            parameters[key] = int(value)
        else:
            parameters[key] = True if value == "true" else value
    return parameters


def bring_to_end(cell: Cell, out: Path) -> float:
    """On a node: the command lines that a cell still needs; returns the success at its end. Raises
    UserError if it cannot be brought there."""
    state = examine(cell)
    while words := state.words(cell):
        before, output = state, output_of(cell, out)
        code = start(words, output).wait()
        state = examine(cell)
        if state.words(cell) and (why := failure(before, state, code, output)):
            raise UserError(f"{cell.name}: {why}")
    if state.why:
        raise UserError(f"{cell.name}: {state.why}")
    return state.success
