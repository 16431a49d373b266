"""The weight k of the distillation term, iteration by iteration (lambda_i in the paper)."""

from dataclasses import dataclass

SMOOTHING = 0.1


def smoothed(before: float, success: float, weight: float) -> float:
    """The mean success over about ten iterations, or more if few episodes end in one."""
    return before + SMOOTHING * weight * (success - before)


class Schedule:
    """The weight k, `start` at first and 0 from iteration `until` on."""

    start: float
    until: int

    def weight(self, iteration: int) -> float:
        """k of an iteration, counted from 0."""
        raise NotImplementedError

    def set_teacher_success(self, success: float) -> None:
        """Before training: the share of episodes in which the teacher alone surely succeeds."""

    def observe(self, success: float, weight: float = 1.0) -> None:
        """After an iteration in which training episodes ended: the share of them that succeeded.

        `weight`, at most 1, is the number of these episodes as a share of the environments.
        """

    def why_none(self, iteration: int) -> str:
        """Why k is 0 at an iteration, in words for the user; empty if it is not, or always is."""
        if not self.start or self.weight(iteration):
            return ""
        return f"--kl_until is {self.until}" if iteration >= self.until else self._reason()

    def _reason(self) -> str:
        """Why k is 0 before iteration `until`."""
        raise NotImplementedError

    def state(self) -> dict[str, float]:
        """What a resumed run needs beside the iteration."""
        return {}

    def restore(self, state: dict[str, float]) -> None:
        """Continue from a state."""


@dataclass
class LinearSchedule(Schedule):
    """k falls by `step` an iteration from `start` to `floor`; it is 0 from iteration `until` on."""

    start: float
    step: float
    floor: float
    until: int

    def weight(self, iteration: int) -> float:
        if iteration >= self.until:
            return 0.0
        return max(min(self.floor, self.start), self.start - self.step * iteration)

    def _reason(self) -> str:
        return f"it has fallen by {self.step} an iteration"


@dataclass
class AdaptiveSchedule(Schedule):
    """k is `start` times the share of episodes that fail, at least `floor`; 0 from `until` on.

    The share is smoothed over about ten iterations, or more if few episodes end in one. So the
    teacher counts less as the student succeeds more, and counts more again when the student gets
    worse.
    """

    start: float
    floor: float
    until: int
    success: float = 0.0

    def weight(self, iteration: int) -> float:
        if iteration >= self.until:
            return 0.0
        return max(min(self.floor, self.start), self.start * (1 - self.success))

    def _reason(self) -> str:
        return "all training episodes succeed"

    def observe(self, success: float, weight: float = 1.0) -> None:
        self.success = smoothed(self.success, success, weight)

    def state(self) -> dict[str, float]:
        return {"success": self.success}

    def restore(self, state: dict[str, float]) -> None:
        self.success = state["success"]


@dataclass
class MatchedSchedule(Schedule):
    """k is `start` times the share of the teacher's success that the student still lacks.

    It never rises. It is 0 once the student is as good as the teacher, because advice then holds
    back a student that could become better. It is also 0 from `until` on. The student's success is
    smoothed over about ten iterations, or more if few episodes end in one.
    """

    start: float
    until: int
    teacher: float = 1.0
    success: float = 0.0
    lacking: float = 1.0

    def weight(self, iteration: int) -> float:
        return self.start * self.lacking if iteration < self.until else 0.0

    def _reason(self) -> str:
        if not self.teacher:
            return "alone, the advice never succeeds"
        return (
            f"the student succeeds as often as the advice alone does at least, {self.teacher:.0%}"
        )

    def set_teacher_success(self, success: float) -> None:
        self.teacher = success
        self._compare()

    def observe(self, success: float, weight: float = 1.0) -> None:
        self.success = smoothed(self.success, success, weight)
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
