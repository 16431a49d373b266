"""A planner that asks an LLM about the scenes it does not know yet."""

import threading
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import count

from planner.answers import Question
from planner.live_planner import LivePlanner
from planner.llm import PLAN, Prompt
from planner.llm_errors import LLMError
from planner.plan_parser import parse_reply
from planner.plans import Answer, Plan, describe, is_clear, only_clear
from planner.replies import shown
from planner.request_pool import Request, RequestPool
from utils.terminal import counted

PLANLESS = 10
"""After so many replies without a plan, and none with one, an LLM is asked no more."""
CHOOSE = f'Reply in JSON, {{"{PLAN}": "…"}}, with the best of these plans:'


@dataclass
class AskingPlanner(LivePlanner):
    """Asks for `n` replies per scene; the shares of equal plans are their probabilities. With
    `legal_plans`, replies are JSON with one of these.

    A scene has no answer if its replies hold no plan. Such a reply is asked for again, at most
    `retries` times. After ten replies without a plan, and none with one, the planner asks no more.
    The store keeps all replies, so none is asked for twice. It tells apart how the LLM `samples`.

    Once the server has failed, one scene after another is tried in the background until a reply
    comes.
    """

    pool: RequestPool
    nouns: Sequence[str]
    n: int
    retries: int
    samples: str = ""
    _asked: set[str] = field(default_factory=set)
    _counts: Counter[str] = field(default_factory=Counter)
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _tries: int = 0
    _first_planless: str = ""
    _warned_planless: bool = False

    @property
    def model(self) -> str:
        return self.pool.client.model

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
        away = self.backoff.away
        return f"the LLM does not answer: {away}" if away else "the LLM has answered no scene"

    @property
    def _advice(self) -> str:
        """What may help if replies hold no plan."""
        modes = "--llm_mode score" if self.legal_plans else "--llm_mode score or schema"
        return f"{modes}, or another model, may help"

    @property
    def _gives_up(self) -> bool:
        replies = self._counts["replies"]
        if not PLANLESS <= replies == self._counts["planless"]:
            return False
        # A single legal plan was no reply.
        return all(self._only_plan(scene) for scene, plans in self._known.items() if plans)

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
        if self._gives_up:
            return 0
        plans = self._plans(scene)
        planless = plans.count(None)
        return max(0, self.n - (len(plans) - planless) - planless // (self.retries + 1))

    def _answer(self, scene: str) -> Answer | None:
        plans = [plan for plan in self._plans(scene) if plan is not None][: self.n]
        counts = Counter(plans).most_common()
        return tuple((number / len(plans), plan) for plan, number in counts) or None

    def _ask_about(self, scenes: Sequence[str]) -> None:
        # A reply may have come in the background.
        self._tell_if_away()
        if not (asked := self._to_ask(scenes)):
            return
        if not self.backoff.away:
            self._ask_together(asked)
        elif self.backoff.retry_is_due():
            self._tries += 1
            scene = asked[self._tries % len(asked)]
            self.pool.send_in_background(self._request(scene, lambda: None))
        self._tell_if_away()

    def _ask_together(self, unknown: Sequence[str]) -> None:
        """Ask about scenes until they have answers or the server fails."""
        refused: dict[str, LLMError] = {}
        with self.store.locked():
            # Another run may have asked meanwhile.
            if scenes := self._to_ask(unknown):
                about = f"asking {self.model} about {counted(len(scenes), 'scene')}"
                about += self._limit_of_start()
                with self.progress(about, sum(map(self._missing, scenes))) as advance:
                    requests = {scene: self._request(scene, advance) for scene in scenes}
                    self.pool.send(
                        list(requests.values()),
                        lambda reason: self.tell(f"no answer yet, asking again: {reason}"),
                    )
                refused = {scene: each.error for scene, each in requests.items() if each.error}
        if failure := self.backoff.away or next(iter(refused.values()), None):
            self._stop_if_needed(failure)
        for scene, error in refused.items():
            self._set_refused(scene, error)
        self._warn_of_planless()

    def _warn_of_planless(self) -> None:
        """Warn once if most replies hold no plan."""
        planless, replies = self._counts["planless"], self._counts["replies"]
        if 2 * planless > replies and not self._warned_planless:
            end = f"; {self.model} is asked no more" if self._gives_up else ""
            first = _planless(planless, replies, self._first_planless)
            self.tell(f"warning: {self.model}: {first}; {self._advice}{end}")
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
