"""What a teacher says of the steps of a rollout."""

from dataclasses import dataclass

import torch
from torch import Tensor

from planner.plans import Answer


@dataclass
class Advice:
    """K weighted actions for each of S steps.

    `actions` (S, K, *A): int64, or float32 with a `spread` of the same shape, a standard deviation;
    `weights` (S, K) float32 add up to 1, or are 0 where the scene has no answer. `index` (S,) int64
    is each step's scene in `scenes`, whose `answers` stand beside it: the plans in the order of
    their actions. `under_way` (S, K) int64 is which of a plan's options says its action, the first
    that is not finished, or a number beyond them once all are.
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
        """A step's scene in words, and for each plan its probability, its options in words, and
        which of them is under way: as many as there are, once all are finished."""
        scene = int(self.index[step])
        told = zip(self.answers[scene] or (), self.under_way[step].tolist(), strict=False)
        return self.scenes[scene], [
            (p, [str(option) for option in plan], min(now, len(plan))) for (p, plan), now in told
        ]

    def by_action(self, count: int) -> Tensor:
        """(S, count) float32: the weights of discrete actions, added up by action."""
        shares = torch.zeros(len(self.weights), count, device=self.weights.device)
        return shares.scatter_add_(1, self.actions, self.weights)


def drawn(weights: Tensor, generator: torch.Generator) -> Tensor:
    """(S,) int64: one of the columns of `weights` (S, K) for each row, by their shares;
    `generator` lies on the CPU."""
    return torch.multinomial(weights.cpu(), 1, generator=generator)[:, 0].to(weights.device)
