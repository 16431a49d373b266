"""A teacher's advice on the steps of a rollout."""

from dataclasses import dataclass

import torch
from torch import Tensor

from planner.plans import Answer
from utils.tensors import Tensors


@dataclass
class Advice:
    """K weighted actions for each of S steps.

    `actions` (S, K, *A) are int64, or float32 with a `spread` of the same shape, a standard
    deviation. `weights` (S, K) float32 add up to 1, or are 0 where the scene has no answer.
    `index` (S,) int64 is each step's place in `scenes` and in `answers`. An answer's plans have the
    order of the actions. `under_way` (S, K) int64 is the option that proposes a plan's action: the
    first unfinished one, or a number past the last option once all are finished.
    """

    actions: Tensor
    weights: Tensor
    index: Tensor
    scenes: list[str]
    answers: list[Answer | None]
    under_way: Tensor
    spread: Tensor | None = None

    @property
    def answered(self) -> Tensor:
        """(S,) bool."""
        return self.weights.any(1)

    @property
    def unanswered_scenes(self) -> int:
        return sum(answer is None for answer in self.answers)

    def explain(self, step: int) -> tuple[str, list[tuple[float, list[str], int]]]:
        """A step's scene in words, and its plans.

        Each plan is its probability, its options in words, and the number of the option under way.
        That number is the count of options once all are finished.
        """
        scene = int(self.index[step])
        plans = zip(self.answers[scene] or (), self.under_way[step].tolist(), strict=False)
        return self.scenes[scene], [
            (p, [str(option) for option in plan], min(now, len(plan))) for (p, plan), now in plans
        ]

    def by_action(self, count: int) -> Tensor:
        """(S, count) float32: the total weight of each discrete action."""
        shares = torch.zeros(len(self.weights), count, device=self.weights.device)
        return shares.scatter_add_(1, self.actions, self.weights)

    def choose(self, count: int, wait: int, generator: torch.Generator) -> Tensors:
        """Discrete actions that follow the advice; without advice, the one that waits.

        `action` (S,) is drawn with `generator`, on the CPU. `mode` (S,) is the first of the
        likeliest actions. `advised` (S, count) is the weight of each action.
        """
        advised = self.by_action(count)
        probabilities = advised.clone()
        probabilities[:, wait].masked_fill_(~self.answered, 1)
        action = drawn(probabilities, generator)
        return {"action": action, "mode": probabilities.argmax(1), "advised": advised}


def drawn(weights: Tensor, generator: torch.Generator) -> Tensor:
    """(S,) int64: a random column of `weights` (S, K) for each row, with their shares as
    probabilities. `generator` is on the CPU."""
    return torch.multinomial(weights.cpu(), 1, generator=generator)[:, 0].to(weights.device)
