"""Methods: ways to learn that are compared with each other, each a file of what defines it."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import Field

from planner.task import CONFIGS, Defaults
from utils.errors import UserError
from utils.validation import Strict, meant, read_yaml, validated

METHODS = CONFIGS / "methods"


class Method(Strict):
    """A method: the settings that define it, which nothing overrides, and its own defaults."""

    name: str = Field(pattern=r"^\w[\w.-]*$")
    description: str
    fixed: Defaults = Field(default={})
    settings: Defaults = Field(default={})

    def is_same(self, other: "Method") -> bool:
        """Whether another has the same name and defines the same."""
        return (self.name, self.fixed) == (other.name, other.fixed)


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
                f"{meant(name, method_names())}"
            )
    return make_method({"name": path.stem} | read_yaml(path), path)


def make_method(content: Mapping[str, Any], source: object) -> Method:
    """A method from what its file says; `source` is named in errors."""
    return validated(Method, content, source)
