"""`main.py reproduce`, with real processes: what stops it, and what it finds when it begins."""

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
from commands.experiments.run_folder import iterations
from commands.experiments.table import read_table
from tests.reproduction import PATIENCE, TABLE, begun, evaluations, reproduced, wait_until
from tests.running import ROOT, assert_same_run, done
from utils import ownership


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
    assert said.startswith("3 of 3 experiments finished")
    assert contents(whole) == before
    eval_seeds = [episode["seed"] for episode in evaluations(read_table(table, whole, 1))[0][1]]
    assert eval_seeds == [*range(10000, 10008)]


def test_stopped_and_killed_it_ends_with_the_same_table(
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
    # Each has saved what it had done, and is no more.
    saved = done(students)
    assert saved == [
        iterations(experiment.folder) for experiment in experiments if experiment.train
    ]
    assert all(1 < count < 14 for count in saved)
    assert not any(map(ownership.owner, students))

    with begun(table, tmp_path, "--jobs", "2") as killed:
        wait_until(killed, lambda: iterations(experiments[0].folder) > saved[0] + 1)
        killed.kill()
        said, _ = killed.communicate()
    assert f"ppo SimpleDoorKey tiny-0: goes on after {saved[0]} iterations" in said

    code, said = reproduced(table, tmp_path)
    assert code == 0
    assert evaluations(experiments) == evaluations(expected)
    for experiment, other in zip(experiments, expected, strict=True):
        if experiment.train:
            assert_same_run(experiment.folder, other.folder)


def test_a_broken_experiment_is_named_and_tried_again(table: Path, whole: Path) -> None:
    first, second, teacher = experiments = read_table(table, whole, 1)
    expected = evaluations(experiments)
    shutil.rmtree(first.folder)
    first.folder.mkdir()
    (first.folder / "notes.txt").write_text("mine")
    (teacher.folder / "unseen" / "eval.json").unlink()
    code, said = reproduced(table, whole)
    assert code == 1
    last = f"error: {first.folder} exists and is no run; give another --savedir (exit code 1)"
    assert f"ppo SimpleDoorKey tiny-0: failed: {last}\n" in said
    assert said.count(last) == 2
    assert "2 of 3 experiments finished, 0 running, 1 failed" in said
    assert evaluations([second, teacher]) == expected[1:]
    output = whole / "output" / "ppo-simpledoorkey-tiny-0.log"
    assert output.read_text().splitlines()[-2].startswith("$ python main.py train --task ")

    # As a process leaves it that is killed while it begins a run.
    (first.folder / "notes.txt").rename(first.folder / ".config.json.4242.part")
    (first.folder / "owner.lock").touch()
    assert reproduced(table, whole)[0] == 0
    assert evaluations(experiments) == expected


def test_other_settings_are_named_and_leave_a_run_alone(whole: Path, tmp_path: Path) -> None:
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


def test_what_others_train_is_waited_for(
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
            # Of two such programs the second one keeps away.
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
            "--slurm: time=1:00 is no number",
        ),
        (["--launcher", "slurm", "--slurm", "time=0"], "--slurm: time=0 is no number of minutes"),
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


def test_a_second_ctrl_c_stops_at_once(table: Path, tmp_path: Path) -> None:
    with begun(table, tmp_path, "--jobs", "1") as process:
        runner = psutil.Process(process.pid)
        wait_until(process, lambda: any("train" in child.cmdline() for child in runner.children()))
        (child,) = runner.children()
        # It cannot end its iteration.
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
    """A process that waits for all of its experiments, which this one has, and its terminal."""
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
    """Of a new process: that is its terminal, whose end it hears of also if these tests do not."""
    signal.signal(signal.SIGHUP, signal.SIG_DFL)
    fcntl.ioctl(file, termios.TIOCSCTTY, 0)


def read_until(terminal: FileIO, words: bytes) -> None:
    seen = b""
    while words not in seen:
        assert select.select([terminal], [], [], PATIENCE)[0], seen
        seen += terminal.read(10_000) or b""


def test_in_a_terminal_a_table_shows_how_far_all_are(table: Path, tmp_path: Path) -> None:
    with in_a_terminal(table, tmp_path) as (process, terminal):
        read_until(terminal, b"elsewhere")
        terminal.write(b"\x03")
        read_until(terminal, b"stopped; the same command goes on from there")
        assert process.wait(PATIENCE) == 128 + signal.SIGINT


def test_that_its_terminal_is_closed_stops_it_as_ctrl_c_does(table: Path, tmp_path: Path) -> None:
    with in_a_terminal(table, tmp_path) as (process, terminal):
        read_until(terminal, b"elsewhere")
        terminal.close()
        assert process.wait(PATIENCE) == 128 + signal.SIGHUP
