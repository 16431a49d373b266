"""Homes in habitat-sim, compared with the same homes as tensors.

`make test-habitat HABITAT_PYTHON=…` runs this with a Python that has habitat-sim.
"""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

import main
from algos.student import NetworkSpec, Student
from commands.domains.networks import make_encoder
from env.nav_pick.tensor_homes import NavPickHomes
from tests import running, small_homes
from tests.env.nav_pick.pilot import make, pilot, put

pytestmark = pytest.mark.habitat

EPISODES = 50
SIZE = 64


@pytest.fixture(scope="module")
def simulated() -> Iterator[Any]:
    from env.nav_pick.habitat_homes import SimulatedHomes

    homes = SimulatedHomes(layouts=0, depth_size=SIZE)
    yield homes
    homes.close()


def drive(homes: NavPickHomes, seed: int) -> tuple[list[Tensor], list[dict[str, Tensor]], bool]:
    """The actions of the pilot, the state after each of them, and whether it succeeds."""
    obs, _ = homes.reset(seed=[seed])
    actions, states, success = [], [], False
    for _ in range(homes.max_steps):
        actions.append(pilot(obs))
        obs, _, terminated, truncated, info = homes.step(actions[-1])
        states.append({name: value.clone() for name, value in homes._now.items()})
        success |= bool(info["success"])
        if terminated or truncated:
            break
    return actions, states, success


@pytest.fixture(scope="module")
def driven() -> list[tuple[list[Tensor], list[dict[str, Tensor]], bool]]:
    """The pilot's episodes in tensor homes."""
    homes = make()
    return [drive(homes, seed) for seed in range(EPISODES)]


def test_the_same_actions_lead_to_the_same_places_until_something_is_touched(
    simulated: Any, driven: list[Any]
) -> None:
    equal = 0
    for seed, (actions, states, success) in enumerate(driven):
        simulated.reset(seed=[seed])
        touched, succeeded = False, False
        for action, state in zip(actions, states, strict=True):
            *_, info = simulated.step(action)
            succeeded |= bool(info["success"])
            now = simulated._now
            touched |= bool(now["contact"] | state["contact"])
            if not touched:
                apart = (now["position"] - state["position"]).norm()
                assert apart < 0.02, (seed, int(now["steps"]))
                assert torch.equal(now["heading"], state["heading"])
        equal += succeeded == success
    assert sum(success for *_, success in driven) >= 45
    assert equal >= 48


def test_the_pilot_succeeds_as_often_as_in_tensors(simulated: Any, driven: list[Any]) -> None:
    found = [drive(simulated, seed)[2] for seed in range(EPISODES)]
    assert sum(found[seed] == driven[seed][2] for seed in range(EPISODES)) >= 48


def test_from_the_same_place_both_see_the_same(simulated: Any, driven: list[Any]) -> None:
    homes = make(depth_size=SIZE)
    for seed, (_, states, _) in enumerate(driven):
        homes.reset(seed=[seed])
        simulated.reset(seed=[seed])
        for state in states[::40]:
            place = {name: state[name] for name in ("position", "heading")}
            put(homes, **place)
            put(simulated, **place)
            apart = (homes._depth() - simulated._depth()).abs() * 10
            assert (apart < 0.02).float().mean() >= 0.95, (seed, int(state["steps"]))


def test_both_describe_an_observation_alike(simulated: Any) -> None:
    homes = make(depth_size=SIZE)
    mine, its = homes.reset(seed=[3])[0], simulated.reset(seed=[3])[0]
    assert mine.keys() == its.keys()
    for name, value in its.items():
        assert (value.shape, value.dtype) == (mine[name].shape, mine[name].dtype)
        assert simulated.single_observation_space[name].contains(value[0].numpy())
    torch.testing.assert_close(its["state"], mine["state"], rtol=0, atol=0)
    torch.testing.assert_close(its["privileged"], mine["privileged"], rtol=0, atol=0)
    for name, picture in simulated.pictures().items():
        assert picture.dtype == np.uint8, name
        assert picture.shape[2] == 3


def test_an_episode_is_the_same_whatever_was_before(simulated: Any) -> None:
    """Also while the object falls, to the bit."""

    def played(seed: int) -> list[dict[str, Tensor]]:
        obs, _ = simulated.reset(seed=[seed])
        states = [{**obs}]
        dropped = 0
        while dropped < 10:
            dropped += bool(simulated._now["holding"]) or dropped > 0
            action = pilot(obs) if dropped < 2 else torch.tensor([[-1.0, 0, 0, 0, 0, -1]])
            obs, *_ = simulated.step(action)
            states.append({**obs, "object": simulated._now["object"].clone()})
        return states

    first = played(0)
    played(1)
    again = played(0)
    for one, other in zip(first, again, strict=True):
        for name, value in one.items():
            assert torch.equal(value, other[name]), name


