"""Options: the parts of plans, which propose actions."""

from typing import NamedTuple, Protocol

import torch
from torch import Tensor

from planner.plans import Option
from teacher.advice import Advice
from utils.tensors import Tensors


class Proposal(NamedTuple):
    """The action that each of O options proposes on each of S steps.

    `actions` are (S, O + 1, *A). Continuous ones have a `spread` of the same shape. `finished`
    (S, O + 1) bool says whether an option has nothing left to do. The last column is a wait, which
    is always finished. It fills up plans that are shorter than others.
    """

    actions: Tensor
    finished: Tensor
    spread: Tensor | None = None

    @staticmethod
    def join(parts: "list[Proposal]", order: Tensor) -> "Proposal":
        """The parts in a row, with their steps put in this `order`."""
        spreads = [part.spread for part in parts if part.spread is not None]
        return Proposal(
            torch.cat([part.actions for part in parts])[order],
            torch.cat([part.finished for part in parts])[order],
            torch.cat(spreads)[order] if spreads else None,
        )


class Options(Protocol):
    """The options of a domain. Their state of N episodes is tensors of N rows, by name. If it is
    empty, actions may be proposed for steps in any order."""

    def initial_state(self, count: int, device: torch.device) -> Tensors: ...

    def propose(
        self,
        obs: Tensors,
        memory: Tensors,
        options: list[Option],
        used: Tensor,
        state: Tensors,
    ) -> tuple[Proposal, Tensors]:
        """The options' proposals on S steps, and the new state.

        `memory` is that of the scenes. Proposals count only where `used` (S, O) bool is set, and in
        the last column.
        """

    def possible(
        self, obs: Tensors, memory: Tensors, options: list[Option], proposal: Proposal
    ) -> Tensor:
        """(S, O) bool: whether an option can be carried out there."""

    def limit(self, option: Option) -> int:
        """The number of steps after which a student that chose the option chooses again."""

    def choose(self, advice: Advice, obs: Tensors, generator: torch.Generator) -> Tensors:
        """A teacher's own actions: `action` (S, *A) drawn from its advice, the likeliest one as
        `mode` (S, *A), and `advised` (S, A) for films. Without advice it waits. `generator` is on
        the CPU."""
