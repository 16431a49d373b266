"""Methods: ways to learn that are compared with each other, each a file of what defines it."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import Field, field_validator

from planner.task import CONFIGS
from utils.errors import UserError
from utils.validation import Strict, read_yaml, validated

METHODS = CONFIGS / "methods"


class Method(Strict):
    """A method: the settings that define it, which nothing overrides, and its own defaults."""

    name: str = Field(pattern=r"^\w[\w.-]*$")
    description: str
    fixed: dict[str, Any] = Field(default={})
    settings: dict[str, Any] = Field(default={})

    @field_validator("fixed", "settings")
    @classmethod
    def _are_of_learning(cls, settings: dict[str, Any]) -> dict[str, Any]:
        if other := settings.keys() & {"task", "policy", "seed"}:
            raise ValueError(f"a method does not say the {min(other)}")
        return settings


def method_names() -> list[str]:
    """The methods that come with the project."""
    return sorted(path.stem for path in METHODS.glob("*.yaml"))


def load_method(name: str) -> Method:
    """A method by its name, in any case, or by the path of its YAML file, whose stem is its name;
    UserError if there is none, or it is not valid."""
    path = Path(name)
    if path.suffix not in (".yaml", ".yml"):
        path = METHODS / f"{name.lower()}.yaml"
        if Path(name).name != name or not path.is_file():
            known = ", ".join(method_names())
            raise UserError(
                f"unknown method {name!r}; give one of {known}, or a method's YAML file"
            )
    return make_method({"name": path.stem} | read_yaml(path), path)


def make_method(content: Mapping[str, Any], source: object) -> Method:
    """A method from what its file says; `source` is named in errors."""
    return validated(Method, content, source)
