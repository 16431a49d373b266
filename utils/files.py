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
"""Names of files that are being written, or never were to their end."""


def write_atomically(path: Path, write: Callable[[Path], object]) -> None:
    """Let `write` fill a temporary file beside `path`, then move it into place.

    Whatever stops it, `path` holds its old content or its new one. Raises UserError if the disk
    is full or the place cannot be written.
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
    """Around what writes a file: UserError, naming it, if it cannot be written."""
    try:
        yield
    except OSError as error:
        raise UserError(f"cannot write {path}: {error.strerror or error}") from error


def write_text(path: Path, text: str) -> None:
    write_atomically(path, lambda part: part.write_text(text, encoding="utf-8"))


def write_json(path: Path, content: Any) -> None:
    """What is no number is null, which every reader of JSON knows."""
    write_text(path, json.dumps(strict(content), indent=2, ensure_ascii=False) + "\n")


def strict(content: Any) -> Any:
    """The same of what JSON knows: names, lists, and null for what is no number."""
    match content:
        case Mapping():
            return {name: strict(part) for name, part in content.items()}
        case list() | tuple():
            return [strict(part) for part in content]
        case float() if not math.isfinite(content):
            return None
    return content


def replace_folder(path: Path, write: Callable[[Path], object]) -> None:
    """Let `write` fill a new folder beside `path`, which is not there yet, then move it into the
    place of what is there: all of the old goes, or nothing. UserError if it cannot be written."""
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
