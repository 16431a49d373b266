"""`main.py reproduce --launcher slurm` with a real Slurm and jobs that are too short."""

import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from commands.experiments.experiment import Experiment, examine
from commands.experiments.process import output_of
from commands.experiments.table import read_table
from commands.run_files import iterations
from tests.reproduction import TABLE
from tests.running import ROOT, done
from tests.slurm import missing, slurm
from utils import ownership

pytestmark = [
    pytest.mark.slurm,
    pytest.mark.timeout(1200),
    pytest.mark.skipif(bool(missing()), reason=f"needs {', '.join(missing())}: slurm-wlm, munge"),
]
PATIENCE = 400
"""Seconds for a job of one minute to run, with what Slurm adds."""


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    with slurm(tmp_path_factory.mktemp("cluster") / "slurm") as environment:
        yield environment


def queue(environment: dict[str, str]) -> str:
    """The states of the jobs that wait or run."""
    ask = ["squeue", "--noheader", "--format=%T"]
    return subprocess.run(ask, env=environment, capture_output=True, text=True, check=True).stdout


def wait_until(happened: Callable[[], bool], environment: dict[str, str]) -> None:
    for _ in range(PATIENCE):
        if happened():
            return
        assert queue(environment), "the job has left the queue"
        time.sleep(1)
    raise AssertionError("it took too long")


def submit(table: Path, out: Path, environment: dict[str, str]) -> str:
    command = [sys.executable, "main.py", "reproduce", str(table), "--out", str(out)]
    command += ["--launcher", "slurm", "--slurm", "time=1"]
    answer = subprocess.run(
        command, cwd=ROOT, env=environment, capture_output=True, text=True, check=True
    )
    return answer.stdout


def only_student(folder: Path) -> tuple[Path, Experiment]:
    """A table with one student, which trains for many minutes and saves at its end alone."""
    table, text = folder / "table.yaml", TABLE
    for old, new in (
        ("[ppo, teacher]", "[ppo]"),
        ("[0, 1]", "[0]"),
        ("n_itr: 14", "n_itr: 100000"),
        ("save_interval: 4", "save_interval: 100000"),
    ):
        assert old in text
        text = text.replace(old, new)
    table.write_text(text)
    (experiment,) = read_table(table, folder / "out", 1)
    return table, experiment


def starts(experiment: Experiment, out: Path) -> list[str]:
    """The command lines of the processes that have worked on an experiment."""
    output = output_of(experiment, out)
    lines = output.read_text().splitlines() if output.exists() else []
    return [line for line in lines if line.startswith("$ ")]


def test_training_is_saved_before_the_limit_and_goes_on_in_the_next_job(
    tmp_path: Path, cluster: dict[str, str]
) -> None:
    table, experiment = only_student(tmp_path)
    out, folder = tmp_path / "out", experiment.folder
    assert "submitted 1 of 1 experiment as job " in submit(table, out, cluster)
    wait_until(lambda: len(starts(experiment, out)) == 2, cluster)
    # Nothing is lost: the second job goes on from the last iteration that the first one logged.
    (first,) = done([folder])
    assert 0 < first == iterations(folder)
    assert starts(experiment, out)[1].endswith(" --resume")
    wait_until(lambda: iterations(folder) > first, cluster)
    assert "waits or runs already, as task " in submit(table, out, cluster)
    # A job that is cancelled saves as well.
    subprocess.run(["scancel", "--name=out"], env=cluster, check=True)
    while queue(cluster):
        time.sleep(1)
    assert ownership.owner(folder) is None
    assert done([folder]) == [iterations(folder)]
    logged = [json.loads(line)["iteration"] for line in (folder / "metrics.jsonl").open()]
    assert logged == [*range(1, len(logged) + 1)]
    assert examine(experiment).stage == "begun"
