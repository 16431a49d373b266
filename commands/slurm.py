"""Cells as a job array of Slurm."""

import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from commands.cells import Cell, examine
from commands.provenance import PROJECT
from commands.queue import last_words, output_of, start
from utils.errors import UserError

LISTS = ("setup", "teardown", "srun_args")
"""Parameters of several lines or words."""


def submit(cells: Sequence[Cell], out: Path, given: Sequence[str], threads: int) -> str:
    """Hand the cells to Slurm, a task of an array each; returns the array's job id."""
    try:
        from submitit import SlurmExecutor
        from submitit.core.utils import FailedJobError, FailedSubmissionError
    except ImportError as error:
        raise UserError("--launcher slurm: its package is missing: pip install submitit") from error
    parameters = {"job_name": out.name, "cpus_per_task": threads, **parse(given)}
    if "time" not in parameters:
        raise UserError("--slurm: say how long a cell may take, in minutes: --slurm time=600")
    # What is unpickled on a node must find this project, wherever it starts.
    setup = [f"export PYTHONPATH={shlex.quote(str(PROJECT))}", *parameters.pop("setup", [])]
    try:
        executor = SlurmExecutor(folder=out / "slurm")
        executor.update_parameters(**parameters, setup=setup)
        jobs = executor.map_array(bring_to_end, cells, [out] * len(cells))
    except (RuntimeError, ValueError, TypeError, FailedJobError, FailedSubmissionError) as error:
        raise UserError(f"--launcher slurm: {' '.join(str(error).split())}") from error
    return str(jobs[0].job_id).split("_")[0]


def parse(given: Sequence[str]) -> dict[str, Any]:
    """KEY=VALUE, with numbers and `true` as such."""
    parameters = dict[str, Any]()
    for word in given:
        key, equals, value = word.partition("=")
        if not equals or not value:
            raise UserError(f"--slurm: {word!r} is not like partition=gpu")
        if key in LISTS:
            parameters[key] = [value]
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
        output = output_of(cell, out)
        code = start(words, output).wait()
        if code:
            raise UserError(f"{cell.name}: {last_words(output, code)}")
        state = examine(cell)
        if state.stage == "begun" or state.words(cell) == words:
            raise UserError(f"{cell.name}: its process ended too early; see {output}")
    if state.why:
        raise UserError(f"{cell.name}: {state.why}")
    return state.success
