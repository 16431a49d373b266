"""Means, shares and differences with 95% intervals.

Errors from independent sources add in quadrature, separately below and above a value. So an
interval may be longer on one side (MOVER: Zou and Donner, 2008; for two shares it is Newcombe's).
"""

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import stats

LEVEL = 0.95
Values = NDArray[np.float64]
Bounds = tuple[float, float]
"""The least and the largest value that a number can have."""
SHARE: Bounds = (0.0, 1.0)
COUNT: Bounds = (0.0, math.inf)
ANY: Bounds = (-math.inf, math.inf)


class Estimate(NamedTuple):
    """A number with its 95% interval, whose ends are NaN if there is none."""

    value: float
    low: float = math.nan
    high: float = math.nan

    @property
    def below(self) -> float:
        """The length of the interval below the value."""
        return self.value - self.low

    @property
    def above(self) -> float:
        """The length of the interval above the value."""
        return self.high - self.value


def share_of(count: int, total: int) -> Estimate:
    """The share of `count` successes in `total` independent episodes with Wilson's interval."""
    interval = stats.binomtest(count, total).proportion_ci(LEVEL, method="wilson")
    return Estimate(count / total, float(interval.low), float(interval.high))


def share_of_repeats(counts: Sequence[float], totals: Sequence[int]) -> Estimate:
    """The share of successes in several evaluations of the same environments together.

    Repeats in the same environments are not independent. So the interval is as long as that of one
    evaluation: five evaluations of 50 rooms say no more about other rooms than 50 episodes do.
    """
    share, once = sum(counts) / sum(totals), round(float(np.mean(totals)))
    single = share_of(round(share * once), once)
    return Estimate(share, min(single.low, share), max(single.high, share))


def mean(values: Sequence[float] | Values, bounds: Bounds = ANY) -> Estimate:
    """The mean of independent values with Student's t interval, cut to the bounds of the values.

    The interval is NaN for a single value.
    """
    return Estimate(*map(float, means(np.asarray(values, float), bounds)))


def means(values: Values, bounds: Bounds = ANY) -> tuple[Values, Values, Values]:
    """The mean along the last axis, and the ends of its interval, as `mean` has them."""
    average, error = values.mean(-1), _error(values)
    return average, np.clip(average - error, *bounds), np.clip(average + error, *bounds)


def mean_of_runs(runs: Sequence[Estimate], bounds: Bounds = ANY) -> Estimate:
    """The mean over runs that differ in their seed, from each run's mean over its episodes.

    Two errors add. Student's t covers the choice of seeds. The runs' own intervals cover the choice
    of evaluation rooms; runs share these rooms, so more runs do not shorten it. Where all runs
    succeed in all rooms, t has no length, and the rooms alone say how far below 1 the mean may be.

    Coverage by simulation (tests/utils/test_coverage.py) for 3, 5 and 10 runs of 1,000 episodes:
    success near 1 at least 0.99 each; skewed 0.88, 0.89, 0.92; one run in three fails 0.67, 0.86,
    0.88; one in ten fails 0.26, 0.44, 0.64. So three runs cannot show that one run in three fails,
    nor ten that one in ten does.
    """
    values = np.array([run.value for run in runs])
    over_seeds, (below, above) = mean(values), _arms(runs)
    low = over_seeds.value - math.hypot(over_seeds.below, below)
    high = over_seeds.value + math.hypot(over_seeds.above, above)
    return _cut(over_seeds.value, low, high, bounds)


def difference(
    ones: Sequence[Estimate], others: Sequence[Estimate], paired: bool, bounds: Bounds = ANY
) -> Estimate:
    """The mean over runs of one method minus that of another.

    Runs with the same seeds in the same order are `paired`: Student's t over the pairs, and the
    error of the rooms. Runs with other seeds are independent: both means' intervals are combined.
    The bounds are those of a run.
    """
    if not paired:
        return apart(mean_of_runs(ones, bounds), mean_of_runs(others, bounds))
    values, rivals = (np.array([run.value for run in runs]) for runs in (ones, others))
    gain, error = float((values - rivals).mean()), float(_error(values - rivals))
    (below, above), (rivals_below, rivals_above) = _arms(ones), _arms(others)
    low = gain - math.hypot(error, below, rivals_above)
    high = gain + math.hypot(error, above, rivals_below)
    widest = bounds[1] - bounds[0]
    return _cut(gain, low, high, (-widest, widest))


def apart(one: Estimate, other: Estimate) -> Estimate:
    """The difference of two independent estimates; no interval if one of them has none."""
    value = one.value - other.value
    below, above = math.hypot(one.below, other.above), math.hypot(one.above, other.below)
    return Estimate(value, value - below, value + above)


def average(estimates: Sequence[Estimate]) -> Estimate:
    """The mean of independent estimates; no interval if one of them has none."""
    value = float(np.mean([each.value for each in estimates]))
    below = math.hypot(*(each.below for each in estimates)) / len(estimates)
    above = math.hypot(*(each.above for each in estimates)) / len(estimates)
    return Estimate(value, value - below, value + above)


def _error(values: Values) -> Values:
    """Half the length of Student's t interval of the mean, along the last axis."""
    count = values.shape[-1]
    if count < 2:
        return np.full(values.shape[:-1], math.nan)
    spread = values.std(-1, ddof=1) / math.sqrt(count)
    return np.asarray(spread * stats.t.ppf((1 + LEVEL) / 2, count - 1))


def _arms(runs: Sequence[Estimate]) -> tuple[float, float]:
    """The mean lengths, below and above their values, of the intervals that runs have; 0 if none
    has any."""
    known = [(run.below, run.above) for run in runs if not math.isnan(run.low)]
    below, above = np.mean(known or [(0.0, 0.0)], axis=0)
    return float(below), float(above)


def _cut(value: float, low: float, high: float, bounds: Bounds) -> Estimate:
    """An estimate whose interval is cut to bounds."""
    return Estimate(value, *map(float, np.clip([low, high], *bounds)))
