"""A planner that asks an LLM about the scenes that it does not know yet."""

import time
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass

from planner.answers import AnswerStore, Question
from planner.llm import ChatClient, LLMError, Prompt
from planner.plans import Answer, Plan, parse_reply
from planner.scene import Scene
from utils.errors import UserError


@dataclass
class AskingPlanner:
    """Asks for `n` replies a scene and counts equal plans into probabilities.

    Scenes are asked about together; a reply without a plan is asked for again, at most `retries`
    times, and then counts as no advice. All replies go through the store, so that what was
    answered is never asked again. If the server fails, the scenes at stake have no answer for
    now: that is told once, and they are asked about again the next time; with `strict` it is a
    UserError instead.
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
    seconds: float = 0.0
    _away: bool = False

    def answers(self, scenes: Sequence[Scene]) -> list[Answer | None]:
        self.store.refresh()
        unknown = [scene for scene in dict.fromkeys(scenes) if self._missing(scene)]
        if unknown:
            self._ask_about(unknown)
        return [self._answer(scene) for scene in scenes]

    def counts(self) -> dict[str, float]:
        """What the asking has cost so far."""
        usage = self.client.usage
        return {
            "Requests": usage.requests,
            "Failures": usage.failures,
            "Tokens": usage.tokens,
            "Seconds Waited": self.seconds,
        }

    def prompt(self, scene: Scene) -> Prompt:
        return Prompt(self.instructions, scene.text)

    def _question(self, scene: Scene) -> Question:
        client, prompt = self.client, self.prompt(scene)
        return Question(self.task, scene.text, prompt.fingerprint, client.model, client.temperature)

    def _plans(self, scene: Scene) -> list[Plan | None]:
        replies = self.store.replies(self._question(scene))
        return [parse_reply(reply, self.nouns) for reply in replies]

    def _missing(self, scene: Scene) -> int:
        """How many replies are still to be had; those without a plan count once they were asked
        for `retries` times more."""
        plans = self._plans(scene)
        without = plans.count(None)
        return max(0, self.n - (len(plans) - without) - without // (self.retries + 1))

    def _answer(self, scene: Scene) -> Answer | None:
        if self._missing(scene):
            return None
        plans = [plan for plan in self._plans(scene) if plan is not None][: self.n]
        counts = Counter(plans).most_common()
        return tuple((count / len(plans), plan) for plan, count in counts) or None

    def _ask_about(self, scenes: list[Scene]) -> None:
        began = time.monotonic()
        self.tell(f"asking {self.client.url} about {len(scenes)} scene(s)")
        failure: LLMError | None = None
        with ThreadPoolExecutor(len(scenes)) as pool:
            jobs = [pool.submit(self._ask_until_known, scene) for scene in scenes]
            for job in as_completed(jobs):
                failure = failure or self._error_of(job.exception())
        self.seconds += time.monotonic() - began
        if failure and self.strict:
            raise UserError(f"the LLM does not answer: {failure}")
        if failure and not self._away:
            self.tell(f"going on without the LLM for now, and asking again later: {failure}")
        self._away = failure is not None

    @staticmethod
    def _error_of(error: BaseException | None) -> LLMError | None:
        if error is None or isinstance(error, LLMError):
            return error
        raise error

    def _ask_until_known(self, scene: Scene) -> None:
        question = self._question(scene)
        while missing := self._missing(scene):
            self.client.ask(
                self.prompt(scene), missing, lambda reply: self.store.add(question, reply)
            )
