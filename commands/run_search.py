"""Which runs a command line means: those of a path or a name, or the newest one. Nothing here needs
PyTorch."""

import argparse
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from algos.saved_files import CHECKPOINT, CONFIG, MODEL
from commands.run_files import read_settings
from commands.runs import is_run, new_runs, task_folder
from commands.settings.presets import read_preset
from commands.settings.resolve import given_settings, resolve, seeded, shown_settings
from utils.errors import UserError
from utils.terminal import say

Settings = Mapping[str, Any]
"""The settings of a command line; its task and its method say where runs lie."""


def check_runs(args: argparse.Namespace) -> None:
    """UserError if a command names two runs, a run that is not there, or a new one that may not
    replace what is there."""
    if args.command == "train":
        template = read_preset(args.config, args.task) if args.config else {}
        settings = resolve(given_settings(args, template.get("task")), template)
        name = args.savedir or settings["train_option"]
        if name and args.resume:
            runs_to_resume(args, name, settings)
        elif name:
            parent = task_folder(args.logdir, settings["policy"], settings["task"])
            configs = seeded({"device": "cpu"} | settings, args.seed_list or [settings["seed"]])
            new_runs(parent, name, configs, args.overwrite)
        return
    if args.command not in ("eval", "watch", "export"):
        return
    run = getattr(args, "run", None)
    if args.eval_teacher:
        # `eval` takes the original's command, which names a run with --loaddir beside it.
        if args.command == "watch" and (name := run or args.loaddir):
            raise UserError(f"--eval_teacher needs no run; leave {name} out")
        return
    if run and args.loaddir:
        raise UserError(f"{run} and --loaddir {args.loaddir}: give one run")
    if name := run or args.loaddir:
        named_runs(args, name, shown_settings(given_settings(args)))


def runs_to_show(args: argparse.Namespace, name: str | None, settings: Settings) -> list[Path]:
    """The runs of a name or path, one for each seed; without one the newest run of the task."""
    if name:
        return named_runs(args, name, settings)
    parent = task_folder(args.logdir, settings["policy"], settings["task"])
    others = args.logdir.glob(f"*/{parent.name if args.task else '*'}/*/{MODEL}")
    parents = {model.parent.parent for model in others}
    if parents and parent not in parents:
        raise UserError(
            f"there is no run under {parent}; there are runs under "
            f"{', '.join(map(str, sorted(parents)))}: give --task, --policy, or the path of a run"
        )
    # A student of the task, or of the option that a flag names.
    option = settings["train_option"]
    trained = [model.parent for model in parent.glob(f"*/{MODEL}")]
    folder = _newest([run for run in trained if _option(run) == option], parent)
    say(f"no --loaddir: the newest run of {settings['task'].name} is {folder}")
    return [folder]


def runs_to_resume(args: argparse.Namespace, name: str | None, settings: Settings) -> list[Path]:
    """The runs of a name or path, one for each seed; without one the newest run of the task and of
    the method that flags or a preset name, or of all."""
    if name:
        return named_runs(args, name, settings)
    if args.seed_list:
        raise UserError("--resume with --seed_list needs the name of the runs, --savedir")
    place = _place(args, settings)
    folder = _newest(args.logdir.glob(f"{place}/*"), args.logdir / place)
    say(f"no --savedir: the newest run is {folder}")
    return [folder]


def named_runs(args: argparse.Namespace, name: str, settings: Settings) -> list[Path]:
    """The run of a path, or of a name in the log tree, or the runs <name>-<seed> of its seeds."""
    place = _place(args, settings)
    usual = task_folder(args.logdir, settings["policy"], settings["task"])
    return find(args.logdir, name, args.seed_list, place, None if place.endswith("*") else usual)


def find(
    root: Path, name: str, seeds: list[int] | None, place: str = ".", usual: Path | None = None
) -> list[Path]:
    """The run of a path, or of a name in a folder `root`/`place`, or the runs <name>-<seed> of its
    seeds. `place` may hold "*" for any folder.

    UserError if there is none, or if several folders have one, unless the folder `usual` does.
    """
    path = Path(name)
    if path.name != name:
        root, name, place = path.parent, path.name, "."
    folders = sorted(filter(is_run, root.glob(f"{place}/*")))
    of_name = re.compile(rf"{re.escape(name)}(-\d+)?")
    found = [folder for folder in folders if of_name.fullmatch(folder.name)]
    found = [folder for folder in found if folder.parent == usual] or found
    places = dict.fromkeys(str(folder.with_name(name)) for folder in found)
    if len(places) > 1:
        where = ", ".join(places)
        raise UserError(f"there are several runs {name}: {where}; give a path, --task or --policy")
    if single := [folder for folder in found if folder.name == name]:
        if len(seeds or ()) > 1:
            raise UserError(f"{single[0]} is a run of one seed; leave --seed_list out")
        return single
    per_seed = {int(folder.name.rpartition("-")[2]): folder for folder in found}
    missing = [f"{name}-{seed}" for seed in seeds or () if seed not in per_seed]
    if missing or not found:
        known = f"there are {', '.join(map(str, folders))}" if folders else "train one first"
        lacks = root / place / (missing[0] if found else name)
        raise UserError(f"there is no run {lacks}; {known}")
    return [per_seed[seed] for seed in seeds or sorted(per_seed)]


def _place(args: argparse.Namespace, settings: Settings) -> str:
    """<method>/<task>, each "*" where neither a flag nor a preset names it."""
    preset = getattr(args, "config", None)
    method = settings["policy"].name if preset or "policy" in args else "*"
    task = settings["task"].name.lower() if preset or args.task or args.plans else "*"
    return f"{method}/{task}"


def _option(folder: Path) -> Any:
    """The option that a run has trained, if it has not trained a task."""
    return (read_settings(folder) or {}).get("train_option")


def _newest(folders: Iterable[Path], place: Path) -> Path:
    """The run that was trained last; UserError, with the place, if there is none."""

    def last_trained(folder: Path) -> int:
        saved = folder / CHECKPOINT
        return (saved if saved.exists() else folder / CONFIG).stat().st_mtime_ns

    found = list(filter(is_run, folders))
    if not found:
        raise UserError(f"there is no run under {place}; train one first")
    return max(found, key=last_trained)
