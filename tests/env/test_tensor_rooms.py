"""Rooms in tensors go step by step as MiniGrid's do."""

from typing import Any

import numpy as np
import pytest
import torch

from algos.play import play
from env.symbols import DONE
from env.vector import Step
from tests.env.pairs import CPU, make, make_minigrid, same
from tests.recordings import TASKS, make_teacher, recording
from utils.tensors import Tensors
from utils.timing import Stopwatch


class Twins:
    """MiniGrid's rooms and the same ones in tensors, which must never differ."""

    def __init__(self, name: str, count: int, **options: Any) -> None:
        self.num_envs = count
        self.minigrid = make_minigrid(name, count, **options)
        self.tensors = make(name, count, **options)

    def reset(self, *, seed: Any = None, options: Any = None) -> tuple[Tensors, dict[str, Any]]:
        obs, info = self.minigrid.reset(seed=seed)
        assert same(self.tensors.load(self.minigrid.envs), obs)
        return obs, info

    def step(self, actions: Any) -> Step:
        *expected, said = self.minigrid.step(actions)
        found = self.tensors.step(actions)
        assert same([*expected, {"success": said["success"]}], found)
        return found


class Chance:
    """Acts at random, or as `within` does but for a share of the steps."""

    def __init__(self, within: Any = None, share: float = 1.0) -> None:
        self.within, self.share = within, share

    def initial_state(self, count: int, device: torch.device) -> Tensors:
        return self.within.initial_state(count, device) if self.within else {}

    def act(
        self, obs: Tensors, state: Tensors, generator: torch.Generator
    ) -> tuple[Tensors, Tensors]:
        action = torch.randint(7, (len(obs["image"]),), generator=generator)
        if self.within:
            step, state = self.within.act(obs, state, generator)
            at_random = torch.rand(len(action), generator=generator) < self.share
            action = torch.where(at_random, action, step["action"])
        return {"action": action}, state


def play_twins(twins: Twins, actor: Chance, steps: int, first_seed: int) -> int:
    """Plays waves of episodes for so many steps; returns how many doors were opened."""
    generator = torch.Generator().manual_seed(first_seed)
    done = opened = wave = 0
    while done < steps:
        seeds = [first_seed + wave * twins.num_envs + i for i in range(twins.num_envs)]
        rollout = play(twins, actor, CPU, seeds, generator, Stopwatch())
        done, opened, wave = done + len(rollout), opened + int(rollout.success.sum()), wave + 1
    return opened


@pytest.mark.parametrize("name", TASKS)
def test_every_recorded_step_is_reproduced(name: str) -> None:
    rows = recording(name)
    starts = np.flatnonzero(rows["t"] == 0)
    minigrid, rooms = make_minigrid(name, len(starts)), make(name, len(starts))
    minigrid.reset(seed=rows["seed"][starts].tolist())
    obs = rooms.load(minigrid.envs)["image"]
    lengths = np.diff([*starts, len(rows["t"])])
    for t in range(lengths.max()):
        now = np.flatnonzero(t < lengths)
        row = starts[now] + t
        np.testing.assert_array_equal(obs[now], rows["obs"][row])
        actions = np.full(len(starts), DONE)
        actions[now] = rows["action"][row]
        seen, reward, terminated, _, info = rooms.step(actions)
        obs = seen["image"]
        np.testing.assert_array_equal(reward[now], rows["reward"][row].astype(np.float32))
        np.testing.assert_array_equal(terminated[now], rows["terminated"][row])
        np.testing.assert_array_equal(info["success"][now], rows["reward"][row] > 0)


# MiniGrid takes its time: 10,000 steps a task, and 200,000.
@pytest.mark.parametrize("count", [33, pytest.param(670, marks=pytest.mark.slow)])
@pytest.mark.parametrize("name", TASKS)
def test_many_steps_are_those_of_minigrid(name: str, count: int) -> None:
    twins, steps = Twins(name, count), 150 * count
    play_twins(twins, Chance(), steps, first_seed=0)
    teacher = Chance(make_teacher(name), share=0.25)
    assert play_twins(twins, teacher, steps, first_seed=10**6) > 0.15 * count


@pytest.mark.parametrize(
    "options",
    [
        {"agent_view_size": 5},
        {"agent_view_size": 7},
        {"agent_view_size": 15, "max_steps": 30},
        {"grid_size": 12, "max_size": 12, "agent_view_size": 5},
        {"grid_size": 9, "min_size": 4, "max_size": 4},
    ],
    ids=str,
)
@pytest.mark.parametrize("name", TASKS)
def test_other_views_and_sizes_are_those_of_minigrid(name: str, options: dict[str, Any]) -> None:
    if name == "TwoDoor" and "max_size" in options:
        options = {"min_size": options["max_size"], **options}
    twins = Twins(name, 40, **{"max_steps": 40, **options})
    play_twins(twins, Chance(make_teacher(name), share=0.5), 1000, first_seed=7)
