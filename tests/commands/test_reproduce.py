"""`main.py reproduce` with real processes: how it starts, goes on and stops."""

import fcntl
import os
import pty
import select
import shutil
import signal
import subprocess
import sys
import termios
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from io import FileIO
from pathlib import Path

import psutil
import pytest

import main
from commands.experiments.table import read_table
from commands.run_files import iterations
from tests.reproduction import PATIENCE, TABLE, begun, evaluations, reproduced, wait_until
from tests.running import ROOT, assert_same_run, done
from utils import ownership


def contents(folder: Path) -> dict[Path, bytes]:
    return {
        path.relative_to(folder): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file() and path.name != "owner.lock"
    }


def test_finished_experiments_are_not_repeated(table: Path, whole: Path) -> None:
    # A copy in another place counts as well.
    before = contents(whole)
    code, said = reproduced(table, whole)
    assert code == 0
    assert said.startswith("3 of 3 experiments finished")
    assert contents(whole) == before
    eval_seeds = [episode["seed"] for episode in evaluations(read_table(table, whole, 1))[0][1]]
    assert eval_seeds == [*range(1_000_000, 1_000_008)]


def test_after_a_stop_and_a_kill_the_results_are_the_same(
    table: Path, whole_once: Path, tmp_path: Path
) -> None:
    experiments, expected = (read_table(table, out, 1) for out in (tmp_path, whole_once))
    students = [experiment.folder for experiment in experiments if experiment.train]

    with begun(table, tmp_path, "--jobs", "2") as stopped:
        wait_until(
            stopped,
            lambda: all(
                iterations(experiment.folder) > 1 for experiment in experiments if experiment.train
            ),
        )
        stopped.send_signal(signal.SIGINT)
        said, _ = stopped.communicate(timeout=PATIENCE)
    assert stopped.returncode == 128 + signal.SIGINT
    assert "stopping after this iteration" in said
    assert "ppo SimpleDoorKey tiny-0: stopped\n" in said
    # Each process has saved its iterations and ended.
    saved = done(students)
    assert saved == [
        iterations(experiment.folder) for experiment in experiments if experiment.train
    ]
    assert all(1 < count < 14 for count in saved)
    assert not any(map(ownership.owner, students))

    with begun(table, tmp_path, "--jobs", "2") as killed:
        wait_until(killed, lambda: iterations(experiments[0].folder) > saved[0])
        killed.kill()
        said, _ = killed.communicate()
    assert f"ppo SimpleDoorKey tiny-0: goes on after {saved[0]} iterations" in said

    code, said = reproduced(table, tmp_path)
    assert code == 0
    assert evaluations(experiments) == evaluations(expected)
    for experiment, other in zip(experiments, expected, strict=True):
        if experiment.train:
            assert_same_run(experiment.folder, other.folder)


def test_a_failed_experiment_is_named_and_tried_again(table: Path, whole: Path) -> None:
    first, second, teacher = experiments = read_table(table, whole, 1)
    expected = evaluations(experiments)
    shutil.rmtree(first.folder)
    first.folder.mkdir()
    (first.folder / "notes.txt").write_text("mine")
    (teacher.folder / "unseen" / "eval.json").unlink()
    code, said = reproduced(table, whole)
    assert code == 1
    last = f"error: {first.folder} exists and is not a run; give another --savedir (exit code 1)"
    assert f"ppo SimpleDoorKey tiny-0: failed: {last}\n" in said
    assert said.count(last) == 2
    assert "2 of 3 experiments finished, 0 running, 1 failed" in said
    assert evaluations([second, teacher]) == expected[1:]
    printed = (whole / "output" / "ppo-simpledoorkey-tiny-0.log").read_text().splitlines()
    commands = [line for line in printed if line.startswith("$ ")]
    assert commands[-1].startswith("$ python main.py train --task ")
    assert f"{printed[-1]} (exit code 1)" == last

    # What a process leaves that is killed while it makes a run's folder.
    (first.folder / "notes.txt").rename(first.folder / ".config.json.4242.part")
    (first.folder / "owner.lock").touch()
    assert reproduced(table, whole)[0] == 0
    assert evaluations(experiments) == expected


def test_a_run_with_other_settings_is_named_and_left_alone(whole: Path, tmp_path: Path) -> None:
    other = tmp_path / "other.yaml"
    other.write_text(TABLE.replace("n_itr: 14", "n_itr: 15"))
    before = contents(whole)
    code, said = reproduced(other, whole)
    assert code == 1
    folder = whole / "ppo" / "simpledoorkey" / "tiny-1"
    words = f"ppo SimpleDoorKey tiny-1 is left alone: {folder}: its n_itr is 14, the table says 15"
    assert said.count(words) == said.count("tiny-1") / 2 == 1
    assert "1 of 3 experiments finished, 0 running, 2 left alone\n" in said
    assert contents(whole) == before


