"""`main.py reproduce`, with real processes: what stops it, and what it finds when it begins."""

import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

import main
from commands.cells import Cell, iterations
from commands.tables import read_table
from tests import small_rooms
from tests.running import ROOT, assert_same_run, done
from utils import ownership

TABLE = f"""
seeds: [0, 1]
num_eval: 8
groups:
- label: tiny
  tasks: [{small_rooms.TASK}]
  methods: [ppo, teacher]
  settings: {{n_itr: 14, traj_per_itr: 2, batch_size: 8, save_interval: 4, device: cpu}}
  of_tasks: {{{small_rooms.TASK}: {{num_eval: 2}}}}
"""
PATIENCE = 120
"""Seconds."""


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("table") / "tiny.yaml"
    path.write_text(TABLE)
    return path


@pytest.fixture(scope="module")
def whole_once(table: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The cells of a run that nothing stopped."""
    out = tmp_path_factory.mktemp("whole")
    code, said = reproduced(table, out)
    assert code == 0
    assert "3 of 3 cells finished, 0 under way" in said
    assert f"python main.py report {out}" in said
    return out


@pytest.fixture
def whole(whole_once: Path, tmp_path: Path) -> Path:
    """The same, for one test alone."""
    return shutil.copytree(whole_once, tmp_path / "whole")


@contextmanager
def begun(table: Path, out: Path, *flags: str) -> Iterator[subprocess.Popen[str]]:
    """A process that works on a table; what it says is read from it."""
    command = [sys.executable, "main.py", "reproduce", str(table), "--out", str(out), *flags]
    with subprocess.Popen(
        command, cwd=ROOT, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def reproduced(table: Path, out: Path) -> tuple[int, str]:
    """The exit code, and what was said."""
    with begun(table, out, "--jobs", "2") as process:
        said, _ = process.communicate(timeout=2 * PATIENCE)
    return process.returncode, said


def wait_until(process: subprocess.Popen[str], happened: Callable[[], bool]) -> None:
    for _ in range(PATIENCE * 20):
        if happened():
            return
        with suppress(subprocess.TimeoutExpired):
            process.wait(0.05)
            break
    raise AssertionError(f"it ended before: {process.poll()}")


def evaluations(cells: list[Cell]) -> list[Any]:
    contents = [json.loads((cell.folder / "unseen" / "eval.json").read_text()) for cell in cells]
    return [(content["success"], content["episodes"]) for content in contents]


def contents(folder: Path) -> dict[Path, bytes]:
    return {
        path.relative_to(folder): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file() and path.name != "owner.lock"
    }


def test_what_is_finished_is_not_done_again(table: Path, whole: Path) -> None:
    # Copied to another place, it is the same table still.
    before = contents(whole)
    code, said = reproduced(table, whole)
    assert code == 0
    assert said.startswith("3 of 3 cells finished")
    assert contents(whole) == before
    eval_seeds = [episode["seed"] for episode in evaluations(read_table(table, whole, 1))[0][1]]
    assert eval_seeds == [*range(10000, 10008)]


def test_stopped_and_killed_it_ends_with_the_same_table(
    table: Path, whole_once: Path, tmp_path: Path
) -> None:
    cells, expected = (read_table(table, out, 1) for out in (tmp_path, whole_once))
    students = [cell.folder for cell in cells if cell.train]

    with begun(table, tmp_path, "--jobs", "2") as stopped:
        wait_until(stopped, lambda: all(iterations(cell) > 1 for cell in cells if cell.train))
        stopped.send_signal(signal.SIGINT)
        said, _ = stopped.communicate(timeout=PATIENCE)
    assert stopped.returncode == 128 + signal.SIGINT
    assert "stopping after this iteration" in said
    assert "ppo SimpleDoorKey tiny-0: stopped\n" in said
    # Each has saved what it had done, and is no more.
    saved = done(students)
    assert saved == [iterations(cell) for cell in cells if cell.train]
    assert all(1 < count < 14 for count in saved)
    assert not any(map(ownership.owner, students))

    with begun(table, tmp_path, "--jobs", "2") as killed:
        wait_until(killed, lambda: iterations(cells[0]) > saved[0] + 1)
        killed.kill()
        said, _ = killed.communicate()
    assert f"ppo SimpleDoorKey tiny-0: goes on after {saved[0]} iterations" in said

    code, said = reproduced(table, tmp_path)
    assert code == 0
    assert evaluations(cells) == evaluations(expected)
    for cell, other in zip(cells, expected, strict=True):
        if cell.train:
            assert_same_run(cell.folder, other.folder)


def test_a_broken_cell_is_named_and_tried_again(table: Path, whole: Path) -> None:
    first, second, teacher = cells = read_table(table, whole, 1)
    expected = evaluations(cells)
    shutil.rmtree(first.folder)
    first.folder.mkdir()
    (first.folder / "notes.txt").write_text("mine")
    (teacher.folder / "unseen" / "eval.json").unlink()
    code, said = reproduced(table, whole)
    assert code == 1
    last = f"error: {first.folder} exists and is no run; give another --savedir (exit code 1)"
    assert f"ppo SimpleDoorKey tiny-0: failed: {last}\n" in said
    assert said.count(last) == 2
    assert "2 of 3 cells finished, 0 under way, 1 failed" in said
    assert evaluations([second, teacher]) == expected[1:]
    output = whole / "output" / "ppo-simpledoorkey-tiny-0.log"
    assert output.read_text().splitlines()[-2].startswith("$ python main.py train --task ")

    (first.folder / "notes.txt").unlink()
    assert reproduced(table, whole)[0] == 0
    assert evaluations(cells) == expected


def test_other_settings_are_named_and_leave_a_run_alone(whole: Path, tmp_path: Path) -> None:
    other = tmp_path / "other.yaml"
    other.write_text(TABLE.replace("n_itr: 14", "n_itr: 15"))
    before = contents(whole)
    code, said = reproduced(other, whole)
    assert code == 1
    folder = whole / "ppo" / "simpledoorkey" / "tiny-1"
    assert f"ppo SimpleDoorKey tiny-1: failed: {folder}: its n_itr is 14, the table says 15" in said
    assert contents(whole) == before


def test_what_others_train_is_waited_for(
    table: Path, whole: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    first, *_ = cells = read_table(table, whole, 1)
    expected = evaluations(cells)
    (first.folder / "unseen" / "eval.json").unlink()
    with begun(table, whole, "--jobs", "1") as process:
        with ownership.owned(first.folder):
            assert process.stdout
            assert process.stdout.readline().startswith(
                f"ppo SimpleDoorKey tiny-0: waits: it is being trained by process {os.getpid()} on "
            )
            # Of two such programs the second one keeps away.
            assert main.main(["reproduce", str(table), "--out", str(whole)]) == 1
            words = f"error: {whole} is being trained by process {process.pid} on "
            assert capsys.readouterr().err.startswith(words)
        said, _ = process.communicate(timeout=PATIENCE)
    assert process.returncode == 0
    assert "ppo SimpleDoorKey tiny-0: finished" in said
    assert evaluations(cells) == expected


SBATCH = """#!/bin/bash
cp "$1" "$(dirname "$0")/script"
echo Submitted batch job 42
"""
# What stands between its own flags and the command is the command's.
SRUN = """#!/bin/bash
while [[ $1 == --* ]]; do
  case $1 in --unbuffered) shift ;; *) shift 2 ;; esac
