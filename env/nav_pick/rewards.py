"""The reward of a step."""

from dataclasses import dataclass, replace

import torch
from torch import Tensor

LED_FROM = 1.0
"""Metres: the hand is paid for coming closer to the object from this distance on."""
LIFT = 0.2
"""Metres: an object held this far above its initial place is picked up. The reach of a grasp is
shorter, so the arm must move."""


@dataclass(frozen=True)
class Rewards:
    """Weights, like those of habitat-lab's rearrangement skills.

    A step earns the decrease of `remaining`. So moving back and forth earns nothing, nor does
    dropping the object and picking it up again.
    """

    progress: float = 1.0
    """Per metre of the shortest path to a goal."""
    reach: float = 2.0
    """Per metre between hand and object within `LED_FROM`, and then per metre of the lift."""
    pick: float = 2.0
    """For holding the object. Dropping it costs the same."""
    success: float = 10.0
    contact: float = 0.05
    """Cost of a step in which the base runs into something."""
    time: float = 0.01
    """Cost of each step."""

    def remaining(self, path: Tensor, hand: Tensor, lift: Tensor, holding: Tensor) -> Tensor:
        """The reward that is still to be earned, without success and costs, (N,).

        In metres (N,): the length of the shortest `path`, the distance from `hand` to object, and
        the remaining `lift`; `holding` (N,) bool.
        """
        fetch = self.progress * path + self.reach * (hand.clamp(max=LED_FROM) + LIFT) + self.pick
        return torch.where(holding, self.reach * lift, fetch)


SPARSE = Rewards(progress=0, reach=0, pick=0, success=1, contact=0, time=0)


def chosen(rewards: Rewards | None, sparse: bool, subtask: str | None) -> Rewards:
    """The rewards of a home: `SPARSE` if `sparse`, else the given or the default ones. The subtask
    `navigate` pays nothing for the hand."""
    rewards = SPARSE if sparse else rewards or Rewards()
    return replace(rewards, reach=0, pick=0) if subtask == "navigate" else rewards
