"""Collectors of segments that are stopped and restored, and the seeds of their episodes."""

from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from algos.play import Uniform
from algos.protocols import Actor
from env.episode import Episode
from env.frame_stack import FrameStack
from env.vector import SerialEnvs
from env.worlds import make_world
from tests.algos.test_segments import collect, lava_room, lava_rooms, segments_of, tensor_rooms
from tests.students import make_student
from utils import seeding


def worlds(count: int) -> SerialEnvs:
    return SerialEnvs(lambda: Episode(make_world("BabyAI-GoToLocalS5N2-v0")), count)


def stacked_rooms(count: int) -> FrameStack:
    return FrameStack(lava_rooms(count), 2)


@settings(max_examples=12)
@given(
    lengths=st.lists(st.integers(1, 12), min_size=2, max_size=4),
    killed=st.integers(0, 4),
    kind=st.sampled_from(["rooms", "tensors", "stacked", "worlds"]),
    recurrent=st.booleans(),
)
def test_a_restored_collector_goes_on_as_if_it_had_not_stopped(
    lengths: list[int], killed: int, kind: str, recurrent: bool
) -> None:
    make = {
        "rooms": lava_rooms,
        "tensors": tensor_rooms,
        "stacked": stacked_rooms,
        "worlds": worlds,
    }[kind]
    student: Actor = Uniform(3)
    if kind != "worlds":
        student = make_student(recurrent=recurrent, frames=1 + (kind == "stacked"))
    draws = torch.Generator().manual_seed(3)
    killed = min(killed, len(lengths) - 1)
    segments = segments_of(make(2), student)
    collect(segments, lengths[:killed], draws)
    state = segments.state()
    again = segments_of(make(2), student)
    again.restore(state)
    for name, values in again.state().items():
        assert torch.equal(values, state[name]), name
    copy = torch.Generator()
    copy.set_state(draws.get_state())
    expected = collect(segments, lengths[killed:], draws)
    for one, other in zip(expected, collect(again, lengths[killed:], copy), strict=True):
        torch.testing.assert_close(vars(other), vars(one), rtol=0, atol=0)


def test_a_state_that_does_not_fit_is_refused() -> None:
    segments = segments_of(lava_rooms(2), make_student(recurrent=True))
    collect(segments, [5], torch.Generator())
    for other in (
        segments_of(lava_rooms(3), make_student(recurrent=True)),
        segments_of(lava_rooms(2), make_student()),
    ):
        with pytest.raises(ValueError, match="of other environments, or of another actor"):
            other.restore(segments.state())
    state = segments.state()
    for damaged in ({}, state | {"actions": state["actions"][:, :2]}):
        with pytest.raises(ValueError, match="of other environments"):
            segments.restore(damaged)


def test_an_environments_next_episode_has_the_next_seed_of_its_own() -> None:
    seeds = {(e, n): seeding.episode_seed(5, e, n) for e in range(20) for n in range(20)}
    assert len(set(seeds.values())) == len(seeds)
    assert min(seeds.values()) >= seeding.FIRST_TRAINING_SEED
    assert max(seeds.values()) < seeding.FIRST_TRIAL_SEED
    asked: list[dict[int, int]] = []

    class Noted(SerialEnvs):
        def reset(self, *, seed: Any = None, options: Any = None) -> Any:
            chosen = options["reset_mask"].nonzero()[:, 0].tolist()
            asked.append({number: int(seed[number]) for number in chosen})
            return super().reset(seed=seed, options=options)

    segments = segments_of(Noted(lava_room, 3), Uniform(7))
    collect(segments, [20, 15], torch.Generator().manual_seed(1))
    for number in range(3):
        own = [reset[number] for reset in asked if number in reset]
        assert own == [seeding.episode_seed(7, number, n) for n in range(len(own))]
        assert len(own) > 2
