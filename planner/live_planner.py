"""What planners that ask a language model have in common."""

import time
from abc import abstractmethod
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field

from planner.answers import AnswerStore
from planner.backoff import Backoff
from planner.llm_errors import LLMError
from planner.plans import Answer, LegalPlans, Planner, plan_shares
from utils.errors import UserError

Progress = Callable[[str, int], AbstractContextManager[Callable[[], None]]]
"""Shows a text and a number of parts while a block runs; gives a function to call at each part."""


@dataclass(kw_only=True)
class LivePlanner(Planner):
    """Asks about scenes that it does not know yet, and remembers their answers. A scene with a
    single one of the `legal_plans`, if these are known, needs no question.

    The store keeps all that the model said. With `asks` off, the planner knows only what the store
    holds. `backoff` is what is known about the model's server.

    If the server fails, scenes have no answer for now, and a message says why. If it refuses a
    single scene, that scene is tried again from time to time. A failure is a UserError if the
    planner is `strict`, or if the model has never answered and is not `optional`.
    """

    store: AnswerStore
    backoff: Backoff
    instructions: str
    strict: bool
    optional: bool
    tell: Callable[[str], None]
    progress: Progress
    legal_plans: LegalPlans | None = None
    asks: bool = True
    _known: dict[str, Answer | None] = field(default_factory=dict)
    _open: set[str] = field(default_factory=set)
    _was_asked: bool = False
    _has_news: bool = False
    _seconds: float = 0.0
    _shown_status: int | None = None
    _shown_refusals: set[int] = field(default_factory=set)
    _refused_until: dict[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        # An answer of an earlier run shows that the settings are right.
        self.backoff.has_answered = self.store.knows(self.model)

    @property
    @abstractmethod
    def model(self) -> str:
        """The model's name in the store and in messages."""

    def answers(self, scenes: Sequence[str]) -> list[Answer | None]:
        self._was_asked = True
        unknown = [scene for scene in dict.fromkeys(scenes) if scene not in self._known]
        if unknown:
            self.store.refresh()
            if self.asks:
                began = time.monotonic()
                self._ask_about(unknown)
                self._seconds += time.monotonic() - began
            for scene in unknown:
                if only := self._only_plan(scene):
                    self._known[scene] = only
                elif self._is_stored(scene):
                    self._known[scene] = self._answer(scene)
                else:
                    self._open.add(scene)
                    continue
                self._open.discard(scene)
                self._has_news = True
        return [self._known.get(scene) for scene in scenes]

    def news(self) -> dict[str, dict[str, float]]:
        if not self._has_news:
            return {}
        self._has_news = False
        return {scene: plan_shares(answer) for scene, answer in self._known.items()}

    def awaits_answers(self) -> bool:
        return bool(self._open)

    @abstractmethod
    def _ask_about(self, scenes: Sequence[str]) -> None:
        """Ask the model about scenes, and store what it says."""

    @abstractmethod
    def _is_stored(self, scene: str) -> bool:
        """Whether the store holds all that the answer to a scene needs."""

    @abstractmethod
    def _answer(self, scene: str) -> Answer | None:
        """The answer to a scene, from the store; None if its replies hold no plan."""

    def _only_plan(self, scene: str) -> Answer | None:
        """The answer to a scene with a single legal plan."""
        plans = self.legal_plans(scene) if self.legal_plans else ()
        return ((1.0, plans[0]),) if len(plans) == 1 else None

    def _to_ask(self, scenes: Sequence[str]) -> list[str]:
        """The scenes that need the model now: the others are known, or were refused just now."""
        now = time.monotonic()
        return [
            scene
            for scene in scenes
            if now >= self._refused_until.get(scene, 0.0)
            and not self._only_plan(scene)
            and not self._is_stored(scene)
        ]

    def _limit_of_start(self) -> str:
        """How long a server may take to start, to append to a sentence; else empty."""
        if not self.backoff.is_starting:
            return ""
        return f"; it has {self.backoff.first_timeout:g} s to start (a model may be loading)"

    def _stop_if_needed(self, failure: LLMError) -> None:
        if self.strict:
            raise UserError(f"the LLM does not answer: {failure}")
        if not (self.backoff.has_answered or self.optional):
            raise UserError(f"the LLM does not answer: {failure}; --llm_optional goes on without")

    def _tell_if_away(self) -> None:
        """Say once that the server is away, and once that it is back."""
        away = self.backoff.away
        if away and self._shown_status != away.status:
            self.tell(f"going on without the LLM for now, and asking again later: {away}")
            self._shown_status = away.status
        elif not away and self._shown_status is not None:
            self.tell("the LLM answers again")
            self._shown_status = None

    def _set_refused(self, scene: str, error: LLMError) -> None:
        """The server refuses a scene; it may answer others."""
        self._refused_until[scene] = time.monotonic() + self.backoff.longest_pause
        if error.status not in self._shown_refusals:
            self.tell(f"going on without an answer about {scene!r} for now: {error}")
            self._shown_refusals.add(error.status)
