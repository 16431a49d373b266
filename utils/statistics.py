"""Means, shares and differences with 95% intervals."""

import math
from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import stats

LEVEL = 0.95
RESAMPLES = 2000
BATCH = 2**22
"""The most numbers that the bootstrap draws at a time, which bounds its memory."""
Interval = tuple[float, float]
Values = NDArray[np.float64]


def share_of(count: int, total: int) -> tuple[float, Interval]:
    """The share of `count` successes in `total` episodes with Wilson's interval."""
    interval = stats.binomtest(count, total).proportion_ci(LEVEL, method="wilson")
    return count / total, (float(interval.low), float(interval.high))


def mean(values: Sequence[float]) -> tuple[float, Interval]:
    """The mean with Student's t interval, which is NaN for a single value.

    Lengths and counts are never negative. So where no value is below 0, the interval ends at 0.
    Returns of rooms lie between 0 and 1. So where all values do, the interval ends at 1.
    """
    average, error = float(np.mean(values)), math.nan
    if len(values) > 1:
        error = float(stats.sem(values) * stats.t.ppf((1 + LEVEL) / 2, len(values) - 1))
    low, high = average - error, average + error
    if low < 0 <= min(values):
        low = 0.0
    if min(values) >= 0 and max(values) <= 1 < high:
        high = 1.0
    return average, (low, high)


class Estimate(NamedTuple):
    """A number with its 95% interval, whose ends are NaN if there is none."""

    value: float
    low: float = math.nan
    high: float = math.nan


def interquartile_mean(*strata: Values) -> tuple[Values, Values, Values]:
    """The mean of the middle half of all values together, and the ends of its 95% interval.

    Each stratum is (..., values), and each index before the last axis has its own estimate. With
    fewer than four values the estimate is the plain mean. The interval comes from a percentile
    bootstrap that resamples each stratum separately. All estimates use the same resamples. The
    interval is NaN if a stratum has a single value.
    """

    def middle(*parts: Values, axis: int = -1) -> Values:
        return _middle(np.concatenate(parts, axis=axis))

    return (middle(*strata), *_bootstrap(strata, middle))


def difference(one: Values, other: Values) -> Estimate:
    """The interquartile mean of one sample, (values,), minus that of another, bootstrapped."""

    def between(one: Values, other: Values, axis: int = -1) -> Values:
        return np.asarray(_middle(one) - _middle(other))

    return _estimate((one, other), between)


def apart(one: Estimate, other: Estimate) -> Estimate:
    """The difference of two independent estimates. Its interval is Newcombe's, from both intervals,
    and NaN if one of them is missing."""
    value = one.value - other.value
    below = math.hypot(one.value - one.low, other.high - other.value)
    above = math.hypot(one.high - one.value, other.value - other.low)
    return Estimate(value, value - below, value + above)


def improvement(ones: Sequence[Values], others: Sequence[Values]) -> Estimate:
    """The probability that a value of one sample is above a value of the other. Ties count half.

    Both have the same strata; the result is the mean over these, bootstrapped.
    """

    def above(*parts: Values, axis: int = -1) -> Values:
        pairs = zip(parts[: len(ones)], parts[len(ones) :], strict=True)
        return np.asarray(np.mean([_share_above(*pair, axis) for pair in pairs], axis=0))

    return _estimate((*ones, *others), above)


def _middle(values: Values) -> Values:
    """The mean of the middle half, along the last axis."""
    cut = values.shape[-1] // 4
    # With a thousand values this takes a quarter of the time of scipy's trim_mean.
    return np.asarray(np.sort(values)[..., cut : values.shape[-1] - cut].mean(-1))


def _share_above(one: Values, other: Values, axis: int) -> Values:
    wins = stats.mannwhitneyu(one, other, axis=axis, method="asymptotic").statistic
    return np.asarray(wins / (one.shape[axis] * other.shape[axis]))


def _estimate(samples: Sequence[Values], statistic: Callable[..., Values]) -> Estimate:
    ends = _bootstrap(samples, statistic)
    return Estimate(float(statistic(*samples)), *map(float, ends))


def _bootstrap(
    samples: Sequence[Values], statistic: Callable[..., Values]
) -> tuple[Values, Values]:
    """The ends of a statistic's interval. The same samples always give the same ends."""
    if min(sample.shape[-1] for sample in samples) < 2:
        nothing = np.full(samples[0].shape[:-1], math.nan)
        return nothing, nothing
    found = stats.bootstrap(
        samples,
        statistic,
        n_resamples=RESAMPLES,
        batch=max(1, min(RESAMPLES, BATCH // sum(sample.size for sample in samples))),
        confidence_level=LEVEL,
        method="percentile",
        axis=-1,
        vectorized=True,
        rng=np.random.default_rng(0),
    ).confidence_interval
    return np.asarray(found.low), np.asarray(found.high)
