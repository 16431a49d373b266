"""The same on every device that this machine has, and on the pretend one."""

import copy
from collections.abc import Iterator
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
import torch

import main
from algos.cuda_rollout import CudaRollout
from algos.play import play
from algos.ppo import PPO
from env.episode import room
from env.frame_stack import FrameStack
from env.vector import SerialEnvs
from tests import small_homes, small_rooms
from tests.accelerator import NAME, accelerator
from tests.algos.test_ppo import SETTINGS
from tests.algos.test_segments import segments_of
from tests.recordings import TASKS, make_teacher, recording, task
from tests.students import advice_of, make_student
from utils.ranks import Ranks
from utils.tensors import Tensors
from utils.timing import Stopwatch

DEVICES = ["cpu", NAME, *(["cuda"] if torch.cuda.is_available() else [])]
pytestmark = pytest.mark.parametrize("device", DEVICES)


@pytest.fixture(autouse=True)
def pretended(device: str) -> Iterator[None]:
    with accelerator() if device == NAME else nullcontext():
        yield


@pytest.mark.parametrize("name", TASKS)
def test_advice_on_the_recordings(device: str, name: str) -> None:
    rows, teacher = recording(name), make_teacher(name)
    obs, starts = torch.tensor(rows["obs"]), torch.tensor(rows["t"] == 0)
    moved = {"image": obs.to(device)}
    here = teacher.advise(moved, starts.to(device), torch.Generator()).by_action(7)
    assert here.device.type == device
    expected = teacher.advise({"image": obs}, starts, torch.Generator()).by_action(7)
    np.testing.assert_allclose(here.cpu(), expected, atol=1e-6)


def make(name: str, count: int, device: str, frames: int = 1, **settings: int) -> Any:
    env_id, mode = task(name).env_id, "vector_entry_point"
    rooms: Any = gym.make_vec(env_id, count, vectorization_mode=mode, device=device, **settings)
    return FrameStack(rooms, frames) if frames > 1 else rooms


def assert_same(ours: Any, expected: Any, device: str) -> None:
    """Tensors, by name or not, of which ours lie on the device."""
    if isinstance(expected, dict):
        assert ours.keys() == expected.keys()
        for name, value in expected.items():
            assert_same(ours[name], value, device)
    else:
        assert ours.device.type == device
        assert torch.equal(ours.cpu(), expected)


@pytest.mark.parametrize("name", TASKS)
def test_steps_of_tensor_rooms(device: str, name: str) -> None:
    here, there = make(name, 50, device, frames=2), make(name, 50, "cpu", frames=2)
    assert_same(here.reset(seed=0)[0], there.reset(seed=0)[0], device)
    for actions in torch.randint(7, (60, 50), generator=torch.Generator().manual_seed(0)):
        for ours, expected in zip(here.step(actions), there.step(actions), strict=True):
            assert_same(ours, expected, device)


class Wanderer:
    """Walks as if at random, by what it sees and by how often it has acted."""

    def initial_state(self, count: int, device: torch.device) -> Tensors:
        return {"acted": torch.zeros(count, dtype=torch.int64, device=device)}

    def act(
        self, obs: Tensors, state: Tensors, generator: torch.Generator
    ) -> tuple[Tensors, Tensors]:
        maps = torch.cat([obs["before"], obs["image"]], -1).flatten(1)
        seen = (maps * torch.arange(maps.shape[1], device=maps.device)).sum(1)
        seen = seen + 31 * state["acted"]
        return {"action": (seen * 7919 >> 3) % 7, "seen": seen}, {"acted": state["acted"] + 1}


def test_a_wave_is_what_play_gathers(device: str) -> None:
    place = torch.device(device)
    here, there = (make("LavaDoorKey", 40, d, max_steps=60, frames=2) for d in (device, "cpu"))
    rollouts = CudaRollout(here, Wanderer(), place)
    cpu = torch.device("cpu")
    for wave_number in range(2):
        seeds = torch.arange(40) + 40 * wave_number
        ours = rollouts.play(seeds, torch.Generator(place), Stopwatch())
        expected = play(there, Wanderer(), cpu, seeds, torch.Generator(), Stopwatch())
        assert 0 < expected.terminated.sum() < 40
        assert vars(ours).keys() == vars(expected).keys()
        for field, value in vars(expected).items():
            assert_same(getattr(ours, field), value, device)


