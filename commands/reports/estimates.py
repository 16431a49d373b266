"""The numbers of a report: what a group reached and when, how groups compare, learning curves."""

import math
from collections.abc import Iterator, Sequence
from functools import cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from commands.reports.records import CLEAN, LIKELIEST, Run, bounds_of
from commands.reports.run_groups import RunGroup
from utils import statistics
from utils.statistics import COUNT, Estimate, Values, average, mean, mean_of_runs

THRESHOLDS = (0.8, 0.95)
OUTCOMES = ("success", "return")
EARLY = f"steps to {THRESHOLDS[-1]}"
MEASURES = (*OUTCOMES, EARLY)
"""By which groups are compared."""
ENOUGH = 10
"""Runs of each side from which on a difference can be called none. Fewer miss a method that fails
now and then: three runs of one that fails in a tenth of its runs all succeed in 73%."""
NO_DIFFERENCE, NOT_TOLD_APART = "no difference", "not told apart"
UNKNOWN = Estimate(math.nan)
POINTS = 101
"""Points of a curve."""


class Number(NamedTuple):
    """A number of a table. `kind` is its unit. `over` says what its interval is over: seeds, or the
    episodes of a single run. `is_bound` marks an upper bound: a run in it may have been earlier.
    `runs` are the numbers of single runs, or of pairs of runs, which figures show as points.
    `fewest` is the number of runs of a difference's smaller side."""

    estimate: Estimate
    kind: str
    over: str = "seeds"
    is_bound: bool = False
    runs: tuple[float, ...] = ()
    fewest: int = 0

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


def outcomes_of(groups: Sequence[RunGroup]) -> list[str]:
    """Success and return, and further measures that a run of some groups has."""
    further = [
        measure
        for measure in (CLEAN, LIKELIEST)
        if any(math.isfinite(run.of(measure).value) for group in groups for run in group.runs)
    ]
    return [*OUTCOMES, *further]


def final(measure: str, *groups: RunGroup) -> Number:
    """What the last models reach: the mean over runs, and over the groups' tasks. A single run has
    the interval of its episodes."""
    runs = [run.of(measure) for group in groups for run in group.runs]
    if len(runs) == 1:
        return Number(runs[0], measure, "episodes")
    bounds = bounds_of(measure)
    found = average([mean_of_runs(group.final(measure), bounds) for group in groups])
    return Number(found, measure, runs=tuple(run.value for run in runs))


def early(group: RunGroup, threshold: float, kind: str) -> Number:
    """Steps or seconds to a success; unknown if a run never reached it."""
    reached = group.reached(threshold)
    values = [getattr(each, kind) for each in reached]
    if not np.isfinite(values).all():
        return Number(UNKNOWN, kind)
    return Number(mean(values, COUNT), kind, is_bound=any(each.at_once for each in reached))


def measured(group: RunGroup, measure: str) -> Number:
    return early(group, THRESHOLDS[-1], "steps") if measure == EARLY else final(measure, group)


def within(group: RunGroup, measure: str, steps: float) -> Number:
    """The last five evaluations within a number of steps; unknown if a run has none by then."""
    runs = [run.within(measure, steps) for run in group.runs]
    if not all(math.isfinite(run.value) for run in runs):
        return Number(UNKNOWN, measure)
    return Number(
        mean_of_runs(runs, bounds_of(measure)), measure, runs=tuple(run.value for run in runs)
    )


def difference(one: RunGroup, other: RunGroup, measure: str) -> Number:
    """One group's number minus the other's; unknown if a number is unknown or an upper bound."""
    if measure != EARLY:
        return gain([group.final(measure) for group in (one, other)], one, other, measure)
    both = [group.reached(THRESHOLDS[-1]) for group in (one, other)]
    runs = [[Estimate(run.steps) for run in reached] for reached in both]
    known = all(math.isfinite(run.steps) for reached in both for run in reached)
    if not known or any(run.at_once for reached in both for run in reached):
        return Number(UNKNOWN, "step difference")
    return gain(runs, one, other, EARLY)._replace(kind="step difference")


