"""The command line: commands and their flags. Those of settings are made from `Config`; what they
leave open, a run, a method, a preset, the task's file or base.yaml decides."""

import argparse
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from commands.settings.config import BELONGS, Config
from commands.settings.own_flags import (
    add_bench_flags,
    add_eval_flags,
    add_record_flags,
    add_report_flags,
    add_reproduce_flags,
    add_train_flags,
    add_watch_flags,
)
from commands.settings.setting_flags import OTHER_WORDS, OWN_FLAGS, as_typed, options, other_word
from planner.task import Task
from utils.commands import Parser
from utils.errors import UserError

ASKING = (
    *("llm", "llm_url", "llm_model", "llm_temperature", "llm_workers", "llm_retries"),
    *("n_ask", "answers"),
)
OF_AN_LLM = (*(name for name in ASKING if name != "llm"), "llm_strict", "llm_optional")
"""Settings that say nothing without an LLM."""
TEACHING = (
    *("simulator", "habitat_config", "depth_size", "train_option"),
    *("options", "option_dir", "navigate_noise", "pick_noise"),
    *("llm", *OF_AN_LLM),
)
"""Settings that say which teacher it is, and in which world."""
EVALUATING = (
    *("device", "threads", "frame_stack", "network", "recurrent", "hard"),
    *(*TEACHING, "num_eval", "env_seed_list"),
)
SETTINGS: dict[str, tuple[str, ...]] = {
    "train": tuple(name for name in Config.model_fields if name not in OWN_FLAGS),
    "eval": EVALUATING,
    "watch": EVALUATING,
    "record": ASKING,
}
"""Command -> the settings that have a flag there."""


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
