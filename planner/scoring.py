"""A planner that asks an LLM how likely each legal plan of a scene is, instead of for a plan.

One pass over the plans gives an exact distribution, and no reply can miss the form.
"""

import json
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from math import exp, isfinite
from typing import Protocol

from planner.answers import Question
from planner.live_planner import LivePlanner
from planner.llm import Prompt, Usage
from planner.llm_errors import LLMError, PassingError, RefusedError
from planner.plans import Answer, LegalPlans, describe
from planner.wordings import wordings
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
        LLMError if the model cannot be asked; RefusedError if others may be answered."""


@dataclass(kw_only=True)
class ScoringPlanner(LivePlanner):
    """Each legal plan with the softmax of its score over `temperature`, averaged over wordings of
    the prompt.

    The store keeps the scores, so none is asked for twice. After an error that may pass, the
    planner pauses: `pause` seconds at first.
    """

    scorer: Scorer
    legal_plans: LegalPlans
    temperature: float
    pause: float = 1.0
    _scores: int = 0
    _scored: set[str] = field(default_factory=set)

    @property
    def model(self) -> str:
        return self.scorer.model

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
        reason = self.backoff.away or "the server refuses its scenes"
        return f"{self.model} scores no plans: {reason}"

    def _answer(self, scene: str) -> Answer | None:
        """The mean of the distributions of all wordings, the likeliest plan first."""
        plans = self.legal_plans(scene)
        found = [self._stored(scene, prompt) for prompt in self._prompts(scene)]
        shares = [softmax(scores, self.temperature) for scores in found if scores]
        means = [sum(each) / len(shares) for each in zip(*shares, strict=True)]
        return tuple(sorted(zip(means, plans, strict=True), key=lambda each: -each[0]))

    def _is_stored(self, scene: str) -> bool:
        return all(self._stored(scene, prompt) for prompt in self._prompts(scene))

    def _prompts(self, scene: str) -> tuple[Prompt, ...]:
        return wordings(self.instructions, scene)

    def _question(self, scene: str, prompt: Prompt) -> Question:
        # Scores do not depend on a temperature.
        return Question(scene, SCORES + prompt.fingerprint, self.model, 0.0)

    def _stored(self, scene: str, prompt: Prompt) -> list[float]:
        """The newest scores of the scene's legal plans; empty if the store has none. Scores by
        letters hold for these plans together, so scores of other plans do not count."""
        words = [describe(plan) for plan in self.legal_plans(scene)]
        for reply in reversed(self.store.replies(self._question(scene, prompt))):
            scores = read_scores(reply)
            if scores.keys() == {*words}:
                return [scores[plan] for plan in words]
        return []

    def _ask_about(self, scenes: Sequence[str]) -> None:
        asked = self._to_ask(scenes)
        if not asked or (self.backoff.away and not self.backoff.retry_is_due()):
            return
        self.backoff.begin()
        with self.store.locked():
            # Another run may have scored them meanwhile.
            if asked := self._to_ask(asked):
                about = f"{self.model} scores the plans of {counted(len(asked), 'scene')}"
                with self.progress(about + self._limit_of_start(), len(asked)) as advance:
                    try:
                        for scene in asked:
                            self._score_all(scene)
                            advance()
                    except LLMError as error:
                        self.backoff.set_away(error)
        if self.backoff.away:
            self._stop_if_needed(self.backoff.away)
        self._tell_if_away()

    def _score_all(self, scene: str) -> None:
        """Score the plans of a scene in all wordings that are missing."""
        try:
            for prompt in self._prompts(scene):
                if not self._stored(scene, prompt):
                    self._score(scene, prompt)
        except RefusedError as error:
            self._stop_if_needed(error)
            self._set_refused(scene, error)

    def _score(self, scene: str, prompt: Prompt) -> None:
        words = [describe(plan) for plan in self.legal_plans(scene)]
        scores = self._patiently(prompt, words)
        if len(scores) != len(words) or not all(map(isfinite, scores)):
            raise LLMError(f"{self.model} gives scores that are not numbers: {scores}")
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
            except LLMError as error:
                self.scorer.usage.add(failures=1)
                failures += 1
                patient = self.backoff.is_starting or failures < ATTEMPTS
                if not isinstance(error, PassingError) or self.backoff.away or not patient:
                    raise
                if failures == 1 and self.backoff.is_starting:
                    self.tell(f"no scores yet, asking again: {error}")
                time.sleep(max(error.after, self.pause * 2 ** min(failures - 1, ATTEMPTS)))


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
