"""Which runs `main.py train` means: new folders, or folders to resume."""

import argparse
import json
import os
import shlex
from contextlib import ExitStack
from pathlib import Path

from commands import runs
from commands.build import Parts
from commands.history import history_note
from commands.observers.own import find_class
from commands.observers.weights_and_biases import check_login
from commands.run_search import find, runs_to_resume
from commands.settings.config import Config, make_config
from commands.settings.methods import Method
from commands.settings.presets import read_preset
from commands.settings.resolve import (
    Settings,
    check_llm_flags,
    fresh_settings,
    given_settings,
    resolve,
    seeded,
)
from planner.task import Task
from utils import ownership
from utils.devices import choose_device
from utils.errors import UserError
from utils.ranks import Ranks
from utils.terminal import say

BEST_PRESET = "configs/best.yaml"


def shared_runs(
    args: argparse.Namespace, ranks: Ranks, owned: ExitStack
) -> list[tuple[Path, Config]]:
    """The folders to train in and their settings. The first rank decides; if it raises an error,
    the other ranks get an empty list."""
    shared = "[]"
    try:
        if ranks.lead:
            planned = planned_runs(args, ranks, owned)
            plain = [(str(folder), dict(config)) for folder, config in planned]
            shared = json.dumps(plain, default=dict)
    finally:
        shared = ranks.from_lead(shared)
    return [(Path(name), make_config(found, "settings")) for name, found in json.loads(shared)]


def planned_runs(
    args: argparse.Namespace, ranks: Ranks, owned: ExitStack
) -> list[tuple[Path, Config]]:
    """The folders to train in and their settings. New folders are made. This process owns all of
    them until `owned` is closed."""
    template = read_preset(args.config, args.task) if args.config else {}
    flags = given_settings(args, template.get("task"))
    if args.wandb:
        check_login(args.wandb)
    for name in args.observer:
        find_class(name)
    if args.resume:
        return plan_resumed(args, flags, template, ranks, owned)
    return plan_new(args, flags, template, ranks, owned)


def plan_resumed(
    args: argparse.Namespace, flags: Settings, template: Settings, ranks: Ranks, owned: ExitStack
) -> list[tuple[Path, Config]]:
    if args.loaddir:
        raise UserError("--loaddir: a resumed run goes on from its own checkpoint alone")
    # These settings only say where the runs lie. A run's folder holds its own settings.
    settings = resolve(flags, template)
    name = args.savedir or settings["train_option"]
    folders = runs_to_resume(args, name, settings)
    planned = [(folder, runs.resumed_config(folder, flags)) for folder in folders]
    check_ranks([config for _, config in planned], ranks)
    for folder, config in planned:
        task = flags.get("task", config.task)
        check_origin(args, folder, config, task, settings["policy"])
        owned.enter_context(ownership.owned(folder))
    return planned


def plan_new(
    args: argparse.Namespace, flags: Settings, template: Settings, ranks: Ranks, owned: ExitStack
) -> list[tuple[Path, Config]]:
    if args.config and (note := history_note(args.config)):
        say(note)
    settings = fresh_settings(flags, template)
    parent = runs.task_folder(args.logdir, settings["policy"], settings["task"])
    check_llm_flags(flags, settings)
    if args.loaddir:
        source, *more = find(parent, args.loaddir, None)
        if more:
            raise UserError(
                f"--loaddir: {args.loaddir} is several runs; name one, say {source.name}"
            )
        model = str(runs.model_file(source, args.loadmodel))
        settings = fresh_settings({**flags, "warm_start": model}, template)
    configs = seeded(settings, args.seed_list or [settings["seed"]])
    check_parts(configs[0])
    check_ranks(configs, ranks)
    name = args.savedir or configs[0].train_option
    planned = runs.new_runs(parent, name, configs, args.overwrite)
    for folder, _ in planned:
        owned.enter_context(ownership.owned(folder))
    if not (args.config or ((task := flags.get("task")) and task.settings)):
        rest = "settings that no flag and no task sets are the paper's"
        say(f"without --config, {rest}; see {BEST_PRESET}")
    return [(folder, runs.claim(folder, config)) for folder, config in planned]


def check_parts(config: Config) -> None:
    """UserError if a part of a run cannot be made. Checked before a run is overwritten."""
    with ExitStack() as tried:
        parts = Parts(config, tried)
        parts.domain.single_environments(1)
        parts.warm_start(parts.student())
        parts.teacher(Path(os.devnull), asks=False)


def check_origin(
    args: argparse.Namespace, folder: Path, config: Config, task: Task, method: Method
) -> None:
    """UserError if --plans gives a resumed run other plans. Warns if the files of its task and its
    method have changed: a run goes on with what it began with."""
    if args.plans and task.plans != config.task.plans:
        raise UserError(f"--plans: {args.plans} differs from the plans that {folder} began with")
    for part in Task.model_fields:
        # The task's settings are among the run's own.
        if part != "settings" and getattr(task, part) != getattr(config.task, part):
            say(f"{folder} keeps the {part} that it began with, not those of {task.name} now")
    had = config.policy
    if method.name == had.name and not method.is_same(had):
        say(f"{folder} keeps what {had.name} fixed when it began, not what its file fixes now")


def check_ranks(configs: list[Config], ranks: Ranks) -> None:
    """UserError if a rank has no device, no environment or no equal part of a minibatch."""
    for config in configs:
        ranks.place(choose_device(config.device))
        count = config.num_envs or config.traj_per_itr
        if count < ranks.count:
            raise UserError(
                f"--num_envs: {ranks.count} ranks need as many environments at least, not {count}"
            )
        if config.batch_size % ranks.count or config.batch_size < 2 * ranks.count:
            raise UserError(
                f"--batch_size {config.batch_size} cannot be split over {ranks.count} ranks"
            )


def resume_command(args: argparse.Namespace, folder: Path, seed: int, several: bool) -> str:
    """The command line that goes on with a run, or with all of several seeds."""
    together = folder.with_name(folder.name.removesuffix(f"-{seed}"))
    # A run of a single seed may have this name, too.
    named = together if several and not runs.is_run(together) else folder
    words = ["--wandb", args.wandb] if args.wandb else []
    for observer in args.observer:
        words += ["--observer", observer]
    return shlex.join(["python", "main.py", "train", *words, "--savedir", str(named), "--resume"])
