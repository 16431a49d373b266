import itertools

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from planner.plan_parser import parse_plan
from planner.room_scene import NOWHERE
from tests.recordings import TASKS, make_teacher, recorded_answers, recording
from tests.teacher.reference import plan_actions
from tests.teacher.test_room_options import maps
from utils.tensors import Tensors
from utils.tensors import rows as rows_at


def rows_of(name: str) -> tuple[Tensors, torch.Tensor]:
    rows = recording(name)
    return {"image": torch.tensor(rows["obs"])}, torch.tensor(rows["t"] == 0)


def draws() -> torch.Generator:
    return torch.Generator().manual_seed(0)


@pytest.mark.parametrize("name", TASKS)
def test_recorded_distributions_are_met_up_to_ties(name: str) -> None:
    """Exactly where one shortest path is best; else the recording and the port both begin one."""
    rows, teacher = recording(name), make_teacher(name)
    obs, starts = rows_of(name)
    advice = teacher.advise(obs, starts, draws())
    scenes = teacher.reader.read_episodes(obs, starts)
    shares, ties = advice.by_action(7), 0
    for i, recorded in enumerate(rows["teacher_soft"]):
        where = {
            word: divmod(cell, rows["obs"].shape[2])
            for word, cell in zip(
                teacher.reader.vocabulary, scenes.memory["cells"][i].tolist(), strict=True
            )
            if cell != NOWHERE
        }
        answer = advice.answers[advice.index[i]]
        allowed = [plan_actions(rows["obs"][i], plan, where) for _, plan in answer]
        mixtures = []
        for actions in itertools.product(*allowed):
            mixture = np.zeros(7)
            np.add.at(mixture, list(actions), [p for p, _ in answer])
            mixtures.append(mixture)
        ties += len(mixtures) > 1
        for one in (recorded, shares[i].numpy()):
            assert min(np.abs(mixture - one).max() for mixture in mixtures) < 1e-6
    assert ties < len(starts) / 3


@pytest.mark.parametrize("name", TASKS)
def test_acting_gives_the_advice_of_whole_episodes(name: str) -> None:
    teacher = make_teacher(name)
    obs, starts = rows_of(name)
    advice = teacher.advise(obs, starts, draws())
    shares = advice.by_action(7)
    first = [int(i) for i in starts.nonzero()[:, 0]]
    length = min(b - a for a, b in itertools.pairwise([*first, len(starts)]))
    memory, generator = teacher.initial_state(len(first), starts.device), draws()
    for t in range(length):
        steps = torch.tensor(first) + t
        step, memory = teacher.act(rows_at(obs, steps), memory, generator)
        assert torch.equal(step["advised"], shares[steps])
        assert torch.equal(step["mode"], shares[steps].argmax(1))
        assert (shares[steps].gather(1, step["action"][:, None]) > 0).all()


def test_a_scene_without_an_answer_has_no_advice_and_the_teacher_waits() -> None:
    teacher = make_teacher("SimpleDoorKey")
    del recorded_answers(teacher)["Agent sees <nothing>, holds <nothing>."]
    obs, starts = rows_of("SimpleDoorKey")
    advice = teacher.advise(obs, starts, draws())
    sums = advice.by_action(7).sum(1)
    assert torch.equal(sums > 0, advice.answered)
    torch.testing.assert_close(sums, advice.answered.float())
    assert 0 < (~advice.answered).sum() < len(starts)
    assert advice.answers.count(None) == advice.unanswered_scenes == 1
    first = rows_at(obs, torch.tensor([0]))
    step, _ = teacher.act(first, teacher.initial_state(1, starts.device), draws())
    assert not step["advised"].any()
    assert (step["action"].item(), step["unanswered"].item()) == (6, True)


def test_no_answer_at_all_is_no_crash() -> None:
    teacher = make_teacher("SimpleDoorKey", hard=True)
    recorded_answers(teacher).clear()
    obs, starts = rows_of("SimpleDoorKey")
    assert not teacher.advise(obs, starts, draws()).weights.any()


def test_a_hard_teacher_draws_one_plan_with_the_soft_probabilities() -> None:
    obs, starts = rows_of("ColoredDoorKey")
    soft = make_teacher("ColoredDoorKey").advise(obs, starts, draws()).by_action(7)
    teacher, generator = make_teacher("ColoredDoorKey", hard=True), draws()
    drawn = torch.stack([teacher.advise(obs, starts, generator).by_action(7) for _ in range(100)])
    assert set(drawn.unique().tolist()) == {0, 1}
    assert (drawn.sum(2) == 1).all()
    assert (drawn.mean(0) - soft).abs().max() < 0.3
    assert (drawn.mean(0) - soft).mean(0).abs().max() < 0.01


def test_only_the_newest_frame_of_a_stack_is_looked_at() -> None:
    teacher = make_teacher("SimpleDoorKey")
    obs, starts = rows_of("SimpleDoorKey")
    stacked = {**obs, "before": torch.zeros_like(obs["image"])}
    plain = teacher.advise(obs, starts, draws()).by_action(7)
    assert torch.equal(teacher.advise(stacked, starts, draws()).by_action(7), plain)


def test_what_cannot_be_done_is_a_wait_and_ends_the_plan() -> None:
    obs, starts = rows_of("SimpleDoorKey")
    for words in (
        "wait, explore",
        "go to <unicorn>, explore",
        "pick up, explore",
        "explore <door>",
    ):
        teacher = make_teacher("SimpleDoorKey")
        plan = ((1.0, parse_plan(words, teacher.reader.nouns())),)
        answers = recorded_answers(teacher)
        answers.update(dict.fromkeys(answers, plan))
        advice = teacher.advise(rows_at(obs, torch.tensor([0])), starts[:1], draws())
        assert advice.by_action(7).tolist() == [[0, 0, 0, 0, 0, 0, 1]]


def test_advice_explains_itself() -> None:
    obs, starts = rows_of("SimpleDoorKey")
    advice = make_teacher("SimpleDoorKey").advise(obs, starts, draws())
    text, plans = advice.explain(0)
    assert text.startswith("Agent sees")
    assert sum(p for p, *_ in plans) == pytest.approx(1)


@settings(max_examples=60)
@given(
    name=st.sampled_from(TASKS),
    hard=st.booleans(),
    obs=maps(),
    data=st.data(),
)
def test_the_weights_of_every_step_sum_to_1_or_0(
    name: str, hard: bool, obs: np.ndarray, data: st.DataObject
) -> None:
    teacher = make_teacher(name, hard)
    answers = recorded_answers(teacher)
    for text in list(answers):
        if data.draw(st.booleans()):
            del answers[text]
    episodes = {"image": torch.tensor(np.stack([obs] * 3))}
    advice = teacher.advise(episodes, torch.tensor([True, False, True]), draws())
    assert ((advice.actions >= 0) & (advice.actions < 7)).all()
    assert (advice.weights >= 0).all()
    torch.testing.assert_close(advice.weights.sum(1), advice.answered.float())
    for scene, weights in zip(advice.index.tolist(), advice.weights, strict=True):
        assert (advice.answers[scene] is None) == (not weights.any())
