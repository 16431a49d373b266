"""Rollouts that cut episodes: what they hold, what is learned from them, and how they go on."""

from functools import partial
from typing import Any

import gymnasium as gym
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from algos.hierarchical import Hierarchical, fold, let_go
from algos.numbers import episode_sums, training_numbers
from algos.play import Uniform, play
from algos.ppo import PPO
from algos.protocols import Actor, Environments
from algos.rollout import Rollout
from algos.segments import Segments
from algos.student import Student
from env.episode import Episode, room
from env.tensor_rooms import DoorKeyRooms
from env.vector import SerialEnvs
from tests.algos.test_choosing import chooser as make_chooser
from tests.algos.test_ppo import SETTINGS
from tests.algos.test_rollout import Climb
from tests.choices import room_choices
from tests.env import pairs
from tests.recordings import task
from tests.students import make_student
from utils import seeding
from utils.ranks import Ranks
from utils.tensors import group
from utils.timing import Stopwatch

CPU = torch.device("cpu")
LIMIT = 9


def lava_room() -> Episode:
    return room(lambda: gym.make(task("LavaDoorKey").env_id, max_steps=LIMIT))


def lava_rooms(count: int) -> SerialEnvs:
    return SerialEnvs(lava_room, count)


def tensor_rooms(count: int) -> DoorKeyRooms:
    return DoorKeyRooms(count, max_steps=LIMIT)


def segments_of(
    environments: Environments,
    actor: Actor,
    steps: int = 10,
    least_steps: int = 0,
    device: torch.device = CPU,
) -> Segments:
    return Segments(
        environments=environments,
        actor=actor,
        fold=partial(fold, gamma=0.99),
        cut=let_go,
        device=device,
        seed=7,
        total=environments.num_envs,
        steps=steps,
        least_steps=least_steps,
        ranks=Ranks(),
    )


def collect(segments: Segments, lengths: list[int], draws: torch.Generator) -> list[Rollout]:
    """Rollouts of these lengths, one after another."""
    rollouts = []
    for segments.steps in lengths:
        rollouts.append(segments.collect(0, draws, Stopwatch()))
    return rollouts


def by_environment(rollouts: list[Rollout], count: int) -> dict[str, Tensor]:
    """All steps of each environment in a row, whatever rollouts they are from: (N, T, ...)."""

    def rows(values: list[Tensor]) -> Tensor:
        return torch.cat([each.unflatten(0, (count, -1)) for each in values], 1)

    names = rollouts[0].steps
    steps = {name: rows([each.steps[name] for each in rollouts]) for name in names}
    image = rows([each.obs["image"] for each in rollouts])
    return steps | {"image": image, "reward": rows([each.reward for each in rollouts])}


def ended_episodes(rollouts: list[Rollout], count: int) -> list[list[tuple[float, ...]]]:
    """Return, length, success and the way it ended, of each whole episode of each environment."""
    found: list[list[tuple[float, ...]]] = [[] for _ in range(count)]
    for rollout in rollouts:
        place = (rollout.ends - 1) // (len(rollout) // count)
        columns = rollout.returns, rollout.episode_lengths, rollout.success, rollout.terminated
        for row in rollout.ended.nonzero()[:, 0].tolist():
            found[place[row]].append(tuple(float(column[row]) for column in columns))
    return found


class Told(Student):
    """A student whose critic says these values of last observations."""

    last_values: Tensor

    def value(self, obs: dict[str, Tensor], state: dict[str, Tensor]) -> Tensor:
        return self.last_values


