"""What users write in files: read as YAML, validated by pydantic, refused in one line."""

from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import BaseModel, ConfigDict, TypeAdapter, ValidationError

from utils.errors import UserError

Content = TypeVar("Content")
WORDS = {"extra_forbidden": "there is no such setting", "missing": "is missing"}
"""What we say in place of some of pydantic's words."""


def meant(word: str, known: Iterable[str]) -> str:
    """The end of an error about an unknown word: which of the known ones is like it, if any is."""
    names = {name.lower(): name for name in known}
    close = get_close_matches(word.lower(), names, n=1)
    return f"; do you mean {names[close[0]]}?" if close else ""


class Strict(BaseModel):
    """Frozen, with no field beside its own, and finite numbers alone."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


def read_yaml(path: Path) -> dict[str, Any]:
    """A YAML (or JSON) file whose top level is a mapping."""
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise UserError(f"cannot read {path}: {error.strerror}") from error
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
    """Content as a valid object of a kind; UserError if it is none, naming the source, or, for the
    names in `places`, what these are called there."""
    try:
        return TypeAdapter(kind).validate_python(dict(content))
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"])
        # What is missing was not given; an address may hold what must not be shown, alone or among
        # other settings.
        known = first["type"] != "missing" and not isinstance(first["input"], dict)
        unknown = first["type"] == "extra_forbidden"
        shown = place and known and not unknown and "llm_url" not in first["loc"]
        given = f", not {first['input']!r:.60}" if shown else ""
        # Our own words stand behind pydantic's.
        words = str(first["ctx"]["error"]) if first["type"] == "value_error" else first["msg"]
        words = WORDS.get(first["type"], words)
        if unknown:
            words += meant(str(first["loc"][-1]), getattr(kind, "model_fields", {}))
        where = f"{source}: {place}" if place else source
        if places:
            where = places.get(str(first["loc"][0]), where) if first["loc"] else ""
        raise UserError(f"{where}: {words}{given}" if where else words) from error
