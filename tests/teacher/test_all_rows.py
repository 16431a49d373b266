"""What an accelerator does for all rows is what the CPU does for those that need it."""

from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from algos.cuda_rollout import CudaRollout
from algos.hierarchical import Hierarchical
from algos.play import play
from algos.student import AVAILABLE, Deterministic, NetworkSpec, Student
from commands.domains.networks import make_encoder
from env.packed_maps import pack
from planner.room_scene import RoomReader
from teacher import search
from teacher.choices import Choices
from teacher.room_options import RoomOptions, options_of
from tests.recordings import TASKS, recording, task
from tests.test_devices import assert_same, make
from utils import devices
from utils.timing import Stopwatch

CPU = torch.device("cpu")


@pytest.fixture
def accelerated(monkeypatch: pytest.MonkeyPatch) -> Any:
    """A function that makes the CPU take an accelerator's course, or its own."""

    def become(is_accelerator: bool) -> None:
        monkeypatch.setattr(devices, "asynchronous", lambda device: is_accelerator)

    return become


def choices_of(name: str) -> Choices:
    reader = RoomReader(task(name).domain.names)
    return Choices(options_of(reader.kind), reader, RoomOptions(reader.number, 3))


@pytest.mark.parametrize("name", TASKS)
def test_each_option_proposes_the_same(name: str, accelerated: Any) -> None:
    rows, choices = recording(name), choices_of(name)
    obs = {"image": torch.tensor(rows["obs"][:800])}
    starts = torch.tensor(rows["t"][:800] == 0)
    memory = choices.reader.read_episodes(obs, starts).memory
    draws = torch.Generator().manual_seed(0)
    for share in (0.3, 1.0):
        asked = torch.rand(800, len(choices.names), generator=draws) < share
        found = []
        for is_accelerator in (False, True):
            accelerated(is_accelerator)
            found.append(choices.propose(obs, memory, asked, {})[0])
        assert_same(found[1], found[0], "cpu")


@settings(max_examples=30)
@given(seed=st.integers(0, 2**32 - 1), size=st.integers(3, 12), slow=st.booleans())
def test_paths_are_the_same(seed: int, size: int, slow: bool) -> None:
    draws = torch.Generator().manual_seed(seed)

    def cells(share: float) -> torch.Tensor:
        return pack(torch.rand(40, size, size, generator=draws) < share)

    passable, targets, hindering = cells(0.7), cells(0.05), cells(0.3)
    x, y = torch.randint(size, (2, 40), generator=draws)
    agent = torch.stack([x, y, torch.randint(4, (40,), generator=draws)])
    found = []
    for is_accelerator in (False, True):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(devices, "asynchronous", lambda device, on=is_accelerator: on)
            found.append(search.first_action(passable, agent, targets, hindering if slow else None))
    assert torch.equal(*found)


@pytest.mark.parametrize("name", TASKS)
def test_what_is_remembered_without_words_is_what_a_scene_remembers(name: str) -> None:
    rows, reader = recording(name), RoomReader(task(name).domain.names)
    images = torch.tensor(rows["obs"])
    memory = reader.forget(len(images), CPU)
    # A memory of something else stays where a thing is not seen.
    memory["cells"][::2] = 7
    obs = {"image": images}
    assert_same(reader.remember(obs, memory), reader.read(obs, memory).memory, "cpu")


def test_a_hierarchical_student_plays_the_same_episodes(accelerated: Any) -> None:
    choices, seeds = choices_of("SimpleDoorKey"), torch.arange(12)
    count = len(choices.names)
    spec = NetworkSpec({"image": (10, 10, 4), AVAILABLE: (count,)}, count)
    student = Student(spec, make_encoder(spec))
    actor = Hierarchical(Deterministic(student), choices)
    here, there = (make("SimpleDoorKey", 12, "cpu", max_steps=40) for _ in range(2))
    accelerated(True)
    wave = CudaRollout(here, actor, CPU, recorded=False)
    ours = wave.play(seeds, torch.Generator(), Stopwatch())
    accelerated(False)
    expected = play(there, actor, CPU, seeds, torch.Generator(), Stopwatch())
    assert 0 < expected.steps["chosen"].sum() < len(expected)
    for rollout in (ours, expected):
        # Of actions that were drawn, and not taken.
        del rollout.steps["choice/log_prob"]
    for field, value in vars(expected).items():
        # The network rounds otherwise for another number of rows.
        torch.testing.assert_close(getattr(ours, field), value, rtol=1e-4, atol=1e-5)
