"""Options: what a plan is made of, as the teacher asks for them."""

from typing import NamedTuple, Protocol

import torch
from torch import Tensor

from planner.plans import Option
from teacher.advice import Advice
from utils.tensors import Tensors


class Proposal(NamedTuple):
    """What each of O options would do on each of S steps, and behind them what stands for no plan,
    which is to wait: `actions` (S, O + 1, *A), of continuous ones the `spread` (S, O + 1, *A), and
    whether there is nothing left to do, `finished` (S, O + 1) bool, which to wait always is."""

    actions: Tensor
    finished: Tensor
    spread: Tensor | None = None

    @staticmethod
    def join(parts: "list[Proposal]", order: Tensor) -> "Proposal":
        """One after another, and these steps of all."""
        spreads = [part.spread for part in parts if part.spread is not None]
        return Proposal(
            torch.cat([part.actions for part in parts])[order],
            torch.cat([part.finished for part in parts])[order],
            torch.cat(spreads)[order] if spreads else None,
        )


class Options(Protocol):
    """What the options of a domain do. What they remember of N episodes is their state, tensors by
    name of N rows; if there is none, steps may be asked about in any order."""

    def initial_state(self, count: int, device: torch.device) -> Tensors: ...

    def propose(
        self,
        obs: Tensors,
        memory: Tensors,
        options: list[Option],
        used: Tensor,
        state: Tensors,
    ) -> tuple[Proposal, Tensors]:
        """What options would do on each of S steps, and the new state.

        `memory` is what the scenes remember; asked is where `used` (S, O) bool is set, elsewhere
        the answer is any, but for the last, to wait.
        """

    def possible(
        self, obs: Tensors, memory: Tensors, options: list[Option], proposal: Proposal
    ) -> Tensor:
        """(S, O) bool: whether what options are `proposal` can be done there."""

    def limit(self, option: Option) -> int:
        """After how many steps on end an option that does not finish is given up by who chose
        it."""

    def choose(self, advice: Advice, obs: Tensors, generator: torch.Generator) -> Tensors:
        """How a teacher acts on its own advice: the `action` (S, *A) drawn from it, the `mode`
        (S, *A), and what a film shows, `advised` (S, A). Without advice it waits. `generator` lies
        on the CPU."""
