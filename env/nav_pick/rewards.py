"""What a step is worth."""

from dataclasses import dataclass, replace

import torch
from torch import Tensor

LED_FROM = 1.0
"""Metres: the hand is led to an object that is not farther."""
LIFT = 0.2
"""Metres: an object that is held so far above where it lay is picked up. More than a grasp bridges,
so that it takes a movement of the arm."""


@dataclass(frozen=True)
class Rewards:
    """Weights, as for habitat-lab's rearrangement skills.

    Of what is still to be done (`remaining`) a step is paid the difference, so that going to and
    fro, or dropping an object and picking it up again, earns nothing.
    """

    progress: float = 1.0
    """For each metre of the shortest path to where the object can be reached."""
    reach: float = 2.0
    """For each metre of the hand to the object, from `LED_FROM` on, and then of the lift."""
    pick: float = 2.0
    """For holding the object; dropping it costs the same."""
    success: float = 10.0
    contact: float = 0.05
    """Costs, for a step in which the base runs into something."""
    time: float = 0.01
    """Costs, for each step."""

    def remaining(self, path: Tensor, hand: Tensor, lift: Tensor, holding: Tensor) -> Tensor:
        """What is still to be earned, but for success, (N,).

        The metres (N,) of the shortest `path`, from `hand` to object, and of the `lift` that is
        left; `holding` (N,) bool.
        """
        fetch = self.progress * path + self.reach * (hand.clamp(max=LED_FROM) + LIFT) + self.pick
        return torch.where(holding, self.reach * lift, fetch)


SPARSE = Rewards(progress=0, reach=0, pick=0, success=1, contact=0, time=0)


def chosen(rewards: Rewards | None, sparse: bool, subtask: str | None) -> Rewards:
    """Those of a home: `SPARSE`, or the given ones, or else the usual ones; who has only to
    navigate is paid for nothing that a hand does."""
    rewards = SPARSE if sparse else rewards or Rewards()
    return replace(rewards, reach=0, pick=0) if subtask == "navigate" else rewards
