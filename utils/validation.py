"""Users' files: read as YAML, validated by pydantic, refused in one line."""

from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import BaseModel, BeforeValidator, ConfigDict, TypeAdapter, ValidationError

from utils.errors import UserError

Content = TypeVar("Content")
MESSAGES = {
    "extra_forbidden": "there is no such setting",
    "missing": "is missing",
    "string_too_short": "is empty; leave it out",
}
"""Replacements for some of pydantic's messages."""


def meant(word: str, known: Iterable[str]) -> str:
    """The end of an error about an unknown word: a known one that is like it, if there is one."""
    names = {name.lower(): name for name in known}
    close = get_close_matches(word.lower(), names, n=1)
    return f"; do you mean {names[close[0]]}?" if close else ""


def is_file_name(name: str) -> bool:
    """Whether a name of something is the path of its YAML file."""
    return Path(name).suffix in (".yaml", ".yml")


def find_file(kind: str, name: str, folder: Path, known: list[str], others: str = "") -> Path:
    """The file of a thing of some kind: its own path, or that of a known name, in any case, in a
    folder. UserError for an unknown name, which says what `others` there are."""
    if is_file_name(name):
        return Path(name)
    if name.lower() in map(str.lower, known):
        return folder / f"{name.lower()}.yaml"
    raise UserError(
        f"unknown {kind} {name!r}; give one of {', '.join(known)}{others}, or a {kind}'s YAML file"
        f"{meant(name, known)}"
    )


def share_or(word: str) -> BeforeValidator:
    """Accepts a share from 0 to 1, or a word."""

    def check(value: Any) -> Any:
        is_share = isinstance(value, int | float) and 0 <= value <= 1
        if is_share or value == word:
            return value
        raise ValueError(f"must be a share from 0 to 1, or {word}")

    return BeforeValidator(check)


class Strict(BaseModel):
    """A frozen model that takes no other fields, and only finite numbers."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class _Loader(yaml.SafeLoader):
    """Refuses a mapping with the same name twice. YAML itself would use the last one."""

    def compose_mapping_node(self, anchor: Any) -> Any:
        node, lines = super().compose_mapping_node(anchor), dict[tuple[str, str], int]()
        for name, _ in node.value:
            if not isinstance(name, yaml.ScalarNode):
                continue
            line = name.start_mark.line + 1
            if before := lines.get((name.tag, name.value)):
                raise yaml.YAMLError(f"{name.value} is there twice, in lines {before} and {line}")
            lines[name.tag, name.value] = line
        return node


def read_yaml(path: Path) -> dict[str, Any]:
    """A YAML (or JSON) file whose top level is a mapping."""
    try:
        content = yaml.load(path.read_text(encoding="utf-8"), _Loader)
    except OSError as error:
        raise UserError(f"cannot read {path}: {error.strerror}") from error
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        line = f"line {mark.line + 1}: " if mark else ""
        raise UserError(f"cannot read {path}: {line}{error.problem}") from error
    except (UnicodeDecodeError, yaml.YAMLError) as error:
        raise UserError(f"cannot read {path}: {' '.join(str(error).split())}") from error
    except RecursionError as error:
        raise UserError(f"cannot read {path}: it is nested too deeply") from error
    if not isinstance(content, dict):
        raise UserError(f"cannot read {path}: it must hold names and values")
    return content


def validated(
    kind: type[Content],
    content: Mapping[str, Any],
    source: object,
    places: Mapping[str, str] | None = None,
) -> Content:
    """Content as a valid object of a kind.

    UserError if it is not valid. It names the source, or the place of a name in `places`.
    """
    try:
        valid = TypeAdapter(kind).validate_python(dict(content))
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"])
        # A missing value cannot be shown. An address may hold a secret, also within a mapping.
        known = first["type"] != "missing" and not isinstance(first["input"], dict)
        unknown = first["type"] == "extra_forbidden"
        shown = place and known and not unknown and "llm_url" not in first["loc"]
        given = f", not {first['input']!r:.60}" if shown else ""
        # Our own messages stand behind pydantic's prefix.
        message = str(first["ctx"]["error"]) if first["type"] == "value_error" else first["msg"]
        message = MESSAGES.get(first["type"], message).replace("Input should be", "must be")
        if first["type"] == "union_tag_invalid":
            message = f"must be one of {first['ctx']['expected_tags']}"
            place += "." + first["ctx"]["discriminator"].strip("'")
        if unknown:
            message += meant(str(first["loc"][-1]), getattr(kind, "model_fields", {}))
        where = f"{source}: {place}" if place else source
        if places:
            where = places.get(str(first["loc"][0]), where) if first["loc"] else ""
        raise UserError(f"{where}: {message}{given}" if where else message) from error
    if path := _number_from_truth(content, valid):
        where = (places or {}).get(path[0], f"{source}: {'.'.join(path)}")
        raise UserError(f"{where}: must be a number, not true or false")
    return valid


def _number_from_truth(given: Any, valid: Any, *path: str) -> tuple[str, ...]:
    """The path to a number that was given as true or false, which pydantic takes as 1 or 0; empty
    if there is none."""
    if isinstance(given, bool) and not isinstance(valid, bool):
        return path
    parts: Iterable[tuple[Any, Any]] = ()
    if isinstance(given, Mapping):
        parts = given.items()
        valid = valid if isinstance(valid, Mapping) else vars(valid)
    elif isinstance(given, list) and isinstance(valid, list):
        parts, valid = enumerate(given), dict(enumerate(valid))
    for name, part in parts:
        if name in valid and (found := _number_from_truth(part, valid[name], *path, str(name))):
            return found
    return ()
