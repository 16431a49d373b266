"""What trials of the teacher alone decide."""

from dataclasses import dataclass, field

import pytest
from hypothesis import given
from hypothesis import strategies as st

from algos.evaluation import Evaluation, Trial
from algos.protocols import Observer
from algos.trials import surely_better, try_out
from tests.point import PointTeacher

EPISODES = 100


class Doubted(PointTeacher):
    """Its advice changes once it is stuck."""

    def __init__(self) -> None:
        self.stuck, self.narrowed = 0.0, False

    def narrow(self, narrowed: bool) -> None:
        self.narrowed = narrowed

    def doubt(self, stuck: float) -> bool:
        changed, self.stuck = stuck != self.stuck, stuck
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
        wins = self.mixed if teacher.stuck else self.students if teacher.narrowed else self.own
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
    """Of five episodes in which just one of two succeeds, one must win all; of four, too."""
    teacher = Doubted()
    trials = Trials(teacher, own, students, mixed=50)
    decision = try_out(teacher, trials, tries_memory=True)
    assert trials.narrowed[:2] == [False, True]
    assert decision.narrowed == teacher.narrowed == (own - students < 4)
    taken = students if decision.narrowed else own
    assert sum(decision.outcome.success) == taken
    assert decision.stuck == teacher.stuck == pytest.approx(1 - taken / EPISODES)
    # Once advice is mixed, the student is compared with that.
    surely = 50 if decision.stuck else taken
    assert surely / EPISODES - 0.11 < decision.success < surely / EPISODES


def test_wins_and_losses_in_the_same_episodes_are_weighed() -> None:
    def trial(success: list[bool]) -> Trial:
        count = len(success)
        stuck = [not won for won in success]
        return Trial(Evaluation([*range(count)], success, stuck, [0.0] * count, [1] * count), 0, 0)

    both, first, second = [(True, True)], [(True, False)], [(False, True)]
    # Wilson's interval of 10 of 14 is [0.454, 0.883], that of 11 of 14 is [0.524, 0.924].
    for wins, losses, better in ((10, 4, False), (11, 3, True), (3, 11, False)):
        pairs = both * 50 + first * wins + second * losses
        one, other = (trial(list(each)) for each in zip(*pairs, strict=True))
        assert surely_better(one, other) == better


@given(own=st.integers(0, EPISODES))
def test_a_memory_is_tried_only_if_asked(own: int) -> None:
    teacher = Doubted()
    trials = Trials(teacher, own, EPISODES)
    assert not try_out(teacher, trials, tries_memory=False).narrowed
    assert not any(trials.narrowed)


TRYING = ["trying the teacher alone in 100 episodes", "trying it with its student's memory, too"]


@pytest.mark.parametrize(
    ("missing", "own", "told", "decided"),
    [
        (0, 60, ["60", "answers were missing: nothing is held against the teacher"], (1, 0)),
        (1, 100, ["answers were missing: it goes on seeing everything", "100"], (0.963, 0)),
    ],
)
def test_nothing_is_held_against_a_teacher_without_all_answers(
    missing: int, own: int, told: list[str], decided: tuple[float, float]
) -> None:
    teacher, observer = Doubted(), Told()
    trials = Trials(teacher, own, students=90, missing=missing)
    decision = try_out(teacher, trials, tries_memory=True, observers=[observer])
    assert not decision.narrowed
    assert not teacher.narrowed
    assert (round(decision.success, 3), decision.stuck) == decided
    assert observer.lines == [*TRYING[: missing + 1], *told]


def test_mixed_advice_without_all_answers_may_be_as_good_as_any() -> None:
    observer, trials = Told(), Trials(Doubted(), own=60, students=60, missing=1)
    decision = try_out(trials.teacher, trials, tries_memory=False, observers=[observer])
    assert (decision.success, decision.stuck) == (1, pytest.approx(0.4))
    assert observer.lines[-1] == "answers were missing: nothing is held against the teacher"


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
