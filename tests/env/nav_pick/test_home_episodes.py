import numpy as np
import pytest
import torch
from torch import Tensor

from algos.cuda_rollout import CudaRollout
from algos.play import play
from env.nav_pick.tensor_homes import NavPickHomes
from tests.env.nav_pick.pilot import act, flat, furnished, make, pilot, put, same
from tests.graph_replay import Replayed
from utils.tensors import Tensors, each, rows
from utils.timing import Stopwatch

CPU = torch.device("cpu")


def noise(count: int, generator: torch.Generator) -> Tensor:
    return 2 * torch.randn(count, 6, generator=generator)


def test_contacts_are_counted_seen_and_end_an_episode() -> None:
    homes = furnished(max_collisions=3)
    put(homes, position=[[3.69, 3.0]])
    for step in range(6):
        obs, reward, terminated, truncated, info = homes.step(act(forward=1 - 2 * (step == 1)))
        bumped = [True, False, False, True, True, True][step]
        assert obs["state"][0, 10] == bumped
        assert info["measures"]["collisions"] == [1, 1, 1, 2, 3, 3][step]
        assert bool(terminated) == (step >= 4)
        assert not truncated
        assert not info["success"]
    assert reward == 0
    assert info["measures"]["path_length"] == pytest.approx(0.009 + 0.05 + 0.05, abs=1e-4)


@pytest.mark.parametrize("bumps", [False, True])
def test_a_success_is_clean_only_without_a_contact(bumps: bool) -> None:
    homes = furnished()
    if bumps:
        start = homes._now["position"].clone()
        put(homes, position=[[3.69, 3.0]])
        homes.step(act(forward=1))
        put(homes, position=start.tolist())
    obs, success = homes._observation(), False
    for _ in range(200):
        obs, *_, info = homes.step(pilot(obs))
        success |= bool(info["success"])
        assert info["measures"]["clean_success"] == (success and not bumps)
    assert success
    assert (info["measures"]["collisions"] > 0) == bumps


def test_measures_say_how_short_the_way_was() -> None:
    homes = furnished()
    obs = homes._observation()
    for step in range(300):
        # Half a metre of detour, back and forth.
        action = act(forward=1 - 2 * (step < 5)) if step < 10 else pilot(obs)
        obs, _, terminated, _, info = homes.step(action)
        assert bool(terminated) or info["measures"]["spl"] == 0
    length = float(info["measures"]["path_length"])
    assert 2.95 < length < 3.11
    assert info["measures"]["spl"] == pytest.approx(2.6 / length, abs=1e-5)


def test_a_finished_home_rests_until_it_is_reset() -> None:
    homes = NavPickHomes(2, layouts=0, depth_size=8, max_steps=3)
    homes.reset(seed=[0, 1])
    for _ in range(3):
        last = flat(homes.step(act(2, forward=1, turn=0.3, x=1, grip=1)))
    assert last["truncated"].tolist() == [True, True]
    rested = flat(homes.step(act(2, forward=-1, turn=1, y=1)))
    same({**last, "reward": torch.zeros(2), "success": torch.zeros(2).bool()}, rested)
    obs, _ = homes.reset(options={"reset_mask": np.array([False, False])})
    for name, values in obs.items():
        assert torch.equal(values, last[name])
    fresh, _ = homes.reset(seed=[9, 9], options={"reset_mask": np.array([True, False])})
    alone = NavPickHomes(1, layouts=0, depth_size=8, max_steps=3)
    start = alone.reset(seed=[9])[0]
    for name, values in fresh.items():
        assert torch.equal(values[1], last[name][1])
        assert torch.equal(values[0], start[name][0])
    step = flat(homes.step(act(2, forward=1)))
    assert step["truncated"].tolist() == [False, True]
    assert torch.equal(step["depth"][1], last["depth"][1])
    assert torch.equal(step["depth"][0], flat(alone.step(act(forward=1)))["depth"][0])


def test_whoever_rests_stays_as_he_is() -> None:
    """With all kinds of ends, and actions that go on."""
    count = 60
    homes = make(count, max_collisions=4, max_steps=120)
    obs, _ = homes.reset(seed=0)
    generator = torch.Generator().manual_seed(0)
    last: Tensors = {}
    for _ in range(130):
        driven = torch.arange(count)[:, None] % 2 == 0
        action = torch.where(driven, pilot(obs), noise(count, generator) + act(forward=1))
        new = flat(homes.step(action))
        if last:
            rests = last["terminated"] | last["truncated"]
            assert not new["reward"][rests].any()
            assert not new["success"][rests].any()
            kept = set(new) - {"reward", "success"}
            same(*(rows({name: step[name] for name in kept}, rests) for step in (new, last)))
        last, obs = new, {name: new[name] for name in obs}
    assert (last["terminated"] | last["truncated"]).all()
    assert last["terminated"].any()
    assert (last["truncated"] & ~last["terminated"]).any()
    assert (last["measures/spl"] > 0).any()


