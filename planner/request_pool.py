"""A pool of concurrent requests to one LLM server."""

import random
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, wait
from dataclasses import dataclass, field
from functools import partial
from itertools import count
from typing import TypeVar

from planner.backoff import Backoff
from planner.llm import Client, Prompt
from planner.llm_errors import (
    LLMError,
    NoChoicesError,
    PassingError,
    RefusedError,
    clearer_error,
)

LONGEST_PAUSE = 16
"""The longest pause between attempts, as a multiple of the first one."""

Result = TypeVar("Result")


def in_thread(job: Callable[[], Result]) -> Future[Result]:
    """Run a job in a daemon thread.

    The program does not wait for it at its end. A ThreadPoolExecutor would: after Ctrl-C the user
    would wait for as long as a server hangs.
    """
    future = Future[Result]()

    def run() -> None:
        try:
            future.set_result(job())
        except BaseException as error:
            future.set_exception(error)

    threading.Thread(target=run, daemon=True).start()
    return future


@dataclass(eq=False)
class Request:
    """A prompt, and how many replies to it are needed.

    `missing` gives how many are still missing. `numbers` tell its HTTP requests apart. `on_reply`
    is called with each reply, in a thread of its own. `error` says why the server refuses this
    request; others may still be answered.
    """

    prompt: Prompt
    missing: Callable[[], int]
    on_reply: Callable[[str], None]
    numbers: Iterator[int] = field(default_factory=count)
    error: LLMError | None = None
    in_flight: int = 0
    failures: int = 0
    single: bool = False


@dataclass
class RequestPool:
    """Sends requests until all are answered, or the server is away.

    After an error that may pass, all requests pause: as long as the server asks for, or a random
    time that grows from `pause` seconds. After `attempts` such errors in a row the server is away.
    After a timeout it is away, too; its requests stay open, and a late reply still counts.
    """

    client: Client
    backoff: Backoff
    attempts: int = 4
    pause: float = 1.0
    one_at_a_time: bool = False
    fault: Exception | None = None
    """What went wrong in the background, beside the server."""

    def send(
        self, requests: Sequence[Request], on_wait: Callable[[LLMError], None] = lambda _: None
    ) -> None:
        """Send requests. Returns when each is answered or has an error, or `backoff.away` is set.

        `on_wait` is called with each new reason to wait for a server that may be starting.
        """
        self.backoff.begin()
        _Sending(self, requests, on_wait).run()

    def send_in_background(self, request: Request) -> None:
        """Ask a server that is away for one reply, without waiting for it. Raises what an earlier
        one met beside an `LLMError`, such as a full disk."""
        if self.fault:
            raise self.fault

        def job() -> None:
            try:
                self.get(request, 1, self.backoff.timeout())
            except LLMError as error:
                self.client.usage.add(failures=1)
                self.backoff.update_reason(error)
            except Exception as error:
                self.fault = error

        in_thread(job)

    def get(self, request: Request, n: int, seconds: float) -> float:
        """Get up to n replies in one HTTP request; returns how long it took, in seconds."""
        began = time.monotonic()
        texts = self.client.request(request.prompt, n, seconds, next(request.numbers))
        took = time.monotonic() - began
        for text in texts:
            request.on_reply(text)
        self.backoff.set_answered()
        if len(texts) < n:
            self.one_at_a_time = True
        return took


