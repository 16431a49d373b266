"""The history of a run: at which iterations it was resumed with other settings."""

from pathlib import Path
from typing import Any

from commands.settings.config import SETTINGS, Config
from utils.validation import Strict, read_yaml, validated


class Resumed(Strict):
    """At which iteration a run was resumed with other settings: setting -> value before, after."""

    iteration: int
    changed: dict[str, tuple[Any, Any]]


def read_history(path: Path) -> list[Resumed]:
    """The changes of settings in a config.json; UserError if they are damaged."""
    content = {"history": read_yaml(path).get("history", [])}
    return validated(dict[str, list[Resumed]], content, path)["history"]


def history_note(path: Path) -> str:
    """A sentence about a config.json whose run was resumed with other settings; empty if it was
    not."""
    changed = [
        f"{name} {old} to {new} at iteration {resumed.iteration}"
        for resumed in read_history(path)
        for name, (old, new) in resumed.changed.items()
        if name in SETTINGS and SETTINGS[name].compared == "yes"
    ]
    if not changed:
        return ""
    return (
        f"{path}: its run was resumed with other settings ({', '.join(changed)}); the new run has "
        "the last ones from the start; to repeat the old run, train with the first ones, then "
        "--resume with the others"
    )


def changes(before: Config, after: Config) -> dict[str, tuple[Any, Any]]:
    """Setting -> its value before and after, where these differ."""
    return {
        name: (getattr(before, name), getattr(after, name))
        for name, setting in SETTINGS.items()
        if setting.resumable and getattr(before, name) != getattr(after, name)
    }
