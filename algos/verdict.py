"""The verdict on a run: its last and its best student, and its teacher, in the same rooms."""

from dataclasses import dataclass
from typing import Any

import torch

from algos.evaluator import Evaluation, evaluate
from algos.rollout import Actor, Environments
from algos.selection import WINDOW
from algos.student import Greedy
from utils import seeding


class Jury:
    """Evaluates actors: while a run goes on in its rooms of evaluation, and for the verdict in as
    many rooms as five evaluations have, which no choice of a model has seen."""

    def __init__(
        self, rooms: Environments, seeds: list[int], seed: int, device: torch.device
    ) -> None:
        """`seeds` are the rooms of evaluation; `seed` is the run's."""
        self.rooms = rooms
        self.seeds = seeds
        self.seed = seed
        self.device = device

    def evaluate(self, actor: Actor, iteration: int) -> tuple[Evaluation, Evaluation]:
        """A student after so many iterations: drawing its actions, and taking the likeliest."""
        stream = seeding.EVALUATION, iteration
        drawn = self._evaluate(actor, self.seeds, *stream, device=self.device)
        likeliest = self._evaluate(Greedy(actor), self.seeds, *stream, device=self.device)
        return drawn, likeliest

    def judge(self, actor: Actor, device: torch.device | None = None) -> Evaluation:
        """Anybody; `device` is where the actor draws, if that is not the run's own."""
        first = seeding.FIRST_VERDICT_SEED
        rooms = list(range(first, first + WINDOW * len(self.seeds)))
        return self._evaluate(actor, rooms, seeding.VERDICT, device=device or self.device)

    def _evaluate(
        self, actor: Actor, rooms: list[int], *stream: int, device: torch.device
    ) -> Evaluation:
        draws = seeding.generator(self.seed, *stream, device=device)
        return evaluate(self.rooms, actor, rooms, draws, self.device)


@dataclass
class Verdict:
    """How the last student, the best one, of an `iteration`, and their teacher did; a run of a few
    evaluations has no best."""

    last: Evaluation
    best: Evaluation | None
    iteration: int
    teacher: Evaluation

    def lines(self) -> list[str]:
        best = f"best, of iteration {self.iteration}"
        return [
            describe("last student", self.last),
            describe(best, self.best) if self.best else "best: kept from the fifth evaluation on",
            describe("teacher alone", self.teacher),
        ]

    def to_dict(self) -> dict[str, Any]:
        """For a JSON file."""
        best = self.best and {"iteration": self.iteration, **self.best.to_dict()}
        return {"last": self.last.to_dict(), "best": best, "teacher": self.teacher.to_dict()}


def describe(name: str, outcome: Evaluation) -> str:
    """A line with success and return, and their 95% intervals."""
    (success, (low, high)), (mean, (worst, most)) = (
        outcome.summary()[what] for what in ("success", "return")
    )
    missed = f"; {outcome.unanswered_steps} steps unanswered" if outcome.unanswered_steps else ""
    return (
        f"{name}: success {success:.3f} [{low:.3f}, {high:.3f}], "
        f"return {mean:.3f} [{worst:.3f}, {most:.3f}] in {len(outcome.seeds)} rooms{missed}"
    )
