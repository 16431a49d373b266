"""The same on every device that this machine has."""

from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
import torch

import main
from tests.recordings import TASKS, make_teacher, recording, task

DEVICES = ["cpu", *(["cuda"] if torch.cuda.is_available() else [])]
pytestmark = pytest.mark.parametrize("device", DEVICES)


@pytest.mark.parametrize("name", TASKS)
def test_labels_of_the_recordings(device: str, name: str) -> None:
    rows, teacher = recording(name), make_teacher(name)
    obs, starts = torch.tensor(rows["obs"]), torch.tensor(rows["t"] == 0)
    here = teacher.label(obs.to(device), starts.to(device), torch.Generator())
    assert here.distribution.device.type == device
    expected = teacher.label(obs, starts, torch.Generator()).distribution
    np.testing.assert_allclose(here.distribution.cpu(), expected, atol=1e-6)


@pytest.mark.parametrize("name", TASKS)
def test_steps_of_tensor_rooms(device: str, name: str) -> None:
    def make(device: str) -> Any:
        env_id = task(name).env_id
        return gym.make_vec(
            env_id, 50, vectorization_mode="vector_entry_point", frame_stack=2, device=device
        )

    here, there = make(device), make("cpu")
    assert torch.equal(here.reset(seed=0)[0].cpu(), there.reset(seed=0)[0])
    for actions in torch.randint(7, (60, 50), generator=torch.Generator().manual_seed(0)):
        for ours, expected in zip(here.step(actions)[:4], there.step(actions)[:4], strict=True):
            assert ours.device.type == device
            assert torch.equal(ours.cpu(), expected)


@pytest.mark.parametrize("flags", [[], ["--recurrent", "--gae", "--hard"]])
def test_training_resuming_evaluating_and_filming(
    device: str, flags: list[str], tmp_path: Path
) -> None:
    where = ["--logdir", str(tmp_path), "--device", device, "--threads", "1"]
    small = ["--traj_per_itr", "2", "--batch_size", "64", "--num_eval", "2", "--savedir", "run"]
    assert main.main(["train", *where, *small, *flags, "--n_itr", "1"]) == 0
    assert main.main(["train", *where, "--savedir", "run", "--resume", "--n_itr", "2"]) == 0
    assert main.main(["eval", *where, "--videos", "1", "--num_eval", "1"]) == 0
    assert main.main(["eval", *where, "--eval_teacher", "--num_eval", "3"]) == 0
