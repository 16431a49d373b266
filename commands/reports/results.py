"""The numbers of a report: what each arm reached and when, how arms compare, and curves."""

import math
from collections.abc import Iterator, Sequence
from functools import cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from algos.selection import WINDOW
from commands.reports.groups import Arm
from utils import statistics
from utils.statistics import Estimate, Values

THRESHOLDS = (0.8, 0.95)
MEASURES = ("success", "return")
EARLY = f"steps to {THRESHOLDS[-1]}"
POINTS = 101
"""Of a curve."""


class Number(NamedTuple):
    """A number of a table: `kind` says how it is written, `over` of what its interval is: seeds,
    or the episodes of a single run. What is `at_most` that number may be less, since a run of which
    no more is known is part of it."""

    estimate: Estimate
    kind: str
    over: str = "seeds"
    at_most: bool = False

    @property
    def has_interval(self) -> bool:
        return not math.isnan(self.estimate.low)

    def text(self) -> str:
        value, low, high = (written(part, self.kind) for part in self.estimate)
        if self.at_most:
            value = f"≤ {value}"
        if not self.has_interval:
            return value
        return f"{value} [{low}, {high}]" + ("†" if self.over == "episodes" else "")


def written(value: float, kind: str) -> str:
    if not math.isfinite(value):
        return "–"
    if kind == "steps":
        return f"{value / 1e6:.2f} M" if value >= 1e6 else f"{value / 1e3:.1f} k"
    if kind == "seconds":
        return f"{value:,.0f} s"
    if kind == "step difference":
        return f"{value / 1e3:+.1f} k"
    # No minus before a 0.
    value = round(value, 3) + 0.0
    return f"{value:+.3f}" if kind == "difference" else f"{value:.3f}"


class Curve(NamedTuple):
    """An arm's measure over steps or seconds, x (points,), with the ends of its interval, and how
    many runs go so far."""

    x: Values
    middle: Values
    low: Values
    high: Values
    runs: Values


def seeds_estimate(*strata: Values) -> Estimate:
    return Estimate(*map(float, statistics.interquartile_mean(*strata)))


def final(arm: Arm, measure: str) -> Number:
    """What the last models of an arm reached; of a single run with the interval of its episodes."""
    if len(arm.runs) == 1:
        return Number(arm.runs[0].final.of(measure), measure, "episodes")
    return Number(seeds_estimate(arm.final(measure)), measure)


def reached(arm: Arm, measure: str) -> Number:
    if measure != EARLY:
        return final(arm, measure)
    return early(arm, THRESHOLDS[-1], "steps")


def early(arm: Arm, threshold: float, kind: str) -> Number:
    """Steps or seconds to a success; no number if a run never held it."""
    values = dict(zip(("steps", "seconds"), arm.held(threshold), strict=True))[kind]
    if not np.isfinite(values).all():
        return Number(Estimate(math.nan), kind)
    return Number(seeds_estimate(values), kind, at_most=bool(arm.held_at_once(threshold).any()))


def within(arm: Arm, measure: str, steps: float) -> Number:
    """What an arm did in the last five evaluations while training within a number of steps; no
    number if a run had none by then."""
    values = []
    for run in arm.runs:
        there = run.evaluations[measure][run.evaluations["steps"] <= steps]
        values.append(there[-WINDOW:].mean() if len(there) else math.nan)
    known = np.isfinite(values).all()
    return Number(seeds_estimate(np.array(values)) if known else Estimate(math.nan), measure)


def improvement(measure: str, ones: Sequence[Arm], others: Sequence[Arm]) -> Number:
    """The probability that a run of one arm does better than one of the other, over tasks."""
    pairs = [
        earliness(*pair) if measure == EARLY else tuple(arm.final(measure) for arm in pair)
        for pair in zip(ones, others, strict=True)
    ]
    return Number(statistics.improvement(*zip(*pairs, strict=True)), "probability")


def earliness(*pair: Arm) -> tuple[Values, ...]:
    """Of each of two arms how early its runs, (runs,), held the success. Of some it is known only
    that it was not later than a number of steps: all that were as early as the latest of these are
    even."""
    steps = [arm.held(THRESHOLDS[-1])[0] for arm in pair]
    at_once = [arm.held_at_once(THRESHOLDS[-1]) for arm in pair]
    bounds = [values[runs] for values, runs in zip(steps, at_once, strict=True)]
    latest = np.concatenate(bounds).max(initial=0)
    return tuple(-np.maximum(values, latest) for values in steps)


def versus(ones: Sequence[Arm], others: Sequence[Arm]) -> dict[str, Number]:
    return {f"P, {name}": improvement(name, ones, others) for name in (*MEASURES, EARLY)}


def contrast(one: Arm, other: Arm, measure: str) -> Number:
    """What one arm's number exceeds the other's by."""
    early = measure == EARLY
    pair = [arm.held(THRESHOLDS[-1])[0] if early else arm.final(measure) for arm in (one, other)]
    # Of what some never reached, or maybe earlier, there is no mean.
    known = all(np.isfinite(values).all() for values in pair)
    known &= not (early and any(arm.held_at_once(THRESHOLDS[-1]).any() for arm in (one, other)))
    found = statistics.difference(*pair) if known else Estimate(math.nan)
    return Number(found, "step difference" if early else "difference")


@cache
def curve(arm: Arm, axis: str, measure: str) -> Curve | None:
    """An arm's measure over steps or seconds; None if none of its runs was evaluated while
    training. It goes as far as the longest run. A finished one keeps its last value from its end
    on, an unfinished one takes part as far as it goes."""
    lines = [
        (run.evaluations[axis], run.evaluations[measure], run.finished)
        for run in arm.runs
        if len(run.evaluations[axis])
    ]
    if not lines:
        return None
    grid = np.linspace(max(x[0] for x, *_ in lines), max(x[-1] for x, *_ in lines), POINTS)
    kept = [np.interp(grid, x, y, right=None if end else math.nan) for x, y, end in lines]
    known = np.array(kept).T
    runs = np.isfinite(known).sum(1)
    columns = [grid, *np.full((3, POINTS), math.nan), runs]
    for there in segments(np.isfinite(known)):
        present = np.isfinite(known[there[0]])
        found = statistics.interquartile_mean(known[there][:, present])
        for column, values in zip(columns[1:4], found, strict=True):
            column[there] = values
    return Curve(*(column[runs > 0] for column in columns))


def segments(present: NDArray[np.bool_]) -> Iterator[NDArray[np.intp]]:
    """The points, each with those at which the same runs take part."""
    patterns, which = np.unique(present, axis=0, return_inverse=True)
    for number in range(len(patterns)):
        if patterns[number].any():
            yield np.flatnonzero(which == number)
