"""What users write in files: read as YAML, validated by pydantic, refused in one line."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import BaseModel, ConfigDict, TypeAdapter, ValidationError

from utils.errors import UserError

Content = TypeVar("Content")


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
        shown = place and known and "llm_url" not in first["loc"]
        given = f", not {first['input']!r:.60}" if shown else ""
        # Our own words stand behind pydantic's.
        words = str(first["ctx"]["error"]) if first["type"] == "value_error" else first["msg"]
        where = f"{source}: {place}" if place else source
        if places:
            where = places.get(str(first["loc"][0]), where) if first["loc"] else ""
        raise UserError(f"{where}: {words}{given}" if where else words) from error
