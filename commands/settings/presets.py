"""Files of settings: presets, and the config.json of a run, which is one, too."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from commands.run_files import check_config_format
from commands.settings.config import DEFAULT_TASK, NETWORKS, SETTINGS
from commands.settings.methods import Method, load_method
from commands.settings.setting import flatten
from planner.task import is_id, load_task, make_task, task_names
from utils.errors import UserError
from utils.validation import meant, read_yaml, validated

BESIDE_SETTINGS = ("format", "history", "provenance")
"""What a run's config.json holds beside its settings."""


def read_preset(path: Path, task_name: str | None) -> dict[str, Any]:
    """The settings of a file for one task: the named one, else the file's own, else the default.

    The top level holds settings for all tasks. `domains` holds more for the tasks of a kind, and
    `tasks` for single ones, which override them.
    """
    content = read_yaml(path)
    if content.keys() & {*BESIDE_SETTINGS}:
        check_config_format(path, content)
    of_domains, of_tasks = content.pop("domains", {}), content.pop("tasks", {})
    settings = check_settings(content, path)
    task = load_task(task_name) if task_name else settings.get("task") or load_task(DEFAULT_TASK)
    settings |= _section(f"{path}: domains", of_domains, list(NETWORKS), task.domain.kind)
    ids = filter(is_id, map(str, of_tasks))
    settings |= _section(f"{path}: tasks", of_tasks, [*task_names(), *ids, task.name], task.name)
    return settings | {"task": task}


def _section(place: str, sections: object, names: list[str], wanted: str) -> dict[str, Any]:
    """The settings below the wanted name, in any case; those below other names are checked, too."""
    if not isinstance(sections, dict):
        raise UserError(f"{place} must hold settings by name")
    found = dict[str, Any]()
    for name, content in sections.items():
        if str(name).lower() not in map(str.lower, names):
            raise UserError(f"{place}: {name} is not one of {', '.join(names)}")
        checked = check_settings(content, f"{place}: {name}") if isinstance(content, dict) else None
        if checked is None or "task" in checked:
            raise UserError(f"{place}: {name} must hold settings, and no task")
        if str(name).lower() == wanted.lower():
            found = checked
    return found


def check_settings(content: Mapping[str, Any], source: object) -> dict[str, Any]:
    """Settings from a file, flat or by group, without what stands beside them in a config.json.

    All names are known; the task and the method are valid. UserError, naming the source, if not.
    """
    try:
        settings = flatten({k: v for k, v in content.items() if k not in BESIDE_SETTINGS})
    except ValueError as error:
        raise UserError(f"{source}: {error}") from error
    if unknown := settings.keys() - SETTINGS.keys():
        name = min(map(str, unknown))
        raise UserError(f"{source}: there is no setting {name!r}{meant(name, SETTINGS)}")
    if "task" in settings:
        task = settings["task"]
        whole = isinstance(task, dict)
        settings["task"] = make_task(task, source) if whole else load_task(str(task))
    if "policy" in settings:
        method = settings["policy"]
        whole = isinstance(method, dict)
        settings["policy"] = (
            validated(Method, method, source) if whole else load_method(str(method))
        )
    return settings
