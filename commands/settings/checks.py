"""Checks of a command before PyTorch is loaded, which takes seconds."""

import argparse
import os

from commands.settings.presets import read_preset
from commands.settings.resolve import Settings, check_flags, given_settings, resolve, seeded
from planner.task import load_task, task_names
from utils.validation import is_file_name


def check(args: argparse.Namespace) -> None:
    """UserError if a command cannot work."""
    # One of several ranks reports it.
    if os.environ.get("RANK", "0") != "0":
        return
    if args.command == "bench":
        for name in args.task or ():
            load_task(name)
        return
    if "task" not in args:
        return
    path = getattr(args, "config", None)
    preset = read_preset(path, args.task) if path else {}
    flags = given_settings(args, preset.get("task"))
    settings = resolve(flags, preset)
    # The folder of a run that continues, or is evaluated, holds its task and method.
    of_a_run = args.command in ("eval", "watch", "export") and not (args.eval_teacher or args.task)
    if not (of_a_run or getattr(args, "resume", False)):
        check_flags(flags, settings)
    seeded({"device": "cpu"} | settings, getattr(args, "seed_list", None) or [])
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
