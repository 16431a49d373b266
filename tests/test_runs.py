"""Run folders and their users: what must not be lost, and what is told in one line."""

import fcntl
import resource
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import yaml

import main
from algos import checkpoint
from commands import subject
from commands.observers.display import Display
from commands.planned_runs import planned_runs
from commands.settings.flags import parse
from commands.subject import Subject, load_subject
from planner.task import load_task
from tests.running import ROOT, SMALL, evaluate, observed, runs_of, train
from utils import ownership
from utils.errors import UserError
from utils.ownership import OWNER
from utils.ranks import Ranks

TRAIN = [sys.executable, "main.py", "train"]


def contents(folder: Path) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def only_line(capsys: pytest.CaptureFixture[str]) -> str:
    """What was said to stderr, which is one line."""
    error = capsys.readouterr().err
    assert error.startswith("error: ")
    assert error.count("\n") == 1
    return error


@contextmanager
def training(logdir: Path, *flags: str) -> Iterator[subprocess.Popen[str]]:
    """A process that trains for long, and has begun."""
    command = [*TRAIN, "--logdir", str(logdir), *SMALL, "--n_itr", "1000", *flags]
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout
        assert any(" 1/1000: " in line for line in process.stdout)
        yield process
    finally:
        process.kill()
        process.communicate()


