"""The control: every legal plan of a scene with the same probability, and no LLM.

An LLM is worth as much as it teaches better than this.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from planner.plans import Answer, LegalPlans, Planner


@dataclass(frozen=True)
class UniformPlanner(Planner):
    """Every plan that `legal_plans` gives for a scene, all alike."""

    legal_plans: LegalPlans

    def answers(self, scenes: Sequence[str]) -> list[Answer | None]:
        return [self._answer(scene) for scene in scenes]

    def _answer(self, scene: str) -> Answer:
        plans = self.legal_plans(scene)
        return tuple((1 / len(plans), plan) for plan in plans)
