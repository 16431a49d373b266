import pytest
import torch

from env.nav_pick.rewards import LED_FROM, LIFT, Rewards
from env.nav_pick.tensor_homes import NavPickHomes
from tests.env.nav_pick.pilot import act, at_table, furnished, make, pilot, put

NOTHING = {"progress": 0, "reach": 0, "pick": 0, "success": 0, "contact": 0, "time": 0}


def paid(homes: NavPickHomes, **action: float) -> float:
    return float(homes.step(act(**action))[1])


def only(**weights: float) -> Rewards:
    return Rewards(**{**NOTHING, **weights})


def test_progress_along_the_path_is_paid() -> None:
    homes = furnished(rewards=only(progress=3))
    assert paid(homes, forward=1) == pytest.approx(0.15, abs=1e-5)
    assert paid(homes, forward=-1) == pytest.approx(-0.15, abs=1e-5)
    assert paid(homes, turn=1, x=1, grip=1) == pytest.approx(0, abs=1e-5)


def test_the_hand_is_paid_for_coming_near_the_object() -> None:
    homes = at_table(0.3, rewards=only(reach=2))
    assert paid(homes, z=-1) == pytest.approx(0.1, abs=1e-5)
    assert paid(homes, z=1) == pytest.approx(-0.1, abs=1e-5)
    # Not from afar.
    put(homes, position=[[4.2 - 0.6 - LED_FROM - 0.1, 3]])
    assert paid(homes, forward=1) == pytest.approx(0, abs=1e-5)
    # Held, the rest of the distance is paid; then the lift.
    homes = at_table(0.1, rewards=only(reach=2))
    assert paid(homes, grip=1) == pytest.approx(2 * (0.1 + 0.1), abs=1e-5)
    assert paid(homes, grip=1, z=1) == pytest.approx(0.1, abs=1e-5)


def test_a_pick_is_paid_and_a_drop_costs_the_same() -> None:
    homes = at_table(0.0, rewards=only(pick=5))
    assert [paid(homes, grip=grip) for grip in (-1, 1, 1, 0, 0, 1)] == [0, 5, 0, -5, 0, 5]


def test_success_contacts_and_time_have_their_price() -> None:
    homes = at_table(0.15 - 1e-3, rewards=only(success=7))
    assert [paid(homes, grip=1, z=up) for up in (0, 1, 1, 1)] == [0, 0, 7, 0]
    homes = furnished(rewards=only(contact=0.5))
    put(homes, position=[[3.66, 3.0]])
    assert [paid(homes, forward=forward) for forward in (0.4, 1, 1, -1)] == [0, -0.5, -0.5, 0]
    homes = furnished(rewards=only(time=0.25))
    assert paid(homes) == -0.25


def test_an_episode_earns_what_there_was_to_do() -> None:
    rewards = Rewards(contact=1, time=0.5)
    homes = make(50, rewards=rewards)
    obs, _ = homes.reset(seed=0)
    first = obs["privileged"][:, 5]
    total, steps = torch.zeros(50), torch.zeros(50)
    for _ in range(300):
        resting = homes._now["terminated"].clone()
        obs, reward, *_ = homes.step(pilot(obs))
        total, steps = total + reward, steps + ~resting
    all_of_it = first + rewards.reach * (LED_FROM + LIFT) + rewards.pick + rewards.success
    # From farther than `LED_FROM` away the hand's part is the same everywhere.
    assert torch.allclose(total, all_of_it - 0.5 * steps, atol=1e-3)


def test_sparse_rewards_are_for_success_alone() -> None:
    homes = make(50, sparse=True)
    obs, _ = homes.reset(seed=0)
    total = torch.zeros(50)
    for _ in range(300):
        obs, reward, _, _, info = homes.step(pilot(obs))
        assert torch.equal(reward, info["success"].float())
        total += reward
    assert (total == 1).all()