def test_a_run_that_is_being_trained_is_nobody_elses(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    where = ["train", "--logdir", str(tmp_path), "--device", "cpu", "--savedir", "run"]
    attempts = ["--resume"], ["--overwrite", "--n_itr", "0"]
    folder = runs_of(tmp_path) / "run"
    with training(tmp_path, "--savedir", "run") as process:
        config = (folder / "config.json").read_bytes()
        for flags in attempts:
            assert main.main([*where, *flags]) == 1
            assert f"{folder} is being trained by process {process.pid} on " in only_line(capsys)
            assert process.poll() is None
            assert (folder / "config.json").read_bytes() == config
    # Its lock has ended with it.
    for flags in attempts:
        assert main.main([*where, *flags, "--n_itr", "0"]) == 0


def test_overwriting_leaves_nothing_of_the_old_run(tmp_path: Path) -> None:
    assert train(tmp_path, "--n_itr", "5", "--savedir", "run") == 0
    folder = runs_of(tmp_path) / "run"
    assert evaluate(tmp_path, "--num_eval", "1") == 0
    before = set(contents(folder))
    assert train(tmp_path, "--n_itr", "0", "--savedir", "run", "--overwrite") == 0
    after = set(contents(folder))
    names = {path.name for path in after & before}
    kept = {"acmodel.pt", "checkpoint.pt", "config.json", "metrics.jsonl"}
    assert names == kept | {OWNER}
    assert (folder / "metrics.jsonl").read_text() == ""
    assert checkpoint.load(folder / "checkpoint.pt")["progress"]["iteration"] == 0


def test_a_run_without_its_checkpoint_is_not_begun_anew(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert train(tmp_path, "--n_itr", "1", "--savedir", "run") == 0
    folder = runs_of(tmp_path) / "run"
    (folder / "checkpoint.pt").unlink()
    before = contents(folder)
    resume = ["train", "--logdir", str(tmp_path), "--savedir", "run", "--resume", "--n_itr", "2"]
    assert main.main(resume) == 1
    assert "has lost its checkpoint.pt and cannot go on" in only_line(capsys)
    assert contents(folder) == before


def write_task(path: Path, **changes: Any) -> None:
    task = load_task("SimpleDoorKey").model_dump() | changes
    path.write_text(yaml.safe_dump(task))


def test_a_run_goes_on_with_the_plans_that_it_began_with(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "task.yaml"
    plans = load_task("SimpleDoorKey").plans
    write_task(file)
    assert train(tmp_path, "--task", str(file), "--n_itr", "0", "--savedir", "run") == 0
    where = ["train", "--logdir", str(tmp_path), "--savedir", "run", "--resume"]
    other, same = tmp_path / "other.yaml", tmp_path / "same.yaml"
    changed = {scene: {"explore": 1.0} for scene in plans}
    other.write_text(yaml.safe_dump(changed))
    same.write_text(yaml.safe_dump(plans))
    capsys.readouterr()
    assert main.main([*where, "--plans", str(other)]) == 1
    assert "differs from the plans that" in only_line(capsys)
    assert main.main([*where, "--plans", str(same)]) == 0
    assert "keeps" not in capsys.readouterr().out
    write_task(file, plans=changed)
    assert main.main([*where, "--task", str(file)]) == 0
    assert "keeps the plans that it began with" in capsys.readouterr().out


def test_a_resumed_run_takes_no_other_model(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert train(tmp_path, "--n_itr", "0", "--savedir", "run") == 0
    where = ["train", "--logdir", str(tmp_path), "--savedir", "run", "--resume"]
    assert main.main([*where, "--loaddir", "nonsense"]) == 1
    assert "--loaddir: a resumed run goes on from its own checkpoint" in only_line(capsys)


@pytest.mark.parametrize(
    ("flag", "value"), [("batch_size", 10**12), ("num_eval", 10**11), ("traj_per_itr", 10**9)]
)
def test_what_would_never_end_is_refused_before_it_begins(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], flag: str, value: int
) -> None:
    assert main.main(["train", "--logdir", str(tmp_path), f"--{flag}", str(value)]) == 1
    assert f"{flag}: must be less than or equal to 1048576" in only_line(capsys)
    assert not list(tmp_path.iterdir())


def test_too_little_memory_is_said_in_one_line(tmp_path: Path) -> None:
    # Large rooms, of which so many do not even begin to fit.
    limit, large = 4 * 2**30, ["--task", "TwoDoor", "--num_envs", "1000000"]
    process = subprocess.run(
        [*TRAIN, "--logdir", str(tmp_path), "--device", "cpu", *large],
        cwd=ROOT,
        capture_output=True,
        text=True,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_AS, (limit, limit)),
    )
    assert process.returncode == 1
    assert process.stderr == (
        "error: there is not enough memory; fewer --num_envs or a smaller --batch_size need less\n"
    )


def test_a_deeply_nested_config_is_said_in_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "config.json"
    path.write_text('{"task": ' + "[" * 20_000 + "]" * 20_000 + "}")
    assert main.main(["train", "--logdir", str(tmp_path), "--config", str(path)]) == 1
    assert f"cannot read {path}: it is nested too deeply" in only_line(capsys)


def test_a_full_disk_is_named_whatever_is_written(tmp_path: Path) -> None:
    assert train(tmp_path, "--n_itr", "1", "--savedir", "run") == 0
    process = subprocess.run(
        [*TRAIN, "--logdir", str(tmp_path), "--resume", "--n_itr", "200"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (5000, 5000)),
    )
    assert process.returncode == 1
    assert process.stderr.startswith(f"error: cannot write {runs_of(tmp_path) / 'run'}/")
    assert process.stderr.count("\n") == 1


def test_ctrl_c_while_modules_load_shows_no_traceback(tmp_path: Path) -> None:
    command = [sys.executable, "-X", "importtime", "main.py", "train", "--logdir", str(tmp_path)]
    # What is started in the background ignores Ctrl-C, and so do its children.
    minds = partial(signal.signal, signal.SIGINT, signal.SIG_DFL)
    process = subprocess.Popen(
        command, cwd=ROOT, stderr=subprocess.PIPE, text=True, preexec_fn=minds
    )
    assert process.stderr
    assert any("torch._utils" in line for line in process.stderr)
    process.send_signal(signal.SIGINT)
    rest = process.stderr.read()
    assert process.wait() == -signal.SIGINT
    assert "Traceback" not in rest


def test_the_first_iteration_is_told_and_then_evaluations(
    capsys: pytest.CaptureFixture[str],
) -> None:
    display = Display("run1", 0, 20)
    for number in range(1, 11):
        display.iteration(observed(number, evaluated=number == 10))
    display.ended()
    lines = capsys.readouterr().out.splitlines()
    assert [line.split(",")[0] for line in lines] == [
        "run1 1/20: training success 0.50",
        "run1 10/20: evaluation success 0.75",
    ]


def test_the_program_alone_lists_its_commands(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stop:
        main.main([])
    assert stop.value.code == 2
    error = capsys.readouterr().err
    assert all(f"\n    {command} " in error for command in ("train", "eval", "record", "bench"))


def test_a_run_in_bf16_is_evaluated_in_bf16(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    evaluated = []

    def note(*given: Any) -> Subject:
        found = load_subject(*given)
        assert found.student
        evaluated.append(found.student.bf16)
        return found

    monkeypatch.setattr(subject, "load_subject", note)
    for precision in ("bf16", "fp32"):
        name = ["--savedir", precision]
        assert train(tmp_path, "--n_itr", "0", "--precision", precision, *name) == 0
        assert evaluate(tmp_path, "--loaddir", precision, "--num_eval", "1") == 0
    assert evaluated == [True, False]


def test_the_lock_lets_go_of_all_folders_if_one_is_taken(tmp_path: Path) -> None:
    flags = ["--logdir", str(tmp_path), *SMALL, "--savedir", "two", "--seed_list", "1", "2"]
    args = parse(["train", *flags])
    with ownership.owned(runs_of(tmp_path) / "two-2"):
        with pytest.raises(UserError, match="two-2 is being trained"), ExitStack() as stack:
            planned_runs(args, Ranks(), stack)
        assert not (runs_of(tmp_path) / "two-1" / "config.json").exists()
    with ExitStack() as stack:
        assert len(planned_runs(args, Ranks(), stack)) == 2


def test_whoever_looks_at_a_lock_is_waited_for(tmp_path: Path) -> None:
    with ownership.owned(tmp_path):
        pass
    with (tmp_path / OWNER).open() as file:
        fcntl.flock(file, fcntl.LOCK_SH)
        threading.Timer(0.1, fcntl.flock, (file, fcntl.LOCK_UN)).start()
        with ownership.owned(tmp_path):
            assert ownership.owner(tmp_path)


def test_who_trains_where_no_folder_can_be_is_nobody(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    assert ownership.owner(tmp_path / "file") is None
