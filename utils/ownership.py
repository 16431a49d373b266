"""Locks on folders, so that one process at a time works in each."""

import fcntl
import os
import platform
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from utils.errors import UserError
from utils.files import writing

OWNER = "owner.lock"
"""The lock of a folder, a file in it."""
TRIES, PAUSE = 10, 0.05


@contextmanager
def owned(folder: Path) -> Iterator[None]:
    """Hold the lock of a folder, which is made if it is missing. UserError if another process holds
    it.

    The lock is the operating system's: it ends with the process, even after kill -9.
    """
    path = folder / OWNER
    with writing(path):
        folder.mkdir(parents=True, exist_ok=True)
        file = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
    try:
        with writing(path):
            if not _locked(file):
                owner = os.pread(file, 200, 0).decode(errors="replace").strip()
                advice = "wait until that has ended"
                raise UserError(f"{folder} is being trained by {owner}; {advice}")
            os.ftruncate(file, 0)
            os.pwrite(file, f"process {os.getpid()} on {platform.node()}".encode(), 0)
        yield
    finally:
        os.close(file)


def _locked(file: int) -> bool:
    """Lock a file, unless another process keeps it locked. One that only looks does so for a
    moment."""
    for _ in range(TRIES):
        with suppress(BlockingIOError):
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return True
        time.sleep(PAUSE)
    return False


def owner(folder: Path) -> str | None:
    """The process that holds the lock of a folder, as "process 7 on HOST"; None if there is no such
    process or no such folder. UserError if the lock cannot be read."""
    try:
        file = os.open(folder / OWNER, os.O_RDONLY)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise UserError(f"cannot read {folder / OWNER}: {error.strerror}") from error
    try:
        fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        return None
    except BlockingIOError:
        return os.pread(file, 200, 0).decode(errors="replace").strip()
    finally:
        os.close(file)
