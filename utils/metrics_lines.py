"""Reading metrics.jsonl, without PyTorch."""

import json
from pathlib import Path
from typing import Any

from utils.errors import UserError


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
