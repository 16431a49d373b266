"""Skills of habitat-baselines: their checkpoints are read, and nothing in them is run."""

import os
import re
from pathlib import Path
from typing import Any

import pytest
import torch

from algos.vision import resnet18_trunk
from teacher.skill_network import WIDTH, Skill, SkillSpec, load_skill
from tests.skills import ACTIONS, KNOWN, skill_weights, write_skill
from utils.errors import UserError

CPU = torch.device("cpu")
SIZE = 64


def load(path: Path, name: str = "pick", depth: int = SIZE) -> Skill:
    spec = SkillSpec(depth, KNOWN[name], ACTIONS[name])
    return load_skill(path, resnet18_trunk(1, WIDTH), spec, CPU)


@pytest.mark.parametrize("name", ["navigate", "pick"])
@pytest.mark.parametrize("depth", [64, 128])
def test_a_skill_is_loaded_and_acts_step_by_step(name: str, depth: int, tmp_path: Path) -> None:
    path = tmp_path / "skill.pth"
    weights = skill_weights(name, depth)
    write_skill(path, weights)
    skill = load(path, name, depth)
    state = skill.initial_state(2, CPU)
    draws = torch.Generator().manual_seed(1)
    view = torch.rand(2, depth, depth, 1, generator=draws)
    known = torch.randn(2, KNOWN[name], generator=draws)
    first, kept = skill(view, known, state)
    again, later = skill(view, known, kept)
    assert first["mean"].shape == first["spread"].shape == (2, ACTIONS[name])
    assert first["mean"].abs().max() <= 1
    assert torch.allclose(first["spread"][0], weights["action_distribution.std"].clamp(max=2).exp())
    assert torch.equal(kept["action"], first["mean"])
    assert not torch.allclose(first["mean"], again["mean"])
    assert later["lstm"].shape == state["lstm"].shape
    # Rows are episodes of their own.
    alone, _ = skill(view[1:], known[1:], skill.initial_state(1, CPU))
    assert torch.allclose(alone["mean"], first["mean"][1:], atol=1e-5)


def test_every_weight_finds_its_place(tmp_path: Path) -> None:
    path = tmp_path / "skill.pth"
    weights = skill_weights("pick", SIZE)
    write_skill(path, weights)
    state = load(path).state_dict()
    assert len(state) == len([name for name in weights if not name.startswith("critic")])
    theirs, ours = "net.visual_encoder.backbone.layer3.1.convs.3.weight", "trunk.9.main.3.weight"
    assert torch.equal(weights[theirs], state[ours])
    assert torch.equal(weights["net.visual_fc.1.weight"], state["seen.1.weight"])


class Command:
    """What runs a command when it is unpickled."""

    def __init__(self, trace: Path) -> None:
        self.trace = trace

    def __reduce__(self) -> Any:
        return os.mkdir, (str(self.trace),)


def test_what_would_run_code_is_refused_and_not_run(tmp_path: Path) -> None:
    path, trace = tmp_path / "skill.pth", tmp_path / "trace"
    write_skill(path, skill_weights("pick", SIZE), Command(trace))
    with pytest.raises(UserError, match=re.escape("would run posix.mkdir")) as refusal:
        load(path)
    assert "\n" not in str(refusal.value)
    assert not trace.exists()


def test_a_configuration_is_not_looked_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Even if what bears its name would run code."""
    path, trace = tmp_path / "skill.pth", tmp_path / "trace"
    package = tmp_path / "omegaconf"
    package.mkdir()
    (package / "__init__.py").write_text(f"import os; os.mkdir({str(trace)!r})")
    monkeypatch.syspath_prepend(str(tmp_path))
    write_skill(path, skill_weights("pick", SIZE))
    load(path)
    assert not trace.exists()


@pytest.mark.parametrize(
    ("depth", "name", "words"),
    [
        (
            128,
            "pick",
            "is not a skill with a view of 64x64 pixels, 14 numbers beside it and 10 of an",
        ),
        (SIZE, "navigate", "is not a skill with a view of 64x64 pixels"),
    ],
)
def test_a_skill_that_sees_or_does_something_else_is_refused(
    depth: int, name: str, words: str, tmp_path: Path
) -> None:
    path = tmp_path / "skill.pth"
    write_skill(path, skill_weights(name, depth))
    with pytest.raises(UserError, match=words):
        load(path)


def test_what_is_no_checkpoint_is_refused_in_a_line(tmp_path: Path) -> None:
    path = tmp_path / "skill.pth"
    path.write_bytes(b"no checkpoint")
    with pytest.raises(UserError, match="is damaged or no checkpoint"):
        load(path)
    torch.save({"weights": {}}, path)
    with pytest.raises(UserError, match="is not a checkpoint of a skill of habitat-baselines"):
        load(path)
    torch.save({"state_dict": {0: torch.zeros(1)}}, path)
    with pytest.raises(UserError, match="is not a skill with a view of 64x64 pixels"):
        load(path)
