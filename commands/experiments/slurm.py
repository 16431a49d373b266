"""Experiments as a job array of Slurm, one task of the array each."""

import shlex
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from commands.experiments.experiment import Experiment, State, examine
from commands.experiments.process import failure, output_of, start, stop
from commands.provenance import PROJECT
from commands.run_files import read_json
from utils.command_line import packages_of
from utils.errors import UserError
from utils.files import write_json
from utils.terminal import counted, say

if TYPE_CHECKING:
    from submitit.core.utils import DelayedSubmission

FOLDER = "slurm"
"""Folder with submitit's files, and of each array a file: task -> name of its experiment."""
LISTS = ("setup", "teardown", "srun_args")
"""Parameters that may be given several times."""
SQUEUE = ["squeue", "--me", "--array", "--noheader", "--format=%i"]
"""Prints the ids of the user's tasks that wait or run."""
WARNING = 90
"""Seconds before the time limit at which a task is told to save. Slurm may be 30 s early."""
SHARE = 1 / 6
"""The largest share of the time limit that the warning may take."""
REQUEUES = 10_000
"""How often submitit may queue a task again: `TRIES` ends it much earlier if it gets no further."""
TRIES = 3
"""Jobs in a row that may end without progress, because a node was slow or the warning early."""


def parse(given: Sequence[str]) -> dict[str, Any]:
    """The parameters of submitit's SlurmExecutor from KEY=VALUE words; UserError if one is not like
    that, or if there is no time limit."""
    parameters = dict[str, Any]()
    for word in given:
        key, equals, value = word.partition("=")
        if not equals or not value:
            raise UserError(f"--slurm: {word!r} is not like partition=gpu")
        if key in LISTS:
            parameters.setdefault(key, []).append(value)
        elif key in parameters:
            raise UserError(f"--slurm: {key} is given twice")
        elif value.isdigit():
            parameters[key] = int(value)
        else:
            parameters[key] = {"true": True, "false": False}.get(value, value)
    if "time" not in parameters:
        raise UserError(
            "--slurm: give the time limit of a job in minutes, such as --slurm time=600"
        )
    minutes = parameters["time"]
    if not isinstance(minutes, int) or minutes < 1:
        raise UserError(f"--slurm: time={minutes} is not a number of minutes, such as time=600")
    return {"signal_delay_s": min(WARNING, round(60 * minutes * SHARE)), **parameters}


def submit(
    experiments: Sequence[Experiment], out: Path, parameters: dict[str, Any], threads: int
) -> str:
    """Submit a job array and return its job id; UserError if Slurm or submitit refuses it."""
    with packages_of("requirements-slurm.txt"):
        from submitit import SlurmExecutor
        from submitit.core.utils import FailedJobError, FailedSubmissionError

    parameters = {"job_name": out.name, "cpus_per_task": threads, **parameters}
    # The nodes must find this project, wherever a job starts.
    setup = [f"export PYTHONPATH={shlex.quote(str(PROJECT))}", *parameters.pop("setup", [])]
    try:
        executor = SlurmExecutor(out / FOLDER, max_num_timeout=REQUEUES)
        executor.update_parameters(
            **parameters, setup=setup, additional_parameters={"requeue": True}
        )
        jobs = executor.map_array(Task(), experiments, [out] * len(experiments))
    except (RuntimeError, ValueError, TypeError, FailedJobError, FailedSubmissionError) as error:
        raise UserError(f"--launcher slurm: {' '.join(str(error).split())}") from error
    array = str(jobs[0].job_id).split("_")[0]
    names = [experiment.name for experiment in experiments]
    tasks = dict(zip((str(job.job_id) for job in jobs), names, strict=True))
    write_json(out / FOLDER / f"{array}.json", tasks)
    return array


def queued(out: Path) -> dict[str, str]:
    """Name of each experiment that waits or runs in Slurm -> the id of its task. UserError if
    squeue fails."""
    submitted = dict[str, str]()
    for path in sorted((out / FOLDER).glob("*.json")):
        submitted |= read_json(path) or {}
    if not submitted:
        return {}
    try:
        answer = subprocess.run(SQUEUE, capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError) as error:
        why = getattr(error, "stderr", None) or str(error)
        raise UserError(f"--launcher slurm: squeue: {' '.join(why.split())}") from error
    return {submitted[task]: task for task in answer.stdout.split() if task in submitted}


class Task:
    """What a task of the array does on its node: it brings an experiment to its end.

    If the time limit is too short for that, submitit calls `checkpoint` before the limit and queues
    the same task again, which goes on from there.
    """

    def __init__(self, failed: int = 0) -> None:
        """`failed`: jobs in a row before this one that got no further."""
        self.failed = failed
        self.first: State | None = None
        self.process: subprocess.Popen[bytes] | None = None

    def __call__(self, experiment: Experiment, out: Path) -> float:
        """The success of the final evaluation; UserError if the experiment cannot get there."""
        self.first = state = examine(experiment)
        while command := state.command(experiment):
            before, output = state, output_of(experiment, out)
            self.process = start(command, output)
            code = self.process.wait()
            state = examine(experiment)
            if state.command(experiment) and (why := failure(before, state, code, output)):
                raise UserError(f"{experiment.name}: {why}")
        if state.why:
            raise UserError(f"{experiment.name}: {state.why}")
        return state.success

    def checkpoint(self, experiment: Experiment, out: Path) -> "DelayedSubmission":
        """Stop the process as SIGTERM does, so that training is saved, and return what is to be
        queued again; UserError if several jobs got no further."""
        from submitit.core.utils import DelayedSubmission

        if self.process:
            stop(self.process)
        state = examine(experiment)
        failed = self.failed + 1 if state == self.first else 0
        if failed == TRIES:
            raise UserError(
                f"{experiment.name}: {TRIES} jobs got no further within their time limit; "
                "submit it again with a longer one, --slurm time=MINUTES"
            )
        done = counted(state.done, "iteration")
        say(f"{experiment.name}: stopped after {done}, before the time limit")
        return DelayedSubmission(Task(failed), experiment, out)
