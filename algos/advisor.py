"""Advice counts less where it cannot be imitated (ADVISOR, arXiv 2007.12173).

A teacher may know more than its student sees. Then the student cannot imitate it everywhere: what
it learns there is the mean of the advice, which may be worth nothing. A further head, which only
imitates, shows where. How much the advice of a step counts falls with how far that head stays from
it. There the reward alone teaches the actor. The head's loss also shapes the features.

Other than published, the reward's loss counts in full everywhere, and the head learns faster than
the student: advice that can be imitated soon counts.
"""

from copy import deepcopy

import torch
from torch import Tensor, nn

from algos.student import Student
from utils.tensors import Tensors

HEAD_RATE = 10
"""The head's learning rate, as a multiple of the student's."""


class Imitator(nn.Module):
    """A student and a head on its features that only imitates, with the weights of the student's
    actor at first. Actions are discrete."""

    def __init__(self, student: Student) -> None:
        super().__init__()
        self.student = student
        self.head = deepcopy(student.actor)

    def forward(
        self, obs: Tensors, lengths: Tensor, state: Tensors | None = None
    ) -> tuple[Tensor, Tensor, Tensor]:
        """The student's outputs (S, A) and values (S,), and the head's logits (S, A)."""
        student = self.student
        with student.arithmetic(lengths.device):
            features = student.features(obs, lengths, state)
            return (*student.heads(features, obs), self.head(features).float())


def shares(alpha: float, advised: Tensor, logits: Tensor) -> Tensor:
    """(S,): exp(-alpha KL(advice || imitation)), how much the advice of each step counts.

    `advised` (S, A) are probabilities, zero where there is no advice; `logits` are the imitation's.
    No gradient passes.
    """
    log_ratio = torch.xlogy(advised, advised) - advised * logits.detach().log_softmax(1)
    return (-alpha * log_ratio.sum(1).clamp(min=0)).exp()
