"""Students that choose among what is available, and options in homes that are chosen."""

import dataclasses

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from algos.hierarchical import Hierarchical, fold
from algos.play import play
from algos.ppo import PPO
from algos.student import AVAILABLE, NetworkSpec, Student
from commands.domains.networks import make_encoder
from planner.home_scene import THING, HomeReader
from planner.plans import GO_TO, Option
from planner.plans import PICK_UP as PICK_UP_OBJECT
from teacher.choices import Choices
from teacher.home_options import RULES, HomeOptions, Scripted
from tests.algos.test_ppo import SETTINGS
from tests.choices import Script, room_choices
from tests.env import pairs
from tests.env.nav_pick import pilot
from tests.teacher.test_home_options import Counting
from utils.ranks import Ranks
from utils.timing import Stopwatch

CPU = torch.device("cpu")


def chooser(count: int, **kind: bool) -> Student:
    spec = NetworkSpec({"image": (10, 10, 4), AVAILABLE: (count,)}, count, **kind)
    torch.manual_seed(0)
    return Student(spec, make_encoder(spec))


@settings(max_examples=20, deadline=None)
@given(st.lists(st.integers(1, 2**7 - 1), min_size=1, max_size=8))
def test_what_is_not_available_has_no_probability_and_is_never_drawn(codes: list[int]) -> None:
    there = torch.tensor([[bool(code >> place & 1) for place in range(7)] for code in codes])
    draws = torch.Generator().manual_seed(0)
    images = torch.randint(0, 3, (len(codes), 10, 10, 4), generator=draws, dtype=torch.uint8)
    obs, student = {"image": images, AVAILABLE: there}, chooser(7)
    for _ in range(20):
        said, _ = student.act(obs, {}, draws)
        for name in ("action", "mode"):
            assert there.gather(1, said[name][:, None]).all()
    assert (said["policy"][~there] == 0).all()
    torch.testing.assert_close(said["policy"].sum(1), torch.ones(len(codes)))
    # The same when it learns, and nothing that it learns from is infinite.
    outputs, _ = student(obs, torch.ones(len(codes), dtype=torch.int64))
    policy = student.distribution(outputs)
    torch.testing.assert_close(policy.log_prob(said["action"]), said["log_prob"])
    (policy.entropy().mean() + policy.log_prob(said["action"]).mean()).backward()
    assert all(
        weight.grad is None or weight.grad.isfinite().all() for weight in student.parameters()
    )


@pytest.mark.parametrize("recurrent", [False, True])
def test_a_student_learns_from_its_choices(recurrent: bool) -> None:
    choices = room_choices()
    student = chooser(len(choices.names), recurrent=recurrent)
    rooms, draws = pairs.make("SimpleDoorKey", 16, max_steps=40), torch.Generator().manual_seed(0)
    actor = Hierarchical(student, choices)
    rollout = play(rooms, actor, CPU, [*range(16)], draws, Stopwatch())
    lesson = fold(rollout, 0.99)
    assert 16 < len(lesson) < len(rollout)
    assert lesson.obs[AVAILABLE].gather(1, lesson.steps["action"][:, None]).all()
    assert (lesson.steps["duration"] <= torch.tensor(choices.limits)[lesson.steps["action"]]).all()
    # What was stored while acting is what whole episodes of choices give.
    outputs, values = student(lesson.obs, lesson.lengths)
    said = student.distribution(outputs).log_prob(lesson.steps["action"])
    torch.testing.assert_close(lesson.steps["log_prob"], said, atol=1e-5, rtol=1e-4)
    torch.testing.assert_close(lesson.steps["value"], values, atol=1e-5, rtol=1e-4)
    ppo = PPO(student, dataclasses.replace(SETTINGS, batch_size=32, gae=True), Ranks())
    found = ppo.update(lesson, None, 0.0, 0.0, draws)
    assert all(torch.isfinite(torch.tensor(value)) for value in found.values())


def test_options_in_homes_begin_anew_with_each_choice() -> None:
    options = HomeOptions({"navigate": Counting(), "pick": Counting()})
    choices = Choices([Option(GO_TO, THING), Option(PICK_UP_OBJECT, THING)], HomeReader(), options)
    choices.limits[0] = 3
    actor = Hierarchical(Script(choices, ["go to <object>"]), choices)
    homes, draws = pilot.make(2, max_steps=7), torch.Generator().manual_seed(0)
    rollout = play(homes, actor, CPU, [0, 1], draws, Stopwatch())
    means = rollout.steps["mode"][:, 0].view(2, 7)
    assert means.tolist() == [[0, 1, 2, 0, 1, 2, 0]] * 2
    away = rollout.steps["action"] - rollout.steps["mode"]
    assert 0.1 < float(away.std()) < 0.3
    assert fold(rollout, 0.9).steps["duration"].tolist() == [3, 3, 1] * 2


def test_options_in_homes_lead_to_the_object_and_lift_it() -> None:
    options = HomeOptions({name: Scripted(rule) for name, rule in RULES.items()})
    choices = Choices([Option(GO_TO, THING), Option(PICK_UP_OBJECT, THING)], HomeReader(), options)
    actor = Hierarchical(Script(choices, ["go to <object>", "pick up <object>"]), choices)
    draws = torch.Generator().manual_seed(0)
    rollout = play(pilot.make(10), actor, CPU, [*range(10)], draws, Stopwatch())
    assert rollout.success.sum() >= 9
