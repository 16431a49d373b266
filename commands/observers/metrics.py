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
from commands.run_files import read_lines
from utils.files import write_text, writing
from utils.terminal import counted, say


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
            say(f"warning: {path} lacks {len(missing)} of {counted(after, 'line')} ({some})")
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
