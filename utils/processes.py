"""What processes owe each other."""

import ctypes
import signal
import sys

SET_DEATH_SIGNAL = 1
"""Linux's PR_SET_PDEATHSIG."""
LIBC = ctypes.CDLL(None) if sys.platform == "linux" else None


def end_with_parent(number: signal.Signals) -> None:
    """Have the system send this process a signal when its parent dies, however that does; on Linux
    alone."""
    if LIBC:
        LIBC.prctl(SET_DEATH_SIGNAL, number)