def difference_within(one: RunGroup, other: RunGroup, measure: str, steps: float) -> Number:
    """The same for the last five evaluations within a number of steps."""
    both = [[run.within(measure, steps) for run in group.runs] for group in (one, other)]
    if not all(math.isfinite(run.value) for runs in both for run in runs):
        return Number(UNKNOWN, "difference")
    return gain(both, one, other, measure)


def difference_up_to(one: RunGroup, other: RunGroup, measure: str, steps: float) -> Number:
    """The same for the mean over all steps up to a number of them. Its interval is over seeds
    alone: all runs are evaluated in the same rooms."""
    both = [[mean_up_to(run, measure, steps) for run in group.runs] for group in (one, other)]
    if not all(math.isfinite(run.value) for runs in both for run in runs):
        return Number(UNKNOWN, "difference")
    return gain(both, one, other, measure)


def mean_up_to(run: Run, measure: str, steps: float) -> Estimate:
    """The mean over steps, not over evaluations, which may lie at unequal distances. Between two
    evaluations the measure is a straight line; before the first and after the last it is level. NaN
    without an evaluation."""
    at, values = run.evaluations["steps"], run.evaluations[measure]
    if not len(at):
        return Estimate(math.nan)
    corners = np.concatenate([[0.0], at[at < steps], [steps]])
    area = np.trapezoid(np.interp(corners, at, values), corners)
    return Estimate(float(area / steps))


def equal_steps(one: RunGroup, other: RunGroup) -> float:
    """The steps of the shortest run of two groups."""
    return min(run.steps for group in (one, other) for run in group.runs)


def gain(
    runs: Sequence[Sequence[Estimate]], one: RunGroup, other: RunGroup, measure: str
) -> Number:
    """The difference of the means over two groups' runs. Runs with one seed are pairs: they begin
    with the same weights and draw the same environments."""
    ones, others = runs
    is_paired = one.seeds == other.seeds
    pairs = zip(ones, others, strict=True) if is_paired else ()
    points = tuple(mine.value - theirs.value for mine, theirs in pairs)
    found = statistics.difference(ones, others, is_paired, bounds_of(measure))
    return Number(found, "difference", runs=points, fewest=min(len(ones), len(others)))


def over_tasks(numbers: Sequence[Number]) -> Number:
    """The mean of numbers of different tasks."""
    points = tuple(point for number in numbers for point in number.runs)
    found = average([number.estimate for number in numbers])
    fewest = min(number.fewest for number in numbers)
    return Number(found, numbers[0].kind, runs=points, fewest=fewest)


def told(number: Number, margin: float) -> str:
    """What a difference of success or return shows. "No difference" takes two one-sided tests at
    2.5% each (the whole 95% interval lies within the margin), and `ENOUGH` runs."""
    _, low, high = number.estimate
    if math.isnan(low) or number.kind != "difference":
        return "–"
    if low > 0:
        return "more"
    if high < 0:
        return "less"
    is_small = -margin < low and high < margin and number.fewest >= ENOUGH
    return NO_DIFFERENCE if is_small else NOT_TOLD_APART


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
        columns[:, points] = statistics.means(values[np.ix_(points, present)], bounds_of(measure))
    return Curve(*(column[runs > 0] for column in (grid, *columns, runs)))


def segments(known: NDArray[np.bool_]) -> Iterator[tuple[NDArray[np.intp], NDArray[np.intp]]]:
    """Points with the same runs, and these runs; `known` is (points, runs)."""
    patterns, which = np.unique(known, axis=0, return_inverse=True)
    for number, pattern in enumerate(patterns):
        if pattern.any():
            yield np.flatnonzero(which == number), np.flatnonzero(pattern)