class _Sending:
    """One call of `RequestPool.send`: its open HTTP requests and its failures.

    `last_sign` is when the server last answered anything, or when the first request was sent.
    """

    def __init__(
        self, pool: RequestPool, requests: Sequence[Request], on_wait: Callable[[LLMError], None]
    ) -> None:
        self.pool = pool
        self.client = pool.client
        self.backoff = pool.backoff
        self.requests = requests
        self.on_wait = on_wait
        self.statuses_waited_for: set[int] = set()
        self.jobs: dict[Future[float], tuple[Request, int]] = {}
        self.last_sign = 0.0
        self.resume_at = 0.0
        self.failures = 0
        self.reason: LLMError | None = None
        self.failure: LLMError | None = None

    def run(self) -> None:
        while True:
            pause = self.resume_at - time.monotonic()
            if pause <= 0 and not self.failure:
                self._start_jobs()
            if self.jobs:
                self._wait(pause)
            elif self.failure or not any(map(self._next_count, self.requests)):
                break
            else:
                time.sleep(max(pause, 0.0))
        if self.failure:
            self.backoff.set_away(self.failure)

    def _start_jobs(self) -> None:
        # Requests that have failed go last.
        for request in sorted(self.requests, key=lambda request: request.failures):
            while len(self.jobs) < self.backoff.allowed and (n := self._next_count(request)):
                self.last_sign = self.last_sign if self.jobs else time.monotonic()
                # Enough for a server that serves all workers one after another.
                seconds = self.backoff.workers * self.backoff.timeout(n)
                self.jobs[in_thread(partial(self.pool.get, request, n, seconds))] = request, n
                request.in_flight += n
            if len(self.jobs) >= self.backoff.allowed:
                break

    def _next_count(self, request: Request) -> int:
        """The number of replies to ask for next."""
        if request.error or (request.single and request.in_flight):
            return 0
        missing = max(0, request.missing() - request.in_flight)
        single = request.single or self.pool.one_at_a_time or not self.backoff.is_timed
        return min(missing, 1) if single else missing

    def _wait(self, pause: float) -> None:
        timeout = max(self.backoff.timeout(n) for _, n in self.jobs.values())
        left = max(0.0, self.last_sign + timeout - time.monotonic())
        done, _ = wait(self.jobs, min(left, pause) if pause > 0 else left, FIRST_COMPLETED)
        for job in done:
            self._finish(job)
        if not done and time.monotonic() >= self.last_sign + timeout:
            self._time_out(timeout)

    def _finish(self, job: Future[float]) -> None:
        request, n = self.jobs.pop(job)
        request.in_flight -= n
        self.last_sign = time.monotonic()
        try:
            took = job.result()
        except NoChoicesError:
            request.single = True
        except LLMError as error:
            self.client.usage.add(failures=1)
            if isinstance(error, PassingError):
                self._pause(request, error)
            elif isinstance(error, RefusedError) and self.backoff.has_answered:
                request.error = error
            else:
                self.failure = self.failure or error
        else:
            self.backoff.add_duration(took, n)
            self.pool.one_at_a_time |= request.single
            request.single, request.failures, self.failures, self.reason = False, 0, 0, None

    def _pause(self, request: Request, error: PassingError) -> None:
        now = time.monotonic()
        self.reason = clearer_error(self.reason, error)
        # Errors that arrive during a pause belong to the one that began it.
        if now >= self.resume_at:
            self.failures += 1
            request.failures += 1
            self.backoff.overloaded()
        growth = min(2 ** (self.failures - 1), LONGEST_PAUSE)
        pause = self.pool.pause * growth * random.uniform(1, 1.5)
        self.resume_at = max(self.resume_at, now + max(pause, error.after))
        if self.backoff.is_starting:
            if error.status not in self.statuses_waited_for:
                self.statuses_waited_for.add(error.status)
                self.on_wait(error)
            return
        if self.failures >= self.pool.attempts:
            self.failure = self.failure or self.reason
        elif request.failures >= self.pool.attempts:
            request.error = error

    def _time_out(self, timeout: float) -> None:
        self.client.usage.add(failures=len(self.jobs))
        several = any(n > 1 for _, n in self.jobs.values())
        for request, n in self.jobs.values():
            request.in_flight -= n
            request.single = request.single or n > 1
        self.jobs.clear()
        if several and not self.backoff.gives_choices and not self.failure:
            # Perhaps only several choices take so long: ask for single ones.
            self.backoff.overloaded()
            return
        self.backoff.timed_out()
        silence = PassingError(f"{self.client.url}: no answer within {timeout:.3g} s")
        self.failure = self.failure or self.reason or silence