def test_a_process_makes_its_first_home_fast() -> None:
    """habitat-sim prepares no light, which takes twelve seconds without a GPU."""
    source = """
import time
from env.nav_pick.habitat_homes import SimulatedHomes
homes, start = SimulatedHomes(depth_size=8), time.process_time()
homes.reset(seed=[0])
print(time.process_time() - start)
"""
    made = subprocess.run(
        [sys.executable, "-c", source], cwd=running.ROOT, capture_output=True, text=True, check=True
    )
    assert float(made.stdout) < 5


def test_a_layout_keeps_its_navigation_mesh_and_few_layouts_are_kept() -> None:
    from env.nav_pick.habitat_homes import MESHES, SimulatedHomes

    homes = SimulatedHomes(layouts=2, depth_size=8)
    for seed in range(8):
        homes.reset(seed=[seed])
    assert len(homes._meshes) == 2
    kept = list(homes._meshes.values())
    homes.reset(seed=[0])
    assert any(homes._mesh is mesh for mesh in kept)
    homes.close()
    endless = SimulatedHomes(layouts=0, depth_size=8)
    for seed in range(MESHES + 2):
        endless.reset(seed=[seed])
    assert len(endless._meshes) == MESHES
    endless.close()


def test_an_object_that_is_let_go_falls_and_comes_to_rest(simulated: Any) -> None:
    for seed in range(3):
        obs, _ = simulated.reset(seed=[seed])
        while not simulated._now["holding"]:
            obs, *_ = simulated.step(pilot(obs))
        back = torch.tensor([[-1.0, 0, 0, 0, 0, 1]])
        for _ in range(14):
            simulated.step(back)
        assert simulated._now["holding"]
        held = simulated._now["object"].clone()
        torch.testing.assert_close(held, simulated._hand_place(), atol=1e-4, rtol=0)
        heights = []
        for _ in range(20):
            simulated.step(torch.tensor([[0.0, 0, 0, 0, 0, -1]]))
            heights.append(float(simulated._now["object"][0, 2]))
        assert not simulated._now["holding"]
        assert heights[0] < held[0, 2]
        assert heights[-1] == pytest.approx(heights[-2], abs=1e-3)
        assert heights[-1] < held[0, 2] - 0.3


def test_a_student_of_tensor_homes_acts_in_the_simulator_as_it_is(
    simulated: Any, tmp_path: Path
) -> None:
    torch.manual_seed(0)
    spec = NetworkSpec({"depth": (SIZE, SIZE, 1), "state": (12,)}, 6, True, network="small")
    student, homes = Student(spec, make_encoder(spec)), make(depth_size=SIZE)
    for seed in range(5):
        means = []
        for each in (homes, simulated):
            obs, _ = each.reset(seed=[seed])
            policy, _ = student.policy(obs, student.initial_state(1, torch.device("cpu")))
            means.append(policy.mean)
        torch.testing.assert_close(*means, rtol=0, atol=1e-3)
    assert not torch.equal(means[0], torch.zeros(1, 6))
    assert small_homes.train(tmp_path, "--savedir", "run", "--n_itr", "1") == 0
    judged = ["--loaddir", "run", "--num_eval", "4"]
    for simulator in ("tensor", "habitat"):
        where = ["--simulator", simulator, "--savedir", simulator]
        assert small_homes.evaluate(tmp_path, *judged, *where) == 0
    run = small_homes.runs_of(tmp_path) / "run"
    one, other = (json.loads((run / s / "eval.json").read_text()) for s in ("tensor", "habitat"))
    assert [e["seed"] for e in one["episodes"]] == [e["seed"] for e in other["episodes"]]


def test_speeds_are_measured_in_processes(tmp_path: Path) -> None:
    path = tmp_path / "speeds.json"
    measured = ["--task", small_homes.TASK, "--simulator", "habitat", "--num_envs", "2"]
    assert main.main(["bench", *measured, "--threads", "1", "--json", str(path)]) == 0
    speeds = json.loads(path.read_text())["speeds"]
    assert {speed["environments"] for speed in speeds} == {2}
