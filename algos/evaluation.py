"""The outcome of an evaluation: every episode, and means with intervals."""

from dataclasses import dataclass, field
from math import isfinite
from typing import Any, NamedTuple

from algos.rollout import Rollout
from utils import statistics
from utils.statistics import Estimate


@dataclass
class Evaluation:
    """One value an episode in each list.

    `seeds` are those of the environments. `timed_out` says whether the step limit cut an episode
    off. `measures` are further numbers of the environment, by name. `unanswered_steps` counts the
    steps at which a teacher had no answer.
    """

    seeds: list[int] = field(default_factory=list)
    success: list[bool] = field(default_factory=list)
    timed_out: list[bool] = field(default_factory=list)
    returns: list[float] = field(default_factory=list)
    lengths: list[int] = field(default_factory=list)
    unanswered_steps: int = 0
    measures: dict[str, list[float]] = field(default_factory=dict)

    def add(self, seeds: list[int], rollout: Rollout) -> None:
        """Add the first episodes of a rollout, one for each of these seeds."""
        count = len(seeds)
        self.seeds += seeds
        self.success += rollout.success.tolist()[:count]
        timed_out = ~rollout.terminated & ~rollout.success
        self.timed_out += timed_out.tolist()[:count]
        self.returns += rollout.returns.tolist()[:count]
        self.lengths += rollout.lengths.tolist()[:count]
        for name, values in rollout.measures.items():
            self.measures.setdefault(name, []).extend(values.tolist()[:count])
        if "unanswered" in rollout.steps:
            counted = rollout.segment < count
            self.unanswered_steps += int(rollout.steps["unanswered"][counted].sum())

    @property
    def unanswered(self) -> float:
        """The share of steps at which a teacher had no answer."""
        return self.unanswered_steps / sum(self.lengths)

    @property
    def stuck(self) -> float:
        """The share that the step limit cut off, of the episodes that did not fail before; 1 if all
        failed before."""
        survived = sum(self.timed_out) + sum(self.success)
        return sum(self.timed_out) / survived if survived else 1.0

    def failures(self) -> dict[str, float]:
        """How episodes fail, as shares of all: at the step limit, or earlier (in lava, say)."""
        timed_out = sum(self.timed_out)
        early = len(self.seeds) - timed_out - sum(self.success)
        return {"timed out": timed_out / len(self.seeds), "failed early": early / len(self.seeds)}

    def summary(self) -> dict[str, Estimate]:
        """Success, return and length: the mean and its 95% interval."""
        return {
            "success": statistics.share_of(sum(self.success), len(self.success)),
            "return": statistics.mean(self.returns),
            "length": statistics.mean(self.lengths, statistics.COUNT),
        }

    def measured(self) -> dict[str, Estimate]:
        """The mean and the 95% interval of each further measure; of one that is 0 or 1, a share."""
        return {
            name: statistics.mean(values)
            if set(values) - {0.0, 1.0}
            else statistics.share_of(round(sum(values)), len(values))
            for name, values in self.measures.items()
        }

    def to_dict(self) -> dict[str, Any]:
        """Plain values for a JSON file: means, intervals and every episode."""
        columns = self.seeds, self.success, self.timed_out, self.returns, self.lengths
        names = "seed", "success", "timed_out", "return", "length"
        rows = zip(*columns, strict=True)
        episodes: list[dict[str, Any]] = [dict(zip(names, row, strict=True)) for row in rows]
        for number, episode in enumerate(episodes if self.measures else ()):
            episode["measures"] = {name: each[number] for name, each in self.measures.items()}
        return {
            **_plain(self.summary()),
            "measures": _plain(self.measured()),
            "failures": self.failures(),
            "unanswered_steps": self.unanswered_steps,
            "episodes": episodes,
        }


class Trial(NamedTuple):
    """A teacher alone, before training: the `outcome`, the `success` that it reaches for sure, and
    how often it is `stuck` until the step limit, of the episodes that do not fail before. If it is
    `incomplete`, answers were missing that may still come, and nothing is held against it."""

    outcome: Evaluation
    success: float
    stuck: float
    incomplete: bool = False


def _plain(numbers: dict[str, Estimate]) -> dict[str, Any]:
    """Means and intervals as plain values, with None for what is not finite."""
    plain: dict[str, Any] = {}
    for name, estimate in numbers.items():
        parts = [part if isfinite(part) else None for part in estimate]
        plain[name] = dict(zip(("mean", "low", "high"), parts, strict=True))
    return plain
