"""Runs whose files are damaged: resuming them is refused in one line, or says what is missing."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import main
from algos import checkpoint
from algos.saved_files import CHECKPOINT, CONFIG
from commands.run_files import METRICS, read_lines
from tests.running import runs_of, train

Damage = Callable[[Path], object]


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A log tree with a run of three iterations."""
    logdir = tmp_path_factory.mktemp("finished")
    assert train(logdir, "--n_itr", "3", "--quick", "--savedir", "run") == 0
    return logdir


@pytest.fixture
def logdir(finished: Path, tmp_path: Path) -> Path:
    return shutil.copytree(finished, tmp_path, dirs_exist_ok=True)


def resume(logdir: Path) -> int:
    return main.main(["train", "--logdir", str(logdir), "--savedir", "run", "--resume", *MORE])


MORE = ["--n_itr", "4"]


def in_config(**changes: Any) -> Damage:
    def damage(folder: Path) -> None:
        path = folder / CONFIG
        path.write_text(json.dumps(json.loads(path.read_text()) | changes))

    return damage


def in_checkpoint(name: str, **changes: Any) -> Damage:
    def damage(folder: Path) -> None:
        content = checkpoint.load(folder / CHECKPOINT)
        content[name] |= changes
        checkpoint.save(folder / CHECKPOINT, content)

    return damage


def without(name: str) -> Damage:
    def damage(folder: Path) -> None:
        content = checkpoint.load(folder / CHECKPOINT)
        checkpoint.save(folder / CHECKPOINT, content | {name: {}})

    return damage


def in_metrics(content: bytes) -> Damage:
    return lambda folder: (folder / METRICS).write_bytes(content)


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (in_metrics(b'{"iteration": 1, "Train/Loss": "\xff"}\n'), "metrics.jsonl: it is not UTF-8"),
        (in_metrics(b'{"iteration": "one"}\n'), "metrics.jsonl, line 1: there is no iteration"),
        (in_metrics(b'{"iteration": 1}\n[1]\n'), "metrics.jsonl, line 2: there is no iteration"),
        (in_config(provenance="by hand"), "its provenance is damaged"),
        (in_config(provenance={"resumed": 3}), "its provenance is damaged"),
        (in_checkpoint("progress", iteration=-1), "checkpoint.pt is damaged"),
        (in_checkpoint("progress", iteration="3"), "checkpoint.pt is damaged"),
        (without("progress"), "checkpoint.pt is damaged"),
        (without("selection"), "checkpoint.pt is damaged"),
        (without("teacher_alone"), "checkpoint.pt is damaged"),
    ],
)
def test_a_damaged_file_is_refused_in_one_line(
    damage: Damage, words: str, logdir: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    damage(runs_of(logdir) / "run")
    before = (runs_of(logdir) / "run" / METRICS).read_bytes()
    capsys.readouterr()
    assert resume(logdir) == 1
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert words in error
    assert (runs_of(logdir) / "run" / METRICS).read_bytes() == before


def test_missing_lines_of_metrics_are_named(
    logdir: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = runs_of(logdir) / "run" / METRICS
    first, _, third = path.read_text().splitlines(keepends=True)
    path.write_text(first + third)
    assert resume(logdir) == 0
    assert f"warning: {path} lacks 1 of 3 lines (iteration 2)" in capsys.readouterr().out
    assert [row["iteration"] for row in read_lines(path)] == [1, 3, 4]
