"""Settings: who says what of them, and whose word counts. Only the device needs PyTorch."""

import argparse
import os
from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, NamedTuple

from commands import runs
from commands.config import Config, base_settings, make_config
from commands.flags import DEFAULT_TASK, as_typed
from commands.methods import Method, load_method
from planner.task import Task, load_plans, load_task, task_names
from utils.cores import default_threads
from utils.errors import UserError
from utils.run_files import check_format
from utils.validation import read_yaml

Said = Mapping[str, Any]
"""Some settings by name."""


class Layer(NamedTuple):
    """What one place says of settings, and what errors put before the name of one of them."""

    place: str
    said: Said


def layers(flags: Said, preset: Said, task: Task, method: Method) -> list[Layer]:
    """All who have a word, the later the weightier. What defines a method stands above all."""
    return [
        Layer("base.yaml: ", base_settings()),
        Layer(f"task {task.name}: settings: ", task.settings),
        Layer("--config: ", preset),
        Layer(f"method {method.name}: settings: ", method.settings),
        Layer("--", flags),
        Layer(f"method {method.name}: fixed: ", method.fixed),
    ]


def resolve(flags: Said, preset: Said) -> dict[str, Any]:
    """All settings of something that does not continue a run; the device only if someone says it.

    UserError, with the place, if one is not valid, or if a flag speaks against its method.
    """
    task = flags.get("task") or preset.get("task") or load_task(DEFAULT_TASK)
    usual = task.settings.get("policy", base_settings()["policy"])
    method = flags.get("policy") or preset.get("policy") or load_method(str(usual))
    settings, places = dict[str, Any](), dict[str, str]()
    for place, said in layers(flags, preset, task, method):
        settings |= said
        places |= {name: f"{place}{name}" for name in said}
    settings["task"] = task
    # What a method only proposes counts once: of a run's config.json it is a setting as any other.
    settings["policy"] = method.model_copy(update={"settings": {}})
    config = make_config({"threads": 1, "device": "cpu"} | settings, "settings", places)
    for name in flags.keys() & method.fixed.keys():
        if flags[name] != (fixed := getattr(config, name)):
            raise UserError(
                f"{as_typed(name, flags[name])}: the method {method.name} is defined by "
                f"{as_typed(name, fixed)}; leave it out, or give another --policy"
            )
    return {"threads": default_threads(config.batch_size)} | settings


def fresh_settings(flags: Said, preset: Said | None = None) -> dict[str, Any]:
    """All settings of something that does not continue a run, with a device that is there."""
    settings = resolve(flags, preset or {})
    # PyTorch, which knows the devices, takes seconds to load: not before all else is right.
    from utils.devices import choose_device

    return settings | {"device": choose_device(settings.get("device"))}


def given_settings(args: argparse.Namespace, task: Task | None = None) -> dict[str, Any]:
    """The settings among the flags that were given; `task` is meant if they name none."""
    given = {name: value for name, value in vars(args).items() if name in Config.model_fields}
    name = given.pop("task")
    if name:
        given["task"] = task = load_task(name)
    if "policy" in given:
        given["policy"] = load_method(given["policy"])
    for one, other in (("llm_strict", "llm_optional"), ("llm_optional", "llm_strict")):
        if given.get(one):
            given.setdefault(other, False)
    if args.plans:
        task = task or load_task(DEFAULT_TASK)
        given["task"] = task.model_copy(update={"plans": load_plans(args.plans)})
        given["llm"] = None
    return given


def read_preset(path: Path, task_name: str | None) -> dict[str, Any]:
    """What a file of settings says for one task, the named one, or its own, or the default: what
    it says for all tasks, and more under `tasks`. A run's config.json is one, too."""
    content = read_yaml(path)
    if content.keys() & runs.BESIDE_SETTINGS:
        check_format(path, content)
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


def check(args: argparse.Namespace) -> None:
    """UserError for what is wrong with a command and can be known before PyTorch is loaded."""
    # Of several ranks one is enough to say so.
    if os.environ.get("RANK", "0") != "0":
        return
    if args.command == "bench":
        for name in args.task or ():
            load_task(name)
        return
    if getattr(args, "wandb", None):
        check_wandb()
    path = getattr(args, "config", None)
    preset = read_preset(path, args.task) if path else {}
    resolve(given_settings(args, preset.get("task")), preset)


def check_wandb() -> None:
    """UserError if the package of Weights & Biases is not installed."""
    try:
        version("wandb")
    except PackageNotFoundError as error:
        raise UserError("--wandb: its package is missing: pip install wandb") from error


def check_llm_is_named(flags: dict[str, Any], settings: dict[str, Any]) -> None:
    """UserError for flags about an LLM if there is none."""
    for flag in flags:
        if not settings["llm"] and (flag.startswith("llm_") or flag in ("n_ask", "answers")):
            raise UserError(f"--{flag}: there is no LLM to ask; say which with --llm")
