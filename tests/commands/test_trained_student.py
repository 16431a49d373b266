"""A student that is loaded for use elsewhere."""

from contextlib import ExitStack
from pathlib import Path

import gymnasium as gym
import numpy as np
import pytest
import torch

from algos import checkpoint
from algos.play import play
from algos.student import read_student
from commands import trained_student
from commands.build import Parts
from commands.domains.networks import make_encoder
from commands.runs import read_config
from tests.running import runs_of, train
from utils.errors import UserError
from utils.timing import Stopwatch

CPU = torch.device("cpu")


def sharpen(model: Path) -> None:
    """Makes actions depend strongly on what is seen and remembered."""
    content = checkpoint.load(model)
    for name, weights in content["weights"].items():
        if name.startswith(("actor", "core")):
            weights.mul_(5)
    checkpoint.save(model, content)


@pytest.mark.parametrize(
    ("method", "flags"),
    [
        ("ppo", []),
        ("ppo", ["--recurrent", "--frame_stack", "3", "--network", "egocentric"]),
        ("hierarchical", []),
    ],
)
def test_a_loaded_student_plays_as_in_an_evaluation(
    tmp_path: Path, method: str, flags: list[str]
) -> None:
    name = ["--policy", method, "--n_itr", "0", "--quick", "--savedir", "run"]
    assert train(tmp_path, *name, *flags) == 0
    folder = runs_of(tmp_path, method) / "run"
    sharpen(folder / "acmodel.pt")
    ours = trained_student.load_student(folder, deterministic=False, seed=7)
    draws = torch.Generator().manual_seed(7)
    room = gym.make("SmallDoorKey")
    with ExitStack() as owned:
        parts = Parts(read_config(folder / "config.json"), owned)
        student, *_ = read_student(folder / "acmodel.pt", CPU, make_encoder)
        environment = parts.domain.single_environments(1)
        for seed in (0, 1, 2):
            expected = play(environment, parts.actor(student), CPU, [seed], draws, Stopwatch())
            ours.reset()
            obs, _ = room.reset(seed=seed)
            for action, reward in zip(expected.steps["action"], expected.reward, strict=True):
                said = ours.act(obs)
                assert said == action
                obs, earned, terminated, truncated, _ = room.step(said)
                assert earned == pytest.approx(float(reward))
            assert terminated or truncated


def test_another_observation_is_refused_in_one_line(tmp_path: Path) -> None:
    assert train(tmp_path, "--n_itr", "0", "--quick", "--savedir", "run") == 0
    student = trained_student.load_student(runs_of(tmp_path) / "run" / "acmodel.pt")
    with pytest.raises(UserError, match=r"needs image of shape \(10, 10, 4\), not \(7, 7, 3\)"):
        student.act(np.zeros((7, 7, 3), np.uint8))
    with pytest.raises(UserError, match="there is no checkpoint"):
        trained_student.load_student(tmp_path / "nowhere.pt")
