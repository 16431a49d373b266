"""Methods: ways to learn that are compared with each other, each defined in a file."""

from typing import Any

from pydantic import Field, ValidationInfo, field_validator

from commands.settings.setting import Defaults
from planner.task import CONFIGS
from utils.errors import UserError
from utils.validation import Strict, find_file, read_yaml, validated

METHODS = CONFIGS / "methods"


class Method(Strict):
    """A method: settings that define it, which nothing overrides, and defaults of its own."""

    name: str = Field(pattern=r"^\w[\w.-]*$")
    description: str
    fixed: Defaults = Field(default={})
    settings: Defaults = Field(default={})

    @field_validator("settings")
    @classmethod
    def _are_not_fixed(cls, settings: dict[str, Any], others: ValidationInfo) -> dict[str, Any]:
        for name in settings.keys() & others.data.get("fixed", {}).keys():
            raise ValueError(f"{name} is fixed, too; leave one of them out")
        return settings

    def is_same(self, other: "Method") -> bool:
        """Whether another method has the same name and the same definition."""
        return (self.name, self.fixed) == (other.name, other.fixed)


def method_names() -> list[str]:
    """The methods that come with the project."""
    return sorted(path.stem for path in METHODS.glob("*.yaml"))


def load_method(name: str) -> Method:
    """A method by its name, in any case, or by the path of its YAML file.

    UserError if there is none, if it is not valid, or if it takes the name of a method that comes
    with the project: its runs would lie among the runs of that method.
    """
    path = find_file("method", name, METHODS, method_names())
    method = validated(Method, {"name": path.stem} | read_yaml(path), path)
    if method.name.lower() in method_names() and path.resolve().parent != METHODS.resolve():
        raise UserError(f"{path}: {method.name} is a method of this project; give yours a new name")
    return method
