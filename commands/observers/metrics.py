"""metrics.jsonl: the numbers of a run, one JSON line for each iteration."""

import json
import math
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from algos.iteration import Iteration
from algos.protocols import Observer
from commands.observers.tags import tagged
from utils.errors import UserError
from utils.files import write_text, writing
from utils.terminal import say


class Metrics(Observer):
    """Appends a line for each iteration; a number that is not finite becomes null."""

    def __init__(self, path: Path, after: int = 0) -> None:
        """Lines beyond iteration `after` are removed: the run goes on from there.

        Says so if lines before it are missing. UserError if the file cannot be read or written.
        """
        self.path = path
        kept = [row for row in read_lines(path, strict=True) if row["iteration"] <= after]
        if missing := set(range(1, after + 1)) - {row["iteration"] for row in kept}:
            some = f"iterations {min(missing)} to {max(missing)}"
            some = some if len(missing) > 1 else f"iteration {min(missing)}"
            say(f"warning: {path} lacks {len(missing)} of {after} lines ({some})")
        write_text(path, "".join(map(_line, kept)))
        with writing(path):
            self.file = path.open("a", encoding="utf-8", buffering=1)

    def iteration(self, iteration: Iteration) -> None:
        self.write(iteration.number, tagged(iteration.numbers))

    def write(self, iteration: int, values: Mapping[str, float]) -> None:
        row = {name: value if math.isfinite(value) else None for name, value in values.items()}
        with writing(self.path):
            self.file.write(_line({"iteration": iteration, **row}))

    def saving(self) -> None:
        with writing(self.path):
            self.file.flush()
            os.fsync(self.file.fileno())

    def ended(self) -> None:
        self.file.close()


def _line(row: dict[str, Any]) -> str:
    return json.dumps(row, allow_nan=False) + "\n"


def read_lines(path: Path, strict: bool = False) -> list[dict[str, Any]]:
    """The rows of metrics.jsonl, each with its `iteration`; none if there is no such file.

    A line that a killed run has torn is left out, and so is one that names no iteration, unless
    `strict`: then it is a UserError. So is a file that is not UTF-8.
    """
    try:
        lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
    except OSError as error:
        raise UserError(f"cannot read {path}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise UserError(f"cannot read {path}: it is not UTF-8; {_ADVICE}") from error
    rows = []
    for number, line in enumerate(lines, start=1):
        try:
            row = json.loads(line)
        except (ValueError, RecursionError):
            continue
        if isinstance(row, dict) and _is_count(row.get("iteration")):
            rows.append(row)
        elif strict:
            raise UserError(f"{path}, line {number}: there is no iteration; {_ADVICE}")
    return rows


_ADVICE = "move it away to go on without its numbers"


def _is_count(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 1
