"""The command line: commands and their flags. Those of settings are made from `Config`; what they
leave open, a run, a method, a preset, the task's file or base.yaml decides."""

import argparse
import sys
from collections.abc import Mapping
from pathlib import Path
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from commands.config import BELONGS, Config, base_settings
from commands.methods import method_names
from planner.task import Task, task_names
from utils.commands import Parser
from utils.cores import physical_cores
from utils.errors import UserError

DEFAULT_TASK = "SimpleDoorKey"
DEFAULT_LOGDIR = Path("log")

OWN_FLAGS = {
    "warm_start": "--loaddir",
    "seed": "--seed_list",
    "task": "--task",
    "policy": "--policy",
}
"""Setting -> its flag, which is not made from `Config`."""
ASKING = (
    *("llm", "llm_url", "llm_model", "llm_temperature", "llm_workers", "llm_retries"),
    *("n_ask", "answers"),
)
EVALUATING = (
    *("device", "threads", "frame_stack", "network", "recurrent", "hard"),
    *("simulator", "habitat_config", "depth_size", "train_option"),
    *("options", "option_dir", "navigate_noise", "pick_noise"),
    *(*ASKING, "llm_strict", "llm_optional", "num_eval", "env_seed_list"),
)
SETTINGS: dict[str, tuple[str, ...]] = {
    "train": tuple(name for name in Config.model_fields if name not in OWN_FLAGS),
    "eval": EVALUATING,
    "watch": EVALUATING,
    "record": ASKING,
}
"""Command -> the settings that have a flag there."""

OTHER_WORDS: dict[str, tuple[str, object, str]] = {
    "llm": ("--offline_planner", None, "teach with the plans of a file (default)"),
    "hard": ("--soft_planner", False, "mix plans (default)"),
}
"""Setting -> a second flag, the value that it stands for, and its help."""


def parse(arguments: list[str] | None) -> argparse.Namespace:
    """The flags of a command; of a setting only those that were given. Ends the program with a
    line about what is wrong, or with help."""
    parser = Parser(prog="main.py", description="Train small students with an LLM as teacher.")
    commands = parser.add_subparsers(dest="command", required=True)
    for name, add_own_flags, text in (
        ("train", add_train_flags, "train a student"),
        ("eval", add_eval_flags, "evaluate a run, or the teacher alone"),
        ("watch", add_watch_flags, "write a page that shows episodes of a run, step by step"),
        ("report", add_report_flags, "compare the runs of a log tree, or of two"),
        ("record", add_record_flags, "ask an LLM about all scenes of a task, and keep its plans"),
        ("bench", add_bench_flags, "measure speeds"),
        ("reproduce", add_reproduce_flags, "train and evaluate all cells of a table"),
    ):
        command = commands.add_parser(name, help=text, allow_abbrev=False)
        add_own_flags(command)
        if name in SETTINGS:
            add_settings(command, name)
    given = sys.argv[1:] if arguments is None else arguments
    if not given:
        parser.print_help(sys.stderr)
        parser.exit(2)
    args, unknown = parser.parse_known_args(given)
    if unknown:
        commands.choices[args.command].error(f"unrecognized arguments: {' '.join(unknown)}")
    return args


OVER = {
    "train": "over those of a method, a preset (--config), the task's file and base.yaml; "
    "a setting that is on or off is switched off by --no_NAME",
    "eval": "over those of the run; with --eval_teacher the defaults are those of training",
    "watch": "as of eval; without --num_eval 100 episodes are played",
    "record": "over those of the task's file and base.yaml",
}
"""Command -> what its flags of settings stand above."""


def add_settings(command: argparse.ArgumentParser, command_name: str) -> None:
    """A flag, or two, for each setting of a command."""
    group, usual = (
        command.add_argument_group("settings", OVER[command_name]),
        command_name not in ("eval", "watch"),
    )
    for name in SETTINGS[command_name]:
        either = group.add_mutually_exclusive_group()
        either.add_argument(f"--{name}", **options(name, usual))
        if spelled := other_word(name):
            flag, value, text = spelled
            either.add_argument(
                flag,
                dest=name,
                action="store_const",
                const=value,
                default=argparse.SUPPRESS,
                help=text,
            )
        if name == "llm":
            either.add_argument(
                "--plans", type=Path, metavar="FILE", help="teach with a file of plans"
            )


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


def check_flags(flags: Mapping[str, Any], settings: Mapping[str, Any]) -> None:
    """UserError for a flag, or what the settings' method fixes, that their task has not, and for a
    flag against what is fixed; all of them are valid."""
    method, task = settings["policy"], settings["task"]
    for name, value in {**method.fixed, **flags}.items():
        place = "" if name in flags else f"method {method.name}: fixed: "
        check_belongs(name, task, f"{place}{as_typed(name, value)}")
    if "layouts" in flags and settings.get("simulator") == "habitat-rearrange":
        raise UserError(
            f"{as_typed('layouts', flags['layouts'])}: the homes of --simulator habitat-rearrange "
            "are those of its dataset; leave it out"
        )
    for name in flags.keys() & method.fixed.keys():
        if flags[name] != (fixed := settings[name]):
            unset = fixed is None and name not in OTHER_WORDS
            says = f"leaves {name} unset" if unset else f"is defined by {as_typed(name, fixed)}"
            raise UserError(
                f"{as_typed(name, flags[name])}: the method {method.name} {says}; "
                "leave it out, or give another --policy"
            )


