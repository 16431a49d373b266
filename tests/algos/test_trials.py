"""What trials of the teacher alone decide."""

from dataclasses import dataclass, field

import pytest
from hypothesis import given
from hypothesis import strategies as st

from algos.evaluation import Evaluation, Trial
from algos.protocols import Observer
from algos.trials import try_out
from tests.point import PointTeacher

EPISODES = 100


class Doubted(PointTeacher):
    """Notes how it is doubted; its answers change once it is stuck."""

    stuck, narrowed = 0.0, False

    def doubt(self, stuck: float, narrowed: bool) -> bool:
        changed, self.stuck, self.narrowed = stuck != self.stuck, stuck, narrowed
        return changed


@dataclass
class Trials:
    """Knows how many of 100 episodes succeed with the teacher's own sight, with its student's, and
    once its answers are mixed. Others are stuck until the step limit."""

    teacher: Doubted
    own: int
    students: int
    mixed: int = 0
    trials: int = EPISODES
    sights: list[bool] = field(default_factory=list)
    incomplete: bool = False

    def try_teacher(self) -> Trial:
        narrowed = self.teacher.narrowed
        self.sights.append(narrowed)
        wins = self.mixed if self.teacher.stuck else self.students if narrowed else self.own
        success = [episode < wins for episode in range(EPISODES)]
        stuck = [not won for won in success]
        outcome = Evaluation([*range(EPISODES)], success, stuck, [0.0] * EPISODES, [1] * EPISODES)
        if self.incomplete:
            return Trial(outcome, success=1.0, stuck=0.0, incomplete=True)
        return Trial(outcome, outcome.summary()["success"].low, outcome.stuck)

    def expected_steps(self, length: float) -> float:
        return length

    def evaluate_student(self, iteration: int) -> tuple[Evaluation, Evaluation]:
        raise AssertionError("a trial evaluates no student")


class Told(Observer):
    def __init__(self) -> None:
        self.lines = list[str]()

    def news(self, line: str) -> None:
        self.lines.append(line)


@given(own=st.integers(0, EPISODES), students=st.integers(0, EPISODES))
def test_a_teacher_keeps_its_own_sight_only_if_it_surely_succeeds_more_often(
    own: int, students: int
) -> None:
    teacher = Doubted()
    trials = Trials(teacher, own, students, mixed=50)
    decision = try_out(teacher, trials, compares_sight=True)
    assert teacher.narrowed == decision.narrowed
    assert trials.sights[:2] == [False, True]
    if own <= students:
        assert decision.narrowed
    if own - students > 20:
        assert not decision.narrowed
    taken = students if decision.narrowed else own
    assert sum(decision.outcome.success) == taken
    assert decision.stuck == teacher.stuck == pytest.approx(1 - taken / EPISODES)
    # Once answers are mixed, they are what the student is compared with.
    surely = 50 if decision.stuck else taken
    assert surely / EPISODES - 0.11 < decision.success < surely / EPISODES


@given(own=st.integers(0, EPISODES))
def test_sights_are_compared_only_if_asked(own: int) -> None:
    teacher = Doubted()
    trials = Trials(teacher, own, EPISODES)
    assert not try_out(teacher, trials, compares_sight=False).narrowed
    assert not any(trials.sights)


def test_nothing_is_held_against_a_teacher_without_all_answers() -> None:
    teacher, told = Doubted(), Told()
    trials = Trials(teacher, own=0, students=EPISODES, incomplete=True)
    decision = try_out(teacher, trials, compares_sight=True, observers=[told])
    assert (decision.success, decision.stuck, decision.narrowed) == (1, 0, False)
    assert told.lines[1:] == ["answers were missing: nothing is held against the teacher"]