def test_a_step_does_not_depend_on_the_number_of_homes() -> None:
    count, chosen = 11, [4, 0, 9]
    many, few = (NavPickHomes(n, depth_size=8) for n in (count, len(chosen)))
    seeds = torch.arange(50, 50 + count)
    first, other = many.reset(seed=seeds)[0], few.reset(seed=seeds[chosen])[0]
    same(rows(first, torch.tensor(chosen)), other)
    generator = torch.Generator().manual_seed(0)
    for _ in range(40):
        action = noise(count, generator) + act(forward=1, grip=1)
        step, apart = flat(many.step(action)), flat(few.step(action[chosen]))
        same(rows(step, torch.tensor(chosen)), apart)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU")
def test_a_gpu_gives_the_same_steps() -> None:
    here, there = (NavPickHomes(16, layouts=0, device=device) for device in ("cpu", "cuda"))
    obs, _ = here.reset(seed=0)
    there.reset(seed=0)
    for _ in range(100):
        action = pilot(obs)
        one, other = flat(here.step(action)), flat(there.step(action.cuda()))
        for name in ("state", "privileged", "reward"):
            assert torch.allclose(one[name], other[name].cpu(), atol=1e-3), name
        assert ((one["depth"] - other["depth"].cpu()).abs() < 1e-4).float().mean() > 0.99
        obs = {name: one[name] for name in obs}


def test_a_recorded_step_is_replayed() -> None:
    recorded, plain = (NavPickHomes(3, depth_size=8, max_steps=30) for _ in range(2))
    replayed = Replayed(lambda given: flat(recorded.step(given["action"])))
    generator = torch.Generator().manual_seed(0)
    for seed in (5, 70):
        recorded.reset(seed=seed)
        obs = plain.reset(seed=seed)[0]
        for step in range(32):
            action = pilot(obs) if step % 3 else noise(3, generator)
            found, expected = replayed({"action": action}), flat(plain.step(action))
            same(found, expected)
            obs = {name: expected[name] for name in obs}


def test_a_step_looks_at_no_value() -> None:
    # Tensors on the device `meta` have none, so that whatever would wait for one fails.
    homes = NavPickHomes(5, device="meta")
    obs, _ = homes.reset(seed=torch.zeros(5, dtype=torch.int64))
    step = flat(homes.step(torch.zeros(5, 6)))
    assert each(lambda values: values.shape, obs) == {name: step[name].shape for name in obs}


class Pilot:
    """Acts by rule, with noise."""

    def initial_state(self, count: int, device: torch.device) -> Tensors:
        return {"steps": torch.zeros(count, device=device)}

    def act(
        self, obs: Tensors, state: Tensors, generator: torch.Generator
    ) -> tuple[Tensors, Tensors]:
        action = pilot(obs)
        # The same noise in any batch.
        action[:, 1] += 0.2 * torch.sin(9 * obs["privileged"][:, 0])
        return {"action": action}, {"steps": state["steps"] + 1}


def test_a_wave_plays_homes_as_they_are_played_one_by_one() -> None:
    seeds = torch.arange(6)
    generator = torch.Generator().manual_seed(0)
    options = {"layouts": 0, "depth_size": 8, "max_steps": 60}
    rollouts = CudaRollout(NavPickHomes(6, **options), Pilot(), CPU)
    for _ in range(2):
        one = rollouts.play(seeds, generator, Stopwatch())
        other = play(NavPickHomes(6, **options), Pilot(), CPU, seeds, generator, Stopwatch())
        same(one.obs, other.obs)
        same(one.steps, other.steps)
        same(one.measures, other.measures)
        same(one.last_obs, other.last_obs)
        assert torch.equal(one.reward, other.reward)
        assert torch.equal(one.lengths, other.lengths)
        assert torch.equal(one.success, other.success)
    assert one.success.any()
    assert not one.success.all()


def test_what_was_returned_is_the_callers() -> None:
    spoilt, plain = (NavPickHomes(3, depth_size=8) for _ in range(2))
    for values in spoilt.reset(seed=5)[0].values():
        values.fill_(7)
    plain.reset(seed=5)
    for _ in range(4):
        returned = flat(spoilt.step(act(3, forward=1, turn=0.5)))
        same(returned, flat(plain.step(act(3, forward=1, turn=0.5))))
        for values in returned.values():
            values.fill_(1)
