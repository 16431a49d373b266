"""Rollouts: segments of episodes, their returns and advantages."""

from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from utils.tensors import Tensors, join


@dataclass
class Rollout:
    """E segments, one after another; together they have S steps. A segment is a whole episode, or
    the part of one that was played in this rollout.

    For each step: `obs`, (S, ...) by name; `reward` (S,) float32; and `steps`, what the actor
    returned: `action` (S, *A), from a student also `log_prob`, `value` and `mode`; and `duration`
    (S,) int64, in primitive steps, unless it is always 1.

    For each segment: `lengths` (E,) int64; `terminated` and `truncated` (E,) bool, both False if
    its episode goes on in the next rollout; `success` (E,) bool, whether the episode has succeeded
    so far; `measures`, (E,) float32 by name; `last_obs` and `last_state`, from which an episode
    that did not terminate would go on.

    `before` is empty if all segments begin their episodes. Otherwise it holds what the episodes had
    before their segments: `return` (E,) float32, `length` (E,) int64, and the actor's state under
    `state`.
    """

    obs: Tensors
    reward: Tensor
    steps: Tensors
    lengths: Tensor
    terminated: Tensor
    truncated: Tensor
    success: Tensor
    last_obs: Tensors
    last_state: Tensors
    measures: Tensors = field(default_factory=dict)
    before: Tensors = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.reward)

    @property
    def ends(self) -> Tensor:
        """(E,) int64: the index after each segment's last step."""
        return self.lengths.cumsum(0)

    @property
    def starts(self) -> Tensor:
        """(S,) bool: whether a step is its segment's first."""
        first = torch.zeros(len(self), dtype=torch.bool, device=self.lengths.device)
        return first.index_fill_(0, self.ends - self.lengths, True)

    @property
    def segment(self) -> Tensor:
        """(S,) int64: the segment of each step."""
        each = torch.arange(len(self.lengths), device=self.lengths.device)
        return each.repeat_interleave(self.lengths, output_size=len(self))

    @property
    def ended(self) -> Tensor:
        """(E,) bool: whether a segment is the last of its episode."""
        return self.terminated | self.truncated

    @property
    def returns(self) -> Tensor:
        """(E,) float32: the undiscounted sum of rewards of each segment's episode so far."""
        sums = torch.zeros(len(self.lengths), device=self.reward.device)
        if self.before:
            sums += self.before["return"]
        return sums.index_add_(0, self.segment, self.reward)

    @property
    def episode_lengths(self) -> Tensor:
        """(E,) int64: the number of steps of each segment's episode so far."""
        return self.lengths + self.before["length"] if self.before else self.lengths

    @staticmethod
    def join(parts: "list[Rollout]") -> "Rollout":
        if len(parts) == 1:
            return parts[0]
        fields: dict[str, Any] = {}
        for name, value in vars(parts[0]).items():
            each = [getattr(part, name) for part in parts]
            fields[name] = join(each) if isinstance(value, dict) else torch.cat(each)
        return Rollout(**fields)


def discounted_returns(rollout: Rollout, last_values: Tensor, gamma: float) -> Tensor:
    """Discounted sums of rewards to the end of each episode, (S,) float32.

    `last_values` (E,) float32 are the values after each segment: 0 if its episode terminated, else
    the critic's value of the last observation. A step that takes n primitive steps discounts by
    gamma**n.
    """
    return _backwards(rollout, rollout.reward, last_values, _discounts(rollout, gamma))


def generalized_advantages(
    rollout: Rollout, last_values: Tensor, gamma: float, lam: float
) -> Tensor:
    """GAE (arXiv 1506.02438, equation 16), (S,) float32; `last_values` as above."""
    value = rollout.steps["value"]
    next_value = value.roll(-1)
    next_value[rollout.ends - 1] = last_values
    gammas = _discounts(rollout, gamma)
    delta = rollout.reward + gammas * next_value - value
    return _backwards(rollout, delta, torch.zeros_like(last_values), gammas * lam)


def _discounts(rollout: Rollout, gamma: float) -> Tensor | float:
    """The discount of each step: (S,) float64, or one number for all."""
    duration = rollout.steps.get("duration")
    return gamma if duration is None else gamma ** duration.double()


def _backwards(rollout: Rollout, term: Tensor, last: Tensor, decay: Tensor | float) -> Tensor:
    """sums[t] = term[t] + decay[t] * sums[t + 1] within each segment; `last` (E,) is the sum after
    its end."""
    segments = len(rollout.lengths)
    longest = int(rollout.lengths.max())
    segment = rollout.segment
    to_go = rollout.ends[segment] - 1 - torch.arange(len(rollout), device=term.device)
    padded = torch.zeros(longest, segments, dtype=torch.float64, device=term.device)
    padded[to_go, segment] = term.double()
    decays = torch.zeros_like(padded)
    decays[to_go, segment] = torch.as_tensor(decay, dtype=torch.float64, device=term.device)
    running = last.double()
    for row, rate in zip(padded, decays, strict=True):
        running = row.add_(rate * running)
    return padded[to_go, segment].float()
