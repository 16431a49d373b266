"""The store of answers: every reply of an LLM, word for word, in a file."""

import errno
import fcntl
import json
import os
import threading
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from utils.errors import UserError
from utils.terminal import counted


class Question(NamedTuple):
    """What a reply answers. Replies to equal questions count together, also those of several
    tasks. `prompt` is a fingerprint."""

    scene: str
    prompt: str
    model: str
    temperature: float


class AnswerStore:
    """A file of JSON lines, one per reply. A reply counts once it is on disk.

    Several runs may share a file: each line is written at once, and `refresh` reads the lines of
    other runs. `warn` is called about lines that cannot be read, such as one torn by a crash; they
    are skipped. Raises OSError if the file cannot be opened or written, UserError if it holds no
    answers but something else.
    """

    def __init__(self, path: Path, warn: Callable[[str], None]) -> None:
        self.path = path
        self._warn = warn
        self._replies: dict[Question, list[str]] = defaultdict(list)
        self._read_to = 0
        self._lock = threading.Lock()
        self._closed = False
        path.parent.mkdir(parents=True, exist_ok=True)
        self._file = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT, 0o644)
        self.refresh()
        if self._read_to and not self._replies:
            raise UserError(f"{path} holds no answers; give another file")

    def replies(self, question: Question) -> list[str]:
        """The replies to a question, oldest first."""
        return list(self._replies.get(question, ()))

    def knows(self, model: str) -> bool:
        """Whether the file holds any reply of a model."""
        return any(question.model == model for question in self._replies)

    def add(self, question: Question, reply: str) -> None:
        """Append a reply; it is on disk when this returns."""
        entry = {**question._asdict(), "reply": reply}
        line = json.dumps(entry, ensure_ascii=False).encode("utf-8", "replace") + b"\n"
        with self._lock:
            if self._closed:
                return
            # End a line that a crash has torn, so that it spoils only itself.
            torn = self._size() and os.pread(self._file, 1, self._size() - 1) != b"\n"
            line = b"\n" + line if torn else line
            if os.write(self._file, line) < len(line):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(self.path))
            os.fsync(self._file)
            self._refresh()

    def refresh(self) -> None:
        """Read the lines that were appended since the last call, by any run."""
        with self._lock:
            self._refresh()

    @contextmanager
    def locked(self) -> Iterator[None]:
        """A lock between processes: two runs that share a file do not ask the same question at
        once. Reads what other runs have added first."""
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            self._warn(f"waiting for another run that is asking for answers for {self.path}")
            fcntl.flock(self._file, fcntl.LOCK_EX)
        try:
            self.refresh()
            yield
        finally:
            fcntl.flock(self._file, fcntl.LOCK_UN)

    def close(self) -> None:
        """Close the file. Replies that arrive later are lost."""
        with self._lock:
            os.close(self._file)
            self._closed = True

    def _refresh(self) -> None:
        content = os.pread(self._file, self._size() - self._read_to, self._read_to)
        whole = content.rfind(b"\n") + 1
        if whole < len(content) and self._read_to == 0:
            self._warn(f"{self.path}: the last line is torn and does not count")
        bad = sum(not self._take(line) for line in content[:whole].splitlines() if line.strip())
        if bad:
            self._warn(f"{self.path}: {counted(bad, 'line')} cannot be read and will not count")
        self._read_to += whole

    def _size(self) -> int:
        return os.fstat(self._file).st_size

    def _take(self, line: bytes) -> bool:
        """Whether a line could be read."""
        try:
            entry = json.loads(line)
            question = Question(*(entry[name] for name in Question._fields))
            self._replies[question].append(str(entry["reply"]))
        except (ValueError, KeyError, TypeError, RecursionError):
            return False
        return True
