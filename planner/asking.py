"""A planner that asks an LLM about the scenes that it does not know yet."""

import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from functools import partial

from planner.answers import AnswerStore, Question
from planner.llm import Prompt
from planner.llm_errors import LLMError
from planner.plans import Answer, Plan, as_plans, is_plain, made_plain, parse_reply
from planner.request_pool import Asker, Want
from utils.errors import UserError

Progress = Callable[[str, int], AbstractContextManager[Callable[[], None]]]
"""Shows that something of so many parts is waited for; gives what to call at each part."""


@dataclass
class AskingPlanner:
    """Asks for `n` replies a scene and counts equal plans into probabilities.

    Scenes are asked about together; a reply without a plan is asked for again, at most `retries`
    times, and then counts as no advice. All replies go through the store, so that what was
    answered is never asked again.

    If the server fails, the scenes at stake have no answer for now: that is told once a reason,
    and from then on one of them, each in its turn, is tried in the background until a reply
    comes. It is a UserError instead if no answer ever came, unless the LLM is `optional`, and with
    `strict` in any case. A scene that alone is refused is tried again from time to time. If it is
    not to ask, it just knows what the store holds.
    """

    asker: Asker
    store: AnswerStore
    task: str
    instructions: str
    nouns: Sequence[str]
    n: int
    retries: int
    strict: bool
    optional: bool
    tell: Callable[[str], None]
    progress: Progress
    asks: bool = True
    _known: dict[str, Answer | None] = field(default_factory=dict)
    _counts: Counter[str] = field(default_factory=Counter)
    _seconds: float = 0.0
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _grown: bool = False
    _tried: int = 0
    _told: int | None = None
    _told_refusals: set[int] = field(default_factory=set)
    _refused_until: dict[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        # What answered a run before is no mistake.
        self.asker.patience.heard = self.store.knows(self.task, self.asker.client.model)

    def answers(self, scenes: Sequence[str]) -> list[Answer | None]:
        unknown = [scene for scene in dict.fromkeys(scenes) if scene not in self._known]
        if unknown:
            self.store.refresh()
            if self.asks:
                self._ask_about(unknown)
            for scene in unknown:
                if not self._missing(scene):
                    self._known[scene] = self._answer(scene)
                    self._grown = True
        return [self._known.get(scene) for scene in scenes]

    def counts(self) -> dict[str, float]:
        """What the asking has cost so far."""
        usage = self.asker.client.usage
        return {
            "Requests": usage.requests,
            "Failures": usage.failures,
            "Tokens": usage.tokens,
            "Seconds Waited": self._seconds,
            "Replies": self._counts["replies"],
            "Replies Without Plan": self._counts["planless"],
            "Unclear Options": self._counts["unclear"],
        }

    def news(self) -> dict[str, dict[str, float]]:
        if not self._grown:
            return {}
        self._grown = False
        return {scene: as_plans(answer) for scene, answer in self._known.items()}

    def prompt(self, scene: str) -> Prompt:
        return Prompt(self.instructions, scene)

    def _question(self, scene: str) -> Question:
        client, prompt = self.asker.client, self.prompt(scene)
        return Question(self.task, scene, prompt.fingerprint, client.model, client.temperature)

    def _plans(self, scene: str) -> list[Plan | None]:
        replies = self.store.replies(self._question(scene))
        plans = [parse_reply(reply, self.nouns) for reply in replies]
        return [plan and made_plain(plan, self.nouns) for plan in plans]

    def _missing(self, scene: str) -> int:
        """How many replies are still to be had; those without a plan count once they were asked
        for `retries` times more."""
        plans = self._plans(scene)
        without = plans.count(None)
        return max(0, self.n - (len(plans) - without) - without // (self.retries + 1))

    def _answer(self, scene: str) -> Answer | None:
        plans = [plan for plan in self._plans(scene) if plan is not None][: self.n]
        counts = Counter(plans).most_common()
        return tuple((count / len(plans), plan) for plan, count in counts) or None

    def _ask_about(self, unknown: Sequence[str]) -> None:
        patience = self.asker.patience
        if self._told is not None and not patience.away:
            self.tell("the LLM answers again")
            self._told = None
        scenes = self._to_ask(unknown)
        if not scenes:
            return
        if not patience.away:
            self._ask_together(scenes)
        elif patience.due():
            self._tried += 1
            scene = scenes[self._tried % len(scenes)]
            self.asker.try_again(self._want(scene, lambda: None))
        if patience.away and self._told != patience.away.status:
            self.tell(f"going on without the LLM for now, and asking again later: {patience.away}")
            self._told = patience.away.status

    def _to_ask(self, unknown: Sequence[str]) -> list[str]:
        now = time.monotonic()
        return [
            scene
            for scene in unknown
            if now >= self._refused_until.get(scene, 0.0) and self._missing(scene)
        ]

    def _ask_together(self, unknown: Sequence[str]) -> None:
        """Ask about scenes until they are known, or cannot be."""
        began, patience = time.monotonic(), self.asker.patience
        refused: dict[str, LLMError] = {}
        with self.store.locked():
            if scenes := self._to_ask(unknown):
                about = f"asking {self.asker.client.url} about {len(scenes)} scene(s)"
                if patience.starting:
                    about += f"; it has {patience.first:g} s to start (a model may be loading)"
                with self.progress(about, sum(map(self._missing, scenes))) as advance:
                    wants = {scene: self._want(scene, advance) for scene in scenes}
                    self.asker.ask(
                        list(wants.values()),
                        lambda reason: self.tell(f"no answer yet, asking again: {reason}"),
                    )
                refused = {scene: want.failure for scene, want in wants.items() if want.failure}
        self._seconds += time.monotonic() - began
        if failure := patience.away or next(iter(refused.values()), None):
            self._stop_if_needed(failure)
        for scene, refusal in refused.items():
            self._refused_until[scene] = time.monotonic() + patience.longest
            if refusal.status not in self._told_refusals:
                self.tell(f"going on without an answer about {scene!r} for now: {refusal}")
                self._told_refusals.add(refusal.status)

    def _stop_if_needed(self, failure: LLMError) -> None:
        if self.strict:
            raise UserError(f"the LLM does not answer: {failure}")
        if not (self.asker.patience.heard or self.optional):
            raise UserError(f"the LLM does not answer: {failure}; --llm_optional goes on without")

    def _want(self, scene: str, advance: Callable[[], None]) -> Want:
        def arrived(reply: str) -> None:
            self.store.add(self._question(scene), reply)
            plan = parse_reply(reply, self.nouns)
            with self._lock:
                self._counts["replies"] += 1
                self._counts["planless"] += plan is None
                self._counts["unclear"] += sum(not is_plain(o, self.nouns) for o in plan or ())
            if plan:
                advance()

        return Want(self.prompt(scene), partial(self._missing, scene), arrived)
