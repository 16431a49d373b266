"""A setting as a flag of the command line, made from `Config`."""

import argparse
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from commands.settings.config import BELONGS, Config, base_settings

OWN_FLAGS = {
    "warm_start": "--loaddir",
    "seed": "--seed_list",
    "task": "--task",
    "policy": "--policy",
}
"""Setting -> its flag, which is not made from `Config`."""
OTHER_WORDS: dict[str, tuple[str, object, str]] = {
    "llm": ("--offline_planner", None, "teach with the plans of a file (default)"),
    "hard": ("--soft_planner", False, "mix plans (default)"),
}
"""Setting -> a second flag, the value that it stands for, and its help."""


def options(name: str, usual: bool = True) -> dict[str, Any]:
    """argparse's options for a setting's flag, with the usual default in its help or not; one that
    is not given sets no attribute."""
    field = Config.model_fields[name]
    text, default = field.description or "", base_settings().get(name)
    if not usual:
        default = None
    if isinstance(default, list):
        text += f"; default {' '.join(map(str, default))}"
    elif default not in (None, False):
        text += f"; default {'on' if default is True else default}"
    if name in BELONGS:
        text += f" ({'rooms' if BELONGS[name] == 'minigrid' else 'homes'})"
    given = {"default": argparse.SUPPRESS, "help": text, **value_options(field.annotation)}
    return given | ({"metavar": field.title} if field.title else {})


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
    return {"type": kind, "metavar": {int: "N", float: "X"}.get(kind, "TEXT")}


def other_word(name: str) -> tuple[str, object, str] | None:
    """A setting's second flag, what it stands for, and its help; each that is on or off has one."""
    if Config.model_fields[name].annotation is bool:
        return OTHER_WORDS.get(name, (f"--no_{name}", False, argparse.SUPPRESS))
    return OTHER_WORDS.get(name)


def as_words(name: str, value: object) -> list[str]:
    """A setting as the words of a command line."""
    spelled = other_word(name)
    if spelled and value == spelled[1]:
        return [spelled[0]]
    flag = OWN_FLAGS.get(name, f"--{name}")
    if value is True:
        return [flag]
    return [flag, *map(str, value if isinstance(value, list) else [value])]


def as_typed(name: str, value: object) -> str:
    """A setting as it is written on the command line."""
    return " ".join(as_words(name, value))
