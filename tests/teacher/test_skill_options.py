"""Skills of habitat-baselines carry plans out: what they are told, and what becomes of it."""

import math
from pathlib import Path

import pytest
import torch
from torch import Tensor

import main
from algos.vision import resnet18_trunk
from commands.runs import keep_options, option_models
from commands.settings.config import make_config
from commands.settings.resolve import fresh_settings
from env.nav_pick.robot_state import GRIP, HAND, HOLDING, OBJECT, OWN_JOINTS, OWN_OBJECT
from planner.plans import GO_TO, PICK_UP, Option
from planner.task import load_task
from teacher.home_options import AT_GOAL, HomeOptions
from teacher.learned_options import SkillOption, known_to_navigate, known_to_pick
from teacher.skill_network import WIDTH
from tests.skills import ACTIONS, JOINTS, skill_weights, write_skill
from utils.tensors import Tensors

CPU = torch.device("cpu")
FILES = {"navigate": "nav.pth", "pick": "pick.pth"}
PLAN = [Option(GO_TO, "object"), Option(PICK_UP, "object")]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Both skills, whose outputs are their biases but for a little."""
    path = tmp_path_factory.mktemp("skills")
    for name, file in FILES.items():
        weights = skill_weights(name, 64)
        weights["action_distribution.mu_maybe_std.weight"] *= 1e-6
        bias = torch.linspace(-0.9, 0.9, ACTIONS[name]).atanh()
        weights["action_distribution.mu_maybe_std.bias"] = bias
        write_skill(path / file, weights)
    return path


def option(folder: Path, name: str) -> SkillOption:
    trunk = resnet18_trunk(1, WIDTH)
    return SkillOption(name, folder / FILES[name], trunk, 64, JOINTS, CPU)


def seen(count: int = 1, at: tuple[float, float] = (3.0, 1.0), held: bool = False) -> Tensors:
    draws = torch.Generator().manual_seed(0)
    state = torch.rand(count, 19, generator=draws)
    state[:, OBJECT] = torch.tensor([*at, 0.7])
    state[:, HOLDING] = float(held)
    depth = torch.rand(count, 64, 64, 1, generator=draws)
    return {"depth": depth, "state": state, "privileged": torch.rand(count, 9, generator=draws)}


def test_skills_are_told_what_habitat_labs_sensors_would_tell_them() -> None:
    obs = seen(at=(1.0, 1.0), held=True)
    state, joints = obs["state"], obs["state"][:, OWN_JOINTS]
    assert joints.shape == (1, 7)
    # An object to the left is at a negative angle there.
    way = torch.tensor([[math.sqrt(2), -math.pi / 4]])
    assert torch.allclose(known_to_navigate(obs), torch.cat([way, joints], 1))
    known = known_to_pick(obs)
    assert known.shape == (1, 14)
    assert known[:, 0] == 1
    assert torch.equal(known[:, 1:8], joints)
    assert torch.equal(known[:, 8:11], obs["privileged"][:, OWN_OBJECT])
    assert torch.allclose(known[:, 11:], torch.tensor([[0.5, 0.0, 1.0]]) - state[:, HAND])


def test_a_skill_that_navigates_keeps_what_it_holds(folder: Path) -> None:
    skill = option(folder, "navigate")
    for held in (False, True):
        told, _ = skill.act(seen(held=held), skill.initial_state(1, CPU))
        mean = told["mean"][0]
        assert mean.shape == (10,)
        # Theirs are -0.9, 0 and, to stop, 0.9.
        assert mean[:2] == pytest.approx([-0.9, 0], abs=1e-3)
        assert not mean[2:9].any()
        assert mean[GRIP] == (1 if held else -1)
        assert (told["spread"][0] > 0).tolist() == [True] * 2 + [False] * 8


def test_a_skill_that_picks_does_not_let_go(folder: Path) -> None:
    skill = option(folder, "pick")
    theirs = torch.linspace(-0.9, 0.9, 10)
    for held in (False, True):
        told, _ = skill.act(seen(held=held), skill.initial_state(1, CPU))
        mean = told["mean"][0]
        # Theirs are seven joints, the grip, and the base.
        assert mean[:2] == pytest.approx(theirs[8:], abs=1e-3)
        assert mean[2:9] == pytest.approx(theirs[:7], abs=1e-3)
        assert mean[GRIP] == pytest.approx(1.0 if held else float(theirs[7]), abs=1e-3)


def propose(options: HomeOptions, obs: Tensors, state: Tensors) -> tuple[Tensor, Tensors]:
    """What is finished of a plan's two options, and the new state."""
    used = torch.ones(len(obs["state"]), 2, dtype=torch.bool)
    found, state = options.propose(obs, {}, PLAN, used, state)
    assert found.actions.shape == (len(obs["state"]), 3, 10)
    return found.finished[:, :2], state


def test_who_wants_to_stop_has_arrived_and_the_next_goes_on_remembering(folder: Path) -> None:
    options = HomeOptions({name: option(folder, name) for name in FILES}, size=10)
    obs, state = seen(2), options.initial_state(2, CPU)
    assert not state[f"navigate/{AT_GOAL}"].any()
    first, state = propose(options, obs, state)
    assert not first.any()
    # The object is 3 m off: far, by our own measure.
    assert state[f"navigate/{AT_GOAL}"].all()
    assert not state["pick/lstm"].any()
    second, state = propose(options, obs, state)
    assert second.tolist() == [[True, False]] * 2
    assert state["pick/lstm"].any()
    third, state = propose(options, obs, state)
    assert third.tolist() == [[True, False]] * 2
    assert state["pick/steps"].tolist() == [2, 2]


def test_a_run_keeps_copies_of_skills(folder: Path, tmp_path: Path) -> None:
    learned = {"options": "learned", "option_dir": str(folder), "device": "cpu", "threads": 1}
    given = fresh_settings({"task": load_task("NavPick"), **learned})
    config = make_config(given | {"seed": 0}, "settings")
    assert option_models(config) == [folder / file for file in FILES.values()]
    keep_options(tmp_path, config)
    for file in FILES.values():
        assert (tmp_path / "options" / file).read_bytes() == (folder / file).read_bytes()


def test_skills_are_none_of_homes_that_are_moved_by_hand(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    flags = ["--task", "NavPick", "--logdir", str(tmp_path), "--n_itr", "1"]
    learned = ["--options", "learned", "--option_dir", str(folder)]
    assert main.main(["train", *flags, *learned]) == 1
    error = capsys.readouterr().err
    assert f"error: {folder / 'nav.pth'} moves an arm joint by joint: it needs" in error


def test_layouts_are_none_of_a_dataset(capsys: pytest.CaptureFixture[str]) -> None:
    flags = ["--task", "NavPick", "--simulator", "habitat-rearrange", "--layouts", "3"]
    assert main.main(["train", *flags]) == 1
    assert capsys.readouterr().err == (
        "error: --layouts 3: the homes of --simulator habitat-rearrange are those of its dataset; "
        "leave it out\n"
    )
