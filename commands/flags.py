"""The command line: commands and their flags. What a flag leaves open, a run, the task's file or
base.yaml decides."""

import argparse
import sys
from pathlib import Path
from typing import Any

from planner.servers import KEY_VARIABLE, LLMS
from planner.task import task_names
from utils.commands import Parser
from utils.devices import physical_cores

DEFAULT_TASK = "SimpleDoorKey"
DEFAULT_LOGDIR = Path("log")


def parse(arguments: list[str] | None) -> argparse.Namespace:
    parser = Parser(prog="main.py", description="Train small students with an LLM as teacher.")
    subparsers = parser.add_subparsers(dest="command", required=True)
    train = subparsers.add_parser("train", help="train a student", allow_abbrev=False)
    evaluation = subparsers.add_parser(
        "eval", help="evaluate a run, or the teacher alone", allow_abbrev=False
    )
    record = subparsers.add_parser(
        "record",
        help="ask an LLM about all scenes of a task, and keep its plans",
        allow_abbrev=False,
    )
    for command in (train, evaluation, record):
        add_teacher_flags(command)
    for command in (train, evaluation):
        add_common_flags(command)
    add_train_flags(train)
    add_eval_flags(evaluation)
    add_record_flags(record)
    bench = subparsers.add_parser("bench", help="measure speeds", allow_abbrev=False)
    add_bench_flags(bench)
    given = sys.argv[1:] if arguments is None else arguments
    if not given:
        parser.print_help(sys.stderr)
        parser.exit(2)
    return parser.parse_args(given)


def add_setting(command: argparse._ActionsContainer, flag: str, **options: Any) -> None:
    """A flag that, if not given, leaves the word to the run, the task's file or base.yaml."""
    command.add_argument(flag, default=argparse.SUPPRESS, **options)


def add_teacher_flags(command: argparse.ArgumentParser) -> None:
    tasks = ", ".join(task_names())
    add = command.add_argument
    add("--task", help=f"{tasks} (any case) or a task's YAML file; default {DEFAULT_TASK}")
    add("--logdir", type=Path, default=DEFAULT_LOGDIR, help="root of the log tree; default log")
    source = command.add_mutually_exclusive_group()
    add_setting(
        source,
        "--llm",
        choices=LLMS,
        help=f"teach with an LLM over HTTP; its key, if it wants one, is {KEY_VARIABLE} in the "
        "environment",
    )
    for flag, kind, text in (
        ("--llm_url", str, "its chat completions, if they are elsewhere"),
        ("--llm_model", str, "its model"),
        ("--llm_temperature", float, "default 1"),
        ("--llm_workers", int, "requests under way at a time; default 8"),
        ("--llm_retries", int, "of a reply without a plan; default 3"),
        ("--n_ask", int, "replies a scene; default 10"),
        ("--answers", str, "file of replies, to share; default answers.jsonl in the run"),
    ):
        add_setting(command, flag, type=kind, help=text)
    add_setting(
        source,
        "--offline_planner",
        dest="llm",
        action="store_const",
        const=None,
        help="teach with recorded answers (default)",
    )
    source.add_argument("--plans", type=Path, metavar="FILE", help="teach with a file of plans")


def add_common_flags(command: argparse.ArgumentParser) -> None:
    add = command.add_argument
    add("--savedir", metavar="NAME", help="train: default run1, run2, …; eval: default eval")
    add("--loaddir", metavar="RUN", help="the run to evaluate, or to start training from")
    add("--loadmodel", default="acmodel", help="its model: acmodel, the last (default), or best")
    add("--seed_list", type=int, nargs="+", metavar="SEED", help="one run each; default 0")
    plans = command.add_mutually_exclusive_group()
    add_setting(plans, "--hard", action="store_true", help="draw one plan at each step")
    add_setting(
        plans, "--soft_planner", dest="hard", action="store_false", help="mix plans (default)"
    )
    add_setting(
        command, "--llm_strict", action="store_true", help="stop when the LLM does not answer"
    )
    add_setting(
        command, "--llm_optional", action="store_true", help="go on even if it never answers"
    )
    add_setting(command, "--policy", choices=["ppo"], help="the algorithm")
    add_setting(command, "--device", help="cpu or cuda; default cuda if there is one")
    add_setting(
        command,
        "--threads",
        type=int,
        help="CPU threads; default 1, or all cores for large minibatches",
    )
    add_setting(
        command,
        "--network",
        choices=["paper", "egocentric"],
        help="how the student sees: raw maps (default), or from where it stands",
    )
    add_setting(command, "--recurrent", action="store_true", help="an LSTM in the student")
    add_setting(command, "--frame_stack", type=int, help="maps seen at once; default 1")
    add_setting(command, "--num_eval", type=int, help="evaluation episodes; default 10")
    add_setting(
        command,
        "--env_seed_list",
        type=int,
        nargs="*",
        metavar="SEED",
        help="rooms of evaluation: s means s, s + 1, …; several as they are; none random",
    )


