"""The record of one iteration of training, for observers."""

from dataclasses import dataclass, field

from algos.evaluation import Evaluation
from algos.rollout import Rollout


@dataclass(frozen=True)
class Iteration:
    """One iteration of training.

    `number` counts from 1. `numbers` describe it by name, over all ranks; `algos/numbers.py` makes
    them. `rollout` holds this rank's episodes. `evaluations` are the student's, with sampled and
    with likeliest actions, if it was evaluated after this iteration. `plans` are new answers of an
    LLM: scene -> plan -> probability.
    """

    number: int
    numbers: dict[str, float]
    rollout: Rollout
    evaluations: tuple[Evaluation, Evaluation] | None = None
    plans: dict[str, dict[str, float]] = field(default_factory=dict)
