"""Statistics over runs, against values known by hand and SciPy called directly."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from utils import statistics
from utils.statistics import Estimate


def runs(*values: float, arm: float = math.nan) -> list[Estimate]:
    """Means of runs, each with an interval of this length to either side."""
    return [Estimate(value, value - arm, value + arm) for value in values]


def test_the_interval_over_runs_is_students_t() -> None:
    sample = [0.2, 0.5, 0.6, 0.7, 0.9]
    low, high = stats.ttest_1samp(sample, 0).confidence_interval(0.95)
    found = statistics.mean_of_runs(runs(*sample))
    assert found == pytest.approx((0.58, low, high))


def test_runs_that_are_equal_have_the_interval_of_their_rooms() -> None:
    one = statistics.share_of(500, 500)
    found = statistics.mean_of_runs([one, one, one])
    assert found == pytest.approx(one)
    assert found.low < 1


def test_the_errors_of_seeds_and_of_rooms_add_in_quadrature() -> None:
    low, high = stats.ttest_1samp([10, 14, 12], 0).confidence_interval(0.95)
    found = statistics.mean_of_runs(runs(10, 14, 12, arm=3))
    assert (found.below, found.above) == pytest.approx((math.hypot(12 - low, 3),) * 2)
    assert found.above > high - 12


@given(st.lists(st.integers(0, 40), min_size=2, max_size=6))
def test_an_interval_of_success_stays_between_0_and_1(counts: list[int]) -> None:
    shares = [statistics.share_of(count, 40) for count in counts]
    found = statistics.mean_of_runs(shares, statistics.SHARE)
    assert 0 <= found.low <= found.value <= found.high <= 1
    assert found.low < found.high


def test_a_difference_of_pairs() -> None:
    ones, others = runs(12, 25, 31), runs(10, 20, 30)
    low, high = stats.ttest_rel([12, 25, 31], [10, 20, 30]).confidence_interval(0.95)
    found = statistics.difference(ones, others, paired=True)
    assert found == pytest.approx((8 / 3, low, high))
    # Of independent runs both intervals count.
    alone = statistics.difference(ones, others, paired=False)
    assert alone.value == pytest.approx(8 / 3)
    one, other = statistics.mean_of_runs(ones), statistics.mean_of_runs(others)
    assert alone.below == pytest.approx(math.hypot(one.below, other.above))


def test_pairs_that_are_equal_differ_by_the_rooms_alone() -> None:
    one, other = statistics.share_of(500, 500), statistics.share_of(400, 500)
    found = statistics.difference([one] * 3, [other] * 3, paired=True)
    assert found == pytest.approx(statistics.apart(one, other))


def test_a_difference_of_shares_stays_between_minus_1_and_1() -> None:
    arms = runs(1, 1, 1), runs(0, 0, 1)
    found = statistics.difference(*arms, paired=True, bounds=statistics.SHARE)
    assert found.value == pytest.approx(2 / 3)
    assert (found.low, found.high) == (pytest.approx(2 / 3 - 4.303 / 3, abs=1e-3), 1)


def test_a_difference_from_two_intervals() -> None:
    # An example of Newcombe's, 1998, method 10: 56 of 70 and 48 of 80.
    one, other = (statistics.share_of(*counts) for counts in ((56, 70), (48, 80)))
    assert statistics.apart(one, other) == pytest.approx((0.2, 0.0524, 0.3339), abs=5e-5)
    assert math.isnan(statistics.apart(one, Estimate(0.5)).low)


def test_the_mean_of_independent_estimates() -> None:
    found = statistics.average([Estimate(1, -2, 2), Estimate(3, -1, 3)])
    assert found == pytest.approx((2, 2 - 5 / 2, 2 + 1 / 2))
    assert math.isnan(statistics.average([Estimate(1, 0, 2), Estimate(3)]).low)


def test_repeats_in_the_same_rooms_are_no_further_episodes() -> None:
    once = statistics.share_of(40, 50)
    assert statistics.share_of_repeats([40] * 5, [50] * 5) == once
    assert statistics.share_of_repeats([38, 42], [50, 50]) == once
    assert statistics.share_of(200, 250).below < once.below / 2


def test_the_points_of_a_curve_are_estimated_from_the_same_runs() -> None:
    curve = np.array([[0.0, 1.0, 5.0], [2.0, 2.0, 2.0], [10.0, 11.0, 15.0]])
    middle, low, high = statistics.means(curve)
    assert middle.tolist() == [2, 2, 12]
    assert (low[1], high[1]) == (2, 2)
    for point, *found in zip(curve, middle, low, high, strict=True):
        assert found == pytest.approx(statistics.mean(point))


def test_a_single_run_has_no_interval() -> None:
    for found in (
        statistics.mean([7]),
        statistics.mean_of_runs(runs(7, arm=1)),
        statistics.difference(runs(1, arm=1), runs(2, arm=1), paired=True),
        statistics.difference(runs(1, 2), runs(1), paired=False),
    ):
        assert math.isfinite(found.value)
        assert math.isnan(found.low)
        assert math.isnan(found.high)


def test_only_the_given_bounds_cut_an_interval() -> None:
    average, low, high = statistics.mean([0, 0, 9], statistics.COUNT)
    assert (average, low) == (3, 0)
    assert high > 9
    # Returns of homes may lie between 0 and 1 by chance.
    returns = [0.823, 0.203, 0.159]
    low, high = stats.ttest_1samp(returns, 0).confidence_interval(0.95)
    assert low < 0
    assert high > 1
    assert statistics.mean(returns)[1:] == pytest.approx((low, high))
    assert statistics.mean_of_runs(runs(*returns))[1:] == pytest.approx((low, high))


def test_runs_without_an_interval_do_not_shorten_that_of_the_rooms() -> None:
    all_known = statistics.mean_of_runs(runs(0.9, 0.9, 0.9, arm=0.05))
    one_known = statistics.mean_of_runs([*runs(0.9, arm=0.05), *runs(0.9, 0.9)])
    assert one_known == pytest.approx(all_known)
