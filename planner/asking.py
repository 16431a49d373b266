"""A planner that asks an LLM about the scenes that it does not know yet."""

import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import as_completed
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from functools import partial

from planner.answers import AnswerStore, Question
from planner.llm import ChatClient, LLMError, Prompt, in_thread
from planner.plans import Answer, Plan, as_plans, is_plain, made_plain, parse_reply
from planner.scene import Scene
from utils.errors import UserError

Progress = Callable[[str, int], AbstractContextManager[Callable[[], None]]]
"""Shows that something of so many parts is waited for; gives what to call at each part."""


@dataclass
class AskingPlanner:
    """Asks for `n` replies a scene and counts equal plans into probabilities.

    Scenes are asked about together; a reply without a plan is asked for again, at most `retries`
    times, and then counts as no advice. All replies go through the store, so that what was
    answered is never asked again. If the server fails, the scenes at stake have no answer for
    now: that is told once, and from then on one of them is tried before the others are, each in
    its turn; with `strict` it is a UserError instead. If it is not to ask, it just knows what the
    store holds.
    """

    client: ChatClient
    store: AnswerStore
    task: str
    instructions: str
    nouns: Sequence[str]
    n: int
    retries: int
    strict: bool
    tell: Callable[[str], None]
    progress: Progress
    asks: bool = True
    _known: dict[Scene, Answer | None] = field(default_factory=dict)
    _counts: Counter[str] = field(default_factory=Counter)
    _seconds: float = 0.0
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _grown: bool = False
    _away: int = 0

    def answers(self, scenes: Sequence[Scene]) -> list[Answer | None]:
        unknown = [scene for scene in dict.fromkeys(scenes) if scene not in self._known]
        if unknown:
            self.store.refresh()
            if self.asks and any(self._missing(scene) for scene in unknown):
                self._ask_about(unknown)
            for scene in unknown:
                if not self._missing(scene):
                    self._known[scene] = self._answer(scene)
                    self._grown = True
        return [self._known.get(scene) for scene in scenes]

    def counts(self) -> dict[str, float]:
        """What the asking has cost so far."""
        usage = self.client.usage
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
        return {scene.text: as_plans(answer) for scene, answer in self._known.items()}

    def prompt(self, scene: Scene) -> Prompt:
        return Prompt(self.instructions, scene.text)

    def _question(self, scene: Scene) -> Question:
        client, prompt = self.client, self.prompt(scene)
        return Question(self.task, scene.text, prompt.fingerprint, client.model, client.temperature)

    def _plans(self, scene: Scene) -> list[Plan | None]:
        replies = self.store.replies(self._question(scene))
        plans = [parse_reply(reply, self.nouns) for reply in replies]
        return [plan and made_plain(plan, self.nouns) for plan in plans]

    def _missing(self, scene: Scene) -> int:
        """How many replies are still to be had; those without a plan count once they were asked
        for `retries` times more."""
        plans = self._plans(scene)
        without = plans.count(None)
        return max(0, self.n - (len(plans) - without) - without // (self.retries + 1))

    def _answer(self, scene: Scene) -> Answer | None:
        plans = [plan for plan in self._plans(scene) if plan is not None][: self.n]
        counts = Counter(plans).most_common()
        return tuple((count / len(plans), plan) for plan, count in counts) or None

    def _ask_about(self, unknown: list[Scene]) -> None:
        began = time.monotonic()
        with self.store.locked():
            scenes = [scene for scene in unknown if self._missing(scene)]
            failure = self._try_again(scenes) if self._away else None
            if not failure:
                failure = self._ask_together([scene for scene in scenes if self._missing(scene)])
        self._seconds += time.monotonic() - began
        if failure and self.strict:
            raise UserError(f"the LLM does not answer: {failure}")
        if failure and not self._away:
            self.tell(f"going on without the LLM for now, and asking again later: {failure}")
        if self._away and not failure:
            self.tell("the LLM answers again")
        self._away = self._away + 1 if failure else 0

    def _try_again(self, scenes: list[Scene]) -> LLMError | None:
        """Ask a server that was away about one scene, another one each time: it may be that one
        alone that it does not answer to."""
        try:
            for scene in scenes[self._away % len(scenes) :][:1] if scenes else ():
                self._ask(scene, lambda: None, attempts=1)
        except LLMError as error:
            return error
        return None

    def _ask_together(self, scenes: list[Scene]) -> LLMError | None:
        """Ask about scenes until they are known; the first failure, if there is one."""
        if not scenes:
            return None
        failure: LLMError | None = None
        replies = sum(self._missing(scene) for scene in scenes)
        about = f"asking {self.client.url} about {len(scenes)} scene(s)"
        with self.progress(about, replies) as advance:
            for job in as_completed([in_thread(partial(self._ask, s, advance)) for s in scenes]):
                try:
                    job.result()
                except LLMError as error:
                    failure = failure or error
        return failure

    def _ask(self, scene: Scene, advance: Callable[[], None], attempts: int | None = None) -> None:
        def heard(reply: str) -> None:
            self.store.add(self._question(scene), reply)
            plan = parse_reply(reply, self.nouns)
            with self._lock:
                self._counts["replies"] += 1
                self._counts["planless"] += plan is None
                self._counts["unclear"] += sum(not is_plain(o, self.nouns) for o in plan or ())
            if plan:
                advance()

        while missing := self._missing(scene):
            self.client.ask(self.prompt(scene), missing, heard, attempts)
