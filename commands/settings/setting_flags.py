"""Settings as flags of the command line."""

import argparse
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

from commands.settings.config import SETTINGS
from commands.settings.groups import GROUPS
from commands.settings.setting import Setting

OWN_FLAGS = ("task", "policy", "seed", "warm_start")
"""Settings whose flags take the name of a task, method or run, or several seeds."""
KINDS = {"minigrid": "rooms", "nav_pick": "homes", "world": "MiniGrid, BabyAI"}
"""Kind of task -> its name in help."""
METAVARS = {int: "N", float: "X"}


def settings_of(command: str) -> list[Setting]:
    """The settings of a command, but those of OWN_FLAGS."""
    return [s for s in SETTINGS.values() if command in s.commands and s.name not in OWN_FLAGS]


def add_settings(
    parser: argparse.ArgumentParser, command: str, placed: Mapping[str, Any]
) -> dict[str, Any]:
    """Add the flags of a command's settings to groups by heading, and return these. The settings
    in `placed` have their flags in other groups."""
    settings = settings_of(command)
    headings = dict.fromkeys(setting.group for setting in settings)
    groups = {name: parser.add_argument_group(name, GROUPS[name].__doc__) for name in headings}
    for setting in settings:
        group = placed.get(setting.name, groups[setting.group])
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
        either.add_argument("--plans", type=Path, metavar="FILE", help="use another file's plans")


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
        text += f" ({KINDS[setting.domain]})"
    given = {"default": argparse.SUPPRESS, "help": text, **value_options(setting.kind)}
    return given | ({"metavar": setting.value} if setting.value else {})


def value_options(kind: Any) -> dict[str, Any]:
    """argparse's options for a value of a type; `Config` checks the bounds."""
    if kind is bool:
        return {"action": "store_true"}
    if get_origin(kind) is Literal:
        return {"choices": get_args(kind)}
    if get_origin(kind) is list:
        return value_options(get_args(kind)[0]) | {"nargs": "*"}
    if parts := get_args(kind):
        if parts[0] is float and get_origin(parts[1]) is Literal:
            return {"type": number_or_word}
        # The type comes first: `int | None`, or a type with its bounds.
        return value_options(parts[0])
    return {"type": kind, "metavar": METAVARS.get(kind, "TEXT")}


def number_or_word(text: str) -> float | str:
    """The value of a flag that takes a number or a word."""
    try:
        return float(text)
    except ValueError:
        return text


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
