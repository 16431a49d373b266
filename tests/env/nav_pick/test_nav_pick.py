import math
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
import torch
from gymnasium.vector import AutoresetMode
from torch import Tensor

import env  # noqa: F401
from env.nav_pick.tensor_homes import NavPickHomes
from tests.env.nav_pick.pilot import act, at_table, furnished, make, put
from utils.tensors import Tensors


def test_gymnasium_makes_homes() -> None:
    homes = gym.make_vec("NavPick", 3, vectorization_mode="vector_entry_point", depth_size=8)
    assert isinstance(homes, NavPickHomes)
    assert homes.metadata["autoreset_mode"] == AutoresetMode.DISABLED
    described = NavPickHomes.describe(depth_size=8)
    assert homes.single_observation_space == described.observation
    assert homes.single_action_space == described.action
    assert described.max_steps == homes.max_steps == 300
    obs, info = homes.reset(seed=3)
    assert info == {}
    assert {name: values.numpy() for name, values in obs.items()} in homes.observation_space
    homes.action_space.seed(0)
    for _ in range(5):
        step = homes.step(homes.action_space.sample())
        assert {name: values.numpy() for name, values in step[0].items()} in homes.observation_space
        assert [one.dtype for one in step[1:4]] == [torch.float32, torch.bool, torch.bool]
        assert [one.shape for one in step[1:4]] == [(3,)] * 3
    assert 0 < homes.bytes_each < 2000


def test_the_state_is_as_documented() -> None:
    homes = furnished()
    put(homes, position=[[4.2, 1]], heading=[math.pi / 2], hand=[[0.5, 0.1, 1.0]])
    obs = homes._observation()
    hand, thing, apart = (0.5, 0.1, 1.0), (2, 0, 0.64), (1.5, -0.1, -0.36)
    expected = [*hand, *thing, *apart, 0, 0, 1]
    assert obs["state"][0].tolist() == pytest.approx(expected, abs=1e-5)
    x, y, heading, *ahead, distance = obs["privileged"][0].tolist()
    assert (x, y, heading) == pytest.approx((4.2, 1, math.pi / 2))
    # Around the table's corner at (4, 2), to the left and ahead, then along its side.
    assert ahead == pytest.approx([0.65, 0.55], abs=1e-5)
    assert distance == pytest.approx(math.hypot(0.65, 0.55) + math.hypot(1.35, 0.05), abs=1e-4)
    put(homes, heading=[7.0])
    assert homes._observation()["privileged"][0, 2] == pytest.approx(7 - 2 * math.pi, abs=1e-5)


@pytest.mark.parametrize(
    ("action", "moved"),
    [
        ({"forward": 1}, (0.05, 0, 0, 0, 0, 0)),
        ({"forward": -0.5}, (-0.025, 0, 0, 0, 0, 0)),
        ({"forward": 7}, (0.05, 0, 0, 0, 0, 0)),
        ({"turn": 1}, (0, 0, math.radians(9), 0, 0, 0)),
        ({"turn": -9}, (0, 0, -math.radians(9), 0, 0, 0)),
        ({"x": 1, "z": -0.5}, (0, 0, 0, 0.05, 0, -0.025)),
        ({"y": 1}, (0, 0, 0, 0, 0.05, 0)),
        ({"grip": 1}, (0, 0, 0, 0, 0, 0)),
    ],
)
def test_actions_move_base_and_hand(action: dict[str, float], moved: tuple[float, ...]) -> None:
    homes = furnished()
    before = homes._observation()
    after = homes.step(act(**action))[0]

    def pose(obs: Tensors) -> Tensor:
        return torch.cat([obs["privileged"][0, :3], obs["state"][0, :3]])

    assert (pose(after) - pose(before)).tolist() == pytest.approx(moved, abs=1e-6)


