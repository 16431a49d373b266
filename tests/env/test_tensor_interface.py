"""Rooms in tensors as an environment of Gymnasium: seeds, resets, rest, and what they refuse."""

from typing import Any

import gymnasium as gym
import numpy as np
import pytest
import torch
from gymnasium.vector import AutoresetMode
from torch import Tensor
from torch.utils._pytree import tree_leaves

from env.symbols import LEFT
from env.tensor_rooms import DoorKeyRooms
from env.vector import RestingEnv
from tests.env.pairs import make, make_minigrid, same, stacked
from tests.recordings import TASKS, task
from utils.tensors import Tensors, rows


def in_space(obs: Tensors, rooms: RestingEnv) -> bool:
    return {name: tensor.numpy() for name, tensor in obs.items()} in rooms.observation_space


@pytest.mark.parametrize("name", TASKS)
def test_gymnasium_makes_them(name: str) -> None:
    rooms, model = make(name, 3), make_minigrid(name, 3)
    assert rooms.metadata["autoreset_mode"] == AutoresetMode.DISABLED
    for field in (
        "num_envs",
        "described",
        "render_mode",
        "single_observation_space",
        "single_action_space",
        "observation_space",
        "action_space",
    ):
        assert getattr(rooms, field) == getattr(model, field), field
    assert rooms.describe(**gym.spec(task(name).env_id).kwargs) == rooms.described
    obs, info = rooms.reset(seed=3)
    assert info == {}
    assert in_space(obs, rooms)
    rooms.action_space.seed(0)
    for _ in range(5):
        step = rooms.step(rooms.action_space.sample())
        assert in_space(step[0], rooms)
        assert [one.dtype for one in step[1:4]] == [torch.float32, torch.bool, torch.bool]
        assert [one.shape for one in step[1:4]] == [(3,)] * 3


def test_large_seeds_are_welcome_and_negative_ones_are_not() -> None:
    rooms = make("SimpleDoorKey", 2)
    last, _ = rooms.reset(seed=2**64 - 2)
    assert same(rooms.reset(seed=[2**64 - 2, 2**64 - 1])[0], last)
    with pytest.raises(gym.error.Error):
        rooms.reset(seed=-1)
    with pytest.raises(OverflowError):
        rooms.reset(seed=[-1, 0])


def test_without_seeds_new_rooms_follow_from_the_last_one_given() -> None:
    rooms = make("SimpleDoorKey", 50)
    first, second = rooms.reset(seed=1)[0], rooms.reset()[0]
    assert not same(first, second)
    assert same(rooms.reset(seed=1)[0], first)
    assert same(rooms.reset()[0], second)
    mixed, _ = rooms.reset(seed=[None] * 49 + [50])
    assert torch.equal(mixed["image"][49], first["image"][49])
    assert not same(mixed, make("SimpleDoorKey", 50).reset()[0])


@pytest.mark.parametrize("frame_stack", [1, 2])
def test_a_finished_room_rests_until_it_is_reset(frame_stack: int) -> None:
    rooms = stacked(make("SimpleDoorKey", 2, max_steps=3), frame_stack)
    rooms.reset(seed=[0, 1])
    for _ in range(3):
        last, _, _, truncated, _ = rooms.step([LEFT, LEFT])
    assert truncated.tolist() == [True, True]
    first, second = torch.tensor([0]), torch.tensor([1])
    resting, reward, terminated, truncated, _ = rooms.step([LEFT, LEFT])
    assert same(resting, last)
    assert (truncated & ~terminated).all()
    assert not reward.any()
    unchanged, _ = rooms.reset(options={"reset_mask": np.array([False, False])})
    assert same(unchanged, last)
    fresh, _ = rooms.reset(seed=[9, 9], options={"reset_mask": np.array([True, False])})
    assert same(rows(fresh, second), rows(last, second))
    alone = stacked(make("SimpleDoorKey", 1), frame_stack)
    assert same(rows(fresh, first), alone.reset(seed=[9])[0])
    obs, _, _, truncated, _ = rooms.step([LEFT, LEFT])
    assert truncated.tolist() == [False, True]
    assert same(rows(obs, second), rows(last, second))
    assert same(rows(obs, first), alone.step([LEFT])[0])


