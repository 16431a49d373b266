"""What trials of the teacher alone decide."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from algos.evaluation import Evaluation, Trial
from algos.protocols import Observer
from algos.trials import Doubt, doubt_in, surely_better, try_out
from tests.point import PointTeacher

EPISODES = 100


class Doubted(PointTeacher):
    """Its advice changes with its share of every legal plan alike."""

    def __init__(self) -> None:
        self.share, self.narrowed = 0.0, False

    def narrow(self, narrowed: bool) -> None:
        self.narrowed = narrowed

    def doubt(self, share: float) -> bool:
        changed, self.share = share != self.share, share
        return changed


@dataclass
class Trials:
    """Knows how many of the first of 100 episodes succeed with what the teacher sees, with its
    student's memory, and once its advice is mixed. Others are stuck until the step limit. In one of
    the trials, counted from 0, answers may be missing."""

    teacher: Doubted
    own: int
    students: int
    mixed: int = 0
    missing: int | None = None
    trials: int = EPISODES
    narrowed: list[bool] = field(default_factory=list)

    def try_teacher(self) -> Trial:
        teacher, number = self.teacher, len(self.narrowed)
        self.narrowed.append(teacher.narrowed)
        wins = self.mixed if teacher.share else self.students if teacher.narrowed else self.own
        success = [episode < wins for episode in range(EPISODES)]
        stuck = [not won for won in success]
        outcome = Evaluation([*range(EPISODES)], success, stuck, [0.0] * EPISODES, [1] * EPISODES)
        if number == self.missing:
            return Trial(outcome, success=1.0, stuck=0.0, incomplete=True)
        return Trial(outcome, outcome.summary()["success"].low, outcome.stuck)

    def expected_steps(self, length: float) -> float:
        return length

    def evaluate_student(self, iteration: int) -> tuple[Evaluation, Evaluation]:
        raise AssertionError("a trial evaluates no student")


class Told(Observer):
    """Notes what it is told, in order."""

    def __init__(self) -> None:
        self.lines = list[str]()

    def news(self, line: str) -> None:
        self.lines.append(line)

    def teacher_tried(self, outcome: Evaluation) -> None:
        self.lines.append(str(sum(outcome.success)))


@given(own=st.integers(0, EPISODES), students=st.integers(0, EPISODES))
def test_a_teacher_goes_on_seeing_everything_only_if_it_surely_does_better_so(
    own: int, students: int
) -> None:
    """If one wins all episodes in which just one of two succeeds, these must be six at least."""
    teacher = Doubted()
    trials = Trials(teacher, own, students, mixed=50)
    decision = try_out(teacher, trials, tries_memory=True)
    assert trials.narrowed[:2] == [False, True]
    assert decision.doubt == Doubt(teacher.share, teacher.narrowed)
    assert teacher.narrowed == (own - students < 6)
    taken = students if teacher.narrowed else own
    assert sum(decision.outcome.success) == taken
    assert teacher.share == pytest.approx(max(1 - taken / EPISODES, 0.1))
    # The student is compared with advice as it is mixed.
    assert 0.39 < decision.success < 0.5


def test_wins_and_losses_in_the_same_episodes_are_weighed() -> None:
    def trial(success: list[bool]) -> Trial:
        count = len(success)
        stuck = [not won for won in success]
        return Trial(Evaluation([*range(count)], success, stuck, [0.0] * count, [1] * count), 0, 0)

    both, first, second = [(True, True)], [(True, False)], [(False, True)]
    # 11 or more of 14 fair coins show heads in 2.9% of cases, 12 or more in 0.6%.
    for wins, losses, better in ((11, 3, False), (12, 2, True), (2, 12, False)):
        pairs = both * 50 + first * wins + second * losses
        one, other = (trial(list(each)) for each in zip(*pairs, strict=True))
        assert surely_better(one, other) == better


@given(own=st.integers(0, EPISODES))
def test_a_memory_is_tried_only_if_asked(own: int) -> None:
    teacher = Doubted()
    trials = Trials(teacher, own, EPISODES)
    assert not try_out(teacher, trials, tries_memory=False).doubt.narrowed
    assert not any(trials.narrowed)


TRYING = ["trying the teacher alone in 100 episodes", "trying it with its student's memory, too"]


LEAST = "from now on 10% (the minimum) of its advice is every legal plan alike"


def test_nothing_is_held_against_a_teacher_without_all_answers() -> None:
    """Not even in one more trial: a tenth of its advice is doubted as of any teacher."""
    teacher, observer = Doubted(), Told()
    trials = Trials(teacher, own=60, students=90, missing=0)
    decision = try_out(teacher, trials, tries_memory=True, observers=[observer])
    assert (decision.success, decision.doubt) == (1, Doubt(0.1))
    assert (teacher.share, teacher.narrowed) == (0.1, False)
    missing = "answers were missing: nothing is held against the teacher"
    assert observer.lines == [TRYING[0], "60", missing, LEAST]


def test_a_teacher_stays_as_it_is_if_answers_were_missing_with_its_students_memory() -> None:
    teacher, observer = Doubted(), Told()
    trials = Trials(teacher, own=90, students=100, missing=1)
    assert try_out(teacher, trials, tries_memory=True, observers=[observer]).doubt == Doubt(0.1)
    kept = "answers were missing: it goes on seeing everything"
    assert observer.lines[:4] == [*TRYING, kept, "90"]


def test_mixed_advice_without_all_answers_may_be_as_good_as_any() -> None:
    observer, trials = Told(), Trials(Doubted(), own=60, students=60, missing=1)
    decision = try_out(trials.teacher, trials, tries_memory=False, observers=[observer])
    assert (decision.success, decision.doubt.share) == (1, pytest.approx(0.4))
    assert observer.lines[-2:] == [
        "alone it is stuck in 40% of the episodes that do not fail before; "
        "from now on 40% of its advice is every legal plan alike",
        "answers were missing: how often such advice succeeds is not known",
    ]


def test_a_teacher_that_is_never_stuck_is_doubted_a_little() -> None:
    observer, trials = Told(), Trials(Doubted(), own=EPISODES, students=EPISODES, mixed=95)
    assert try_out(trials.teacher, trials, False, [observer]).doubt == Doubt(0.1)
    assert observer.lines[2:] == [
        f"alone it is stuck in 0% of the episodes that do not fail before; {LEAST}",
        "such advice succeeds in 95% of the episodes",
    ]


@pytest.mark.parametrize(
    ("content", "doubt"),
    [
        ({}, Doubt()),
        ({"stuck": 0.4, "narrowed": True}, Doubt(0.4, narrowed=True)),
        ({"doubt": {"share": 0.1, "narrowed": False}}, Doubt(0.1)),
    ],
)
def test_checkpoints_of_older_versions_keep_their_doubt(
    content: dict[str, Any], doubt: Doubt
) -> None:
    assert doubt_in(content, Path()) == doubt


def test_a_teacher_whose_advice_does_not_change_counts_as_not_doubted() -> None:
    """Its share is fixed, say."""

    class Fixed(Doubted):
        def doubt(self, share: float) -> bool:
            return False

    observer, trials = Told(), Trials(Fixed(), own=60, students=60)
    decision = try_out(trials.teacher, trials, tries_memory=True, observers=[observer])
    assert decision.doubt == Doubt(narrowed=True)
    assert 0.5 < decision.success < 0.6
    assert observer.lines[-1] == "60"


def test_an_observer_is_told_of_the_trial_that_counts() -> None:
    for own, students, how in (
        (100, 98, "sees only that memory from now on"),
        (100, 60, "goes on seeing everything"),
    ):
        observer = Told()
        trials = Trials(Doubted(), own, students, mixed=50)
        decision = try_out(trials.teacher, trials, tries_memory=True, observers=[observer])
        said = f"success 1.00, with its student's memory {students / 100:.2f}: it {how}"
        taken = str(sum(decision.outcome.success))
        assert observer.lines[:4] == [*TRYING, said, taken]
