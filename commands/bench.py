"""`main.py bench`: measure speeds on this machine."""

import argparse
import os
from contextlib import ExitStack
from pathlib import Path

import gymnasium as gym
import torch

from commands import speeds
from commands.build import MOST_TESTED, Parts
from commands.provenance import provenance
from commands.settings.config import DEFAULT_TASK, SETTINGS, Config, make_config
from commands.settings.resolve import check_domain, fresh_settings
from env.ids import find_spec
from planner.task import Task, load_task, task_names
from utils.devices import choose_device, prepare
from utils.errors import UserError
from utils.files import write_json
from utils.ranks import Ranks
from utils.terminal import counted, say, table

COUNTS = {
    "cpu": {"minigrid": [10, 1024, 16384], "nav_pick": [10, 100], "world": [32]},
    "cuda": {
        "minigrid": [10, 1024, 16384, 65536],
        "nav_pick": [100, 1024, 4096],
        "world": [32],
    },
}
"""How many environments are measured, for each device and kind of task."""
SIMULATED = [1, 2, 4]
"""The same in a simulator, where each environment is a process."""


def run(args: argparse.Namespace) -> int:
    if args.threads < 1 or min(args.num_envs or [1]) < 1:
        raise UserError("--threads and --num_envs: at least 1")
    if args.plot and args.plot.suffix not in (".png", ".svg"):
        raise UserError(f"--plot: {args.plot.name} must end in .png or .svg")
    device = torch.device(choose_device(args.device))
    prepare(device, args.threads)
    machine = f"{device}, {counted(args.threads, 'CPU thread')}, {args.precision}"
    measured, grown = list[speeds.Speed](), list[speeds.Speed]()
    for task in chosen_tasks(args):
        simulated = args.simulator != "tensor"
        usual = SIMULATED if simulated else COUNTS[device.type][task.domain.kind]
        counts = args.num_envs or usual
        found = [speed for count in counts for speed in bench_task(args, task, count, device)]
        show_speeds(f"medians on {machine}", found)
        measured += found
    if args.plot:
        kind = load_task(DEFAULT_TASK).domain.kind
        grown = bench_growth(args, args.num_envs or COUNTS[device.type][kind], device)
        show_speeds(f"{DEFAULT_TASK} as it grows", grown)
    if args.json:
        content = {"machine": machine, "speeds": [s.to_dict() for s in measured + grown]}
        write_json(args.json, content | {"provenance": provenance()})
    if args.plot:
        speeds.plot(args.plot, grown, f"{DEFAULT_TASK} on {machine}")
    return 0


def chosen_tasks(args: argparse.Namespace) -> list[Task]:
    """The tasks that are named, or all. With a simulator, all tasks that have one."""
    tasks = [load_task(name) for name in args.task or task_names()]
    if args.simulator == "tensor":
        return tasks
    if args.task:
        for task in tasks:
            check_domain("simulator", task, f"--simulator {args.simulator}")
    return [task for task in tasks if task.domain.kind == SETTINGS["simulator"].domain]


def bench_config(args: argparse.Namespace, task: Task, count: int) -> Config:
    """The paper's settings, and what the flags set. Minibatches grow with the environments."""
    given = {"task": task, "device": args.device, "threads": args.threads, "num_envs": count}
    if args.simulator != "tensor":
        given["simulator"] = args.simulator
    settings = fresh_settings(given) | {"seed": 0, "precision": args.precision}
    trained = speeds.TRAINED_STEPS[torch.device(settings["device"]).type]
    batch_size = max(128, min(count, trained // 4))
    return make_config(settings | {"batch_size": batch_size}, "settings")


def bench_task(
    args: argparse.Namespace, task: Task, count: int, device: torch.device
) -> list[speeds.Speed]:
    what = f"{task.name}, {counted(count, 'environment')}"
    say(f"measuring {what}")
    with ExitStack() as owned:
        parts = Parts(bench_config(args, task, count), owned)
        environments = parts.domain.environments(count, device)
        teacher = parts.teacher(Path(os.devnull))
        length = speeds.trained_length(count, device)
        trainer = parts.trainer(Path(), teacher, Ranks(), max_steps=length)
        # The width of a room or of a camera picture.
        size = max(shape[0] for shape in parts.network().obs.values() if len(shape) == 3)
        found = speeds.of_environments(task.name, size, environments, teacher, device)
        if find_spec(task.env_id).entry_point:
            plain = gym.make_vec(task.env_id, min(count, MOST_TESTED), vectorization_mode="sync")
            owned.callback(plain.close)
            found.append(speeds.of_gymnasium(task.name, size, plain))
        say(f"measuring {what}: training")
        return found + speeds.of_training(task.name, size, trainer)


def bench_growth(
    args: argparse.Namespace, counts: list[int], device: torch.device
) -> list[speeds.Speed]:
    """Speeds of the default task for growing sizes and numbers of rooms."""
    config = bench_config(args, load_task(DEFAULT_TASK), 1)
    found = list[speeds.Speed]()
    for size in speeds.SIZES:
        for count in counts:
            say(f"measuring {counted(count, 'room')} of up to {size}x{size}")
            with ExitStack() as owned:
                parts = Parts(config, owned)
                teacher = parts.teacher(Path(os.devnull))
                rooms = parts.domain.environments(count, device, grid_size=size, max_size=size)
                found += speeds.of_environments(DEFAULT_TASK, size, rooms, teacher, device)
    return found


def show_speeds(title: str, measured: list[speeds.Speed]) -> None:
    table(title, speeds.COLUMNS, [speed.row() for speed in measured], texts=2)
