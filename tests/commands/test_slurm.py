"""`main.py reproduce --launcher slurm`, with stand-ins for Slurm's programs."""

import os
import subprocess
from pathlib import Path

import pytest

import main
from commands.experiments.table import read_table
from tests.reproduction import evaluations


def test_slurm_is_given_what_is_not_finished_as_an_array(
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
    # A task of the array brings its experiment to the end, wherever it starts.
    task = {"SLURM_JOB_ID": "43", "SLURM_ARRAY_JOB_ID": "42", "SLURM_ARRAY_TASK_ID": "1"}
    task |= {"SLURM_NTASKS": "1", "SLURM_PROCID": "0"}
    subprocess.run(["bash", cluster / "script"], env=os.environ | task, check=True, cwd=cluster)
    assert evaluations([experiments[2]]) == expected[2:]
    assert main.main([*where, *slurm]) == 0
    assert "submitted 1 of 3 experiments as job 42\n" in capsys.readouterr().out


def test_what_slurm_has_already_is_not_submitted_again(
    table: Path, tmp_path: Path, cluster: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    where = ["reproduce", str(table), "--out", str(tmp_path / "out"), "--launcher", "slurm"]
    submit = [*where, "--slurm", "time=9", "setup=module load cuda", "setup=module load python"]
    assert main.main(submit) == 0
    assert "submitted 3 of 3 experiments as job 42\n" in capsys.readouterr().out
    script = (cluster / "script").read_text().splitlines()
    assert {"module load cuda", "module load python"} <= {*script}
    # Of another table, and of this one.
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


def test_without_slurm_it_is_told_in_a_line(
    table: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    flags = ["--out", str(tmp_path / "out"), "--launcher", "slurm", "--slurm", "time=9"]
    assert main.main(["reproduce", str(table), *flags]) == 1
    error = capsys.readouterr().err
    assert error.startswith("error: --launcher slurm: ")
    assert "srun" in error
    assert error.count("\n") == 1
