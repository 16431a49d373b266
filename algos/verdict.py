"""The verdict on a run: its last and its best student, and its teacher, from the same seeds."""

import copy
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from algos.evaluator import Evaluation, Evaluator
from algos.protocols import Actor
from algos.student import Student
from algos.trainer import Trainer


@dataclass
class Verdict:
    """How the last student did, the best one, of an `iteration`, and their teacher; a run of a few
    evaluations has no best."""

    last: Evaluation
    best: Evaluation | None
    iteration: int
    teacher: Evaluation

    def rows(self) -> list[list[str]]:
        """For a table, under the last student's `columns`."""
        last, name = self.last.row("last student"), f"best, of iteration {self.iteration}"
        nothing = ["best: none yet, it takes five evaluations", *["–"] * (len(last) - 1)]
        best = self.best.row(name) if self.best else nothing
        return [last, best, self.teacher.row("teacher alone")]

    def to_dict(self) -> dict[str, Any]:
        """For a JSON file."""
        best = self.best and {"iteration": self.iteration, **self.best.to_dict()}
        return {"last": self.last.to_dict(), "best": best, "teacher": self.teacher.to_dict()}


def give_verdict(
    trainer: Trainer, evaluator: Evaluator, actor_of: Callable[[Student], Actor]
) -> Verdict:
    """Judge a run's students from the seeds that their teacher was tried from; `actor_of` says how
    one acts."""
    best = None
    if trainer.best:
        student = copy.deepcopy(trainer.student)
        student.load(trainer.best, "the checkpoint")
        best = evaluator.judge(actor_of(student))
    last = evaluator.judge(actor_of(trainer.student))
    return Verdict(last, best, trainer.selection.iteration, trainer.teacher_alone)
