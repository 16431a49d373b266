"""How a setting is declared: `setting(default, help, …)` in a group of groups.py."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, Field

TRAIN = ("train",)
ACTING = (*TRAIN, "eval", "watch")
"""Commands that let a student act."""
TEACHING = (*ACTING, "teacher")
"""These, and `teacher`: an evaluation of the teacher alone in a table of experiments."""
ASKING = (*TEACHING, "record")
"""These, and the command that records an LLM's plans."""


@dataclass(frozen=True, kw_only=True)
class Setting:
    """What the program knows about a setting.

    name, group: where it stands in config.json
    kind: its type, as annotated, without bounds
    default: the paper's value; None also where there is no default
    help: the help of its flag; `value` stands for the value there
    domain: the kind of task that alone has it; None if all kinds have it
    commands: which commands have its flag
    resumable: whether a resumed run may change it
    compared: whether runs that differ in it are different experiments; "if set": only whether it
        is set counts, not the value
    recorded: the part of an eval.json's description that names it, if any does
    flag: its flag
    second: a second flag, the value that this one stands for, and its help
    """

    name: str
    group: str
    kind: Any
    default: Any
    help: str
    flag: str
    value: str = ""
    domain: Literal["minigrid", "nav_pick", "world"] | None = None
    commands: tuple[str, ...] = TRAIN
    resumable: bool = False
    compared: Literal["yes", "if set", "no"] = "yes"
    recorded: Literal["world", "options", "teacher", "llm"] | None = None
    second: tuple[str, object, str] | None = None

    @property
    def needs_llm(self) -> bool:
        """Whether it means nothing without an LLM."""
        return self.group == "llm" and self.name != "llm"


def setting(
    default: Any, help: str, *, ge: Any = None, gt: Any = None, le: Any = None, **more: Any
) -> Any:
    """A field of a group: its default (`...` for none), the help of its flag, its bounds, and
    `more` of what a `Setting` says."""
    return Field(default, description=help, ge=ge, gt=gt, le=le, json_schema_extra=more)


def declared(groups: Mapping[str, type[BaseModel]]) -> dict[str, Setting]:
    """The settings of some groups, by name."""
    found = dict[str, Setting]()
    for group, model in groups.items():
        for name, field in model.model_fields.items():
            more: Any = {"flag": f"--{name}"}
            if field.annotation is bool:
                more["second"] = (f"--no_{name}", False, "")
            found[name] = Setting(
                name=name,
                group=group,
                kind=field.annotation,
                default=None if field.is_required() else field.default,
                help=str(field.description),
                **(more | field.json_schema_extra),
            )
    return found


def flatten(content: Mapping[str, Any]) -> dict[str, Any]:
    """Settings by name, from content in which some may stand under their group's heading.

    `task` is a setting, too: a mapping with a `name` is a whole task. ValueError if a setting is
    there twice, or under the heading of another group.
    """
    # They need this module themselves: a method is a setting, and it holds settings.
    from commands.settings.config import SETTINGS
    from commands.settings.groups import GROUPS

    flat = dict[str, Any]()
    for name, value in content.items():
        is_group = name in GROUPS and isinstance(value, Mapping) and "name" not in value
        for each, given in value.items() if is_group else [(name, value)]:
            if each in flat:
                raise ValueError(f"{each} is there twice; leave one out")
            if is_group and each in SETTINGS and SETTINGS[each].group != name:
                raise ValueError(f"{name}: {each} belongs under {SETTINGS[each].group}")
            flat[each] = given
    return flat


def _flat_defaults(content: Any) -> Any:
    if not isinstance(content, Mapping):
        return content
    settings = flatten(content)
    if other := settings.keys() & {"task", "policy", "seed"}:
        raise ValueError(f"the command line chooses the {min(other)}; leave it out")
    return settings


Defaults = Annotated[dict[str, Any], BeforeValidator(_flat_defaults)]
"""Settings of a task's or a method's file. The user chooses the task, the method and the seed."""
