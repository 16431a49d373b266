"""Settings as flags of the command line."""

import argparse
from pathlib import Path
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from commands.settings.config import SETTINGS
from commands.settings.groups import GROUPS
from commands.settings.setting import Setting

OWN_FLAGS = ("task", "policy", "seed", "warm_start")
"""Settings whose flags take the name of a task, method or run, or several seeds."""
WORLDS = {"minigrid": "rooms", "nav_pick": "homes"}
METAVARS = {int: "N", float: "X"}


def settings_of(command: str) -> list[Setting]:
    """The settings of a command, but those of OWN_FLAGS."""
    return [s for s in SETTINGS.values() if command in s.commands and s.name not in OWN_FLAGS]


def add_settings(
    parser: argparse.ArgumentParser, command: str, common: Any = None, names: tuple[str, ...] = ()
) -> dict[str, Any]:
    """Add the flags of a command's settings: those of some names to a group of flags that is there,
    the others by heading. Returns the groups by heading."""
    groups: dict[str, Any] = {}
    for setting in settings_of(command):
        group = common
        if setting.name not in names:
            if setting.group not in groups:
                about = str(GROUPS[setting.group].__doc__)
                groups[setting.group] = parser.add_argument_group(setting.group, about)
            group = groups[setting.group]
        # The settings of an evaluation are those of its run.
        add_setting(group.add_mutually_exclusive_group(), setting, command in ("train", "record"))
    return groups


def add_setting(either: Any, setting: Setting, defaults: bool) -> None:
    """Add the flags of a setting to a group of flags that exclude each other."""
    either.add_argument(setting.flag, **options(setting.name, defaults))
    if setting.second:
        flag, value, text = setting.second
        either.add_argument(
            flag,
            dest=setting.name,
            action="store_const",
            const=value,
            default=argparse.SUPPRESS,
            help=text or argparse.SUPPRESS,
        )
    if setting.name == "llm":
        either.add_argument(
            "--plans", type=Path, metavar="FILE", help="use the plans of another file"
        )


def options(name: str, defaults: bool = True) -> dict[str, Any]:
    """argparse's options for a setting's flag, with or without the default in its help. A flag that
    is not given sets no attribute."""
    setting = SETTINGS[name]
    default = setting.default if defaults else None
    text = setting.help
    if isinstance(default, list):
        text += f"; default {' '.join(map(str, default))}"
    elif default not in (None, False):
        text += f"; default {'on' if default is True else default}"
    if setting.domain:
        text += f" ({WORLDS[setting.domain]})"
    given = {"default": argparse.SUPPRESS, "help": text, **value_options(setting.kind)}
    return given | ({"metavar": setting.value} if setting.value else {})


def value_options(kind: Any) -> dict[str, Any]:
    """argparse's options for a value of a type; `Config` checks the bounds."""
    if get_origin(kind) is Annotated:
        return value_options(get_args(kind)[0])
    if get_origin(kind) in (Union, UnionType):
        (kind,) = (part for part in get_args(kind) if part is not NoneType)
        return value_options(kind)
    if get_origin(kind) is list:
        return value_options(get_args(kind)[0]) | {"nargs": "*"}
    if get_origin(kind) is Literal:
        return {"choices": get_args(kind)}
    if kind is bool:
        return {"action": "store_true"}
    return {"type": kind, "metavar": METAVARS.get(kind, "TEXT")}


def as_words(name: str, value: object) -> list[str]:
    """A setting as the words of a command line."""
    setting = SETTINGS[name]
    if setting.second and value == setting.second[1]:
        return [setting.second[0]]
    if value is True:
        return [setting.flag]
    return [setting.flag, *map(str, value if isinstance(value, list) else [value])]


def as_typed(name: str, value: object) -> str:
    """A setting as it is typed."""
    return " ".join(as_words(name, value))
