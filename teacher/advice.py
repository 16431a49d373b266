"""What a teacher says of the steps of a rollout."""

from dataclasses import dataclass

import torch
from torch import Tensor

from planner.plans import Answer, describe


@dataclass
class Advice:
    """K weighted actions for each of S steps.

    `actions` (S, K, *A): int64, or float32 with a `spread` of the same shape, a standard deviation;
    `weights` (S, K) float32 add up to 1, or are 0 where the scene has no answer. `index` (S,) int64
    is each step's scene in `scenes`, whose `answers` stand beside it.
    """

    actions: Tensor
    weights: Tensor
    index: Tensor
    scenes: list[str]
    answers: list[Answer | None]
    spread: Tensor | None = None

    @property
    def answered(self) -> Tensor:
        """(S,) bool."""
        return self.weights.any(1)

    @property
    def unanswered_scenes(self) -> int:
        return sum(answer is None for answer in self.answers)

    def explain(self, step: int) -> tuple[str, list[tuple[float, str]]]:
        """A step's scene in words, and the plans for it with their probabilities."""
        scene = int(self.index[step])
        answer = self.answers[scene] or ()
        return self.scenes[scene], [(p, describe(plan)) for p, plan in answer]

    def by_action(self, count: int) -> Tensor:
        """(S, count) float32: the weights of discrete actions, added up by action."""
        shares = torch.zeros(len(self.weights), count, device=self.weights.device)
        return shares.scatter_add_(1, self.actions, self.weights)


def drawn(weights: Tensor, generator: torch.Generator) -> Tensor:
    """(S,) int64: one of the columns of `weights` (S, K) for each row, by their shares;
    `generator` lies on the CPU."""
    return torch.multinomial(weights.cpu(), 1, generator=generator)[:, 0].to(weights.device)
