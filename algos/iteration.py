"""The record of one iteration of training, for observers."""

from dataclasses import dataclass, field

from algos.evaluation import Evaluation
from algos.rollout import Rollout


@dataclass(frozen=True)
class Iteration:
    """One iteration of training.

    `number` counts from 1. `numbers` describe it by name, over all ranks; `algos/numbers.py` makes
    them. `rollout` is this rank's. `steps_per_episode` is the number of steps for each episode that
    ended, over all ranks. `plans` are new answers of an LLM: scene -> plan -> probability.

    `evaluations` are the student's, with sampled and with likeliest actions, if it was evaluated
    after this iteration. `put_off` says that an evaluation was due, but would have taken too many
    steps.
    """

    number: int
    numbers: dict[str, float]
    rollout: Rollout
    steps_per_episode: float
    plans: dict[str, dict[str, float]] = field(default_factory=dict)
    evaluations: tuple[Evaluation, Evaluation] | None = None
    put_off: bool = False
