"""`main.py reproduce --launcher slurm` with stand-ins for Slurm's programs."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest
from hypothesis import given
from hypothesis import strategies as st

import main
from commands.experiments.process import output_of
from commands.experiments.slurm import TRIES, parse
from commands.experiments.table import read_table
from commands.run_files import iterations
from tests.reproduction import evaluations, wait_until
from tests.running import assert_same_run, done

TASK = {"SLURM_ARRAY_JOB_ID": "42", "SLURM_JOB_ID": "43", "SLURM_NTASKS": "1", "SLURM_PROCID": "0"}
"""What Slurm tells a task of an array, but for its number."""


@contextmanager
def running(cluster: Path, task: dict[str, str]) -> Iterator[subprocess.Popen[bytes]]:
    """A job of the script that was submitted."""
    command = ["bash", str(cluster / "script")]
    with subprocess.Popen(command, env=os.environ | task, cwd=cluster) as job:
        try:
            yield job
        finally:
            if job.poll() is None:
                for process in psutil.Process(job.pid).children(recursive=True):
                    process.kill()
                job.kill()


def warn(job: subprocess.Popen[bytes], command: str) -> None:
    """Send the signal before the time limit as Slurm does, to all processes but the batch shell,
    once a `main.py` with this command runs."""
    shell = psutil.Process(job.pid)

    def runs() -> bool:
        return any(command in process.cmdline() for process in shell.children(recursive=True))

    wait_until(job, runs)
    for process in shell.children(recursive=True):
        process.send_signal(signal.SIGUSR2)


def test_unfinished_experiments_become_an_array(
    table: Path, whole: Path, cluster: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    experiments = read_table(table, whole, 3)
    expected = evaluations(experiments)
    for experiment in experiments[1:]:
        (experiment.folder / "unseen" / "eval.json").unlink()
    where = ["reproduce", str(table), "--out", str(whole), "--launcher", "slurm", "--threads", "3"]
    slurm = ["--slurm", "time=90", "partition=cpu", "setup=module load cuda"]
    assert main.main([*where, *slurm]) == 0
    assert "submitted 2 of 3 experiments as job 42\n" in capsys.readouterr().out
    script = (cluster / "script").read_text().splitlines()
    assert {"#SBATCH --time=90", "#SBATCH --partition=cpu", "module load cuda"} <= {*script}
    assert {"#SBATCH --array=0-1%2", "#SBATCH --cpus-per-task=3"} <= {*script}
    assert {"#SBATCH --signal=USR2@90", "#SBATCH --requeue"} <= {*script}
    # A task of the array brings its experiment to the end, wherever it starts.
    with running(cluster, TASK | {"SLURM_ARRAY_TASK_ID": "1"}) as job:
        assert job.wait() == 0
    assert evaluations([experiments[2]]) == expected[2:]
    assert main.main([*where, *slurm]) == 0
    assert "submitted 1 of 3 experiments as job 42\n" in capsys.readouterr().out


def test_the_signal_before_the_time_limit_saves_and_queues_the_task_again(
    table: Path, whole_once: Path, tmp_path: Path, cluster: Path
) -> None:
    out, task = tmp_path / "out", TASK | {"SLURM_ARRAY_TASK_ID": "0"}
    experiment, expected = (read_table(table, place, 1)[0] for place in (out, whole_once))
    slurm = ["--launcher", "slurm", "--slurm", "time=9"]
    assert main.main(["reproduce", str(table), "--out", str(out), *slurm]) == 0
    with running(cluster, task) as job:
        wait_until(job, lambda: iterations(experiment.folder) > 1)
        warn(job, "train")
        assert job.wait() != 0
    assert (cluster / "requeued").read_text() == "requeue 42_0\n"
    (saved,) = done([experiment.folder])
    assert 1 < saved == iterations(experiment.folder) < 14
    with running(cluster, task) as job:
        assert job.wait() == 0
    assert "--resume" in output_of(experiment, out).read_text()
    assert evaluations([experiment]) == evaluations([expected])
    assert_same_run(experiment.folder, expected.folder)


def test_a_task_that_gets_no_further_is_not_queued_again_for_ever(
    table: Path, whole: Path, cluster: Path
) -> None:
    teacher = read_table(table, whole, 1)[-1]
    (teacher.folder / "unseen" / "eval.json").unlink()
    slurm = ["--launcher", "slurm", "--slurm", "time=9"]
    assert main.main(["reproduce", str(table), "--out", str(whole), *slurm]) == 0
    for _ in range(TRIES):
        with running(cluster, {**TASK, "SLURM_ARRAY_JOB_ID": "", "SLURM_JOB_ID": "42"}) as job:
            warn(job, "eval")
            assert job.wait() != 0
    assert (cluster / "requeued").read_text() == "requeue 42\n" * (TRIES - 1)
    assert not (teacher.folder / "unseen" / "eval.json").exists()


@given(st.integers(1, 10**5))
def test_the_warning_leaves_most_of_the_time_limit_for_training(minutes: int) -> None:
    warning = parse([f"time={minutes}"])["signal_delay_s"]
    # Slurm may be 30 s early: of one minute, 20 s are left at least.
    assert 10 <= warning <= min(90, 60 * minutes - 50)
    assert parse([f"time={minutes}", "signal_delay_s=300"])["signal_delay_s"] == 300


def test_queued_tasks_are_not_submitted_again(
    table: Path, tmp_path: Path, cluster: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    where = ["reproduce", str(table), "--out", str(tmp_path / "out"), "--launcher", "slurm"]
    submit = [*where, "--slurm", "time=9", "setup=module load cuda", "setup=module load python"]
    assert main.main(submit) == 0
    assert "submitted 3 of 3 experiments as job 42\n" in capsys.readouterr().out
    script = (cluster / "script").read_text().splitlines()
    assert {"module load cuda", "module load python"} <= {*script}
    # A task of another table, and one of this table.
    (cluster / "queue").write_text("41_0\n42_1\n")
    assert main.main(submit) == 0
    assert capsys.readouterr().out.splitlines()[:2] == [
        "ppo SimpleDoorKey tiny-1 waits or runs already, as task 42_1",
        "submitted 2 of 3 experiments as job 42",
    ]
    (cluster / "queue").unlink()
    assert main.main(submit) == 1
    error = capsys.readouterr().err
    assert error.startswith("error: --launcher slurm: squeue: cat: ")
    assert error.count("\n") == 1


def test_missing_slurm_is_one_line(
    table: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    flags = ["--out", str(tmp_path / "out"), "--launcher", "slurm", "--slurm", "time=9"]
    assert main.main(["reproduce", str(table), *flags]) == 1
    error = capsys.readouterr().err
    assert error.startswith("error: --launcher slurm: ")
    assert "srun" in error
    assert error.count("\n") == 1


def test_a_missing_submitit_is_one_line(
    table: Path, tmp_path: Path, cluster: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "submitit", None)
    flags = ["--out", str(tmp_path / "out"), "--launcher", "slurm", "--slurm", "time=9"]
    with pytest.raises(SystemExit, match=r"^error: .*: pip install -r requirements-slurm.txt$"):
        main.main(["reproduce", str(table), *flags])
