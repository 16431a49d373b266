"""Checkpoints: tensors and plain values in a file, which is written whole or not at all."""

import io
from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any, TypeVar

import torch

from algos.saved_files import FORMAT, check_format
from utils.errors import UserError
from utils.files import write_atomically


def save(path: Path, content: dict[str, Any]) -> None:
    """Write tensors and plain values; UserError if they cannot be written."""
    # Serialised in memory first: a full disk then raises OSError, as everywhere else.
    buffer = io.BytesIO()
    torch.save({"format": FORMAT, **content}, buffer)
    write_atomically(path, lambda part: part.write_bytes(buffer.getbuffer()))


def load(path: Path, *needed: str) -> dict[str, Any]:
    """Read a checkpoint onto the CPU; UserError if it is missing or damaged, has another format or
    lacks a needed key.

    Only tensors and plain values are accepted, so nothing that is read can run code.
    """
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
    except FileNotFoundError as error:
        raise UserError(f"there is no checkpoint {path}") from error
    except Exception as error:  # A damaged file can fail in any way.
        raise UserError(f"{path} is damaged or no checkpoint of this project") from error
    if not isinstance(content, dict) or "format" not in content:
        raise UserError(f"{path} is not a checkpoint of this project")
    check_format(path, content, FORMAT)
    if missing := [key for key in needed if key not in content]:
        raise UserError(f"{path} lacks {', '.join(missing)}: it is another kind of checkpoint")
    return content


Record = TypeVar("Record")


def misfit(path: Path) -> UserError:
    """The error for a checkpoint with parts that cannot be read."""
    return UserError(f"{path} is damaged or does not fit this version of the project")


def record(kind: type[Record], content: Mapping[str, Any]) -> Record:
    """A dataclass from the value of each of its fields; ValueError if one is missing or unknown."""
    names = {field.name for field in fields(kind)}  # type: ignore[arg-type]
    if set(content) != names:
        raise ValueError(f"{kind.__name__} has {sorted(names)}, not {sorted(content)}")
    return kind(**content)