@pytest.mark.parametrize("kind", ["tensors", "serial"])
def test_segments_of_episodes(device: str, kind: str) -> None:
    """Environments may stay on the CPU while the actor is on another device."""
    place, cpu = torch.device(device), torch.device("cpu")

    def rooms(where: str) -> Any:
        if kind == "tensors":
            return make("LavaDoorKey", 6, where, max_steps=20, frames=2)
        single = task("LavaDoorKey").env_id
        return FrameStack(SerialEnvs(lambda: room(lambda: gym.make(single, max_steps=20)), 6), 2)

    ours, expected, again = (
        segments_of(rooms(where.type), Wanderer(), 9, device=where) for where in (place, cpu, place)
    )
    for _ in range(4):
        again.restore(ours.state())
        rollout = ours.collect(0, torch.Generator(place), Stopwatch())
        repeated = again.collect(0, torch.Generator(place), Stopwatch())
        other = expected.collect(0, torch.Generator(), Stopwatch())
        for field, value in vars(other).items():
            assert_same(getattr(rollout, field), value, device)
            assert_same(getattr(repeated, field), value, device)


@pytest.mark.parametrize("recurrent", [False, True])
@pytest.mark.parametrize("network", ["paper", "egocentric"])
def test_what_a_student_says_in_a_wave_is_what_whole_episodes_give(
    device: str, recurrent: bool, network: str
) -> None:
    place = torch.device(device)
    student = make_student(recurrent=recurrent, network=network).to(place)
    rollouts = CudaRollout(make("LavaDoorKey", 30, device, max_steps=50), student, place)
    draws = torch.Generator(place).manual_seed(0)
    first, second = (rollouts.play(torch.arange(30), draws, Stopwatch()) for _ in range(2))
    assert not torch.equal(first.lengths, second.lengths)
    outputs, values = student(first.obs, first.lengths)
    chosen = student.distribution(outputs).log_prob(first.steps["action"])
    torch.testing.assert_close(first.steps["log_prob"], chosen, atol=2e-3, rtol=2e-3)
    torch.testing.assert_close(first.steps["value"], values, atol=2e-3, rtol=2e-3)
    again = rollouts.play(torch.arange(30), torch.Generator(place).manual_seed(0), Stopwatch())
    assert torch.equal(again.obs["image"], first.obs["image"])


@pytest.mark.parametrize("network", ["paper", "egocentric"])
def test_a_graph_of_gradients_does_what_its_work_does(device: str, network: str) -> None:
    place = torch.device(device)
    student = make_student(network=network).to(place)
    rooms = make("SimpleDoorKey", 6, device, max_steps=50)
    learners = [PPO(copy.deepcopy(student), SETTINGS, Ranks()) for _ in range(2)]
    learners[1].gradients = learners[1]._gradients
    for number, k in enumerate((2.0, 0.5)):
        draws = torch.Generator(place).manual_seed(number)
        rollout = play(rooms, student, place, torch.arange(6) + number, draws, Stopwatch())
        advice = advice_of(torch.rand(len(rollout), 7, device=place).softmax(1))
        means, expected = (
            learner.update(rollout, advice, k, 0.0, torch.Generator().manual_seed(number))
            for learner in learners
        )
        assert means == pytest.approx(expected, rel=1e-3, abs=1e-4)
    expected_weights = learners[1].student.state_dict()
    for name, weights in learners[0].student.state_dict().items():
        torch.testing.assert_close(weights, expected_weights[name], rtol=0, atol=1e-3)


@pytest.mark.parametrize(
    ("task", "flags"),
    [
        (small_rooms.TASK, ["--network", "egocentric", "--schedule", "matched"]),
        (small_rooms.TASK, ["--recurrent", "--gae"]),
        (small_homes.TASK, ["--recurrent"]),
    ],
)
def test_training_resuming_evaluating_and_filming(
    device: str, task: str, flags: list[str], tmp_path: Path
) -> None:
    where = ["--logdir", str(tmp_path), "--device", device, "--threads", "1", "--task", task]
    small = ["--traj_per_itr", "2", "--batch_size", "8", "--num_eval", "2", "--savedir", "run"]
    assert main.main(["train", *where, *small, *flags, "--n_itr", "1"]) == 0
    assert main.main(["train", *where, "--savedir", "run", "--resume", "--n_itr", "2"]) == 0
    assert main.main(["eval", *where, "--videos", "1", "--num_eval", "1"]) == 0
    assert main.main(["eval", *where, "--eval_teacher", "--num_eval", "3"]) == 0
