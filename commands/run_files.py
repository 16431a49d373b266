"""The files of a run folder that commands and observers write, and reading them without PyTorch."""

import json
from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from algos.saved_files import CONFIG, MODEL, check_format
from commands.settings.setting import flatten
from utils import files
from utils.errors import UserError

METRICS = "metrics.jsonl"
VERDICT = "verdict.json"
EVALUATION = "eval.json"
ANSWERS = "answers.jsonl"
OPTIONS = "options"
"""The folder with a run's learned options: one folder for the model of each."""
SKILLS = {"navigate": "nav.pth", "pick": "pick.pth"}
"""Option -> the file of habitat-baselines' own checkpoint, which a folder of options may hold
instead of a model of ours."""
WANDB = "wandb.json"

CONFIG_FORMAT = 3
"""The format of config.json, with settings in groups. Format 2, without groups, is read too."""
TAIL = 2**16
"""Bytes read from the end of a file; many times the length of a line."""
_ADVICE = "move it away to go on without its numbers"


def option_file(folder: Path, option: str) -> Path:
    """The model of an option in a folder of learned options: habitat-baselines' own, or ours."""
    skill = folder / SKILLS[option]
    return skill if skill.exists() else folder / option / MODEL


def check_config_format(path: Path, content: Mapping[str, Any]) -> None:
    """UserError if a config.json is of a format that cannot be read."""
    check_format(path, content, CONFIG_FORMAT, 2)


def read_json(path: Path) -> dict[str, Any] | None:
    """The mapping in a JSON file; None if there is none, or if it is damaged."""
    with suppress(UserError):
        return files.read_json(path)
    return None


def read_settings(folder: Path) -> dict[str, Any] | None:
    """The settings of a run by name; None if its file is missing or damaged."""
    content = read_json(folder / CONFIG)
    with suppress(ValueError):
        return None if content is None else flatten(content)
    return None


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
    return _rows(lines, path if strict else None)


def last_rows(folder: Path) -> list[dict[str, Any]]:
    """The last rows of a run's metrics.jsonl, the newest first. Damaged lines are left out."""
    return _rows(last_lines(folder / METRICS))[::-1]


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


def _rows(lines: Iterable[str], strict: Path | None = None) -> list[dict[str, Any]]:
    rows = []
    for number, line in enumerate(lines, start=1):
        try:
            row = json.loads(line)
        except (ValueError, RecursionError):
            continue
        iteration = row.get("iteration") if isinstance(row, dict) else None
        if type(iteration) is int and iteration >= 1:
            rows.append(row)
        elif strict:
            raise UserError(f"{strict}, line {number}: there is no iteration; {_ADVICE}")
    return rows
