"""Statistics over runs, against values known by hand and SciPy called directly."""

import math
import tracemalloc

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from utils import statistics
from utils.statistics import Estimate, Values


def values(*numbers: float) -> Values:
    return np.array(numbers, dtype=float)


@pytest.mark.parametrize(
    ("numbers", "middle"),
    [
        ((1, 2, 3, 4, 5, 6, 7, 800), 4.5),
        ((0, 1, 3, 100), 2),
        # Of three a quarter is less than one.
        ((0, 0, 3), 1),
    ],
)
def test_an_interquartile_mean_leaves_out_a_quarter_at_either_end(
    numbers: tuple[float, ...], middle: float
) -> None:
    assert float(statistics.interquartile_mean(values(*numbers))[0]) == middle


def test_intervals_that_are_known_exactly() -> None:
    # Resamples of 0 and 1 have the mean 0 in a quarter of all cases, and 1 in a quarter.
    assert list(map(float, statistics.interquartile_mean(values(0, 1)))) == [0.5, 0, 1]
    assert list(map(float, statistics.interquartile_mean(values(2, 2, 2)))) == [2, 2, 2]


def test_each_stratum_is_drawn_from_by_itself() -> None:
    # Drawn from together, these would have an interval of some width.
    found = statistics.interquartile_mean(values(1, 1), values(3, 3))
    assert list(map(float, found)) == [2, 2, 2]


def test_a_difference_of_means() -> None:
    assert statistics.difference(values(3, 3), values(1, 1, 1)) == (2, 2, 2)
    # Of 0 and 1 the mean of a resample is 0 in a quarter of all cases, and 1 in a quarter.
    assert statistics.difference(values(0, 1), values(5, 5)) == (-4.5, -5, -4)


def test_a_difference_from_two_intervals() -> None:
    # An example of Newcombe's, 1998, method 10: 56 of 70 and 48 of 80.
    both = [statistics.share_of(*counts) for counts in ((56, 70), (48, 80))]
    one, other = (Estimate(value, *interval) for value, interval in both)
    assert statistics.apart(one, other) == pytest.approx((0.2, 0.0524, 0.3339), abs=5e-5)
    assert math.isnan(statistics.apart(one, Estimate(0.5)).low)


def test_the_interval_is_the_library_s() -> None:
    sample = values(0.2, 0.5, 0.6, 0.7, 0.9)
    ends = stats.bootstrap(
        (sample,),
        lambda x, axis: stats.trim_mean(x, 0.25, axis=axis),
        n_resamples=statistics.RESAMPLES,
        method="percentile",
        rng=np.random.default_rng(0),
    ).confidence_interval
    middle, low, high = map(float, statistics.interquartile_mean(sample))
    assert (low, high) == (ends.low, ends.high)
    assert middle == pytest.approx(0.6)
    assert 0.2 <= low < middle < high <= 0.9


def test_the_points_of_a_curve_are_estimated_from_the_same_runs() -> None:
    curve = np.array([[0.0, 1.0, 5.0], [2.0, 2.0, 2.0], [10.0, 11.0, 15.0]])
    middle, low, high = statistics.interquartile_mean(curve)
    assert middle.tolist() == [2, 2, 12]
    assert (low[1], high[1]) == (2, 2)
    assert (low[2] - low[0], high[2] - high[0]) == (10, 10)


def test_a_single_value_has_no_interval() -> None:
    middle, low, high = map(float, statistics.interquartile_mean(values(7)))
    assert middle == 7
    assert math.isnan(low)
    assert math.isnan(high)
    assert math.isnan(statistics.difference(values(1), values(1, 2)).low)
    assert math.isnan(statistics.improvement([values(1, 2)], [values(1)]).high)


def test_the_probability_of_improvement_counts_pairs() -> None:
    def above(one: Values, other: Values) -> float:
        return statistics.improvement([one], [other]).value

    # Of four pairs 3 > 1, 5 > 1 and 5 > 4.
    assert above(values(3, 5), values(1, 4)) == 0.75
    assert above(values(1, 4), values(3, 5)) == 0.25
    assert above(values(1, 1), values(1, 0)) == 0.75
    never = -math.inf
    assert above(values(-10, never), values(never, never)) == 0.75
    sure = statistics.improvement([values(3, 4)], [values(1, 2)])
    assert sure == (1, 1, 1)


def test_the_probability_of_improvement_over_tasks_is_their_mean() -> None:
    ones, others = [values(3, 4), values(0, 0, 0)], [values(1, 2), values(1, 2)]
    assert statistics.improvement(ones, others) == (0.5, 0.5, 0.5)


def test_an_interval_of_lengths_ends_at_0() -> None:
    average, (low, high) = statistics.mean([0, 0, 9])
    assert (average, low) == (3, 0)
    assert high > 9
    # Values that can be negative keep the interval's own end.
    assert statistics.mean([-1, 0, 9])[1][0] < -1


@given(st.lists(st.floats(0, 1), min_size=2, max_size=6))
def test_an_interval_of_returns_of_rooms_stays_between_0_and_1(returns: list[float]) -> None:
    average, (low, high) = statistics.mean(returns)
    assert 0 <= low <= average + 1e-9
    assert average - 1e-9 <= high <= 1
    # A home's return can be above 1: its interval is not cut.
    assert statistics.mean([0, 0.9, 1.2])[1][1] > 1.2


def test_batches_of_the_bootstrap_change_no_interval(monkeypatch: pytest.MonkeyPatch) -> None:
    sample = np.random.default_rng(0).random((3, 50))
    whole = statistics.interquartile_mean(sample)
    monkeypatch.setattr(statistics, "BATCH", 7 * sample.size)
    for batched, at_once in zip(statistics.interquartile_mean(sample), whole, strict=True):
        assert np.array_equal(batched, at_once)


def test_the_bootstrap_s_memory_does_not_grow_with_the_sample() -> None:
    # All resamples at once would be 1.6 GB.
    tracemalloc.start()
    statistics.interquartile_mean(np.random.default_rng(0).random(100_000))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 4e8
