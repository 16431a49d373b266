import io
import signal
import threading

import pytest
import rich
from rich.console import Console

from utils.interrupts import Interrupts


class Paper(io.StringIO):
    """Notes which threads write on it."""

    def __init__(self) -> None:
        super().__init__()
        self.writers: set[threading.Thread] = set()
        self.written = threading.Event()

    def write(self, text: str) -> int:
        self.writers.add(threading.current_thread())
        self.written.set()
        return super().write(text)


def test_nothing_is_printed_within_a_signals_handler(monkeypatch: pytest.MonkeyPatch) -> None:
    paper = Paper()
    monkeypatch.setattr(rich, "_console", Console(file=paper))
    with Interrupts() as interrupts:
        signal.raise_signal(signal.SIGTERM)
        assert paper.written.wait(10)
    assert interrupts()
    assert threading.main_thread() not in paper.writers
