"""Settings: what was given, over what a preset or a task's file says, over the defaults."""

import argparse
from pathlib import Path
from typing import Any

from commands import runs
from commands.config import Config, defaults, make_config
from commands.flags import DEFAULT_TASK
from planner.task import Task, load_plans, load_task, task_names
from utils.devices import choose_device, default_threads
from utils.errors import UserError
from utils.validation import read_yaml


def given_settings(args: argparse.Namespace, task: Task | None = None) -> dict[str, Any]:
    """The settings among the flags that were given; `task` is meant if they name none."""
    given = {name: value for name, value in vars(args).items() if name in Config.model_fields}
    name = given.pop("task")
    if name:
        given["task"] = task = load_task(name)
    for one, other in (("llm_strict", "llm_optional"), ("llm_optional", "llm_strict")):
        if one in given:
            given.setdefault(other, False)
    if args.plans:
        task = task or load_task(DEFAULT_TASK)
        given["task"] = task.model_copy(update={"plans": load_plans(args.plans)})
        given["llm"] = None
    return given


def read_preset(path: Path, task_name: str | None) -> dict[str, Any]:
    """What a file of settings says for one task, the named one, or its own, or the default: what
    it says for all tasks, and more under `tasks`."""
    content = read_yaml(path)
    sections = content.pop("tasks", {})
    settings = runs.check_settings(content, path)
    task = load_task(task_name) if task_name else settings.get("task") or load_task(DEFAULT_TASK)
    if not isinstance(sections, dict):
        raise UserError(f"{path}: tasks must hold settings by the names of tasks")
    names = [*task_names(), task.name]
    for name, section in sections.items():
        source = f"{path}: tasks: {name}"
        if str(name).lower() not in map(str.lower, names):
            raise UserError(f"{source} is no task; there are {', '.join(names)}")
        if not isinstance(section, dict) or "task" in section:
            raise UserError(f"{source} must hold settings of that task")
        section = runs.check_settings(section, source)
        if str(name).lower() == task.name.lower():
            settings |= section
    return settings | {"task": task}


def check_llm_is_named(flags: dict[str, Any], settings: dict[str, Any]) -> None:
    """UserError for flags about an LLM if there is none."""
    for flag in flags:
        if not settings["llm"] and (flag.startswith("llm_") or flag in ("n_ask", "answers")):
            raise UserError(f"--{flag}: there is no LLM to ask; say which with --llm")


def fresh_settings(given: dict[str, Any]) -> dict[str, Any]:
    """All settings but the seed of something that does not continue a run."""
    task = given.get("task") or load_task(DEFAULT_TASK)
    settings = defaults(task) | given | {"task": task}
    config = make_config({"seed": 0, "threads": 1, "device": "cpu"} | settings, "settings")
    if "threads" not in given:
        settings["threads"] = default_threads(config.batch_size)
    return settings | {"device": choose_device(given.get("device"))}