@pytest.mark.parametrize("gae", [False, True])
def test_targets_by_hand(gae: bool) -> None:
    """A terminated segment takes nothing from beyond its end. One that timed out, and one that goes
    on in the next rollout, take the critic's value there."""
    rollout = Rollout(
        obs={"image": torch.zeros(5, 1)},
        reward=torch.tensor([1.0, 2.0, 1.0, 0.0, 1.0]),
        steps={"value": torch.tensor([0.5, 1.0, 2.0, 1.0, 2.0])},
        lengths=torch.tensor([2, 1, 2]),
        terminated=torch.tensor([True, False, False]),
        truncated=torch.tensor([False, True, False]),
        success=torch.zeros(3, dtype=torch.bool),
        last_obs={},
        last_state={},
    )
    student = make_student()
    student.__class__ = Told
    student.last_values = torch.tensor([9.0, 4.0, 6.0])
    halves = {**vars(SETTINGS), "gamma": 0.5, "lam": 0.5, "gae": gae}
    returns, advantages = PPO(student, type(SETTINGS)(**halves), Ranks()).targets(rollout)
    if gae:
        # Advantages: 1 + 0.25·1, 2 - 1 | 1 + 0.5·4 - 2 | 0 + 0.25·2, 1 + 0.5·6 - 2.
        assert advantages.tolist() == [1.25, 1, 1, 0.5, 2]
        assert returns.tolist() == [1.75, 2, 3, 1.5, 4]
    else:
        # Returns: 1 + 0.5·2, 2 | 1 + 0.5·4 | 0 + 0.5·4, 1 + 0.5·6.
        assert returns.tolist() == [2, 2, 3, 2, 4]
        assert advantages.tolist() == [1.5, 1, 1, 1, 2]


@pytest.mark.parametrize("make", [lava_rooms, tensor_rooms])
@pytest.mark.parametrize("recurrent", [False, True])
def test_segments_that_are_whole_episodes_equal_those(make: Any, recurrent: bool) -> None:
    """Played to the step limit in environments that nobody finishes."""
    student, draws = make_student(recurrent=recurrent), torch.Generator().manual_seed(0)
    seeds = [seeding.episode_seed(7, number, 0) for number in range(4)]
    whole = play(make(4), student, CPU, seeds, draws, Stopwatch())
    assert whole.lengths.tolist() == [LIMIT] * 4
    draws.manual_seed(0)
    ours = segments_of(make(4), student, LIMIT).collect(0, draws, Stopwatch())
    assert ours.before.pop("return").tolist() == ours.before.pop("length").tolist() == [0] * 4
    assert not any(state.any() for state in ours.before.values())
    for name, expected in vars(whole).items():
        if name != "before":
            torch.testing.assert_close(vars(ours)[name], expected, rtol=0, atol=0)


@settings(max_examples=10)
@given(
    lengths=st.lists(st.integers(1, 12), min_size=1, max_size=5),
    recurrent=st.booleans(),
    tensors=st.booleans(),
)
def test_cuts_change_neither_episodes_nor_statistics(
    lengths: list[int], recurrent: bool, tensors: bool
) -> None:
    make, student, count = tensor_rooms if tensors else lava_rooms, make_student(), 2
    if recurrent:
        student = make_student(recurrent=True)
    draws = [torch.Generator().manual_seed(3) for _ in range(2)]
    whole = collect(segments_of(make(count), student), [sum(lengths)], draws[0])
    parts = collect(segments_of(make(count), student), lengths, draws[1])
    one, other = by_environment(whole, count), by_environment(parts, count)
    for name, expected in one.items():
        assert torch.equal(other[name], expected), name
    assert ended_episodes(parts, count) == ended_episodes(whole, count)
    totals = [
        [sum(episode_sums(each)[name] for each in rollouts) for name in episode_sums(whole[0])]
        for rollouts in (whole, parts)
    ]
    assert totals[0] == pytest.approx(totals[1])
    # What was stored while acting is what segments give with the state before them.
    for rollout in parts:
        before = {"lstm": rollout.before["state/lstm"]} if recurrent else {}
        outputs, values = student(rollout.obs, rollout.lengths, before)
        chosen = student.distribution(outputs).log_prob(rollout.steps["action"])
        torch.testing.assert_close(rollout.steps["log_prob"], chosen, atol=1e-5, rtol=1e-4)
        torch.testing.assert_close(rollout.steps["value"], values, atol=1e-5, rtol=1e-4)


