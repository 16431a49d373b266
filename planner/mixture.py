"""A planner's answers, mixed with the uniform distribution over legal plans."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Literal

from planner.plans import Answer, LegalPlans, Plan
from planner.wrapped_planner import WrappedPlanner
from utils.validation import share_or

AUTO: Literal["auto"] = "auto"


UniformShare = Annotated[float | Literal["auto"], share_or(AUTO)]
"""How much of an answer is uniform over legal plans, from 0 to 1, or `auto`: as much as a run's
trial of the teacher alone tells."""


def share_alone(share: UniformShare) -> float:
    """The share in the answers of a teacher that acts alone, which has no trial."""
    return 0.0 if share == AUTO else share


@dataclass
class MixedPlanner(WrappedPlanner):
    """A `share` of each answer of a planner is uniform over the scene's legal plans.

    A planner that is wrong about a scene is wrong there each time, and a student that follows it
    never sees what another plan leads to. Here every legal plan keeps some probability. If
    `learns`, the share is what it is told after trials of the planner alone.
    """

    legal_plans: LegalPlans
    share: float = 0.0
    learns: bool = False

    def answers(self, scenes: Sequence[str]) -> list[Answer | None]:
        answers = self.planner.answers(scenes)
        if not self.share:
            return answers
        return [
            answer and self._mix(scene, answer)
            for scene, answer in zip(scenes, answers, strict=True)
        ]

    def doubt(self, share: float) -> bool:
        before = self.share
        if self.learns:
            self.share = share
        return self.share != before

    def _mix(self, scene: str, answer: Answer) -> Answer:
        legal = self.legal_plans(scene)
        mixed = dict[Plan, float]()
        for p, plan in answer:
            mixed[plan] = mixed.get(plan, 0.0) + (1 - self.share) * p
        for plan in legal:
            mixed[plan] = mixed.get(plan, 0.0) + self.share / len(legal)
        return tuple((p, plan) for plan, p in mixed.items() if p > 0)


def describe_share(share: UniformShare) -> str:
    """What is mixed into a teacher's answers, to stand behind their source; empty if nothing is."""
    alone = share_alone(share)
    return f", a share of {alone:g} every legal plan alike" if alone else ""
