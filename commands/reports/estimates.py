"""The numbers of a report: what a group reached and when, how groups compare, learning curves."""

import math
from collections.abc import Iterator, Sequence
from functools import cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from algos.selection import WINDOW
from commands.reports.run_groups import RunGroup
from utils import statistics
from utils.statistics import Estimate, Values

THRESHOLDS = (0.8, 0.95)
OUTCOMES = ("success", "return")
EARLY = f"steps to {THRESHOLDS[-1]}"
MEASURES = (*OUTCOMES, EARLY)
"""By which groups are compared."""
UNKNOWN = Estimate(math.nan)
POINTS = 101
"""Points of a curve."""


class Number(NamedTuple):
    """A number of a table. `kind` is its unit. `over` says what its interval is over: seeds, or the
    episodes of a single run. `is_bound` marks an upper bound: a run in it may have been earlier."""

    estimate: Estimate
    kind: str
    over: str = "seeds"
    is_bound: bool = False

    @property
    def has_interval(self) -> bool:
        return not math.isnan(self.estimate.low)

    def text(self) -> str:
        value, low, high = (formatted(part, self.kind) for part in self.estimate)
        if self.is_bound:
            value = f"≤ {value}"
        if not self.has_interval:
            return value
        return f"{value} [{low}, {high}]" + ("†" if self.over == "episodes" else "")


def formatted(value: float, kind: str) -> str:
    if not math.isfinite(value):
        return "–"
    if kind == "steps":
        return f"{value / 1e6:.2f} M" if value >= 1e6 else f"{value / 1e3:.1f} k"
    if kind == "count":
        return f"{value:,.0f}"
    if kind == "money":
        return f"{value:.4f}"
    if kind == "seconds":
        return f"{value:,.0f} s"
    if kind == "step difference":
        return f"{value / 1e3:+.1f} k"
    # No minus before a 0.
    value = round(value, 3) + 0.0
    return f"{value:+.3f}" if kind == "difference" else f"{value:.3f}"


class Curve(NamedTuple):
    """A group's measure over steps or seconds, all (points,): the mean, the ends of its interval,
    and the number of runs in it."""

    x: Values
    value: Values
    low: Values
    high: Values
    runs: Values


def over_seeds(*strata: Values) -> Estimate:
    """The interquartile mean of runs, (runs,) for each task; unknown unless all are finite."""
    if not all(np.isfinite(values).all() for values in strata):
        return UNKNOWN
    return Estimate(*map(float, statistics.interquartile_mean(*strata)))


def final(measure: str, *groups: RunGroup) -> Number:
    """What the last models reach; a single run has the interval of its episodes."""
    runs = [run for group in groups for run in group.runs]
    if len(runs) == 1:
        return Number(runs[0].final.of(measure), measure, "episodes")
    return Number(over_seeds(*(group.final(measure) for group in groups)), measure)


def early(group: RunGroup, threshold: float, kind: str) -> Number:
    """Steps or seconds to a success; unknown if a run never reached it."""
    reached = group.reached(threshold)
    found = over_seeds(np.array([getattr(each, kind) for each in reached]))
    is_bound = found is not UNKNOWN and any(each.at_once for each in reached)
    return Number(found, kind, is_bound=is_bound)


def measured(group: RunGroup, measure: str) -> Number:
    return early(group, THRESHOLDS[-1], "steps") if measure == EARLY else final(measure, group)


def within(group: RunGroup, measure: str, steps: float) -> Number:
    """The last five evaluations within a number of steps; unknown if a run has none by then."""
    values = []
    for run in group.runs:
        there = run.evaluations[measure][run.evaluations["steps"] <= steps]
        values.append(there[-WINDOW:].mean() if len(there) else math.nan)
    return Number(over_seeds(np.array(values)), measure)


def improvement(measure: str, ones: Sequence[RunGroup], others: Sequence[RunGroup]) -> Number:
    """The probability that a run of the one is better than a run of the other: the mean over tasks,
    each with a group of both."""
    pairs = [
        earliness(*pair) if measure == EARLY else tuple(group.final(measure) for group in pair)
        for pair in zip(ones, others, strict=True)
    ]
    return Number(statistics.improvement(*zip(*pairs, strict=True)), "probability")


def earliness(*pair: RunGroup) -> tuple[Values, ...]:
    """How early the runs of two groups reached the success, each (runs,). Some steps are upper
    bounds: all runs that were as early as the latest bound count as equal."""
    both = [group.reached(THRESHOLDS[-1]) for group in pair]
    latest = max((run.steps for reached in both for run in reached if run.at_once), default=0.0)
    return tuple(-np.array([max(run.steps, latest) for run in reached]) for reached in both)


def difference(one: RunGroup, other: RunGroup, measure: str) -> Number:
    """One group's number minus the other's; unknown if a number is unknown or an upper bound."""
    if measure != EARLY:
        pair = [group.final(measure) for group in (one, other)]
        return Number(statistics.difference(*pair), "difference")
    both = [group.reached(THRESHOLDS[-1]) for group in (one, other)]
    steps = [np.array([run.steps for run in reached]) for reached in both]
    known = np.isfinite(np.concatenate(steps)).all()
    known &= not any(run.at_once for reached in both for run in reached)
    return Number(statistics.difference(*steps) if known else UNKNOWN, "step difference")


@cache
def curve(group: RunGroup, axis: str, measure: str) -> Curve | None:
    """A group's measure over steps or seconds, up to the end of the longest run; None without any
    evaluation while training. Finished runs are extended at their final value; unfinished runs
    count as far as they are."""
    lines = [
        (run.evaluations[axis], run.evaluations[measure], run.finished)
        for run in group.runs
        if len(run.evaluations[axis])
    ]
    if not lines:
        return None
    grid = np.linspace(max(x[0] for x, *_ in lines), max(x[-1] for x, *_ in lines), POINTS)
    values = np.array(
        [np.interp(grid, x, y, right=None if finished else math.nan) for x, y, finished in lines]
    ).T
    runs = np.isfinite(values).sum(1)
    columns = np.full((3, POINTS), math.nan)
    for points, present in segments(np.isfinite(values)):
        columns[:, points] = statistics.interquartile_mean(values[np.ix_(points, present)])
    return Curve(*(column[runs > 0] for column in (grid, *columns, runs)))


def segments(known: NDArray[np.bool_]) -> Iterator[tuple[NDArray[np.intp], NDArray[np.intp]]]:
    """Points with the same runs, and these runs; `known` is (points, runs)."""
    patterns, which = np.unique(known, axis=0, return_inverse=True)
    for number, pattern in enumerate(patterns):
        if pattern.any():
            yield np.flatnonzero(which == number), np.flatnonzero(pattern)
