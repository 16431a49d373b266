"""Each method does what its definition says, with the preset and with the paper's setting."""

import dataclasses
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from algos.play import play
from algos.trainer import Trainer
from commands.build import Parts
from commands.settings.config import make_config
from commands.settings.methods import load_method
from commands.settings.presets import read_preset
from commands.settings.resolve import resolve
from planner.task import load_task
from tests import small_rooms
from utils import seeding
from utils.ranks import Ranks
from utils.timing import Stopwatch

PRESETS = [None, "configs/best.yaml"]
LITTLE = {"device": "cpu", "batch_size": 16, "num_envs": 8, "threads": 1, "n_itr": 200}
CPU = torch.device("cpu")
Weights = dict[str, Tensor]


@contextmanager
def made(method: str, preset: str | None, **flags: Any) -> Iterator[tuple[Parts, Trainer]]:
    """The parts of a run of a method in small rooms, and its trainer."""
    given = {"policy": load_method(method), "task": load_task(small_rooms.TASK), **LITTLE, **flags}
    said = read_preset(Path(preset), small_rooms.TASK) if preset else {}
    with ExitStack() as owned:
        parts = Parts(make_config(resolve(given, said), "settings"), owned)
        yield parts, parts.trainer(Path(), parts.teacher(Path("/dev/null")), Ranks())


def updated(method: str, preset: str | None, reward: float, taught: bool = True) -> Weights:
    """The weights that an update from the first rollout leaves, whose rewards were so much more."""
    with made(method, preset) as (_, trainer):
        rollout = trainer.collector.collect(0, torch.Generator().manual_seed(0), Stopwatch())
        draws = torch.Generator().manual_seed(1)
        more = reward * torch.rand(len(rollout), generator=draws)
        rollout = dataclasses.replace(rollout, reward=rollout.reward + more)
        advice, k = (
            trainer._advise(rollout, Stopwatch()) if taught else None,
            trainer.schedule.weight(0),
        )
        trainer.learner.update(rollout, advice, k, 0.0, torch.Generator().manual_seed(2))
        return trainer.student.state_dict()


def same(one: Weights, other: Weights) -> bool:
    return all(torch.equal(one[name], other[name]) for name in one)


@pytest.mark.parametrize("preset", PRESETS)
def test_imitation_learns_from_advice_and_not_from_the_reward(preset: str | None) -> None:
    taught = updated("imitation", preset, 0.0)
    assert same(taught, updated("imitation", preset, 5.0))
    with made("imitation", preset) as (_, trainer):
        fresh = trainer.student.state_dict()
    assert not same(taught, fresh)
    # Without advice nothing is left to learn from; the critic never learns.
    assert same(updated("imitation", preset, 5.0, taught=False), fresh)
    critic = [name for name in fresh if name.startswith("critic")]
    assert all(torch.equal(taught[name], fresh[name]) for name in critic)
    # The comparison can tell: the reward counts with any other method.
    assert not same(updated("ppo", preset, 0.0), updated("ppo", preset, 5.0))


@pytest.mark.parametrize("preset", PRESETS)
def test_the_teacher_of_imitation_never_leaves(preset: str | None) -> None:
    with made("imitation", preset, kl_until=3) as (_, trainer):
        schedule = trainer.schedule
        schedule.set_teacher_success(0.5)
        weights = []
        for iteration in range(200):
            weights.append(schedule.weight(iteration))
            schedule.observe(1.0)
        assert weights == [1.0] * 200


@pytest.mark.parametrize("preset", PRESETS)
def test_without_a_teacher_the_reward_alone_counts(preset: str | None) -> None:
    assert same(updated("ppo-alone", preset, 1.0), updated("ppo-alone", preset, 1.0, taught=False))
    assert not same(updated("ppo-alone", preset, 1.0), updated("ppo-alone", preset, 0.0))
    with made("ppo-alone", preset) as (parts, trainer):
        assert {trainer.schedule.weight(iteration) for iteration in range(200)} == {0.0}
        assert parts.config.llm is None


@pytest.mark.parametrize("preset", PRESETS)
def test_the_weight_follows_the_share_of_episodes_that_fail(preset: str | None) -> None:
    with made("ppo-adaptive", preset, kl_start=2.0, kl_min=0.0, kl_until=100) as (_, trainer):
        schedule, shares = trainer.schedule, [0.0, 0.0, 1.0, 1.0, 0.0]
        schedule.set_teacher_success(0.5)
        weights = []
        for iteration, success in enumerate(shares):
            weights.append(schedule.weight(iteration))
            schedule.observe(success)
        # A tenth of the way to each share, by hand; it rises again where the student fails.
        assert weights == pytest.approx([2.0, 2.0, 2.0, 1.8, 1.62])
        assert schedule.weight(len(shares)) == pytest.approx(2 * (1 - 0.9 * 0.19))
        assert schedule.weight(100) == 0


@pytest.mark.parametrize("preset", PRESETS)
def test_hard_advice_has_the_frequencies_of_the_plans(preset: str | None) -> None:
    count = 4000
    with made("ppo-hard", preset) as (parts, _), made("ppo", preset) as (soft, _):
        # Where plans are most at odds, in episodes of the teacher's own: many answers to one scene.
        rooms, draws = parts.domain.environments(8, CPU), seeding.generator(0, seeding.ACTIONS)
        rollout = play(rooms, soft.teacher(Path("/dev/null")), CPU, [*range(8)], draws, Stopwatch())
        mixed = soft.teacher(Path("/dev/null")).advise(
            rollout.obs, rollout.starts, torch.Generator()
        )
        step = int((mixed.weights.amax(1)).argmin())
        expected = mixed.weights[step]
        assert expected.max() < 0.9
        begun = int(rollout.starts[: step + 1].nonzero()[-1])
        one = {name: values[begun : step + 1] for name, values in rollout.obs.items()}
        length = step + 1 - begun
        obs = {name: values.repeat(count, 1, 1, 1) for name, values in one.items()}
        starts = torch.arange(count * length) % length == 0
        draws = seeding.generator(0, seeding.TEACHER)
        drawn = parts.teacher(Path("/dev/null")).advise(obs, starts, draws)
        told = drawn.weights[length - 1 :: length]
        assert ((told == 0) | (told == 1)).all()
        assert (told.sum(1) == 1).all()
        deviation = (expected * (1 - expected) / count).sqrt()
        assert ((told.mean(0) - expected).abs() <= 4 * deviation + 1e-6).all()
