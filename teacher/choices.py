"""A task's options, for a hierarchical student that chooses among them without a planner."""

from collections.abc import Sequence

import torch
from torch import Tensor

from planner.plans import EXPLORE, WAIT, Option
from planner.scene import Reader
from teacher.options import Options
from utils.tensors import Tensors, constant, count, move

WAIT_STEPS = 1
"""Steps of a choice to wait."""
HOST = torch.device("cpu")


class Choices:
    """C options; the last one is to wait. `limits` (C) are the numbers of steps of each.

    An option is available if it is possible and not finished. Waiting is available if nothing else
    is, or always with `may_wait`.
    """

    def __init__(
        self, options: Sequence[Option], reader: Reader, rules: Options, may_wait: bool = False
    ) -> None:
        """`rules` propose the options' actions."""
        self.options = list(options)
        self.reader = reader
        self.rules = rules
        self.may_wait = may_wait
        self.names = tuple(map(str, [*options, Option(WAIT)]))
        self.limits = [*map(rules.limit, options), WAIT_STEPS]
        self.exploring = (*(option.verb == EXPLORE for option in options), False)

    def forget(self, count: int, device: torch.device) -> Tensors:
        """The memory of `count` new episodes."""
        return self.reader.forget(count, device)

    def read(self, obs: Tensors, memory: Tensors) -> tuple[Tensors, Tensor]:
        """One step of N episodes: the new memory, and which options it ends, (N, C) bool. An option
        that explores ends when the memory changes."""
        now = self.reader.remember(obs, memory)
        news = torch.zeros(count(obs), dtype=torch.bool, device=next(iter(obs.values())).device)
        for name, values in now.items():
            news |= (values != memory[name]).flatten(1).any(1)
        return now, news[:, None] & constant(self.exploring, torch.bool, news.device)

    def initial_state(self, count: int, device: torch.device) -> Tensors:
        """The state of options that have just been chosen."""
        return self.rules.initial_state(count, device)

    def propose(
        self, obs: Tensors, memory: Tensors, asked: Tensor, state: Tensors
    ) -> tuple[Tensors, Tensors]:
        """Each option's next action in N episodes where `asked` (N, C) bool is set, and the new
        state. Returns `actions` (N, C, *A), for continuous ones their `spread`, and `available`
        (N, C) bool."""
        used = asked[:, :-1]
        proposal, carried = self.rules.propose(obs, memory, self.options, used, state)
        possible = self.rules.possible(obs, memory, self.options, proposal)
        available = used & possible & ~proposal.finished[:, :-1]
        waits = ~available.any(1, keepdim=True) | self.may_wait
        offer = {
            "actions": proposal.actions,
            "available": torch.cat([available, waits], 1),
        }
        return offer if proposal.spread is None else {**offer, "spread": proposal.spread}, carried


class HostChoices(Choices):
    """Options that are worked out on the CPU, wherever the student is.

    This suits environments that step there: for a few maps an accelerator would be asked hundreds
    of times a step which of them need more work.
    """

    def read(self, obs: Tensors, memory: Tensors) -> tuple[Tensors, Tensor]:
        device = next(iter(obs.values())).device
        now, ended = super().read(move(obs, HOST), move(memory, HOST))
        return move(now, device), ended.to(device)

    def propose(
        self, obs: Tensors, memory: Tensors, asked: Tensor, state: Tensors
    ) -> tuple[Tensors, Tensors]:
        obs, memory, state = (move(tensors, HOST) for tensors in (obs, memory, state))
        offer, carried = super().propose(obs, memory, asked.to(HOST), state)
        return move(offer, asked.device), move(carried, asked.device)
