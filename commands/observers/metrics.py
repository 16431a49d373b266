"""metrics.jsonl: the numbers of a run, one JSON line for each iteration."""

import json
import math
import os
from contextlib import suppress
from pathlib import Path
from typing import Any

from utils.files import write_text, writing


class LineLog:
    """A file of JSON lines, the scalars of an iteration in each; what is no number is null."""

    def __init__(self, path: Path, after: int = 0) -> None:
        """Lines beyond `after` iterations, and one that was torn, are taken back."""
        self.path = path
        kept = [row for row in read_lines(path) if row["iteration"] <= after]
        write_text(path, "".join(map(_line, kept)))
        self.file = path.open("a", encoding="utf-8", buffering=1)

    def scalars(self, values: dict[str, float], iteration: int) -> None:
        row = {name: value if math.isfinite(value) else None for name, value in values.items()}
        with writing(self.path):
            self.file.write(_line({"iteration": iteration, **row}))

    def plans(self, plans: dict[str, dict[str, float]], iteration: int) -> None:
        """Numbers alone are kept."""

    def film(self, name: str, frames: list[Any], iteration: int) -> None:
        """Numbers alone are kept."""

    def flush(self) -> None:
        with writing(self.path):
            self.file.flush()
            os.fsync(self.file.fileno())

    def close(self) -> None:
        self.file.close()


def _line(row: dict[str, Any]) -> str:
    return json.dumps(row, allow_nan=False) + "\n"


def read_lines(path: Path) -> list[dict[str, Any]]:
    """The rows of a file that `LineLog` wrote; none, if there is no file. What is torn is left
    out."""
    rows = []
    for line in path.read_text(encoding="utf-8").splitlines() if path.exists() else ():
        with suppress(ValueError, RecursionError):
            rows.append(json.loads(line))
    return [row for row in rows if isinstance(row, dict) and "iteration" in row]
