"""The weight k of the distillation term, iteration by iteration (lambda_i in the paper)."""

from dataclasses import dataclass
from typing import Protocol

SMOOTHING = 0.1


class Schedule(Protocol):
    def weight(self, iteration: int) -> float:
        """k of an iteration, counted from 0."""

    def set_teacher_success(self, success: float) -> None:
        """Takes in what its teacher surely reaches alone, a share of episodes, before training."""

    def observe(self, success: float) -> None:
        """Takes in the share of successful training episodes after each iteration."""

    def state(self) -> dict[str, float]:
        """What a resumed run must know beside the iteration."""

    def restore(self, state: dict[str, float]) -> None: ...


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

    def set_teacher_success(self, success: float) -> None:
        """The clock alone counts here."""

    def observe(self, success: float) -> None:
        """The clock alone counts here."""

    def state(self) -> dict[str, float]:
        return {}

    def restore(self, state: dict[str, float]) -> None:
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

    def set_teacher_success(self, success: float) -> None:
        """The student alone counts here."""

    def observe(self, success: float) -> None:
        self.success += SMOOTHING * (success - self.success)

    def state(self) -> dict[str, float]:
        return {"success": self.success}

    def restore(self, state: dict[str, float]) -> None:
        self.success = state["success"]


@dataclass
class MatchedSchedule:
    """`start` times the share of its teacher's success that the student still lacks; 0 for good
    once it lacks none, and from `until` on.

    A teacher has done its work when the student can what the teacher can; from then on its advice
    holds a student back that could become better. The student's success is smoothed over about
    ten iterations; k never rises.
    """

    start: float
    until: int
    teacher: float = 1.0
    success: float = 0.0
    lacking: float = 1.0

    def weight(self, iteration: int) -> float:
        return self.start * self.lacking if iteration < self.until else 0.0

    def set_teacher_success(self, success: float) -> None:
        self.teacher = success
        self._compare()

    def observe(self, success: float) -> None:
        self.success += SMOOTHING * (success - self.success)
        self._compare()

    def _compare(self) -> None:
        lacking = 1 - self.success / self.teacher if self.teacher > 0 else 0.0
        self.lacking = min(self.lacking, max(lacking, 0.0))

    def state(self) -> dict[str, float]:
        return {"teacher": self.teacher, "success": self.success, "lacking": self.lacking}

    def restore(self, state: dict[str, float]) -> None:
        self.teacher, self.success, self.lacking = (
            state[name] for name in ("teacher", "success", "lacking")
        )
