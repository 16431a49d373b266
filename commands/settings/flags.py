"""The command line: the commands and their flags."""

import argparse
import sys
from pathlib import Path
from typing import Any

from commands.settings.config import DEFAULT_METHOD, DEFAULT_TASK
from commands.settings.methods import method_names
from commands.settings.setting_flags import add_settings, options
from planner.task import task_names
from utils.command_line import Parser
from utils.cores import physical_cores
from utils.errors import UserError
from utils.validation import meant

DEFAULT_MARGIN = 0.02
"""Differences in success or return below this do not matter."""
DEFAULT_LOGDIR = Path("log")
EPILOG = (
    "A setting that is on or off is switched off with --no_NAME. Precedence, lowest to highest: "
    "defaults, the task's file, --config, the method's settings, flags, what the method fixes."
)
COMMON = ("n_itr", "num_envs", "device", "threads")
"""The settings in the first group of `train --help`."""


def parse(arguments: list[str] | None) -> argparse.Namespace:
    """The flags of a command; of the settings only those that were given.

    Ends the program with help, or with one line about a wrong flag; UserError for an empty one.
    """
    parser, commands = make_parser()
    given = sys.argv[1:] if arguments is None else arguments
    if not given:
        parser.print_help(sys.stderr)
        parser.exit(2)
    for before, word in zip(["", *given], given, strict=False):
        if not word or (word.startswith("--") and word.endswith("=")):
            raise UserError(f"{word.rstrip('=') or before or 'a flag'} is empty; leave it out")
    args, unknown = parser.parse_known_args(given)
    if unknown:
        command = commands[args.command]
        known = [word for action in command._actions for word in action.option_strings]
        command.error(f"unrecognized arguments: {' '.join(unknown)}{meant(unknown[0], known)}")
    return args


def make_parser() -> tuple[Parser, dict[str, argparse.ArgumentParser]]:
    """The parser of the program, and the parsers of its commands by name."""
    parser = Parser(prog="main.py", description="Train small students with an LLM as teacher.")
    commands = parser.add_subparsers(dest="command", required=True)
    for name, add_flags, text in (
        ("train", add_train_flags, "train a student"),
        ("eval", add_eval_flags, "evaluate a run, or the teacher alone"),
        ("watch", add_watch_flags, "write a page that shows episodes of a run, step by step"),
        ("export", add_export_flags, "write a student as a file that runs without this project"),
        ("report", add_report_flags, "compare the runs of a log tree, or of two"),
        ("record", add_record_flags, "ask an LLM about all scenes of a task, and keep its plans"),
        ("bench", add_bench_flags, "measure speeds"),
        ("reproduce", add_reproduce_flags, "train and evaluate all experiments of a table"),
        ("list", add_list_flags, "list the runs of a log tree"),
    ):
        usage = f"main.py {name} [FLAGS]" if name in ("train", "eval") else None
        epilog = EPILOG if name == "train" else None
        command = commands.add_parser(
            name, help=text, usage=usage, epilog=epilog, allow_abbrev=False
        )
        add_flags(command)
    return parser, dict(commands.choices)


def add_shared(group: argparse._ActionsContainer, *names: str) -> None:
    """Add flags that several commands have; without names all of them, which together name a
    run."""
    tasks, methods = ", ".join(task_names()), ", ".join(method_names())
    task = (
        f"{tasks}, the id of a MiniGrid or BabyAI environment (any case), or a task's YAML file; "
        f"default {DEFAULT_TASK}"
    )
    method = f"{methods} or a method's YAML file; default {DEFAULT_METHOD}"
    run = "name or path of the run; default the newest run"
    model = "its model: acmodel, the last (default), or best"
    seeds = "one run per seed; default 0" if names else "seeds of the runs NAME-SEED; default all"
    root = "root of the log tree; default log"
    flags: dict[str, dict[str, Any]] = {
        "task": {"help": task},
        "policy": {"metavar": "METHOD", "default": argparse.SUPPRESS, "help": method},
        "loaddir": {"metavar": "RUN", "help": run},
        "loadmodel": {"default": "acmodel", "help": model},
        "seed_list": {"type": int, "nargs": "+", "metavar": "SEED", "help": seeds},
        "logdir": {"type": Path, "default": DEFAULT_LOGDIR, "help": root},
    }
    for name in names or flags:
        group.add_argument(f"--{name}", **flags[name])


def add_train_flags(command: argparse.ArgumentParser) -> None:
    common = command.add_argument_group("common")
    add_shared(common, "task")
    text = "settings: a YAML file such as configs/best.yaml, or a run's config.json"
    common.add_argument("--config", type=Path, metavar="FILE", help=text)
    add_shared(common, "policy", "seed_list")
    common.add_argument("--savedir", metavar="NAME", help="name of the run; default run1, run2, …")
    old = common.add_mutually_exclusive_group()
    text = "continue --savedir, or the newest run of all, or of --task or --policy"
    old.add_argument("--resume", action="store_true", help=text)
    old.add_argument("--overwrite", action="store_true", help="replace the run of that name")
    groups = add_settings(command, "train", dict.fromkeys(COMMON, common))
    add_shared(groups["run"], "logdir")
    text = "start with the model of this run"
    groups["student"].add_argument("--loaddir", metavar="RUN", help=text)
    add_shared(groups["student"], "loadmodel")
    add = groups["run"].add_argument
    add("--wandb", metavar="PROJECT", help="log to Weights & Biases as well")
    text = "call your own class at each iteration; may be given several times"
    add("--observer", action="append", default=[], metavar="FILE.py:CLASS", help=text)


