"""Folders of which one process at a time is the owner."""

import fcntl
import os
import platform
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from utils.errors import UserError
from utils.files import writing
from utils.run_files import OWNER


@contextmanager
def owned(folder: Path) -> Iterator[None]:
    """Makes this process the only one that trains in a folder; UserError if another one does.

    The lock is the operating system's and ends with the process, however that ends.
    """
    path = folder / OWNER
    with writing(path):
        folder.mkdir(parents=True, exist_ok=True)
        file = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
    try:
        with writing(path):
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                owner = os.pread(file, 200, 0).decode(errors="replace").strip()
                raise UserError(f"{folder} is being trained by {owner}; one at a time") from None
            os.ftruncate(file, 0)
            os.pwrite(file, f"process {os.getpid()} on {platform.node()}".encode(), 0)
        yield
    finally:
        os.close(file)


def owner(folder: Path) -> str | None:
    """Who trains in a folder at present, as "process 7 on HOST"; None if nobody does, or if it is
    no folder. UserError if that cannot be read."""
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
