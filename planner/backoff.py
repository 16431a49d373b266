"""How an LLM's server is doing, and the patience with it that follows."""

import threading
import time
from collections import deque
from dataclasses import dataclass, field

from planner.llm_errors import LLMError, first_reason

RECENT = 20


def _recent() -> deque[float]:
    return deque(maxlen=RECENT)


@dataclass
class Patience:
    """Knows whether a server has never answered, answers, or is `away`, which says why.

    One that answers is waited for, for `times` as long as its slowest recent reply took, at least
    `least` seconds; one that has not answered yet, for `first` seconds, in which it may also
    refuse, unless that is `strict`: a model may be loading. One that is away is tried again after
    pauses that grow from `shortest` to `longest`.

    The requests that may be under way grow from one to `workers`: one more when all that were
    allowed have been answered, half as many when the server is overloaded, as TCP does it.
    `answered`, `still_fails` and what can be read are safe to use from several threads.
    """

    workers: int = 8
    first: float = 300.0
    least: float = 20.0
    times: float = 4.0
    shortest: float = 2.0
    longest: float = 30.0
    strict: bool = False
    heard: bool = False
    away: LLMError | None = None
    _began: float | None = None
    _window: float = 1.0
    _single: deque[float] = field(default_factory=_recent)
    _several: deque[float] = field(default_factory=_recent)
    _pause: float = 0.0
    _next: float = 0.0
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)

    @property
    def measured(self) -> bool:
        """Whether it is known how long a reply takes."""
        return bool(self._single)

    @property
    def gives_choices(self) -> bool:
        """Whether the server has answered a request for several choices."""
        return bool(self._several)

    @property
    def allowed(self) -> int:
        """How many requests may be under way."""
        return min(int(self._window), self.workers)

    @property
    def starting(self) -> bool:
        """Whether the server has never answered and may still be on its way up."""
        if self.heard or self.strict:
            return False
        return self._began is None or time.monotonic() - self._began < self.first

    def seconds(self, n: int = 1) -> float:
        """How long a request for n choices is waited for, after the last sign of life."""
        if not self._single:
            return self.first
        if n > 1 and self._several:
            return max(self.least, self.times * max(self._several))
        # Not known yet is whether choices are made at once or one after another.
        return max(self.least, max(self.times, 1.5 * n) * max(self._single))

    def begin(self) -> None:
        """The server is asked; the time that it has to start runs from the first call."""
        self._began = self._began or time.monotonic()

    def took(self, seconds: float, n: int) -> None:
        """A request for n choices that was waited for has been answered."""
        (self._several if n > 1 else self._single).append(seconds)
        self._window = min(self.workers, self._window + 1 / self._window)

    def overloaded(self) -> None:
        self._window = max(1.0, self._window / 2)

    def gave_up(self) -> None:
        """Nothing came for as long as it was waited for; if that was too soon, it is waited for
        twice as long from now on."""
        self._window = 1.0
        if self._single:
            self._single.append(2 * self.seconds() / self.times)

    def fails(self, error: LLMError) -> None:
        """The server is away from now on."""
        with self._lock:
            if not self.away:
                self._pause, self._next = self.shortest, time.monotonic() + self.shortest
            self.away = first_reason(self.away, error)

    def due(self) -> bool:
        """Whether a server that is away is to be tried again now; the next time is later."""
        now = time.monotonic()
        if now < self._next:
            return False
        self._pause = min(2 * self._pause, self.longest)
        self._next = now + self._pause
        return True

    def still_fails(self, error: LLMError) -> None:
        """A server that was away was tried in vain; silence says nothing new."""
        with self._lock:
            if self.away and error.status:
                self.away = error

    def answered(self) -> None:
        """A reply has come, however late."""
        with self._lock:
            self.heard, self.away = True, None
