"""Rollouts: whole episodes, their returns and advantages."""

from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from utils.tensors import Tensors, join


@dataclass
class Rollout:
    """E whole episodes, one after another; together they have S steps.

    For each step: `obs`, (S, ...) by name; `reward` (S,) float32; and `steps`, what the actor
    returned: `action` (S, *A), from a student also `log_prob`, `value` and `mode`; and `duration`
    (S,) int64, in primitive steps, unless it is always 1.

    For each episode: `lengths` (E,) int64; `terminated` (E,) bool, False if it was cut off;
    `success` (E,) bool; `measures`, (E,) float32 by name; `last_obs` and `last_state`, from which a
    cut-off episode would have gone on.
    """

    obs: Tensors
    reward: Tensor
    steps: Tensors
    lengths: Tensor
    terminated: Tensor
    success: Tensor
    last_obs: Tensors
    last_state: Tensors
    measures: Tensors = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.reward)

    @property
    def ends(self) -> Tensor:
        """(E,) int64: the index after each episode's last step."""
        return self.lengths.cumsum(0)

    @property
    def starts(self) -> Tensor:
        """(S,) bool: whether a step is its episode's first."""
        first = torch.zeros(len(self), dtype=torch.bool, device=self.lengths.device)
        first[self.ends - self.lengths] = True
        return first

    @property
    def returns(self) -> Tensor:
        """(E,) float32: each episode's undiscounted sum of rewards."""
        sums = torch.zeros(len(self.lengths), device=self.reward.device)
        return sums.index_add_(0, self.episode, self.reward)

    @property
    def episode(self) -> Tensor:
        """(S,) int64: the episode of each step."""
        each = torch.arange(len(self.lengths), device=self.lengths.device)
        return each.repeat_interleave(self.lengths, output_size=len(self))

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

    `last_values` (E,) float32 are the values after the end: the critic's value of the last
    observation if an episode was cut off, 0 if it terminated. A step that takes n primitive steps
    discounts by gamma**n.
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
    """sums[t] = term[t] + decay[t] * sums[t + 1] within each episode; `last` (E,) is the sum after
    its end."""
    episodes = len(rollout.lengths)
    longest = int(rollout.lengths.max())
    episode = rollout.episode
    to_go = rollout.ends[episode] - 1 - torch.arange(len(rollout), device=term.device)
    padded = torch.zeros(longest, episodes, dtype=torch.float64, device=term.device)
    padded[to_go, episode] = term.double()
    decays = torch.zeros_like(padded)
    decays[to_go, episode] = torch.as_tensor(decay, dtype=torch.float64, device=term.device)
    running = last.double()
    for row, rate in zip(padded, decays, strict=True):
        running = row.add_(rate * running)
    return padded[to_go, episode].float()
