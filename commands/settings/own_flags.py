"""The flags of each command that are no settings."""

import argparse
from pathlib import Path

from commands.settings.config import base_settings
from commands.settings.methods import method_names
from commands.settings.setting_flags import options
from planner.task import task_names
from utils.cores import physical_cores

DEFAULT_TASK = "SimpleDoorKey"
DEFAULT_LOGDIR = Path("log")


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
    add(
        "logdirs",
        type=Path,
        nargs="+",
        metavar="LOGDIR",
        help="runs below it, or a report's records.jsonl; two are compared",
    )
    add("--out", type=Path, metavar="FOLDER", help="default report in, or beside, the first LOGDIR")


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
