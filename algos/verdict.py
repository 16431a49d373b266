"""The verdict on a run: its last and its best student, and its teacher's trial."""

import copy
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from algos.evaluation import Evaluation
from algos.evaluator import Evaluator
from algos.protocols import Actor
from algos.student import Student
from algos.trainer import Trainer


@dataclass
class Verdict:
    """Evaluations of the last student, of the best one, saved at an `iteration`, and the trial of
    their teacher, in other rooms. A run with fewer than five evaluations has no best student."""

    last: Evaluation
    best: Evaluation | None
    iteration: int
    teacher: Evaluation

    def to_dict(self) -> dict[str, Any]:
        """Plain values for a JSON file."""
        best = self.best and {"iteration": self.iteration, **self.best.to_dict()}
        return {"last": self.last.to_dict(), "best": best, "teacher": self.teacher.to_dict()}


def give_verdict(
    trainer: Trainer, evaluator: Evaluator, actor_of: Callable[[Student], Actor]
) -> Verdict:
    """Evaluate a run's students. `actor_of` makes an actor of a student."""
    best = None
    if trainer.best:
        student = copy.deepcopy(trainer.student)
        student.load(trainer.best, "the checkpoint")
        best = evaluator.judge(actor_of(student))
    last = evaluator.judge(actor_of(trainer.student))
    return Verdict(last, best, trainer.selection.iteration, trainer.teacher_alone)