def test_a_terminated_room_rests_too() -> None:
    rooms, flags = make("LavaDoorKey", 200), torch.zeros(200, dtype=torch.bool)
    obs, _ = rooms.reset(seed=0)
    generator = torch.Generator().manual_seed(0)
    for _ in range(60):
        new, reward, terminated, _, info = rooms.step(torch.randint(7, (200,), generator=generator))
        assert same(rows(new, flags), rows(obs, flags))
        assert not reward[flags].any()
        assert not info["success"][flags].any()
        assert (terminated | ~flags).all()
        obs, flags = new, terminated
    assert flags.any()
    assert not flags.all()


@pytest.mark.parametrize("frame_stack", [1, 3])
def test_the_same_actions_give_the_same_steps(frame_stack: int) -> None:
    actions = torch.randint(7, (40, 16), generator=torch.Generator().manual_seed(0))
    ours, theirs = (stacked(make("LavaDoorKey", 16), frame_stack) for _ in range(2))
    assert same(ours.reset(seed=5)[0], theirs.reset(seed=5)[0])
    for action in actions:
        assert same(ours.step(action), theirs.step(action.numpy()))


@pytest.mark.parametrize("count", [1, 4])
@pytest.mark.parametrize("frame_stack", [1, 3])
def test_what_was_returned_is_the_callers(count: int, frame_stack: int) -> None:
    spoilt, plain = (stacked(make("SimpleDoorKey", count), frame_stack) for _ in range(2))
    for tensor in spoilt.reset(seed=5)[0].values():
        tensor.fill_(77)
    plain.reset(seed=5)
    for action in (LEFT, 2, 1, 2, 5):
        returned = spoilt.step([action] * count)
        assert same(returned, plain.step([action] * count))
        for tensor in tree_leaves(returned):
            tensor.fill_(1)


def test_a_step_looks_at_no_value() -> None:
    # Tensors on the device `meta` have none, so that whatever would wait for one fails.
    for name in TASKS:
        rooms = stacked(make(name, 5, device="meta"), 2)
        obs, _ = rooms.reset(seed=torch.zeros(5, dtype=torch.int64))
        seen = rooms.step(torch.zeros(5, dtype=torch.int64))[0]
        assert seen.keys() == obs.keys() == {"image", "before"}
        assert all(seen[name].shape == obs[name].shape for name in seen)


@pytest.mark.parametrize("actions", [[0, -5], [0, 7], [1.0, 2.0], [2], 2, [[1, 2]]])
def test_actions_that_are_none_are_refused_before_anything_moves(actions: Any) -> None:
    rooms = DoorKeyRooms(2)
    rooms.reset(seed=0)
    with pytest.raises(ValueError, match="actions "):
        rooms.step(actions)
    untouched = DoorKeyRooms(2)
    untouched.reset(seed=0)
    assert same(rooms.step([1, 1]), untouched.step([1, 1]))


@pytest.mark.parametrize("seed", [torch.zeros(3, dtype=torch.int64), torch.zeros(2)])
def test_seeds_that_are_none_are_refused(seed: Tensor) -> None:
    with pytest.raises(ValueError, match="seeds must be 2 integers"):
        DoorKeyRooms(2).reset(seed=seed)


def test_a_seed_of_numpy_is_a_seed() -> None:
    first, second = (DoorKeyRooms(2).reset(seed=seed)[0] for seed in (np.int64(3), 3))
    assert same(first, second)


@pytest.mark.parametrize("wrong", ["num_envs", "max_steps"])
def test_numbers_of_nothing_are_refused(wrong: str) -> None:
    with pytest.raises(ValueError, match=wrong):
        DoorKeyRooms(**{"num_envs": 2, wrong: 0})


@pytest.mark.parametrize("view", [-3, 0, 1, 2, 4, 8])
def test_an_even_or_tiny_view_is_refused(view: int) -> None:
    with pytest.raises(ValueError, match="agent_view_size must be odd and at least 3"):
        DoorKeyRooms(1, agent_view_size=view)


@pytest.mark.parametrize("sizes", [(10, 3, 10), (10, 6, 5), (10, 5, 11)])
def test_sizes_without_a_room_are_refused(sizes: tuple[int, int, int]) -> None:
    with pytest.raises(ValueError, match="sizes must be"):
        DoorKeyRooms(1, *sizes)