def test_a_run_that_another_process_trains_is_awaited(
    table: Path, whole: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    first, *_ = experiments = read_table(table, whole, 1)
    expected = evaluations(experiments)
    (first.folder / "unseen" / "eval.json").unlink()
    with begun(table, whole, "--jobs", "1") as process:
        with ownership.owned(first.folder):
            assert process.stdout
            assert process.stdout.readline().startswith(
                f"ppo SimpleDoorKey tiny-0: waits: it is being trained by process {os.getpid()} on "
            )
            # A second program with the same folder is refused.
            assert main.main(["reproduce", str(table), "--out", str(whole)]) == 1
            words = f"error: {whole} is being trained by process {process.pid} on "
            assert capsys.readouterr().err.startswith(words)
        said, _ = process.communicate(timeout=PATIENCE)
    assert process.returncode == 0
    assert "ppo SimpleDoorKey tiny-0: finished" in said
    assert evaluations(experiments) == expected


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        (["--launcher", "slurm"], "--slurm: give the time limit of a job in minutes"),
        (["--launcher", "slurm", "--slurm", "time"], "--slurm: 'time' is not like partition=gpu"),
        (["--launcher", "slurm", "--slurm", "time=9", "x=1"], "Unavailable parameter(s): ['x']"),
        (
            ["--launcher", "slurm", "--slurm", "time=1:00"],
            "--slurm: time=1:00 is not a number",
        ),
        (
            ["--launcher", "slurm", "--slurm", "time=0"],
            "--slurm: time=0 is not a number of minutes",
        ),
        (["--launcher", "slurm", "--slurm", "time=9", "time=8"], "--slurm: time is given twice"),
        (
            ["--launcher", "slurm", "--jobs", "3"],
            "--jobs: with --launcher slurm use --slurm",
        ),
        (["--slurm", "time=9"], "--slurm: give it together with --launcher slurm"),
        (["--jobs", "0"], "--jobs: 0 is too few; give 1 or more"),
        (["--dry_run", "--jobs", "0"], "--jobs: 0 is too few; give 1 or more"),
        (["--dry_run", "--slurm", "time=9"], "--slurm: give it together with --launcher slurm"),
        (["--dry_run", "--launcher", "slurm"], "--slurm: give the time limit of a job in minutes"),
        (["--threads", "0"], "--threads: 0 is too few; give 1 or more"),
    ],
)
def test_a_wrong_flag_is_one_line(
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


def test_a_second_ctrl_c_stops_at_once(table: Path, tmp_path: Path) -> None:
    with begun(table, tmp_path, "--jobs", "1") as process:
        runner = psutil.Process(process.pid)
        wait_until(process, lambda: any("train" in child.cmdline() for child in runner.children()))
        (child,) = runner.children()
        # A suspended process cannot end its iteration.
        child.suspend()
        assert process.stdout
        process.stdout.readline()
        process.send_signal(signal.SIGINT)
        assert process.stdout.readline().startswith("stopping after this iteration")
        process.send_signal(signal.SIGINT)
        said, _ = process.communicate(timeout=PATIENCE)
    assert process.returncode == 128 + signal.SIGINT
    assert said == "stopped at once; the same command goes on from what was saved\n"
    assert not child.is_running()


@contextmanager
def in_a_terminal(table: Path, out: Path) -> Iterator[tuple[subprocess.Popen[bytes], FileIO]]:
    """A process in its own terminal. It waits for its experiments, whose locks the test holds."""
    outside, inside = pty.openpty()
    command = [sys.executable, "main.py", "reproduce", str(table), "--out", str(out), "--jobs", "1"]
    with ExitStack() as made:
        for experiment in read_table(table, out, 1):
            made.enter_context(ownership.owned(experiment.folder))
        terminal = made.enter_context(FileIO(outside, "r+"))
        process = subprocess.Popen(
            command,
            cwd=ROOT,
            env=os.environ | {"TERM": "xterm"},
            stdin=inside,
            stdout=inside,
            stderr=inside,
            start_new_session=True,
            preexec_fn=partial(take_terminal, inside),
        )
        os.close(inside)
        made.enter_context(process)
        made.callback(process.kill)
        yield process, terminal


def take_terminal(file: int) -> None:
    """In a new process: make a file its terminal, and let the end of that terminal signal it."""
    signal.signal(signal.SIGHUP, signal.SIG_DFL)
    fcntl.ioctl(file, termios.TIOCSCTTY, 0)


def read_until(terminal: FileIO, words: bytes) -> None:
    seen = b""
    while words not in seen:
        assert select.select([terminal], [], [], PATIENCE)[0], seen
        seen += terminal.read(10_000) or b""


def test_a_terminal_shows_a_live_table(table: Path, tmp_path: Path) -> None:
    with in_a_terminal(table, tmp_path) as (process, terminal):
        read_until(terminal, b"elsewhere")
        terminal.write(b"\x03")
        read_until(terminal, b"stopped; the same command goes on from there")
        assert process.wait(PATIENCE) == 128 + signal.SIGINT


def test_closing_the_terminal_stops_as_ctrl_c_does(table: Path, tmp_path: Path) -> None:
    with in_a_terminal(table, tmp_path) as (process, terminal):
        read_until(terminal, b"elsewhere")
        terminal.close()
        assert process.wait(PATIENCE) == 128 + signal.SIGHUP