def add_actor_flags(command: argparse.ArgumentParser) -> None:
    add_shared(command)
    add = command.add_argument
    add("--eval_teacher", action="store_true", help="let the teacher act; needs no run")
    add("--deterministic", action="store_true", help="take the likeliest action")


def add_eval_flags(command: argparse.ArgumentParser) -> None:
    add_actor_flags(command)
    add = command.add_argument
    add("--savedir", metavar="NAME", help="name of the evaluation; default eval")
    add("--videos", type=int, default=0, metavar="K", help="film the first K episodes as mp4")
    add("--gif", action="store_true", help="film them as animated images instead")
    add_settings(command, "eval", {})


def add_watch_flags(command: argparse.ArgumentParser) -> None:
    add_actor_flags(command)
    add = command.add_argument
    add("run", nargs="?", metavar="RUN", help="the same as --loaddir; default the newest run")
    text = "episodes to show, of those played; default 8"
    add("--episodes", type=int, default=8, metavar="N", help=text)
    add("--out", type=Path, metavar="FILE", help="default watch.html in the run's folder")
    add("--open", action="store_true", help="show it in the browser")
    add_settings(command, "watch", {})


def add_export_flags(command: argparse.ArgumentParser) -> None:
    add_shared(command)
    add = command.add_argument
    add("run", nargs="?", metavar="RUN", help="the same as --loaddir")
    text = "FILE.onnx for ONNX, FILE.pt2 for torch.export"
    add("--to", type=Path, required=True, metavar="FILE", help=text)
    # How runs are found looks at these as well.
    command.set_defaults(plans=None, eval_teacher=False)


def add_record_flags(command: argparse.ArgumentParser) -> None:
    add_shared(command, "task", "logdir")
    add = command.add_argument
    text = "episodes of each actor in which to look for scenes; default 100"
    add("--episodes", type=int, default=100, help=text)
    add("--seed", type=int, default=0, help="seed of those episodes; default 0")
    add("--out", type=Path, metavar="FILE", help="default plans/<task>.yaml in the log tree")
    add("--overwrite", action="store_true", help="replace that file")
    add("--dry_run", action="store_true", help="list scenes and prompts, do not ask the LLM")
    add("--show", type=Path, metavar="FILE", help="print a file of plans")
    add_settings(command, "record", {})


def add_report_flags(command: argparse.ArgumentParser) -> None:
    add = command.add_argument
    text = "runs below it, or a report's records.jsonl; two are compared"
    add("logdirs", type=Path, nargs="+", metavar="LOGDIR", help=text)
    add("--out", type=Path, metavar="FOLDER", help="default report in, or beside, the first LOGDIR")
    text = "a difference in success or return below this does not matter; default %(default)s"
    add("--margin", type=float, default=DEFAULT_MARGIN, metavar="X", help=text)
    text = "price of a million tokens, for the table of teachers"
    add("--llm_price", type=float, metavar="X", help=text)


def add_bench_flags(command: argparse.ArgumentParser) -> None:
    add = command.add_argument
    cores = physical_cores()
    add("--task", nargs="+", help="default all")
    text = "default 10 1024 16384, of homes 10 100, in a simulator 1 2 4; more on a GPU"
    add("--num_envs", type=int, nargs="+", help=text)
    add("--simulator", **options("simulator") | {"default": "tensor"})
    add("--threads", type=int, default=cores, help="CPU threads; default the physical cores")
    add("--device", default="cpu", help="cpu (default) or cuda")
    add("--precision", choices=["fp32", "bf16"], default="fp32", help="default fp32")
    add("--json", type=Path, metavar="FILE", help="write the figures to a file")
    add("--plot", type=Path, metavar="FILE", help="measure and draw the growth with room size")


def add_list_flags(command: argparse.ArgumentParser) -> None:
    add, text = command.add_argument, "a folder with runs below it; default log"
    add("logdir", type=Path, nargs="?", default=DEFAULT_LOGDIR, metavar="LOGDIR", help=text)


def add_reproduce_flags(command: argparse.ArgumentParser) -> None:
    add = command.add_argument
    add("table", type=Path, help="a YAML file of experiments, such as configs/minigrid.yaml")
    add("--out", type=Path, metavar="DIR", help="their log tree; default log/<the file's name>")
    add("--launcher", choices=["local", "slurm"], default="local", help="default local")
    text = "processes at a time; default physical cores / --threads, or 1 on a GPU"
    add("--jobs", type=int, metavar="N", help=text)
    add("--threads", type=int, default=1, metavar="N", help="CPU threads of each; default 1")
    text = "parameters of submitit's SlurmExecutor; time, in minutes, is required"
    add("--slurm", nargs="+", default=[], metavar="KEY=VALUE", help=text)
    add("--dry_run", action="store_true", help="print the command lines that are still to run")