def check_belongs(name: str, task: Task, place: str) -> None:
    """UserError, which says where it stands, for a setting that only tasks of another kind have."""
    if BELONGS.get(name, task.domain.kind) != task.domain.kind:
        raise UserError(f"{place}: {task.name} has no such setting")


def add_teacher_flags(command: argparse.ArgumentParser) -> None:
    tasks = ", ".join(task_names())
    add = command.add_argument
    add("--task", help=f"{tasks} (any case) or a task's YAML file; default {DEFAULT_TASK}")
    add("--logdir", type=Path, default=DEFAULT_LOGDIR, help="root of the log tree; default log")


def add_run_flags(command: argparse.ArgumentParser) -> None:
    add_actor_flags(command)
    add = command.add_argument
    add("--savedir", metavar="NAME", help="train: default run1, run2, …; eval: default eval")


def add_actor_flags(command: argparse.ArgumentParser) -> None:
    add_teacher_flags(command)
    methods = ", ".join(method_names())
    add = command.add_argument
    add(
        "--policy",
        metavar="METHOD",
        default=argparse.SUPPRESS,
        help=f"{methods} or a method's YAML file; default {base_settings()['policy']}",
    )
    add("--loaddir", metavar="RUN", help="the run to evaluate, or to start training from")
    add("--loadmodel", default="acmodel", help="its model: acmodel, the last (default), or best")
    add("--seed_list", type=int, nargs="+", metavar="SEED", help="one run each; default 0")


def add_train_flags(command: argparse.ArgumentParser) -> None:
    add_run_flags(command)
    add = command.add_argument
    add(
        "--config",
        type=Path,
        metavar="FILE",
        help="settings: a run's config.json, or a YAML file such as configs/best.yaml",
    )
    add("--wandb", metavar="PROJECT", help="log to Weights & Biases as well")
    old = command.add_mutually_exclusive_group()
    old.add_argument("--resume", action="store_true", help="continue --savedir, or the newest run")
    old.add_argument("--overwrite", action="store_true", help="replace the run of that name")


def add_eval_flags(command: argparse.ArgumentParser) -> None:
    add_run_flags(command)
    add = command.add_argument
    add("--eval_teacher", action="store_true", help="let the teacher act; needs no run")
    add("--deterministic", action="store_true", help="take the likeliest action")
    add("--videos", type=int, default=0, metavar="K", help="film the first K episodes as mp4")
    add("--gif", action="store_true", help="film them as animated images instead")


def add_watch_flags(command: argparse.ArgumentParser) -> None:
    add_actor_flags(command)
    add = command.add_argument
    add("run", nargs="?", metavar="RUN", help="the same as --loaddir; default the newest run")
    add("--eval_teacher", action="store_true", help="let the teacher act; needs no run")
    add("--deterministic", action="store_true", help="take the likeliest action")
    add("--episodes", type=int, default=8, metavar="N", help="to show, of all played; default 8")
    add("--out", type=Path, metavar="FILE", help="default watch.html in the run's folder")
    add("--open", action="store_true", help="show it in the browser")


def add_record_flags(command: argparse.ArgumentParser) -> None:
    add_teacher_flags(command)
    add = command.add_argument
    add("--episodes", type=int, default=100, help="to find scenes in, of each actor; default 100")
    add("--seed", type=int, default=0, help="of those episodes; default 0")
    add("--out", type=Path, metavar="FILE", help="default plans/<task>.yaml in the log tree")
    add("--overwrite", action="store_true", help="replace that file")
    add("--dry_run", action="store_true", help="list scenes and prompts, do not ask the LLM")
    add("--show", type=Path, metavar="FILE", help="print a file of plans")


def add_report_flags(command: argparse.ArgumentParser) -> None:
    add = command.add_argument
    add("logdirs", type=Path, nargs="+", metavar="LOGDIR", help="runs below it; two are compared")
    add("--out", type=Path, metavar="FOLDER", help="default report in the first LOGDIR")


def add_bench_flags(command: argparse.ArgumentParser) -> None:
    add = command.add_argument
    cores = physical_cores()
    add("--task", nargs="+", help="default all")
    add(
        "--num_envs",
        type=int,
        nargs="+",
        help="default 10 1024 16384, of homes 10 100, in a simulator 1 2 4; more on a GPU",
    )
    add("--simulator", **options("simulator") | {"default": "tensor"})
    add("--threads", type=int, default=cores, help="CPU threads; default the physical cores")
    add("--device", default="cpu", help="cpu (default) or cuda")
    add("--precision", choices=["fp32", "bf16"], default="fp32", help="default fp32")
    add("--json", type=Path, metavar="FILE", help="write the figures to a file")
    add("--plot", type=Path, metavar="FILE", help="measure and draw the growth with room size")


def add_reproduce_flags(command: argparse.ArgumentParser) -> None:
    add = command.add_argument
    add("table", type=Path, help="a YAML file of cells, such as configs/minigrid.yaml")
    add("--out", type=Path, metavar="DIR", help="their log tree; default log/<the file's name>")
    add("--launcher", choices=["local", "slurm"], default="local", help="default local")
    add(
        "--jobs",
        type=int,
        metavar="N",
        help="processes at a time; default the physical cores over --threads, or 1 on a GPU",
    )
    add("--threads", type=int, default=1, metavar="N", help="CPU threads of each; default 1")
    add(
        "--slurm",
        nargs="+",
        default=[],
        metavar="KEY=VALUE",
        help="parameters of submitit's SlurmExecutor; time (minutes) is needed",
    )
    add("--dry_run", action="store_true", help="print the command lines that are still to run")
