"""Which value a setting has: the places that set it, their precedence, and what is checked before a
command runs. Only the choice of the device loads PyTorch."""

import argparse
from collections.abc import Mapping
from typing import Any

from commands.settings.config import (
    DEFAULT_HOME_TASK,
    DEFAULT_METHOD,
    DEFAULT_TASK,
    DEFAULTS,
    PROCESSES,
    SETTINGS,
    Config,
    knows_more,
    make_config,
)
from commands.settings.methods import Method, load_method
from commands.settings.presets import read_preset
from commands.settings.setting import Defaults
from commands.settings.setting_flags import as_typed
from commands.settings.world_defaults import world_defaults
from planner.model_files import check_model
from planner.recorded_plans import load_plans
from planner.servers import LOCAL, UNIFORM
from planner.task import Task, load_task, task_names
from utils.cores import default_threads
from utils.errors import UserError
from utils.validation import is_file_name, validated

Settings = Mapping[str, Any]
"""Some settings by name."""
OF_SERVERS = ("llm_url", "llm_workers")
OF_TEXT = ("llm_top_p", "llm_max_tokens")
OF_REPLIES = (*OF_TEXT, "llm_temperature", "llm_seed", "llm_retries", "n_ask")
"""Settings of servers; of text that is written freely; and of replies, which scores do not need."""


def resolve(flags: Settings, preset: Settings) -> dict[str, Any]:
    """All settings, valid ones; the device only if a place sets it. UserError, with the place, if
    one is not valid."""
    task = flags.get("task") or preset.get("task") or load_task(DEFAULT_TASK)
    method, preset = choose_method(flags, preset)
    settings, places = dict[str, Any](), dict[str, str]()
    for place, values in by_precedence(flags, preset, task, method).items():
        settings |= values
        places |= {name: f"{place}{name}" for name in values}
    if settings["llm_strict"] is settings["llm_optional"] is True:
        raise UserError(f"{places['llm_strict']} and {places['llm_optional']}: give one of them")
    if settings["kl_start"] == 0 and "kl_start" not in method.fixed:
        raise UserError(
            f"{places['kl_start']} 0: the method {method.name} learns from a teacher; give another "
            "--policy, such as ppo-alone, which has none"
        )
    # The defaults of a task and a method count once: in a run's config.json they are settings.
    settings["task"] = task.model_copy(update={"settings": {}})
    settings["policy"] = method.model_copy(update={"settings": {}})
    config = make_config({"threads": 1, "device": "cpu"} | settings, "settings", places)
    valid = {name: getattr(config, name) for name in settings}
    return {"threads": default_threads(config.batch_size)} | valid


def by_precedence(
    flags: Settings, preset: Settings, task: Task, method: Method
) -> dict[str, Settings]:
    """The settings of each place, the strongest last. The places are as errors write them, before
    the name of a setting. UserError for settings of a task's file that it does not have."""
    place = f"task {task.name}: settings"
    of_task = validated(Defaults, task.settings, place)
    for name in of_task:
        check_domain(name, task, f"{place}: {name}")
    of_simulator = dict[str, Any]()
    found: dict[str, Settings] = {
        "default: ": DEFAULTS,
        f"usual in {task.name}: ": world_defaults(task),
        f"{place}: ": of_task,
        "--simulator: ": of_simulator,
        "--config: ": preset,
        f"method {method.name}: settings: ": method.settings,
        "--": flags,
        f"method {method.name}: fixed: ": method.fixed,
    }
    *_, simulator = (values["simulator"] for values in found.values() if "simulator" in values)
    if simulator != "tensor" and task.domain.kind == SETTINGS["simulator"].domain:
        of_simulator["num_envs"] = PROCESSES
    return found


def choose_method(flags: Settings, preset: Settings) -> tuple[Method, Settings]:
    """The method, and the preset's settings without those that another method fixed there."""
    asked, had = flags.get("policy"), preset.get("policy")
    if had is None:
        # --hard alone defines ppo-hard.
        usual = "ppo-hard" if flags.get("hard") else DEFAULT_METHOD
        return asked or load_method(usual), preset
    if asked is None or asked.is_same(had):
        return had, preset
    return asked, {name: value for name, value in preset.items() if name not in had.fixed}


def fresh_settings(flags: Settings, preset: Settings | None = None) -> dict[str, Any]:
    """All settings of something that does not continue a run, with a device that is there.

    UserError if one is not valid, or if a flag contradicts its task or method.
    """
    settings = resolve(flags, preset or {})
    check_flags(flags, settings)
    # PyTorch, which knows the devices, takes seconds to load: not before all else is right.
    from utils.devices import choose_device

    return settings | {"device": choose_device(settings.get("device"))}


def seeded(settings: Settings, seeds: list[int]) -> list[Config]:
    """A configuration for each of some seeds."""
    places = {"seed": SETTINGS["seed"].flag}
    return [make_config({**settings, "seed": seed}, "settings", places) for seed in seeds]


def given_settings(args: argparse.Namespace, task: Task | None = None) -> dict[str, Any]:
    """The settings among the flags that were given; `task` counts if no flag names one."""
    given = {name: value for name, value in vars(args).items() if name in SETTINGS}
    name = given.pop("task")
    if name is not None:
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


