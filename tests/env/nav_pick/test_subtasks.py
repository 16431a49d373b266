"""Homes in which half of the task is all there is to do."""

import pytest
import torch

from env.nav_pick.homes import describe, draw_homes, start_in_reach
from env.nav_pick.rewards import Rewards
from env.nav_pick.robot import RADIUS
from env.nav_pick.robot_state import is_faced, is_held, is_near
from env.nav_pick.tensor_homes import NavPickHomes
from tests.env.nav_pick.pilot import act, at_table, clearance, furnished, make, put, same, solid

DEVICES = ["cpu", *["cuda"] * torch.cuda.is_available()]


def test_to_pick_begins_within_reach_facing_the_object_and_in_no_wall() -> None:
    homes = make(300, subtask="pick")
    obs, _ = homes.reset(seed=0)
    assert (is_near(obs["state"]) & is_faced(obs["state"]) & ~is_held(obs["state"])).all()
    places = obs["privileged"][:, :2].double().numpy()
    for i, place in enumerate(places):
        assert clearance(solid(homes.home(i)), place) > RADIUS - 1e-6
    # Not always as near, nor straight ahead.
    apart = obs["state"][:, 3:5].square().sum(1).sqrt()
    assert apart.std() > 0.05
    assert torch.atan2(obs["state"][:, 4], obs["state"][:, 3]).std() > 0.08


@pytest.mark.parametrize("device", DEVICES)
def test_where_to_pick_begins_depends_on_the_seed_alone(device: str) -> None:
    def starts(seeds: torch.Tensor) -> torch.Tensor:
        return start_in_reach(draw_homes(seeds, layouts=0), seeds).cpu()

    many = starts(torch.arange(100, 164))
    few = starts(torch.tensor([163, 100, 107], device=device))
    torch.testing.assert_close(few, many[[63, 0, 7]], rtol=0, atol=0 if device == "cpu" else 1e-6)


def test_to_navigate_ends_within_reach_facing_the_object() -> None:
    homes = furnished(subtask="navigate")
    put(homes, position=[[3.22, 3.0]], heading=[0.5])
    obs, _, terminated, *_ = homes.step(act(forward=1.0))
    assert is_near(obs["state"]).all()
    assert not is_faced(obs["state"]).any()
    assert not terminated
    while not is_faced(obs["state"]).any():
        assert not terminated
        obs, _, terminated, _, info = homes.step(act(turn=-1.0))
    assert terminated
    assert info["success"]


def test_to_pick_ends_with_the_lift_as_the_whole_task_does() -> None:
    for subtask in ("pick", None):
        homes = at_table(subtask=subtask)
        for step in range(4):
            _, _, terminated, _, info = homes.step(act(grip=1.0, z=1.0))
            assert bool(terminated) == bool(info["success"]) == (step == 3)


def test_to_navigate_pays_nothing_for_the_arm() -> None:
    homes = at_table(0.2, subtask="navigate")
    put(homes, position=[[3.2, 3.0]], heading=[1.0])
    for action in (act(z=-1.0), act(grip=1.0), act(x=1.0, grip=1.0)):
        assert homes.step(action)[1] == pytest.approx(-Rewards().time, abs=1e-6)


def test_where_to_pick_begins_is_drawn_apart_from_the_home() -> None:
    """Of two places to stand each is as likely in homes of one room as of two."""
    seeds = torch.arange(4000)
    homes = draw_homes(seeds, layouts=0)
    starts = start_in_reach(homes, seeds)[:, :2]
    both = (homes["goals"][..., 0] > 0).sum(1) == 2
    nearest = (homes["goals"] - starts[:, None]).square().sum(2).argmin(1)
    first = nearest == (homes["goals"][..., 0] > 0).byte().argmax(1)
    two = homes["boxes"][:, 4, 5] > 0
    for rooms in (two, ~two):
        share = first[both & rooms].float().mean()
        assert share == pytest.approx(0.5, abs=0.1)


def test_half_a_task_has_the_same_homes() -> None:
    whole, half = make(3), make(3, subtask="navigate")
    same(whole.reset(seed=5)[0], half.reset(seed=5)[0])
    assert describe(whole._home, 1) == describe(half._home, 1)


def test_there_is_no_third_half() -> None:
    with pytest.raises(ValueError, match="subtask must be one of navigate, pick, not 'fly'"):
        NavPickHomes(1, subtask="fly")
