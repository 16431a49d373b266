"""Plans that are wrong on purpose: how much does a student suffer from a teacher that errs?

Nobody knows beforehand how often an LLM errs. Here one can choose it.
"""

import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Literal

from planner.plans import EXPLORE, Answer, LegalPlans, Option, Plan
from planner.wrapped_planner import WrappedPlanner
from utils.validation import share_or

WORST: Literal["worst"] = "worst"


Wrong = Annotated[float | Literal["worst"], share_or(WORST)]
"""The share of scenes with a wrong plan; or the worst plan in every scene."""


@dataclass
class WrongPlanner(WrappedPlanner):
    """Replaces another planner's answer to some scenes by a plan that it does not mean.

    The alternatives of a scene are its legal plans and exploring, without those that begin as the
    answer's likeliest plan does. With a share of `wrong`, that share of the scenes gets one of
    them. With `WORST`, every scene gets the one that the answer finds least probable, the first of
    equal ones, whatever the seed.

    All draws depend on the `seed` and the scene's text alone. So a scene is wrong in the same way
    in every process. A scene keeps its answer if it has no alternative or no answer.
    """

    legal_plans: LegalPlans
    wrong: Wrong
    seed: int

    def answers(self, scenes: Sequence[str]) -> list[Answer | None]:
        answers = self.planner.answers(scenes)
        return [
            answer and self._answer(scene, answer)
            for scene, answer in zip(scenes, answers, strict=True)
        ]

    def _answer(self, scene: str, answer: Answer) -> Answer:
        draws = random.Random(f"{self.seed} {scene}")
        if self.wrong != WORST and draws.random() >= self.wrong:
            return answer
        plans = alternatives(self.legal_plans(scene), answer)
        if not plans:
            return answer
        if self.wrong == WORST:
            return ((1.0, min(plans, key=lambda plan: probability(plan, answer))),)
        return ((1.0, plans[int(draws.random() * len(plans))]),)


def alternatives(legal: Sequence[Plan], answer: Answer) -> list[Plan]:
    """The legal plans of a scene, and exploring, that begin otherwise than the answer's likeliest
    plan. Robots in homes cannot explore: they wait."""
    _, likeliest = max(answer, key=lambda share: share[0])
    plans = dict.fromkeys([*legal, (Option(EXPLORE),)])
    return [plan for plan in plans if not _begin_alike(plan, likeliest)]


def probability(plan: Plan, answer: Answer) -> float:
    """How probable an answer finds a plan: plans that begin alike count together."""
    return sum(p for p, other in answer if _begin_alike(plan, other))


def _begin_alike(one: Plan, other: Plan) -> bool:
    """Whether one of two plans begins with all of the other."""
    shorter = min(len(one), len(other))
    return one[:shorter] == other[:shorter]


def describe_wrong(wrong: Wrong) -> str:
    """What is wrong with answers, to stand behind their source; empty if nothing is."""
    if wrong == WORST:
        return ", the worst plan in each scene"
    return f", a share of {wrong:g} wrong" if wrong else ""
