"""Settings: what was given, over what a preset or a task's file says, over the defaults."""

import argparse
from typing import Any

from utils.config import Config, Task, defaults, load_plans, load_task, make_config
from utils.devices import choose_device, default_threads
from utils.errors import UserError
from utils.flags import DEFAULT_TASK


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


def for_task(template: dict[str, Any], task: Task) -> dict[str, Any]:
    """What a file of settings says for one task: what it says for all, and more under `tasks`."""
    settings = {name: value for name, value in template.items() if name != "tasks"}
    for name, section in template.get("tasks", {}).items():
        if str(name).lower() == task.name.lower():
            settings |= section
    return settings


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
