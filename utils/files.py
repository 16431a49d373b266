"""Files that are written whole or not at all."""

import json
import math
import os
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from utils.errors import UserError

PART = ".*.part"
"""The names of files that are being written, or that a killed process left half-written."""


def write_atomically(path: Path, write: Callable[[Path], object]) -> None:
    """Let `write` fill a temporary file beside `path`, then move it into place.

    Whatever happens, `path` holds its old content or its new content. UserError if the file cannot
    be written, for example because the disk is full.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        with writing(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            write(temporary)
            with open(temporary, "rb+") as file:
                os.fsync(file.fileno())
            os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """Around code that writes a file: UserError that names the file if it cannot be written."""
    try:
        yield
    except OSError as error:
        raise UserError(f"cannot write {path}: {error.strerror or error}") from error


def write_text(path: Path, text: str) -> None:
    write_atomically(path, lambda part: part.write_text(text, encoding="utf-8"))


def write_json(path: Path, content: Any) -> None:
    """Write JSON; NaN and infinities become null, which every reader of JSON knows."""
    write_text(path, json.dumps(strict(content), indent=2, ensure_ascii=False) + "\n")


def strict(content: Any, digits: int | None = None) -> Any:
    """The content as dictionaries and lists, with None for NaN and infinities, and other numbers
    rounded if `digits` are given."""
    match content:
        case Mapping():
            return {name: strict(part, digits) for name, part in content.items()}
        case list() | tuple():
            return [strict(part, digits) for part in content]
        case float() if not math.isfinite(content):
            return None
        case float() if digits is not None:
            return round(content, digits)
    return content


def read_json(path: Path) -> dict[str, Any]:
    """The mapping in a JSON file; UserError if it cannot be read or holds something else."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise UserError(f"cannot read {path.name}: {error}") from error
    if not isinstance(content, dict):
        raise UserError(f"cannot read {path.name}: it must hold names and values")
    return content


def replace_folder(path: Path, write: Callable[[Path], object]) -> None:
    """Let `write` fill a temporary folder beside `path`, then move it into place.

    `write` gets the folder, which exists. The old folder is replaced as a whole or not at all.
    UserError if the folder cannot be written.
    """
    part, old = (path.with_name(f".{path.name}.{os.getpid()}.{end}") for end in ("part", "old"))
    try:
        with writing(path):
            part.mkdir(parents=True)
            write(part)
            if path.exists():
                os.replace(path, old)
            os.replace(part, path)
    finally:
        # Also after Ctrl-C between the two.
        if old.exists() and not path.exists():
            os.replace(old, path)
        for left in (part, old):
            shutil.rmtree(left, ignore_errors=True)
