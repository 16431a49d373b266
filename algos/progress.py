"""Counts of what a run has done so far."""

from dataclasses import dataclass, field


@dataclass
class Progress:
    """Counts over all iterations and ranks, and what the teacher has cost, by name.

    ValueError if a count is no whole number from 0 on, as in a damaged checkpoint.
    """

    iteration: int = 0
    steps: int = 0
    episodes: int = 0
    seconds: float = 0.0
    unanswered: int = 0
    teacher: dict[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for count in (self.iteration, self.steps, self.episodes, self.unanswered):
            if not isinstance(count, int) or count < 0:
                raise ValueError(f"a run counts from 0, not {count!r}")

    def add(self, sums: dict[str, float], costs: dict[str, float], seconds: float) -> None:
        """Add one iteration: its sums over all ranks, new costs of the teacher, and its time."""
        self.iteration += 1
        self.steps += int(sums["steps"])
        self.episodes += int(sums["episodes"])
        self.seconds += seconds
        self.unanswered += int(sums.get("unanswered", 0))
        self.spend(costs)

    def spend(self, costs: dict[str, float]) -> None:
        """Add new costs of the teacher."""
        for name, cost in costs.items():
            self.teacher[name] = self.teacher.get(name, 0) + cost
