"""Settings: the places that say something of them, and which of these counts. Only the device
needs PyTorch."""

import argparse
import os
from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, NamedTuple

from commands import runs
from commands.settings.config import (
    BELONGS,
    NETWORKS,
    PROCESSES,
    Config,
    base_settings,
    make_config,
)
from commands.settings.flags import check_belongs, check_flags
from commands.settings.methods import Method, load_method
from commands.settings.own_flags import DEFAULT_TASK
from commands.settings.setting_flags import OWN_FLAGS
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
    """All places, each of which outweighs those before it: what a method fixes outweighs all."""
    found = [
        Layer("base.yaml: ", base_settings()),
        Layer(f"task {task.name}: settings: ", task.settings),
        Layer("--config: ", preset),
        Layer(f"method {method.name}: settings: ", method.settings),
        Layer("--", flags),
        Layer(f"method {method.name}: fixed: ", method.fixed),
    ]
    *_, simulator = (said["simulator"] for _, said in found if "simulator" in said)
    if simulator != "tensor" and task.domain.kind == BELONGS["simulator"]:
        found.insert(2, Layer("--simulator: ", {"num_envs": PROCESSES}))
    return found


def resolve(flags: Said, preset: Said) -> dict[str, Any]:
    """All settings, valid ones; the device only if a place says it. UserError, with the place, if
    one is not valid."""
    task = flags.get("task") or preset.get("task") or load_task(DEFAULT_TASK)
    for name in task.settings:
        check_belongs(name, task, f"task {task.name}: settings: {name}")
    method, preset = choose_method(flags, preset)
    settings, places = dict[str, Any](), dict[str, str]()
    for place, said in layers(flags, preset, task, method):
        settings |= said
        places |= {name: f"{place}{name}" for name in said}
    if settings["llm_strict"] is settings["llm_optional"] is True:
        raise UserError(f"{places['llm_strict']} and {places['llm_optional']}: give one of them")
    if settings["kl_start"] == 0 and "kl_start" not in method.fixed:
        raise UserError(
            f"{places['kl_start']} 0: the method {method.name} learns from a teacher; give another "
            "--policy, such as ppo-alone, which has none"
        )
    # What these propose counts once: in a run's config.json it is a setting as any other.
    settings["task"] = task.model_copy(update={"settings": {}})
    settings["policy"] = method.model_copy(update={"settings": {}})
    config = make_config({"threads": 1, "device": "cpu"} | settings, "settings", places)
    valid = {name: getattr(config, name) for name in settings}
    return {"threads": default_threads(config.batch_size)} | valid


def choose_method(flags: Said, preset: Said) -> tuple[Method, Said]:
    """The method, and what of a preset counts with it: nothing that another method fixed there."""
    asked, had = flags.get("policy"), preset.get("policy")
    if had is None:
        return asked or load_method(base_settings()["policy"]), preset
    if asked is None or asked.is_same(had):
        return had, preset
    return asked, {name: value for name, value in preset.items() if name not in had.fixed}


def fresh_settings(flags: Said, preset: Said | None = None) -> dict[str, Any]:
    """All settings of something that does not continue a run, with a device that is there.
    UserError if one is not valid, or if a flag speaks against its task or method."""
    settings = resolve(flags, preset or {})
    check_flags(flags, settings)
    # PyTorch, which knows the devices, takes seconds to load: not before all else is right.
    from utils.devices import choose_device

    return settings | {"device": choose_device(settings.get("device"))}


def seeded(settings: Said, seeds: list[int]) -> list[Config]:
    """A configuration for each of some seeds."""
    places = {"seed": OWN_FLAGS["seed"]}
    return [make_config({**settings, "seed": seed}, "settings", places) for seed in seeds]


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
    if given.get("options") == "scripted":
        given.setdefault("option_dir", None)
    if given.get("simulator", "habitat-rearrange") != "habitat-rearrange":
        given.setdefault("habitat_config", None)
    if args.plans:
        task = task or load_task(DEFAULT_TASK)
        given["task"] = task.model_copy(update={"plans": load_plans(args.plans)})
        given["llm"] = None
    return given


def read_preset(path: Path, task_name: str | None) -> dict[str, Any]:
    """What a file of settings says for one task, the named one, or its own, or the default: what
    it says for all tasks, more under `domains` for those of a kind, and under `tasks` for single
    ones. A run's config.json is one, too."""
    content = read_yaml(path)
    if content.keys() & runs.BESIDE_SETTINGS:
        check_format(path, content)
    of_domains, of_tasks = content.pop("domains", {}), content.pop("tasks", {})
    settings = runs.check_settings(content, path)
    task = load_task(task_name) if task_name else settings.get("task") or load_task(DEFAULT_TASK)
    settings |= section(f"{path}: domains", of_domains, list(NETWORKS), task.domain.kind)
    settings |= section(f"{path}: tasks", of_tasks, [*task_names(), task.name], task.name)
    return settings | {"task": task}


def section(place: str, sections: object, names: list[str], wanted: str) -> dict[str, Any]:
    """Of settings by name, in any case, those of the wanted name; all are checked."""
    if not isinstance(sections, dict):
        raise UserError(f"{place} must hold settings by name")
    found = dict[str, Any]()
    for name, said in sections.items():
        if str(name).lower() not in map(str.lower, names):
            raise UserError(f"{place}: {name} is none of {', '.join(names)}")
        if not isinstance(said, dict) or "task" in said:
            raise UserError(f"{place}: {name} must hold settings, and no task")
        checked = runs.check_settings(said, f"{place}: {name}")
        if str(name).lower() == wanted.lower():
            found = checked
    return found


def check(args: argparse.Namespace) -> None:
    """UserError for what is wrong with a command and can be known before PyTorch is loaded."""
    # Of several ranks one is enough to say so.
    if os.environ.get("RANK", "0") != "0":
        return
    if args.command == "bench":
        for name in args.task or ():
            load_task(name)
        return
    if "task" not in args:
        return
    if getattr(args, "wandb", None):
        check_wandb()
    path = getattr(args, "config", None)
    preset = read_preset(path, args.task) if path else {}
    flags = given_settings(args, preset.get("task"))
    settings = resolve(flags, preset)
    # A run that goes on, or is evaluated, has its task and method in its folder.
    of_a_run = args.command in ("eval", "watch") and not (args.eval_teacher or args.task)
    if not (of_a_run or getattr(args, "resume", False)):
        check_flags(flags, settings)
    seeded({"device": "cpu"} | settings, getattr(args, "seed_list", None) or [])


def check_wandb() -> None:
    """UserError if the package of Weights & Biases is not installed."""
    try:
        version("wandb")
    except PackageNotFoundError as error:
        raise UserError("--wandb: its package is missing: pip install wandb") from error


def check_llm_is_named(flags: Said, settings: Said) -> None:
    """UserError for flags about an LLM if there is none."""
    for flag in flags:
        if not settings["llm"] and (flag.startswith("llm_") or flag in ("n_ask", "answers")):
            raise UserError(f"--{flag}: there is no LLM to ask; say which with --llm")
