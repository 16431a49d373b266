"""95% intervals for what an evaluation measures."""

import math
from collections.abc import Sequence

import numpy as np
from scipy import stats

LEVEL = 0.95
Interval = tuple[float, float]


def share(successes: Sequence[bool]) -> tuple[float, Interval]:
    """The share of successes with Wilson's interval."""
    return share_of(int(np.sum(successes)), len(successes))


def share_of(count: int, total: int) -> tuple[float, Interval]:
    """The same of so many successes among so many."""
    interval = stats.binomtest(count, total).proportion_ci(LEVEL, method="wilson")
    return count / total, (float(interval.low), float(interval.high))


def mean(values: Sequence[float]) -> tuple[float, Interval]:
    """The mean with Student's t interval, which is NaN for a single value."""
    average, error = float(np.mean(values)), math.nan
    if len(values) > 1:
        error = float(stats.sem(values) * stats.t.ppf((1 + LEVEL) / 2, len(values) - 1))
    return average, (average - error, average + error)
