"""`main.py list`: every run of a log tree, also what is broken."""

import json
import os
import shutil
import subprocess
import sys
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

import main
from tests.running import ROOT, runs_of
from utils import ownership
from utils.files import write_json


def listed(logdir: Path, capsys: pytest.CaptureFixture[str]) -> dict[str, list[str]]:
    """Run -> the other columns."""
    capsys.readouterr()
    assert main.main(["list", str(logdir)]) == 0
    _, header, *lines = capsys.readouterr().out.splitlines()
    starts = [header.index(name) for name in ("method", "task", "run", "state")]
    rows = {}
    for line in lines:
        method, task, run = (line[a:b].strip() for a, b in pairwise(starts))
        rows[run] = [method, task, " ".join(line[starts[3] :].split())]
    return rows


@pytest.fixture
def logdir(trained: Path) -> Path:
    """A finished run, and one of which only four of eight iterations are logged."""
    whole = runs_of(trained) / "whole"
    half = runs_of(trained / "old") / "half"
    half.mkdir(parents=True)
    shutil.copy(whole / "config.json", half)
    lines = (whole / "metrics.jsonl").read_text().splitlines(keepends=True)
    (half / "metrics.jsonl").write_text("".join(lines[:4]) + '{"iterat')
    return trained


def test_runs_are_listed_with_their_iterations_success_and_state(
    logdir: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = listed(logdir, capsys)
    assert rows.keys() == {"whole", "old/half"}
    assert {tuple(row[:2]) for row in rows.values()} == {("ppo", "SimpleDoorKey")}
    folder = runs_of(logdir) / "whole"
    verdict = json.loads((folder / "verdict.json").read_text())["last"]["success"]["mean"]
    assert rows["whole"][2].startswith("finished ")
    assert rows["whole"][2].endswith(f" ago 8 of 8 {verdict:.3f} the end")
    fourth = json.loads((folder / "metrics.jsonl").read_text().splitlines()[3])
    assert rows["old/half"][2].startswith("stopped 0 s ago 4 of 8 ")
    assert rows["old/half"][2].endswith(f" {fourth['Test/Success Rate']:.3f} 4")
    # The final evaluation counts more than the verdict, if it is of the last model.
    final: dict[str, Any] = {"model": "acmodel.pt", "iteration": 8, "deterministic": False}
    final["success"] = {"mean": 0.875}
    write_json(folder / "unseen" / "eval.json", final)
    assert listed(logdir, capsys)["whole"][2].endswith(" 0.875 the end")
    for other in ({"iteration": 7}, {"deterministic": True}):
        write_json(folder / "unseen" / "eval.json", final | other)
        assert listed(logdir, capsys)["whole"][2].endswith(f" {verdict:.3f} the end")


def test_a_run_that_is_being_trained_is_listed_with_its_process(
    logdir: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with ownership.owned(runs_of(logdir) / "whole"):
        state = listed(logdir, capsys)["whole"][2]
    assert state.startswith(f"running: process {os.getpid()} on ")


@pytest.mark.parametrize(
    ("content", "wrong"),
    [
        (None, "broken: config.json is missing"),
        ("{", "broken: config.json is damaged"),
        ("[1]", "broken: config.json is damaged"),
        ("{}", "broken: config.json lacks settings"),
        ('{"policy": 1, "task": 2, "n_itr": 3}', "broken: config.json lacks settings"),
    ],
)
def test_broken_runs_are_listed_with_what_is_wrong(
    logdir: Path, capsys: pytest.CaptureFixture[str], content: str | None, wrong: str
) -> None:
    config = runs_of(logdir) / "whole" / "config.json"
    config.unlink()
    if content is not None:
        config.write_text(content)
    rows = listed(logdir, capsys)
    assert rows["whole"][:2] == ["ppo", "simpledoorkey"]
    assert rows["whole"][2].startswith(wrong)
    assert rows["old/half"][2].startswith("stopped")


def test_damaged_results_leave_a_run_in_the_list(
    logdir: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = runs_of(logdir) / "whole"
    (folder / "verdict.json").write_text('{"last": {"success": {"mean": null}}}')
    (folder / "metrics.jsonl").write_bytes(b"\xff\n[1]\n{}\n")
    assert listed(logdir, capsys)["whole"][2].endswith(" ago 0 of 8 – –")


def test_a_list_needs_no_pytorch(logdir: Path) -> None:
    code = (
        f"import sys, main; main.main(['list', {str(logdir)!r}]); assert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True, stdout=subprocess.DEVNULL)


def test_a_folder_without_runs_is_an_error(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for folder, why in ((tmp_path, "there is no run below"), (tmp_path / "no", "is not a folder")):
        assert main.main(["list", str(folder)]) == 1
        error = capsys.readouterr().err
        assert why in error
        assert str(folder) in error
        assert error.count("\n") == 1
