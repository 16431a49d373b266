"""Plans: lists of options, the answers that a planner gives about scenes, and their words."""

from collections.abc import Callable, Sequence
from typing import NamedTuple, Protocol

EXPLORE, GO_TO, PICK_UP, DROP, OPEN, WAIT = "explore", "go to", "pick up", "drop", "open", "wait"

NOTHING = "nothing"
"""The word in a scene's text for an empty view or an empty hand."""


class Option(NamedTuple):
    """One thing to do, such as "go to <key>". `thing` is None if the words name no thing. `other`
    is what a thing is dropped next to."""

    verb: str
    thing: str | None = None
    other: str | None = None

    def __str__(self) -> str:
        words = self.verb if self.thing is None else f"{self.verb} <{self.thing}>"
        return words if self.other is None else f"{words} next to <{self.other}>"


Plan = tuple[Option, ...]
Answer = tuple[tuple[float, Plan], ...]
"""Plans with their probabilities, which add up to 1."""
LegalPlans = Callable[[str], tuple[Plan, ...]]
"""Scene text -> its legal plans, at least one, always in the same order."""


class Planner(Protocol):
    """A source of plans for scenes: recorded answers, or an LLM. By default its answers are free
    and never change."""

    def answers(self, scenes: Sequence[str]) -> list[Answer | None]:
        """The answer to each scene; None where there is none."""

    def counts(self) -> dict[str, float]:
        """What the answers have cost so far, by name; empty if they are free."""
        return {}

    def news(self) -> dict[str, dict[str, float]]:
        """All plans from the LLM so far: scene text -> plan -> probability. Empty if there are no
        more than at the last call."""
        return {}

    def doubt(self, share: float) -> bool:
        """Told which share of these answers should be every legal plan alike. Returns whether they
        have changed."""
        return False

    def awaits_answers(self) -> bool:
        """Whether a scene has no answer yet, but may still get one."""
        return False

    def problem(self) -> str:
        """Why no scene so far has a plan, in one line; empty if some scene has one."""
        return ""


def is_clear(option: Option, nouns: Sequence[str]) -> bool:
    """Whether an option names a verb, and only things among the nouns unless it explores."""
    if option.verb == EXPLORE:
        return True
    known = option.thing in nouns and (option.other is None or option.other in nouns)
    return option.verb != WAIT and known


def only_clear(plan: Plan, nouns: Sequence[str]) -> Plan:
    """The plan with a wait in place of each unclear option.

    A thing behind "explore" is dropped: the LLM means to look for it. In recorded plans such an
    option waits until the thing is seen.
    """
    return tuple(
        Option(EXPLORE)
        if option.verb == EXPLORE
        else option
        if is_clear(option, nouns)
        else Option(WAIT)
        for option in plan
    )


def plan_shares(answer: Answer | None) -> dict[str, float]:
    """An answer as a file of plans holds it: plan in words -> probability."""
    shares = dict[str, float]()
    for p, plan in answer or ():
        shares[describe(plan)] = shares.get(describe(plan), 0.0) + p
    return shares


def describe(plan: Plan) -> str:
    """A plan in words that `parse_plan` reads."""
    return ", ".join(str(option) for option in plan)
