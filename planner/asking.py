"""A planner that asks an LLM about the scenes it does not know yet."""

import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from functools import partial
from itertools import count

from planner.answers import Question
from planner.live_planner import LivePlanner
from planner.llm import PLAN, Prompt
from planner.llm_errors import LLMError
from planner.plan_parser import parse_reply
from planner.plans import Answer, LegalPlans, Plan, describe, is_clear, only_clear
from planner.replies import shown
from planner.request_pool import Request, RequestPool
from utils.errors import UserError
from utils.terminal import counted

PLANLESS = 10
"""After so many replies without a plan, and none with one, an LLM is asked no more."""
CHOOSE = f'Reply in JSON, {{"{PLAN}": "…"}}, with the best of these plans:'
Progress = Callable[[str, int], AbstractContextManager[Callable[[], None]]]
"""Shows a text and a number of parts while a block runs; gives a function to call at each part."""


@dataclass
class AskingPlanner(LivePlanner):
    """Asks for `n` replies per scene; the shares of equal plans are their probabilities. With
    `legal_plans`, replies are JSON with one of these; a scene with one legal plan needs no reply.

    A scene has no answer if its replies hold no plan. Such a reply is asked for again, at most
    `retries` times. After ten replies without a plan, and none with one, the planner asks no more.
    The store keeps all replies, so none is asked for twice. It tells apart how the LLM `samples`.

    If the server fails, the scenes have no answer for now, and a message says why. From then on
    one scene after another is tried in the background until a reply comes. If the server refuses a
    single scene, that scene is tried again from time to time. A failure of the server is a
    UserError if the planner is `strict`, or if the LLM has never answered and is not `optional`.
    """

    pool: RequestPool
    instructions: str
    nouns: Sequence[str]
    n: int
    retries: int
    strict: bool
    optional: bool
    tell: Callable[[str], None]
    progress: Progress
    legal_plans: LegalPlans | None = None
    samples: str = ""
    _asked: set[str] = field(default_factory=set)
    _counts: Counter[str] = field(default_factory=Counter)
    _seconds: float = 0.0
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _tries: int = 0
    _first_planless: str = ""
    _warned_planless: bool = False
    _shown_status: int | None = None
    _shown_refusals: set[int] = field(default_factory=set)
    _refused_until: dict[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        # Replies of an earlier run show that the settings are right.
        self.pool.backoff.has_answered = self.store.knows(self.pool.client.model)

    def counts(self) -> dict[str, float]:
        usage = self.pool.client.usage
        return {
            "Requests": usage.requests,
            "Failures": usage.failures,
            "Tokens": usage.tokens,
            "Seconds Waited": self._seconds,
            "Scenes": len(self._asked),
            "Replies": self._counts["replies"],
            "Replies Without Plan": self._counts["planless"],
            "Unclear Options": self._counts["unclear"],
        }

    def problem(self) -> str:
        if not self._was_asked or any(self._known.values()):
            return ""
        replies = [
            reply for scene in self._known for reply in self.store.replies(self._question(scene))
        ]
        if replies:
            return f"{_planless(len(replies), len(replies), replies[0])}; {self._advice}"
        away = self.pool.backoff.away
        return f"the LLM does not answer: {away}" if away else "the LLM has answered no scene"

    @property
    def _advice(self) -> str:
        """What may help if replies hold no plan."""
        modes = "--llm_mode score" if self.legal_plans else "--llm_mode score or schema"
        return f"{modes}, or another model, may help"

    @property
    def _gives_up(self) -> bool:
        replies = self._counts["replies"]
        return PLANLESS <= replies == self._counts["planless"] and not any(self._known.values())

    def prompt(self, scene: str) -> Prompt:
        if not self.legal_plans:
            return Prompt(self.instructions, scene)
        plans = tuple(map(describe, self.legal_plans(scene)))
        listed = "\n".join(f"- {plan}" for plan in plans)
        return Prompt(self.instructions, f"{scene}\n\n{CHOOSE}\n{listed}", plans=plans)

    def _question(self, scene: str) -> Question:
        client, prompt = self.pool.client, self.prompt(scene).fingerprint
        key = f"{prompt} {self.samples}".rstrip()
        return Question(scene, key, client.model, client.temperature)

    def _plans(self, scene: str) -> list[Plan | None]:
        replies = self.store.replies(self._question(scene))
        plans = [parse_reply(reply, self.nouns) for reply in replies]
        return [plan and only_clear(plan, self.nouns) for plan in plans]

    def _is_stored(self, scene: str) -> bool:
        return not self._missing(scene)

    def _missing(self, scene: str) -> int:
        """How many replies are missing. A reply without a plan counts only after `retries` more."""
        if self._gives_up or self._only_plan(scene):
            return 0
        plans = self._plans(scene)
        planless = plans.count(None)
        return max(0, self.n - (len(plans) - planless) - planless // (self.retries + 1))

    def _only_plan(self, scene: str) -> Answer | None:
        plans = self.legal_plans(scene) if self.legal_plans else ()
        return ((1.0, plans[0]),) if len(plans) == 1 else None

    def _answer(self, scene: str) -> Answer | None:
        if only := self._only_plan(scene):
            return only
        plans = [plan for plan in self._plans(scene) if plan is not None][: self.n]
        counts = Counter(plans).most_common()
        return tuple((number / len(plans), plan) for plan, number in counts) or None

    def _ask_about(self, unknown: Sequence[str]) -> None:
        backoff = self.pool.backoff
        if self._shown_status is not None and not backoff.away:
            self.tell("the LLM answers again")
            self._shown_status = None
        scenes = self._to_ask(unknown)
        if not scenes:
            return
        if not backoff.away:
            self._ask_together(scenes)
        elif backoff.retry_is_due():
            self._tries += 1
            scene = scenes[self._tries % len(scenes)]
            self.pool.send_in_background(self._request(scene, lambda: None))
        if backoff.away and self._shown_status != backoff.away.status:
            self.tell(f"going on without the LLM for now, and asking again later: {backoff.away}")
            self._shown_status = backoff.away.status

    def _to_ask(self, unknown: Sequence[str]) -> list[str]:
        now = time.monotonic()
        return [
            scene
            for scene in unknown
            if now >= self._refused_until.get(scene, 0.0) and self._missing(scene)
        ]

    def _ask_together(self, unknown: Sequence[str]) -> None:
        """Ask about scenes until they have answers or the server fails."""
        began, backoff = time.monotonic(), self.pool.backoff
        refused: dict[str, LLMError] = {}
        with self.store.locked():
            if scenes := self._to_ask(unknown):
                about = f"asking {self.pool.client.model} about {counted(len(scenes), 'scene')}"
                if backoff.is_starting:
                    limit = backoff.first_timeout
                    about += f"; it has {limit:g} s to start (a model may be loading)"
                with self.progress(about, sum(map(self._missing, scenes))) as advance:
                    requests = {scene: self._request(scene, advance) for scene in scenes}
                    self.pool.send(
                        list(requests.values()),
                        lambda reason: self.tell(f"no answer yet, asking again: {reason}"),
                    )
                refused = {scene: each.error for scene, each in requests.items() if each.error}
        self._seconds += time.monotonic() - began
        if failure := backoff.away or next(iter(refused.values()), None):
            self._stop_if_needed(failure)
        for scene, error in refused.items():
            self._refused_until[scene] = time.monotonic() + backoff.longest_pause
            if error.status not in self._shown_refusals:
                self.tell(f"going on without an answer about {scene!r} for now: {error}")
                self._shown_refusals.add(error.status)
        self._warn_of_planless()

    def _stop_if_needed(self, failure: LLMError) -> None:
        if self.strict:
            raise UserError(f"the LLM does not answer: {failure}")
        if not (self.pool.backoff.has_answered or self.optional):
            raise UserError(f"the LLM does not answer: {failure}; --llm_optional goes on without")

    def _warn_of_planless(self) -> None:
        """Warn once if most replies hold no plan."""
        planless, replies = self._counts["planless"], self._counts["replies"]
        if 2 * planless > replies and not self._warned_planless:
            model = self.pool.client.model
            end = f"; {model} is asked no more" if self._gives_up else ""
            first = _planless(planless, replies, self._first_planless)
            self.tell(f"warning: {model}: {first}; {self._advice}{end}")
            self._warned_planless = True

    def _request(self, scene: str, advance: Callable[[], None]) -> Request:
        def on_reply(reply: str) -> None:
            self.store.add(self._question(scene), reply)
            plan = parse_reply(reply, self.nouns)
            with self._lock:
                if plan is None and not self._counts["planless"]:
                    self._first_planless = reply
                self._asked.add(scene)
                self._counts["replies"] += 1
                self._counts["planless"] += plan is None
                self._counts["unclear"] += sum(not is_clear(o, self.nouns) for o in plan or ())
            if plan:
                advance()

        numbers = count(len(self.store.replies(self._question(scene))))
        return Request(self.prompt(scene), partial(self._missing, scene), on_reply, numbers)


def _planless(number: int, replies: int, first: str) -> str:
    return f'{number} of {replies} replies hold no plan; the first: "{shown(first)}"'