done
exec "$@"
"""


@pytest.fixture
def cluster(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with stand-ins for Slurm's programs, which keep the script that they are given."""
    folder = tmp_path / "cluster"
    folder.mkdir()
    for name, text in (("sbatch", SBATCH), ("srun", SRUN)):
        (folder / name).write_text(text)
        (folder / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")
    return folder


def test_slurm_is_given_what_is_not_finished_as_an_array(
    table: Path, whole: Path, cluster: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    cells = read_table(table, whole, 3)
    expected = evaluations(cells)
    for cell in cells[1:]:
        (cell.folder / "unseen" / "eval.json").unlink()
    where = ["reproduce", str(table), "--out", str(whole), "--launcher", "slurm", "--threads", "3"]
    slurm = ["--slurm", "time=90", "partition=cpu", "setup=module load cuda"]
    assert main.main([*where, *slurm]) == 0
    assert "submitted 2 of 3 cells as job 42\n" in capsys.readouterr().out
    script = (cluster / "script").read_text().splitlines()
    assert {"#SBATCH --time=90", "#SBATCH --partition=cpu", "module load cuda"} <= {*script}
    assert {"#SBATCH --array=0-1%2", "#SBATCH --cpus-per-task=3"} <= {*script}
    # A task of the array brings its cell to the end, wherever it starts.
    task = {"SLURM_JOB_ID": "43", "SLURM_ARRAY_JOB_ID": "42", "SLURM_ARRAY_TASK_ID": "1"}
    task |= {"SLURM_NTASKS": "1", "SLURM_PROCID": "0"}
    subprocess.run(["bash", cluster / "script"], env=os.environ | task, check=True, cwd=cluster)
    assert evaluations([cells[2]]) == expected[2:]
    assert main.main([*where, *slurm]) == 0
    assert "submitted 1 of 3 cells as job 42\n" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        (["--launcher", "slurm"], "--slurm: say how long a cell may take, in minutes"),
        (["--launcher", "slurm", "--slurm", "time"], "--slurm: 'time' is not like partition=gpu"),
        (["--launcher", "slurm", "--slurm", "time=9", "x=1"], "Unavailable parameter(s): ['x']"),
        (["--launcher", "slurm", "--jobs", "3"], "--jobs: of Slurm's tasks say so with --slurm"),
        (["--slurm", "time=9"], "--slurm: give it together with --launcher slurm"),
        (["--jobs", "0"], "--jobs: 0 processes get nowhere"),
        (["--threads", "0"], "--threads: 0 are too few"),
    ],
)
def test_flags_that_lead_nowhere_are_told_in_a_line(
    table: Path,
    tmp_path: Path,
    cluster: Path,
    capsys: pytest.CaptureFixture[str],
    flags: list[str],
    words: str,
) -> None:
    assert main.main(["reproduce", str(table), "--out", str(tmp_path / "out"), *flags]) == 1
    error = capsys.readouterr().err
    assert error.startswith("error: ")
    assert words in error
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