def test_an_episode_that_is_cut_is_counted_once_and_whole() -> None:
    """Seeds are the heights of climbs here; the first ones are 3 and 2 steps."""
    climbs = SerialEnvs(lambda: Episode(Climb(), "image"), 2)
    tops = {(0, 0): 3, (0, 1): 9, (1, 0): 2, (1, 1): 5, (1, 2): 9}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(seeding, "episode_seed", lambda seed, *place: tops[place])
        segments = segments_of(climbs, Uniform(2))
        rollouts = collect(segments, [1, 3, 3], torch.Generator())
    first, second, third = rollouts
    assert first.lengths.tolist() == [1, 1]
    assert first.ended.tolist() == [False, False]
    assert second.lengths.tolist() == [2, 1, 1, 2]
    assert second.truncated.tolist() == [True, False, True, False]
    assert second.success.tolist() == [True, False, False, False]
    assert second.before["length"].tolist() == [1, 0, 1, 0]
    assert second.returns.tolist() == [-3, -1, -2, -2]
    assert second.episode_lengths.tolist() == [3, 1, 2, 2]
    assert second.measures["height"].tolist() == [3, 1, 2, 2]
    assert second.last_obs["image"][:, 0].tolist() == [3, 1, 2, 2]
    assert second.obs["image"][:, 0].tolist() == [1, 2, 0, 1, 0, 1]
    assert second.steps["duration"].tolist() == [2, 3, 1, 2, 1, 2]
    assert third.ended.tolist() == [False, True]
    sums = [episode_sums(each) for each in rollouts]
    assert [each["episodes"] for each in sums] == [0, 2, 1]
    assert [each["length"] for each in sums] == [0, 5, 5]
    assert [each["return"] for each in sums] == [0, -5, -5]
    assert [each["successes"] for each in sums] == [0, 1, 1]
    assert [each["timed out"] for each in sums] == [0, 1, 0]
    assert [each["measure/height"] for each in sums] == [0, 5, 5]
    assert [each["steps"] for each in sums] == [2, 6, 6]
    assert training_numbers(sums[0], 2.0) == {"k": 2.0}
    assert training_numbers(sums[1], 2.0)["length"] == 2.5


@pytest.mark.parametrize("least", [1, 20, 21, 55])
def test_a_rollout_has_enough_steps_for_its_learner(least: int) -> None:
    student = make_student(recurrent=True)
    draws = [torch.Generator().manual_seed(3) for _ in range(2)]
    found = segments_of(lava_rooms(2), student, least_steps=least).collect(0, draws[0], Stopwatch())
    parts = collect(segments_of(lava_rooms(2), student), [10] * -(-least // 20), draws[1])
    torch.testing.assert_close(vars(found), vars(Rollout.join(parts)), rtol=0, atol=0)


@pytest.mark.parametrize("recurrent", [False, True])
def test_options_end_with_a_rollout_and_choices_remember_earlier_ones(recurrent: bool) -> None:
    choices = room_choices()
    student = make_chooser(len(choices.names), recurrent=recurrent)
    rooms = pairs.make("SimpleDoorKey", 4, max_steps=40)
    segments = segments_of(rooms, Hierarchical(student, choices), 15, least_steps=50)
    draws = torch.Generator().manual_seed(0)
    for _ in range(3):
        rollout = segments.collect(0, draws, Stopwatch())
        assert rollout.steps["chosen"][rollout.starts].all()
        assert not rollout.steps["chosen"].all()
        lesson = segments.fold(rollout)
        assert len(lesson) >= 50
        assert torch.equal(lesson.before["length"], rollout.before["length"])
        state = group("state", lesson.before)
        outputs, values = student(lesson.obs, lesson.lengths, state)
        chosen = student.distribution(outputs).log_prob(lesson.steps["action"])
        torch.testing.assert_close(lesson.steps["log_prob"], chosen, atol=1e-5, rtol=1e-4)
        torch.testing.assert_close(lesson.steps["value"], values, atol=1e-5, rtol=1e-4)
    assert not recurrent or state["lstm"].any()


def test_a_recurrent_update_depends_on_the_state_before_a_segment() -> None:
    """A student that has seen something acts by it; without the state it would not learn that."""
    student, draws = make_student(recurrent=True), torch.Generator().manual_seed(0)
    _, rollout = collect(segments_of(lava_rooms(2), student), [6, 8], draws)
    with_state, _ = student(rollout.obs, rollout.lengths, {"lstm": rollout.before["state/lstm"]})
    without, _ = student(rollout.obs, rollout.lengths)
    assert not torch.allclose(with_state, without)
    ppo = PPO(student, SETTINGS, Ranks())
    ppo.batch_size = 1
    seen = 0
    for index, segments in ppo._minibatches(rollout, draws):
        (number,) = rollout.segment[index].unique().tolist()
        assert torch.equal(segments["state/lstm"][0], rollout.before["state/lstm"][number])
        assert segments["lengths"].tolist() == [len(index)]
        seen += len(index)
    assert seen == len(rollout)