def test_the_base_turns_before_it_moves() -> None:
    homes = furnished()
    homes.step(act(forward=1, turn=1))
    angle = math.radians(9)
    assert homes._now["position"][0].tolist() == pytest.approx(
        [1 + 0.05 * math.cos(angle), 3 + 0.05 * math.sin(angle)], abs=1e-6
    )


def test_an_object_near_the_hand_is_held_and_moves_with_it() -> None:
    homes = at_table(0.14)
    obs, *_ = homes.step(act(grip=-1))
    assert obs["state"][0, 9] == 0
    obs, *_ = homes.step(act(grip=1))
    assert obs["state"][0, 9] == 1
    assert homes._now["object"][0].tolist() == pytest.approx([4.2, 3, 0.78], abs=1e-5)
    # The sensor still tells where it lay.
    assert obs["state"][0, 3:6].tolist() == pytest.approx([0.6, 0, 0.64], abs=1e-5)
    homes.step(act(grip=1, turn=1, y=1, forward=-1))
    assert torch.allclose(homes._now["object"], homes._hand_place())
    assert (homes._now["object"][0] - torch.tensor([4.2, 3, 0.78])).norm() > 0.05


def test_an_object_that_is_too_far_is_not_held() -> None:
    homes = at_table(0.16)
    assert homes.step(act(grip=1))[0]["state"][0, 9] == 0


@pytest.mark.parametrize(("back", "height"), [(0, 0.64), (8, 0.04)])
def test_an_object_that_is_let_go_lies_on_what_is_below(back: int, height: float) -> None:
    homes = at_table(0.1)
    homes.step(act(grip=1))
    for _ in range(back):
        homes.step(act(grip=1, forward=-1))
    obs, *_ = homes.step(act())
    assert obs["state"][0, 9] == 0
    x, _, z = homes._now["object"][0].tolist()
    assert (x, z) == pytest.approx((4.2 - 0.05 * back, height), abs=1e-5)
    assert homes.step(act())[0]["state"][0, 9] == 0


def test_holding_and_lifting_is_success_once() -> None:
    homes = at_table(0.1)
    for step in range(4):
        obs, reward, terminated, truncated, info = homes.step(act(grip=1, z=step > 0))
        # Held at 0.1 m, then three times 0.05 m up, of which the second reaches 0.2 m.
        assert bool(info["success"]) == (step == 2)
        assert bool(terminated) == (step >= 2)
        assert not truncated
    assert reward == 0
    assert obs["state"][0, 11] == pytest.approx(297 / 300)


def test_pictures_show_the_view_and_the_way() -> None:
    homes = NavPickHomes(2, layouts=0, depth_size=16)
    homes.reset(seed=0)
    before = homes.pictures()
    assert list(before) == ["depth", "map"]
    for _ in range(20):
        homes.step(act(2, forward=0.2, turn=1, grip=1))
    after = homes.pictures()
    for name, picture in after.items():
        assert picture.dtype == np.uint8
        assert picture.ndim == 3
        assert picture.shape == (*before[name].shape[:2], 3)
        assert (picture != before[name]).any()


@pytest.mark.parametrize("name", ["num_envs", "depth_size", "max_steps", "max_collisions"])
def test_numbers_of_nothing_are_refused(name: str) -> None:
    with pytest.raises(ValueError, match=f"{name} must be at least 1"):
        NavPickHomes(**{"num_envs": 2, name: 0})


@pytest.mark.parametrize("name", ["layouts", "first_layout"])
def test_negative_layouts_are_refused(name: str) -> None:
    with pytest.raises(ValueError, match=f"{name} must be at least 0"):
        NavPickHomes(1, **{name: -1})


@pytest.mark.parametrize(
    "actions", [torch.zeros(2, 5), torch.zeros(3, 6), torch.zeros(2, 6, dtype=torch.int64), [1.0]]
)
def test_actions_that_are_none_are_refused(actions: Any) -> None:
    homes = make(2)
    homes.reset(seed=0)
    with pytest.raises(ValueError, match="actions must be 2 times 6"):
        homes.step(actions)
