"""What the files of a run say about its progress. They may be damaged, or be written just now."""

import json
from contextlib import suppress
from pathlib import Path
from typing import Any

from algos.saved_files import CONFIG
from commands.run_files import METRICS
from commands.settings.setting import flatten

TAIL = 2**16
"""Bytes read from the end of a file; many times the length of a line."""


def read_json(path: Path) -> dict[str, Any] | None:
    """The mapping in a JSON file; None if there is none, or if it is damaged."""
    with suppress(OSError, ValueError, RecursionError):
        content = json.loads(path.read_text(encoding="utf-8"))
        return content if isinstance(content, dict) else None
    return None


def read_settings(folder: Path) -> dict[str, Any] | None:
    """The settings of a run by name; None if its file is missing or damaged."""
    content = read_json(folder / CONFIG)
    with suppress(ValueError):
        return None if content is None else flatten(content)
    return None


def last_rows(folder: Path) -> list[dict[str, Any]]:
    """The last scalars that a run logged, one mapping an iteration, the newest first. Damaged lines
    are skipped."""
    rows = list[dict[str, Any]]()
    for line in reversed(last_lines(folder / METRICS)):
        with suppress(ValueError, LookupError, TypeError, ArithmeticError, RecursionError):
            row = json.loads(line)
            rows.append({**row, "iteration": int(row["iteration"])})
    return rows


def iterations(folder: Path) -> int:
    """How many iterations a run has logged."""
    rows = last_rows(folder)
    return rows[0]["iteration"] if rows else 0


def last_lines(path: Path) -> list[str]:
    """The lines at the end of a text file; none if it cannot be read."""
    try:
        with path.open("rb") as file:
            file.seek(max(path.stat().st_size - TAIL, 0))
            return file.read().decode(errors="replace").splitlines()
    except OSError:
        return []
