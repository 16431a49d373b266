"""Backoff: how long to wait for an LLM's server, how many requests to send, when to try again."""

import threading
import time
from collections import deque
from dataclasses import dataclass, field

from planner.llm_errors import LLMError, clearer_error

RECENT = 20
"""The number of recent durations that set the timeout."""


def _recent() -> deque[float]:
    return deque(maxlen=RECENT)


@dataclass
class Backoff:
    """What is known about a server, and how to treat it.

    Timeout: before the first reply it is `first_timeout`. Afterwards it is `factor` times the
    slowest recent reply, at least `least_timeout`. All times are in seconds.

    Starting: a server that has never answered may still load its model. For `first_timeout`
    seconds its errors are no failure, unless `strict`.

    Away: `away` is the error of a server that does not answer for now. It is tried again after
    pauses that grow from `shortest_pause` to `longest_pause`.

    Load: concurrent requests grow from one to `workers`, by one for each full round of replies.
    They halve when the server is overloaded, as in TCP.

    Several threads may call `set_answered` and `update_reason`, and read everything.
    """

    workers: int = 8
    first_timeout: float = 300.0
    least_timeout: float = 20.0
    factor: float = 4.0
    shortest_pause: float = 2.0
    longest_pause: float = 30.0
    strict: bool = False
    has_answered: bool = False
    away: LLMError | None = None
    _began: float | None = None
    _window: float = 1.0
    _single: deque[float] = field(default_factory=_recent)
    _several: deque[float] = field(default_factory=_recent)
    _pause: float = 0.0
    _next_try: float = 0.0
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)

    @property
    def is_timed(self) -> bool:
        """Whether it is known how long a reply takes."""
        return bool(self._single)

    @property
    def gives_choices(self) -> bool:
        """Whether the server has answered a request for several choices."""
        return bool(self._several)

    @property
    def allowed(self) -> int:
        """The number of concurrent requests that are allowed now."""
        return min(int(self._window), self.workers)

    @property
    def is_starting(self) -> bool:
        """Whether the server has never answered and may still be loading."""
        if self.has_answered or self.strict:
            return False
        return self._began is None or time.monotonic() - self._began < self.first_timeout

    def timeout(self, n: int = 1) -> float:
        """Seconds to wait for a request for n choices, after the server's last sign of life."""
        if not self._single:
            return self.first_timeout
        if n > 1 and self._several:
            return max(self.least_timeout, self.factor * max(self._several))
        # The server may produce the choices one after another.
        return max(self.least_timeout, max(self.factor, 1.5 * n) * max(self._single))

    def begin(self) -> None:
        """The server is asked. The first call starts the clock of `is_starting`."""
        self._began = self._began or time.monotonic()

    def add_duration(self, seconds: float, n: int) -> None:
        """A request for n choices was answered within its timeout."""
        (self._several if n > 1 else self._single).append(seconds)
        self._window = min(self.workers, self._window + 1 / self._window)

    def overloaded(self) -> None:
        self._window = max(1.0, self._window / 2)

    def timed_out(self) -> None:
        """Nothing came in time. The timeout doubles, in case it was too short."""
        self._window = 1.0
        if self._single:
            self._single.append(2 * self.timeout() / self.factor)

    def set_away(self, error: LLMError) -> None:
        with self._lock:
            if not self.away:
                self._pause = self.shortest_pause
                self._next_try = time.monotonic() + self._pause
            self.away = clearer_error(self.away, error)

    def retry_is_due(self) -> bool:
        """Whether to try a server that is away now. If so, the next try is due later."""
        now = time.monotonic()
        if now < self._next_try:
            return False
        self._pause = min(2 * self._pause, self.longest_pause)
        self._next_try = now + self._pause
        return True

    def update_reason(self, error: LLMError) -> None:
        """A try has failed. Its error is the new reason, unless no answer came at all."""
        with self._lock:
            if self.away and error.status:
                self.away = error

    def set_answered(self) -> None:
        """A reply has come, however late."""
        with self._lock:
            self.has_answered, self.away = True, None
