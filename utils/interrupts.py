"""Stopping at the end of an iteration when a signal asks for it."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from utils.terminal import say


class Interrupts:
    """Inside its `with` block, the first signal is only noted, so that the current iteration can
    end; the second one acts at once. Calling the object returns whether to stop.

    The signals are SIGINT, SIGTERM and SIGHUP (a closed terminal), unless SIGHUP is ignored, as
    under nohup. A `patient` one never acts at once: under torchrun a rank gets a signal twice, from
    the terminal and from torchrun, which also kills ranks that take too long.
    """

    def __init__(self, patient: bool = False) -> None:
        self.received: int | None = None
        self.patient = patient
        self.hasty = False

    def __enter__(self) -> "Interrupts":
        signals = [signal.SIGINT, signal.SIGTERM]
        if signal.getsignal(signal.SIGHUP) != signal.SIG_IGN:
            signals.append(signal.SIGHUP)
        self._handlers = {number: signal.signal(number, self._note) for number in signals}
        return self

    def __exit__(self, *error: object) -> None:
        for number, handler in self._handlers.items():
            signal.signal(number, handler)

    def __call__(self) -> bool:
        return self.received is not None

    @contextmanager
    def at_once(self) -> Iterator[None]:
        """Inside this block the first signal raises KeyboardInterrupt, unless this one is patient:
        for work that has nothing to save yet."""
        self.hasty = not self.patient
        try:
            yield
        finally:
            self.hasty = False

    def _note(self, number: int, frame: FrameType | None) -> None:
        self.received = number
        if self.patient:
            return
        if self.hasty:
            raise KeyboardInterrupt
        # Not the handler from before: a program started in the background ignores SIGINT.
        signal.signal(signal.SIGINT, signal.default_int_handler)
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        # In a thread: the handler may have interrupted code that holds the lock for printing.
        words = "stopping after this iteration; once more to stop at once"
        threading.Thread(target=say, args=(words,), daemon=True).start()
