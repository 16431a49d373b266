"""Evaluation: how well an actor does from fixed seeds, with intervals."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from math import isfinite
from typing import Any

import torch

from algos.play import play
from algos.protocols import Actor, Environments
from algos.rollout import Rollout
from utils import seeding, statistics
from utils.timing import Stopwatch

VERDICT_SEEDS = list(range(seeding.FIRST_VERDICT_SEED, seeding.FIRST_VERDICT_SEED + 100))


@dataclass
class Evaluation:
    """The outcome of each episode: its environment's seed, whether it succeeded, whether it was cut
    off by the step limit, return and length, and what else its environment measures, by name."""

    seeds: list[int] = field(default_factory=list)
    success: list[bool] = field(default_factory=list)
    timed_out: list[bool] = field(default_factory=list)
    returns: list[float] = field(default_factory=list)
    lengths: list[int] = field(default_factory=list)
    unanswered_steps: int = 0
    measures: dict[str, list[float]] = field(default_factory=dict)

    def add(self, seeds: list[int], rollout: Rollout) -> None:
        """Count the first episodes of a rollout, which are of these seeds."""
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
            counted = rollout.episode < count
            self.unanswered_steps += int(rollout.steps["unanswered"][counted].sum())

    @property
    def unanswered(self) -> float:
        """The share of steps in which a teacher had no answer."""
        return self.unanswered_steps / sum(self.lengths)

    def failures(self) -> dict[str, float]:
        """How episodes fail, as shares of all: out of time, or early, which in a room is lava."""
        timed_out = sum(self.timed_out)
        early = len(self.seeds) - timed_out - sum(self.success)
        return {"timed out": timed_out / len(self.seeds), "failed early": early / len(self.seeds)}

    def summary(self) -> dict[str, tuple[float, statistics.Interval]]:
        """Success, return and length: the mean and its 95% interval."""
        return {
            "success": statistics.share(self.success),
            "return": statistics.mean(self.returns),
            "length": statistics.mean(self.lengths),
        }

    def measured(self) -> dict[str, tuple[float, statistics.Interval]]:
        """The same of what else its environment measures."""
        return {name: statistics.mean(values) for name, values in self.measures.items()}

    @property
    def columns(self) -> list[str]:
        """The names of what stands in its row."""
        return [*COLUMNS, *self.measures]

    def row(self, name: str) -> list[str]:
        """For a table, under its `columns`."""
        cells = [
            _cell(number, digits)
            for number, digits in zip(self.summary().values(), (3, 3, 1), strict=True)
        ]
        failures = [f"{share:.3f}" for share in self.failures().values()]
        measured = [_cell(number, 3) for number in self.measured().values()]
        count, unanswered = str(len(self.seeds)), f"{self.unanswered:.3f}"
        return [name, count, *cells, *failures, unanswered, *measured]

    def to_dict(self) -> dict[str, Any]:
        """For a JSON file: means, intervals and every episode."""
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


def _cell(number: tuple[float, statistics.Interval], digits: int) -> str:
    mean, interval = number
    low, high = (f"{end:.{digits}f}" if isfinite(end) else "–" for end in interval)
    return f"{mean:.{digits}f} [{low}, {high}]"


def _plain(numbers: dict[str, tuple[float, statistics.Interval]]) -> dict[str, Any]:
    """Means and intervals for a JSON file; what is no number is null."""
    plain: dict[str, Any] = {}
    for name, (mean, interval) in numbers.items():
        low, high = (end if isfinite(end) else None for end in interval)
        plain[name] = {"mean": mean if isfinite(mean) else None, "low": low, "high": high}
    return plain


COLUMNS = ["actor", "n", "success", "return", "length", "timed out", "failed early", "unanswered"]
"""Of an evaluation's row: name, number of episodes, means with intervals, shares of failures, and
the share of steps without an answer."""


def evaluate(
    environments: Environments,
    actor: Actor,
    seeds: list[int],
    generator: torch.Generator,
    device: torch.device,
) -> Evaluation:
    """An episode from each seed, as many at once as there are environments."""
    evaluation = Evaluation()
    for wave, rollout in play_waves(environments, actor, seeds, generator, device):
        evaluation.add(wave, rollout)
    return evaluation


def play_waves(
    environments: Environments,
    actor: Actor,
    seeds: list[int],
    generator: torch.Generator,
    device: torch.device,
) -> Iterator[tuple[list[int], Rollout]]:
    """The seeds of each wave and its rollout, without observations.

    Environments too many for the last wave play again from the front, and do not count.
    """
    count = environments.num_envs
    for first in range(0, len(seeds), count):
        wave = seeds[first : first + count]
        padded = [wave[i % len(wave)] for i in range(count)]
        yield (
            wave,
            play(environments, actor, device, padded, generator, Stopwatch(), keep_obs=False),
        )


class Evaluator:
    """Evaluates actors: while a run goes on in its environments of evaluation, and for the verdict
    on it in others, which no choice of a model has seen."""

    def __init__(
        self,
        environments: Environments,
        seeds: list[int],
        others: Environments,
        seed: int,
        device: torch.device,
    ) -> None:
        """`seeds` are those of the evaluations; `seed` is the run's."""
        self.environments = environments
        self.seeds = seeds
        self.others = others
        self.seed = seed
        self.device = device

    def evaluate(
        self, sampled: Actor, deterministic: Actor, iteration: int
    ) -> tuple[Evaluation, Evaluation]:
        """Two actors that draw on the run's device, after so many iterations."""

        def outcome(each: Actor) -> Evaluation:
            draws = self._draws(seeding.EVALUATION, iteration)
            return evaluate(self.environments, each, self.seeds, draws, self.device)

        return outcome(sampled), outcome(deterministic)

    def judge(self, actor: Actor, draws_on: torch.device | None = None) -> Evaluation:
        """For the verdict: an actor that draws on the run's device, or on another."""
        draws = self._draws(seeding.VERDICT, device=draws_on)
        return evaluate(self.others, actor, VERDICT_SEEDS, draws, self.device)

    def _draws(self, *stream: int, device: torch.device | None = None) -> torch.Generator:
        return seeding.generator(self.seed, *stream, device=device or self.device)
