"""A planner that asks an LLM how likely each legal plan of a scene is, instead of for a plan.

One pass over the plans gives an exact distribution, and no reply can miss the form.
"""

import json
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from math import exp, isfinite
from typing import Protocol

from planner.answers import Question
from planner.asking import Progress
from planner.backoff import Backoff
from planner.live_planner import LivePlanner
from planner.llm import Prompt, Usage
from planner.llm_errors import LLMError, PassingError
from planner.plans import Answer, LegalPlans, Plan, describe
from planner.wordings import wordings
from utils.errors import UserError
from utils.terminal import counted

SCORES = "scores of "
"""Stands before a prompt's fingerprint in the store: its replies are scores, not plans."""
ATTEMPTS = 4
"""Attempts after errors that may pass, before a server counts as away."""


class Scorer(Protocol):
    """A language model that tells how likely plans are.

    `model` names it in the store and in messages. Nothing is loaded before the first scores.
    """

    model: str
    usage: Usage

    def scores(self, prompt: Prompt, plans: Sequence[str]) -> list[float]:
        """The log-likelihood of each plan in words, as `answer_with` writes it, after a prompt.
        LLMError if the model cannot be asked."""


@dataclass
class ScoringPlanner(LivePlanner):
    """Each legal plan with the softmax of its score over `temperature`, averaged over wordings of
    the prompt.

    The store keeps the scores, so none is asked for twice. A scene with one legal plan needs none.

    If the model fails, the scenes have no answer for now, a message says why, and a later call
    tries again. It is a UserError if the planner is `strict`, or if the model has never answered
    and is not `optional`.
    """

    scorer: Scorer
    instructions: str
    legal_plans: LegalPlans
    temperature: float
    strict: bool
    optional: bool
    tell: Callable[[str], None]
    progress: Progress
    backoff: Backoff
    pause: float = 1.0
    _scores: int = 0
    _scored: set[str] = field(default_factory=set)
    _seconds: float = 0.0
    _shown_status: int | None = None

    def __post_init__(self) -> None:
        # Scores of an earlier run show that the settings are right.
        self.backoff.has_answered = self.store.knows(self.scorer.model)

    def counts(self) -> dict[str, float]:
        usage = self.scorer.usage
        return {
            "Requests": usage.requests,
            "Failures": usage.failures,
            "Tokens": usage.tokens,
            "Seconds Waited": self._seconds,
            "Scenes": len(self._scored),
            "Scores": self._scores,
        }

    def problem(self) -> str:
        if not self._was_asked or self._known:
            return ""
        away = self.backoff.away
        return f"{self.scorer.model} scores no plans: {away or 'it was never asked'}"

    def _answer(self, scene: str) -> Answer | None:
        """The mean of the distributions of all wordings, the likeliest plan first."""
        plans = self.legal_plans(scene)
        if len(plans) == 1:
            return ((1.0, plans[0]),)
        found = [self._stored(scene, prompt, plans) for prompt in self._prompts(scene)]
        if any(scores is None for scores in found):
            return None
        shares = [softmax(scores, self.temperature) for scores in found if scores]
        means = [sum(each) / len(shares) for each in zip(*shares, strict=True)]
        return tuple(sorted(zip(means, plans, strict=True), key=lambda each: -each[0]))

    def _is_stored(self, scene: str) -> bool:
        return not self._missing([scene])

    def _prompts(self, scene: str) -> tuple[Prompt, ...]:
        return wordings(self.instructions, scene)

    def _question(self, scene: str, prompt: Prompt) -> Question:
        # Scores do not depend on a temperature.
        return Question(scene, SCORES + prompt.fingerprint, self.scorer.model, 0.0)

    def _stored(self, scene: str, prompt: Prompt, plans: Sequence[Plan]) -> list[float] | None:
        """The newest scores of all these plans, if the store has them."""
        for reply in reversed(self.store.replies(self._question(scene, prompt))):
            scores = read_scores(reply)
            if all(describe(plan) in scores for plan in plans):
                return [scores[describe(plan)] for plan in plans]
        return None

    def _missing(self, scenes: Sequence[str]) -> list[tuple[str, Prompt, tuple[Plan, ...]]]:
        """The scenes, wordings and plans that are still to be scored."""
        several = [(s, plans) for s in scenes if len(plans := self.legal_plans(s)) > 1]
        return [
            (scene, prompt, plans)
            for scene, plans in several
            for prompt in self._prompts(scene)
            if self._stored(scene, prompt, plans) is None
        ]

    def _ask_about(self, scenes: Sequence[str]) -> None:
        if not self._missing(scenes) or (self.backoff.away and not self.backoff.retry_is_due()):
            return
        self.backoff.begin()
        began = time.monotonic()
        with self.store.locked():
            # Another run may have scored them meanwhile.
            missing = self._missing(scenes)
            asked = len({scene for scene, *_ in missing})
            about = f"{self.scorer.model} scores the plans of {counted(asked, 'scene')}"
            with self.progress(about, len(missing)) as advance:
                try:
                    for scene, prompt, plans in missing:
                        self._score(scene, prompt, plans)
                        advance()
                except LLMError as error:
                    self.backoff.set_away(error)
        self._seconds += time.monotonic() - began
        if failure := self.backoff.away:
            self._stop_or_tell(failure)
        elif self._shown_status is not None:
            self.tell(f"{self.scorer.model} scores plans again")
            self._shown_status = None

    def _score(self, scene: str, prompt: Prompt, plans: Sequence[Plan]) -> None:
        words = [describe(plan) for plan in plans]
        scores = self._patiently(prompt, words)
        if len(scores) != len(words) or not all(map(isfinite, scores)):
            raise LLMError(f"{self.scorer.model} gives scores that are not numbers: {scores}")
        self._scores += len(scores)
        self._scored.add(scene)
        named = dict(zip(words, scores, strict=True))
        self.store.add(self._question(scene, prompt), json.dumps(named, ensure_ascii=False))
        self.backoff.set_answered()

    def _patiently(self, prompt: Prompt, words: Sequence[str]) -> list[float]:
        """Scores, after some attempts if need be. A server that is away gets one."""
        failures = 0
        while True:
            try:
                return self.scorer.scores(prompt, words)
            except PassingError as error:
                self.scorer.usage.add(failures=1)
                failures += 1
                patient = self.backoff.is_starting or failures < ATTEMPTS
                if self.backoff.away or not patient:
                    raise
                if failures == 1 and self.backoff.is_starting:
                    self.tell(f"no scores yet, asking again: {error}")
                time.sleep(max(error.after, self.pause * 2 ** min(failures - 1, ATTEMPTS)))

    def _stop_or_tell(self, failure: LLMError) -> None:
        if self.strict:
            raise UserError(f"the LLM does not answer: {failure}")
        if not (self.backoff.has_answered or self.optional):
            raise UserError(f"the LLM does not answer: {failure}; --llm_optional goes on without")
        if self._shown_status != failure.status:
            self.tell(f"going on without the LLM for now, and asking again later: {failure}")
            self._shown_status = failure.status


def read_scores(reply: str) -> dict[str, float]:
    """Plan in words -> score; empty if a stored reply holds anything else."""
    try:
        content = json.loads(reply)
        scores = {str(plan): float(score) for plan, score in content.items()}
    except (ValueError, TypeError, AttributeError, RecursionError):
        return {}
    return scores if all(map(isfinite, scores.values())) else {}


def softmax(scores: Sequence[float], temperature: float) -> list[float]:
    best = max(scores)
    weights = [exp((score - best) / temperature) for score in scores]
    return [weight / sum(weights) for weight in weights]
