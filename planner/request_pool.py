"""Asking an LLM for many replies at once, with the patience that its server deserves."""

import random
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, wait
from dataclasses import dataclass
from functools import partial
from typing import TypeVar

from planner.backoff import Patience
from planner.llm import ChatClient, Prompt
from planner.llm_errors import LLMError, NoChoicesError, PassingError, RefusedError, first_reason

LONGEST_PAUSE = 16
"""In the pauses between attempts, as many times the first one."""

Result = TypeVar("Result")


def in_thread(job: Callable[[], Result]) -> Future[Result]:
    """Run a job beside the program, which does not wait for it when it ends: a pool's threads
    would hold up a user who has pressed Ctrl-C for as long as a server hangs."""
    future = Future[Result]()

    def run() -> None:
        try:
            future.set_result(job())
        except BaseException as error:
            future.set_exception(error)

    threading.Thread(target=run, daemon=True).start()
    return future


@dataclass(eq=False)
class Want:
    """Replies to a prompt: how many are missing, and what to do with each as it arrives, in
    a thread of its own. `failure` says why they are not to be had, others perhaps are."""

    prompt: Prompt
    missing: Callable[[], int]
    arrived: Callable[[str], None]
    failure: LLMError | None = None
    under_way: int = 0
    failures: int = 0
    alone: bool = False


@dataclass
class Asker:
    """Asks a server for all that is wanted, or until it is known to be away.

    Errors that pass are followed by pauses, random ones that grow from `pause` seconds, or as long
    as the server asks for; the `attempts`-th in a row is the last. A server is silent when nothing
    has come from it for as long as its patience says. Requests that it then still has are not
    taken back: a late reply counts as well.
    """

    client: ChatClient
    patience: Patience
    attempts: int = 4
    pause: float = 1.0
    one_at_a_time: bool = False

    def ask(
        self, wants: Sequence[Want], waits: Callable[[LLMError], None] = lambda _: None
    ) -> None:
        """Returns when nothing is missing any more, or each want that misses something has failed,
        or the server is away, which the patience then knows. `waits` is called once a reason to
        ask a server that may be starting again."""
        self.patience.begin()
        _Round(self, wants, waits).run()

    def try_again(self, want: Want) -> None:
        """Ask a server that is away for one reply, without waiting for it."""

        def job() -> None:
            try:
                self.get(want, 1, self.patience.seconds())
            except LLMError as error:
                self.client.usage.add(failures=1)
                self.patience.still_fails(error)

        in_thread(job)

    def get(self, want: Want, n: int, seconds: float) -> float:
        """Hand over up to n replies; returns how long they took, in seconds."""
        began = time.monotonic()
        texts = self.client.request(want.prompt, n, seconds)
        took = time.monotonic() - began
        for text in texts:
            want.arrived(text)
        self.patience.answered()
        if len(texts) < n:
            self.one_at_a_time = True
        return took


class _Round:
    """One call of an asker: the requests under way, and what has failed.

    `since` is the last sign of life, or the moment when the first request was sent.
    """

    def __init__(
        self, asker: Asker, wants: Sequence[Want], waits: Callable[[LLMError], None]
    ) -> None:
        self.asker = asker
        self.client = asker.client
        self.patience = asker.patience
        self.wants = wants
        self.waits = waits
        self.waited_for: set[int] = set()
        self.jobs: dict[Future[float], tuple[Want, int]] = {}
        self.since = 0.0
        self.resume = 0.0
        self.failures = 0
        self.reason: LLMError | None = None
        self.failure: LLMError | None = None

    def run(self) -> None:
        while True:
            pause = self.resume - time.monotonic()
            if pause <= 0 and not self.failure:
                self._send()
            if self.jobs:
                self._wait(pause)
            elif self.failure or not any(map(self._next, self.wants)):
                break
            else:
                time.sleep(max(pause, 0.0))
        if self.failure:
            self.patience.fails(self.failure)

    def _send(self) -> None:
        # What has failed waits until the others had their turn.
        for want in sorted(self.wants, key=lambda want: want.failures):
            while len(self.jobs) < self.patience.allowed and (n := self._next(want)):
                self.since = self.since if self.jobs else time.monotonic()
                # As long as they may take if the server serves one after another.
                life = self.patience.workers * self.patience.seconds(n)
                self.jobs[in_thread(partial(self.asker.get, want, n, life))] = want, n
                want.under_way += n
            if len(self.jobs) >= self.patience.allowed:
                break

    def _next(self, want: Want) -> int:
        """How many replies to ask for next."""
        if want.failure or (want.alone and want.under_way):
            return 0
        missing = max(0, want.missing() - want.under_way)
        single = want.alone or self.asker.one_at_a_time or not self.patience.measured
        return min(missing, 1) if single else missing

    def _wait(self, pause: float) -> None:
        now = time.monotonic()
        seconds = max(self.patience.seconds(n) for _, n in self.jobs.values())
        left = max(0.0, self.since + seconds - now)
        done, _ = wait(self.jobs, min(left, pause) if pause > 0 else left, FIRST_COMPLETED)
        for job in done:
            self._settle(job)
        if not done and time.monotonic() >= self.since + seconds:
            self._give_up(seconds)

    def _settle(self, job: Future[float]) -> None:
        want, n = self.jobs.pop(job)
        want.under_way -= n
        self.since = time.monotonic()
        try:
            took = job.result()
        except NoChoicesError:
            want.alone = True
        except LLMError as error:
            self.client.usage.add(failures=1)
            if isinstance(error, PassingError):
                self._pause(want, error)
            elif isinstance(error, RefusedError) and self.patience.heard:
                want.failure = error
            else:
                self.failure = self.failure or error
        else:
            self.patience.took(took, n)
            self.asker.one_at_a_time |= want.alone
            want.alone, want.failures, self.failures, self.reason = False, 0, 0, None

    def _pause(self, want: Want, error: PassingError) -> None:
        now = time.monotonic()
        self.reason = first_reason(self.reason, error)
        # Of what fails together only the first counts.
        if now >= self.resume:
            self.failures += 1
            want.failures += 1
            self.patience.overloaded()
        growth = min(2 ** (self.failures - 1), LONGEST_PAUSE)
        pause = self.asker.pause * growth * random.uniform(1, 1.5)
        self.resume = max(self.resume, now + max(pause, error.after))
        if self.patience.starting:
            if error.status not in self.waited_for:
                self.waited_for.add(error.status)
                self.waits(error)
            return
        if self.failures >= self.asker.attempts:
            self.failure = self.failure or self.reason
        elif want.failures >= self.asker.attempts:
            want.failure = error

    def _give_up(self, seconds: float) -> None:
        self.client.usage.add(failures=len(self.jobs))
        several = any(n > 1 for _, n in self.jobs.values())
        for want, n in self.jobs.values():
            want.under_way -= n
            want.alone = want.alone or n > 1
        self.jobs.clear()
        if several and not self.patience.gives_choices and not self.failure:
            # It may be the choices alone that take so long.
            self.patience.overloaded()
            return
        self.patience.gave_up()
        silence = PassingError(f"{self.client.url}: no answer within {seconds:.3g} s")
        self.failure = self.failure or self.reason or silence
