"""Stopping politely."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from utils.terminal import say


class Interrupts:
    """While it is entered, SIGINT, SIGTERM and the terminal's end (SIGHUP, unless it is ignored, as
    under nohup) are only noted, so that the iteration under way can end; the second one acts at
    once. Called, it says whether to stop.

    A `patient` one minds the first alone: torchrun passes on a signal that its ranks have had
    from the terminal already, and kills those that take too long.
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
        """Around work of which there is nothing to save yet: even the first signal acts, as a
        KeyboardInterrupt, unless this one is patient."""
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
        # Not what was there before: a program started in the background ignores SIGINT.
        signal.signal(signal.SIGINT, signal.default_int_handler)
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        # Not from within the handler, which may have cut into the very lock that printing takes.
        words = "stopping after this iteration; once more to stop at once"
        threading.Thread(target=say, args=(words,), daemon=True).start()