def add_train_flags(command: argparse.ArgumentParser) -> None:
    add = command.add_argument
    add(
        "--config",
        type=Path,
        help="settings: a run's config.json, or a YAML file such as configs/best.yaml",
    )
    old = command.add_mutually_exclusive_group()
    old.add_argument("--resume", action="store_true", help="continue --savedir, or the newest run")
    old.add_argument("--overwrite", action="store_true", help="replace the run of that name")
    for flag, kind, text in (
        ("--n_itr", int, "iterations; default 20000"),
        ("--traj_per_itr", int, "episodes an iteration, at least; default 10"),
        ("--num_envs", int, "rooms side by side, an episode each; default traj_per_itr"),
        ("--batch_size", int, "steps a minibatch; default 128"),
        ("--gamma", float, "discount; default 0.99"),
        ("--lam", float, "lambda of --gae; default 0.95"),
        ("--kl_start", float, "the teacher's weight k at first; default 10"),
        ("--kl_step", float, "its fall an iteration; default 0.005"),
        ("--kl_min", float, "its least; default 0.1"),
        ("--kl_until", int, "iteration from which on it is 0; default 3000"),
        ("--eval_interval", int, "iterations; default 10"),
        ("--save_interval", int, "iterations; default 100"),
    ):
        add_setting(command, flag, type=kind, help=text)
    add_setting(
        command,
        "--rooms",
        choices=["tensor", "gym"],
        help="all in one batch where the task has it (default), or one by one",
    )
    add_setting(
        command, "--precision", choices=["fp32", "bf16"], help="of the student; default fp32"
    )
    add_setting(command, "--gae", action="store_true", help="generalised advantage estimation")
    add_setting(
        command,
        "--schedule",
        choices=["linear", "adaptive", "matched"],
        help="k by the clock (default), by the student's success, or by what it still lacks of "
        "its teacher's",
    )


def add_eval_flags(command: argparse.ArgumentParser) -> None:
    add = command.add_argument
    add("--eval_teacher", action="store_true", help="let the teacher act; needs no run")
    add("--deterministic", action="store_true", help="take the likeliest action")
    add("--videos", type=int, default=0, metavar="K", help="film the first K episodes as mp4")


def add_record_flags(command: argparse.ArgumentParser) -> None:
    add = command.add_argument
    add("--episodes", type=int, default=100, help="to find scenes in, of each actor; default 100")
    add("--seed", type=int, default=0, help="of those episodes; default 0")
    add("--out", type=Path, metavar="FILE", help="default plans/<task>.yaml in the log tree")
    add("--overwrite", action="store_true", help="replace that file")
    add("--dry_run", action="store_true", help="list scenes and prompts, ask nobody")
    add("--show", type=Path, metavar="FILE", help="print a file of plans")


def add_bench_flags(command: argparse.ArgumentParser) -> None:
    add = command.add_argument
    cores = physical_cores()
    add("--task", nargs="+", help="default all")
    add("--num_envs", type=int, nargs="+", help="default 10 1024 16384 (65536 on a GPU as well)")
    add("--threads", type=int, default=cores, help="CPU threads; default the physical cores")
    add("--device", default="cpu", help="cpu (default) or cuda")
    add("--precision", choices=["fp32", "bf16"], default="fp32", help="default fp32")
    add("--json", type=Path, metavar="FILE", help="write the figures to a file")
    add("--plot", type=Path, metavar="FILE", help="measure and draw the growth with room size")