def check_flags(flags: Settings, settings: Settings) -> None:
    """UserError for a flag that contradicts the method, and for a flag, or a setting that the
    method fixes, that the task does not have. All of them are valid."""
    method, task = settings["policy"], settings["task"]
    for name, value in {**method.fixed, **flags}.items():
        place = "" if name in flags else f"method {method.name}: fixed: "
        check_domain(name, task, f"{place}{as_typed(name, value)}")
    if "layouts" in flags and settings.get("simulator") == "habitat-rearrange":
        raise UserError(
            f"{as_typed('layouts', flags['layouts'])}: the homes of --simulator habitat-rearrange "
            "are those of its dataset; leave it out"
        )
    if "traj_per_itr" in flags and settings.get("rollout_steps"):
        raise UserError(
            f"{as_typed('traj_per_itr', flags['traj_per_itr'])}: an iteration in {task.name} is "
            f"{as_typed('rollout_steps', settings['rollout_steps'])}, however many episodes these "
            "are; leave it out"
        )
    for name in flags.keys() & method.fixed.keys():
        if flags[name] != (fixed := settings[name]):
            unset = fixed is None and not SETTINGS[name].second
            says = f"leaves {name} unset" if unset else f"is defined by {as_typed(name, fixed)}"
            raise UserError(
                f"{as_typed(name, flags[name])}: the method {method.name} {says}; "
                "leave it out, or give another --policy"
            )
    if flags.get("advisor_alpha") and not knows_more(settings):
        raise UserError(
            f"{as_typed('advisor_alpha', flags['advisor_alpha'])}: the teacher sees only "
            "its student's memory, so all advice counts; leave it out, or give --teacher_sees "
            "everything"
        )


def check_domain(name: str, task: Task, place: str) -> None:
    """UserError, which names the place, for a setting that only tasks of another kind have."""
    domain = SETTINGS[name].domain if name in SETTINGS else None
    if domain not in (None, task.domain.kind):
        raise UserError(f"{place}: {task.name} has no such setting")


def check_llm_flags(flags: Settings, settings: Settings) -> None:
    """UserError for a flag about an LLM that means nothing beside the other settings."""
    for name in flags:
        if SETTINGS[name].needs_llm and (why := meaningless(name, settings)):
            raise UserError(f"--{name}: {why}")


def meaningless(name: str, settings: Settings) -> str:
    """Why a setting about an LLM means nothing; empty if it means something."""
    llm, scores = settings["llm"], settings["llm_mode"] == "score"
    if not llm:
        return "there is no LLM to ask; say which with --llm"
    if llm == UNIFORM:
        return f"--llm {UNIFORM} asks no LLM; leave one of the two out"
    if llm == LOCAL and name in OF_SERVERS:
        return f"--llm {LOCAL} asks no server; leave it out"
    if scores and name == "llm_workers":
        return "--llm_mode score sends one request at a time; leave it out"
    if scores and name in OF_REPLIES:
        return "--llm_mode score asks for no replies; leave it out"
    if llm == LOCAL and settings["llm_mode"] == "schema" and name in OF_TEXT:
        return f"--llm {LOCAL} --llm_mode schema chooses among plans; leave it out"
    if name == "score_temperature" and not scores:
        return "only --llm_mode score has scores; leave it out"
    return ""


def shown_settings(given: Settings) -> dict[str, Any]:
    """The settings that say which run a command shows. UserError if one is not valid."""
    in_homes = any(SETTINGS[name].domain == "nav_pick" for name in given)
    task = {"task": load_task(DEFAULT_HOME_TASK)} if in_homes else {}
    return resolve({**task, **given}, {})


def check(args: argparse.Namespace) -> None:
    """UserError if a command cannot work: before PyTorch is loaded, which takes seconds."""
    if args.command == "bench":
        for name in args.task or ():
            load_task(name)
        return
    if "task" not in args:
        return
    if args.command == "record" and args.show:
        load_plans(args.show)
    path = getattr(args, "config", None)
    preset = read_preset(path, args.task) if path else {}
    flags = given_settings(args, preset.get("task"))
    settings = resolve(flags, preset)
    # The folder of a run that continues, or is evaluated, holds its task and method.
    of_a_run = args.command in ("eval", "watch", "export") and not (args.eval_teacher or args.task)
    if not (of_a_run or getattr(args, "resume", False)):
        check_flags(flags, settings)
    seeded({"device": "cpu"} | settings, getattr(args, "seed_list", None) or [])
    if args.command == "record" and not (settings["llm"] or args.dry_run or args.show):
        raise UserError("record asks an LLM: name one with --llm, or look first with --dry_run")
    asks = args.command in ("train", "record") or getattr(args, "eval_teacher", False)
    continues = getattr(args, "resume", False) or getattr(args, "dry_run", False)
    if asks and not continues and settings["llm"]:
        check_llm_flags(flags, settings)
        if settings["llm"] == LOCAL:
            check_model(settings["llm_model"])
    tell_choices(args, flags, preset, settings)


def tell_choices(
    args: argparse.Namespace, flags: Settings, preset: Settings, settings: Settings
) -> None:
    """Print consequences of the flags that a user may not expect."""
    if flags.get("hard") and not {"policy"} & {*flags, *preset}:
        print(f"--hard without --policy: the method is {settings['policy'].name}")
    task = settings["task"].name
    if is_file_name(args.task or "") and task.lower() in map(str.lower, task_names()):
        print(f"{args.task} has the name of the built-in task {task}: their runs lie together")
