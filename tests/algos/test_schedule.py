import pytest
from hypothesis import given
from hypothesis import strategies as st

from algos.schedule import AdaptiveSchedule, LinearSchedule, MatchedSchedule, Schedule
from tests.recordings import recording


def test_the_papers_schedule() -> None:
    k = LinearSchedule(start=10, step=0.005, floor=0.1, until=3000)
    assert k.weight(0) == 10
    assert k.weight(1) == pytest.approx(float(recording("ppo_mlp")["ks_coef_after"]))
    assert k.weight(1980) == pytest.approx(0.1)
    assert k.weight(2999) == 0.1
    assert k.weight(3000) == 0


def test_a_start_below_the_floor_is_not_raised() -> None:
    for start in (0.0, 0.05):
        assert LinearSchedule(start, 0.005, floor=0.1, until=10).weight(0) == start
        assert AdaptiveSchedule(start, floor=0.1, until=10).weight(0) == start


def test_an_adaptive_weight_follows_success_both_ways() -> None:
    k = AdaptiveSchedule(start=10, floor=0.1, until=100)
    assert k.weight(0) == 10
    for _ in range(60):
        k.observe(1.0)
    assert k.weight(1) == 0.1
    again = AdaptiveSchedule(10, 0.1, 100)
    again.restore(k.state())
    for _ in range(60):
        again.observe(0.0)
    assert again.weight(2) > 9.9
    assert again.weight(100) == 0


@given(
    teacher=st.floats(0.01, 1),
    successes=st.lists(st.floats(0, 1), max_size=60),
)
def test_a_matched_weight_falls_with_what_the_student_lacks(
    teacher: float, successes: list[float]
) -> None:
    k = MatchedSchedule(start=3, until=1000)
    k.set_teacher_success(teacher)
    smoothed, least = 0.0, 3.0
    for iteration, success in enumerate([0.0, *successes]):
        k.observe(success)
        smoothed = 0.9 * smoothed + 0.1 * success
        least = min(least, max(3 * (1 - smoothed / teacher), 0))
        assert k.weight(iteration) == pytest.approx(least, abs=1e-9)
        assert k.weight(1000) == 0
    again = MatchedSchedule(3, 1000)
    again.restore(k.state())
    assert again == k


@given(
    schedule=st.sampled_from(
        [
            LinearSchedule(1.0, 0.3, floor=0.0, until=6),
            LinearSchedule(0.0, 0.3, floor=0.1, until=6),
            AdaptiveSchedule(2.0, floor=0.0, until=6, success=1.0),
            MatchedSchedule(3.0, until=6, teacher=0.5, success=0.6, lacking=0.0),
            MatchedSchedule(3.0, until=6, teacher=0.5, success=0.2, lacking=0.6),
            MatchedSchedule(3.0, until=6, teacher=0.0, lacking=0.0),
        ]
    ),
    iteration=st.integers(0, 8),
)
def test_why_there_is_no_advice_is_said_where_there_was_some(
    schedule: Schedule, iteration: int
) -> None:
    reason = schedule.why_none(iteration)
    assert bool(reason) == (schedule.start > 0 and schedule.weight(iteration) == 0)
    assert ("--kl_until" in reason) == (schedule.start > 0 and iteration >= 6)


def test_a_matched_teacher_that_has_nothing_to_teach_is_not_heard() -> None:
    k = MatchedSchedule(start=3, until=100)
    k.set_teacher_success(0.0)
    assert k.weight(0) == 0


def test_a_matched_teacher_is_gone_for_good() -> None:
    k = MatchedSchedule(start=3, until=100)
    k.set_teacher_success(0.5)
    for _ in range(30):
        k.observe(0.6)
    for _ in range(30):
        k.observe(0.0)
    assert k.weight(60) == 0


@pytest.mark.parametrize("kind", [AdaptiveSchedule, MatchedSchedule])
@given(successes=st.lists(st.floats(0, 1), max_size=9), weight=st.floats(0, 1))
def test_few_episodes_count_as_much_less(
    kind: type[Schedule], successes: list[float], weight: float
) -> None:
    arguments = {"start": 3.0, "until": 1000} | ({"floor": 0.1} if kind is AdaptiveSchedule else {})
    whole, part = kind(**arguments), kind(**arguments)
    for success in successes:
        whole.observe(success)
        part.observe(success)
    before = whole.state()["success"]
    whole.observe(1.0)
    part.observe(1.0, weight)
    moved = part.state()["success"] - before
    assert moved == pytest.approx(weight * (whole.state()["success"] - before), abs=1e-9)
