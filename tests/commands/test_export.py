"""Exported students: they do what the student does, without this project."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch

import main
from algos.student import read_student
from commands.domains.networks import make_encoder
from commands.export import STEPS
from tests import small_homes
from tests.running import runs_of, train

CPU = torch.device("cpu")


def export(logdir: Path, *flags: str) -> int:
    return main.main(["export", "--logdir", str(logdir), *flags])


def drawn_inputs(model: Path, count: int) -> dict[str, Any]:
    """Observations of `count` environments, and a state of which nothing is 0."""
    student, *_ = read_student(model, CPU, make_encoder)
    draws = torch.Generator().manual_seed(0)
    if "image" in student.spec.obs:
        image = torch.zeros(count, *student.spec.obs["image"], dtype=torch.uint8)
        image[:, 2, 3] = torch.tensor([10, 0, 1, 3], dtype=torch.uint8)
        obs = {"image": image}
    else:
        obs = {
            name: torch.rand(count, *shape, generator=draws)
            for name, shape in student.spec.obs.items()
        }
    state = student.initial_state(count, CPU)
    return obs | {name: torch.rand(zeros.shape, generator=draws) for name, zeros in state.items()}


def expected(model: Path, inputs: dict[str, Any]) -> dict[str, Any]:
    student, *_ = read_student(model, CPU, make_encoder)
    policy, state = student.policy(inputs, {k: v for k, v in inputs.items() if k == "lstm"})
    return {"shown": policy.shown, **{f"next_{name}": tensor for name, tensor in state.items()}}


RUN_ALONE = """
import sys, torch
inputs = torch.load(sys.argv[2])
torch.save(torch.export.load(sys.argv[1]).module()(inputs), sys.argv[2])
"""


@pytest.mark.parametrize("recurrent", [False, True])
def test_a_program_runs_where_this_project_is_not(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], recurrent: bool
) -> None:
    flags = ["--recurrent"] if recurrent else ["--network", "egocentric"]
    assert train(tmp_path, "--n_itr", "0", "--savedir", "new", *flags) == 0
    path, model = tmp_path / "student.pt2", runs_of(tmp_path) / "new" / "acmodel.pt"
    capsys.readouterr()
    assert export(tmp_path, "new", "--to", str(path)) == 0
    said = capsys.readouterr().out
    assert "image: (batch, 10, 10, 4) uint8" in said
    assert f"in {STEPS} steps its outputs differ from the student's by " in said
    for count in (1, 3):
        inputs = drawn_inputs(model, count)
        torch.save(inputs, tmp_path / "tensors")
        alone = [sys.executable, "-c", RUN_ALONE, str(path), str(tmp_path / "tensors")]
        subprocess.run(alone, check=True, cwd=tmp_path)
        found, wanted = torch.load(tmp_path / "tensors"), expected(model, inputs)
        torch.testing.assert_close(found["probabilities"], wanted.pop("shown"))
        assert torch.equal(found["action"], found["probabilities"].argmax(1))
        for name, tensor in wanted.items():
            torch.testing.assert_close(found[name], tensor)


@pytest.mark.parametrize("suffix", ["pt2", "onnx"])
def test_a_student_of_homes_with_a_state(tmp_path: Path, suffix: str) -> None:
    if suffix == "onnx":
        for name in ("onnx", "onnxscript", "onnxruntime"):
            pytest.importorskip(name)
    assert small_homes.train(tmp_path, "--n_itr", "0", "--savedir", "new", "--recurrent") == 0
    path = tmp_path / f"student.{suffix}"
    assert export(tmp_path, "new", "--to", str(path)) == 0
    model = small_homes.runs_of(tmp_path) / "new" / "acmodel.pt"
    inputs = drawn_inputs(model, 2)
    if suffix == "onnx":
        session: Any = sys.modules["onnxruntime"].InferenceSession(path)
        outputs = session.run(None, {name: tensor.numpy() for name, tensor in inputs.items()})
        names = [output.name for output in session.get_outputs()]
        found = dict(zip(names, map(torch.from_numpy, outputs), strict=True))
        assert [given.shape[0] for given in session.get_inputs()] == ["batch"] * len(inputs)
    else:
        found = torch.export.load(path).module()(inputs)
    wanted = expected(model, inputs)
    assert found.keys() == {"action", "std", "next_lstm"}
    torch.testing.assert_close(found["action"], wanted["shown"], rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(found["next_lstm"], wanted["next_lstm"], rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("student.pt", "must end in .onnx or .pt2"),
        ("student.onnx", "onnxruntime is missing: pip install -r requirements-export.txt"),
        ("student.pt2", "there is no run"),
    ],
)
def test_what_cannot_be_exported_is_said_in_one_line(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    name: str,
    says: str,
) -> None:
    for package in ("onnx", "onnxscript"):
        monkeypatch.setitem(sys.modules, package, sys)
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    assert export(tmp_path, "--to", str(tmp_path / name)) == 1
    error = capsys.readouterr().err
    assert says in error
    assert error.count("\n") == 1
    assert not [*tmp_path.iterdir()]


def test_a_student_that_chooses_options_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    flags = ["--n_itr", "0", "--savedir", "new", "--policy", "hierarchical"]
    assert train(tmp_path, *flags) == 0
    assert export(tmp_path, "new", "--to", str(tmp_path / "student.pt2")) == 1
    assert "its student chooses options" in capsys.readouterr().err
    assert not (tmp_path / "student.pt2").exists()
