"""Ending a process when its parent dies."""

import ctypes
import signal
import sys

SET_DEATH_SIGNAL = 1
"""Linux's PR_SET_PDEATHSIG."""
LIBC = ctypes.CDLL(None) if sys.platform == "linux" else None


def end_with_parent(number: signal.Signals) -> None:
    """Send this process a signal when its parent dies, however that happens; on Linux only."""
    if LIBC:
        LIBC.prctl(SET_DEATH_SIGNAL, number)
