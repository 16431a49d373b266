"""Options to choose among, without a planner: what a hierarchical student is offered."""

from collections.abc import Sequence

import torch
from torch import Tensor

from planner.plans import EXPLORE, WAIT, Option
from planner.scene import Reader
from teacher.options import Options
from utils.tensors import Tensors, count

WAITS = 1
"""So many steps to wait is one choice."""


class Choices:
    """A task's options, C of them, the last of which is to wait; `limits` (C,) int64 is how many
    steps each may take, `names` what it is called.

    To choose from are those that are neither finished nor impossible, and, where there are none of
    these, to wait.
    """

    def __init__(self, options: Sequence[Option], reader: Reader, rules: Options) -> None:
        """`rules` carry the options out."""
        self.options = list(options)
        self.reader = reader
        self.rules = rules
        self.names = tuple(map(str, [*options, Option(WAIT)]))
        self.limits = torch.tensor([*map(rules.limit, options), WAITS])
        self.exploring = torch.tensor([*(option.verb == EXPLORE for option in options), False])

    def forget(self, count: int, device: torch.device) -> Tensors:
        """What is remembered of episodes that have not begun."""
        return self.reader.forget(count, device)

    def read(self, obs: Tensors, memory: Tensors) -> tuple[Tensors, Tensor]:
        """One step of N episodes: the new memory, and which options it ends, (N, C) bool: those
        that explore end when there is more to remember."""
        now = self.reader.read(obs, memory).memory
        news = torch.zeros(count(obs), dtype=torch.bool, device=next(iter(obs.values())).device)
        for name, values in now.items():
            news |= (values != memory[name]).flatten(1).any(1)
        return now, news[:, None] & self.exploring.to(news.device)

    def initial_state(self, count: int, device: torch.device) -> Tensors:
        """What options remember when they are set to work."""
        return self.rules.initial_state(count, device)

    def propose(
        self, obs: Tensors, memory: Tensors, asked: Tensor, state: Tensors
    ) -> tuple[Tensors, Tensors]:
        """What options would do in N episodes, and their new state: `actions` (N, C, *A), of
        continuous ones the `spread`, and `available` (N, C) bool, where `asked` (N, C) is set."""
        used = asked[:, :-1]
        proposal, carried = self.rules.propose(obs, memory, self.options, used, state)
        possible = self.rules.possible(obs, memory, self.options, proposal)
        available = used & possible & ~proposal.finished[:, :-1]
        told = {
            "actions": proposal.actions,
            "available": torch.cat([available, ~available.any(1, keepdim=True)], 1),
        }
        return told if proposal.spread is None else {**told, "spread": proposal.spread}, carried
