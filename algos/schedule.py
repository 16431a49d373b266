"""The weight k of the distillation term, iteration by iteration (lambda_i in the paper)."""

from dataclasses import dataclass
from typing import Protocol

SMOOTHING = 0.1


class Schedule(Protocol):
    def weight(self, iteration: int) -> float:
        """k of an iteration, counted from 0."""

    def observe(self, success: float) -> None:
        """Told the share of successful training episodes after each iteration."""

    def state(self) -> float: ...

    def restore(self, state: float) -> None: ...


@dataclass
class LinearSchedule:
    """Falls by `step` an iteration from `start` to `floor`, and is 0 from iteration `until` on."""

    start: float
    step: float
    floor: float
    until: int

    def weight(self, iteration: int) -> float:
        if iteration >= self.until:
            return 0.0
        return max(min(self.floor, self.start), self.start - self.step * iteration)

    def observe(self, success: float) -> None:
        """The clock alone counts here."""

    def state(self) -> float:
        return 0.0

    def restore(self, state: float) -> None:
        """Nothing to restore: the iteration says it all."""


@dataclass
class AdaptiveSchedule:
    """`start` times the share of episodes that still fail, at least `floor`; 0 from `until` on.

    The share is smoothed over about ten iterations. The teacher thus steps back as fast as the
    student succeeds, and comes back when it stops to.
    """

    start: float
    floor: float
    until: int
    success: float = 0.0

    def weight(self, iteration: int) -> float:
        if iteration >= self.until:
            return 0.0
        return max(min(self.floor, self.start), self.start * (1 - self.success))

    def observe(self, success: float) -> None:
        self.success += SMOOTHING * (success - self.success)

    def state(self) -> float:
        return self.success

    def restore(self, state: float) -> None:
        self.success = state
