"""Planners that change another planner's answers."""

from collections.abc import Sequence
from dataclasses import dataclass

from planner.plans import Answer, Planner


@dataclass
class WrappedPlanner(Planner):
    """Changes the answers of a `planner`; all else, and what is not changed, is that planner's."""

    planner: Planner

    def answers(self, scenes: Sequence[str]) -> list[Answer | None]:
        return self.planner.answers(scenes)

    def counts(self) -> dict[str, float]:
        return self.planner.counts()

    def news(self) -> dict[str, dict[str, float]]:
        return self.planner.news()

    def doubt(self, share: float) -> bool:
        return self.planner.doubt(share)

    def awaits_answers(self) -> bool:
        return self.planner.awaits_answers()

    def problem(self) -> str:
        return self.planner.problem()
