"""`main.py train`: students in run folders, new ones or resumed."""

import argparse
import json
import os
import shlex
import signal
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

from algos.evaluator import VERDICT_SEEDS, Evaluator
from algos.trainer import Trainer
from algos.verdict import give_verdict
from commands import runs
from commands.build import Parts
from commands.observers.log import RunLog, TrainingDisplay
from commands.observers.weights_and_biases import WandbLog, check_login
from commands.settings.config import DEFAULT_METHOD, Config, make_config
from commands.settings.flags import DEFAULT_LOGDIR
from commands.settings.methods import Method
from commands.settings.presets import history_note, read_preset
from commands.settings.resolve import (
    Settings,
    check_llm_is_named,
    fresh_settings,
    given_settings,
    resolve,
    seeded,
)
from planner.task import Task
from utils import ownership
from utils.devices import choose_device, prepare
from utils.errors import UserError
from utils.files import write_json
from utils.interrupts import Interrupts
from utils.ranks import Ranks
from utils.run_files import ANSWERS, CHECKPOINT, VERDICT
from utils.terminal import say, silence, table

BEST_PRESET = "configs/best.yaml"


def run(args: argparse.Namespace) -> int:
    ranks = Ranks()
    if not ranks.lead:
        silence()
    with Interrupts(patient=ranks.count > 1) as interrupts, ExitStack() as owned:
        for name, settings in shared_plan(args, ranks, owned):
            folder, config = Path(name), make_config(settings, "settings")
            further = resume_command(args, folder, config)
            try:
                with ExitStack() as made:
                    train_run(Parts(config, made), folder, ranks, interrupts, args.wandb)
            except KeyboardInterrupt:
                say(f"stopped at once; continue from what was saved with: {further}")
                return 128 + (interrupts.received or signal.SIGINT)
            if ranks.any(interrupts()):
                say(f"stopped; continue with: {further}")
                return 128 + (interrupts.received or signal.SIGTERM)
    return 0


def shared_plan(
    args: argparse.Namespace, ranks: Ranks, owned: ExitStack
) -> list[tuple[str, dict[str, Any]]]:
    """The folders to train in and their settings, which the lead decides on; none for the others
    if it finds an error, which it alone raises."""
    plan: list[tuple[str, dict[str, Any]]] = []
    try:
        if ranks.lead:
            planned = planned_runs(args, ranks, owned)
            plan = [(str(folder), dict(config)) for folder, config in planned]
    finally:
        plan = json.loads(ranks.from_lead(json.dumps(plan, default=dict)))
    return plan


def resume_command(args: argparse.Namespace, folder: Path, config: Config) -> str:
    several = len(args.seed_list or []) > 1
    name = args.savedir or folder.name.removesuffix(f"-{config.seed}" if several else "")
    if several and runs.is_run(folder.with_name(name)):
        # Of this name there is a single run, too.
        name = folder.name
    words = ["--config", str(args.config)] if args.config else []
    if args.task or not args.config:
        words += ["--task", args.task or config.task.name]
    if "policy" in args:
        words += ["--policy", args.policy]
    elif not args.config and config.policy.name != DEFAULT_METHOD:
        words += ["--policy", config.policy.name]
    if args.logdir != DEFAULT_LOGDIR:
        words += ["--logdir", str(args.logdir)]
    if args.plans:
        words += ["--plans", str(args.plans)]
    if args.wandb:
        words += ["--wandb", args.wandb]
    return shlex.join(["python", "main.py", "train", *words, "--savedir", name, "--resume"])


def planned_runs(
    args: argparse.Namespace, ranks: Ranks, owned: ExitStack
) -> list[tuple[Path, Config]]:
    """The folders that the flags ask to train in, and their settings; new ones are made. They are
    this process's own until `owned` is closed."""
    template = read_preset(args.config, args.task) if args.config else {}
    flags = given_settings(args, template.get("task"))
    if args.wandb:
        check_login(args.wandb)
    if args.resume:
        return plan_resumed(args, flags, template, ranks, owned)
    return plan_new(args, flags, template, ranks, owned)


def plan_resumed(
    args: argparse.Namespace, flags: Settings, template: Settings, ranks: Ranks, owned: ExitStack
) -> list[tuple[Path, Config]]:
    if args.loaddir:
        raise UserError("--loaddir: a resumed run goes on from its own checkpoint alone")
    # These only say where the run lies: the rest stands in its folder.
    settings = resolve(flags, template)
    method = settings["policy"]
    parent = runs.task_folder(args.logdir, method, settings["task"])
    name = args.savedir or settings["train_option"]
    planned = runs.resumed_runs(parent, name, args.seed_list, flags)
    check_ranks([config for _, config in planned], ranks)
    for folder, config in planned:
        check_task(args, folder, config, flags.get("task", config.task))
        check_method(folder, config, method)
        owned.enter_context(ownership.owned(folder))
    return planned


def plan_new(
    args: argparse.Namespace, flags: Settings, template: Settings, ranks: Ranks, owned: ExitStack
) -> list[tuple[Path, Config]]:
    settings = fresh_settings(flags, template)
    parent = runs.task_folder(args.logdir, settings["policy"], settings["task"])
    check_llm_is_named(flags, settings)
    if args.loaddir:
        source = runs.find(parent, args.loaddir, None)[0]
        model = str(runs.model_file(source, args.loadmodel))
        settings = fresh_settings({**flags, "warm_start": model}, template)
    configs = seeded(settings, args.seed_list or [settings["seed"]])
    # What cannot be built must not cost the run that it would replace.
    with ExitStack() as tried:
        parts = Parts(configs[0], tried)
        parts.domain.single_environments(1)
        parts.warm_start(parts.student())
        parts.teacher(Path(os.devnull))
    check_ranks(configs, ranks)
    name = args.savedir or configs[0].train_option
    planned = runs.new_runs(parent, name, configs, args.overwrite)
    for folder, _ in planned:
        owned.enter_context(ownership.owned(folder))
    if not (args.config or ((task := flags.get("task")) and task.settings)):
        rest = "what no flag and no task says is the paper's setting"
        say(f"without --config, {rest}; see {BEST_PRESET}")
    if args.config and (note := history_note(args.config)):
        say(note)
    return [(folder, runs.claim(folder, config)) for folder, config in planned]


def check_task(args: argparse.Namespace, folder: Path, config: Config, task: Task) -> None:
    """A run goes on with the task that it began with: UserError if --plans gives it other plans,
    a word if the task's file has come to say something else."""
    if args.plans and task.plans != config.task.plans:
        raise UserError(f"--plans: {args.plans} differs from the plans that {folder} began with")
    for part in Task.model_fields:
        # A run keeps the task's settings as its own.
        if part != "settings" and getattr(task, part) != getattr(config.task, part):
            say(f"{folder} keeps the {part} that it began with, not those of {task.name} now")


def check_method(folder: Path, config: Config, method: Method) -> None:
    """A run goes on with the method that it began with: a word if its file fixes something else."""
    had = config.policy
    if method.name == had.name and not method.is_same(had):
        say(f"{folder} keeps what {had.name} fixed when it began, not what its file fixes now")


def check_ranks(configs: list[Config], ranks: Ranks) -> None:
    """UserError if there is not something for every rank to do, and a device to do it on."""
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


def train_run(
    parts: Parts, folder: Path, ranks: Ranks, interrupts: Interrupts, project: str | None
) -> None:
    config = parts.config
    prepare(ranks.place(choose_device(config.device)), config.threads)
    teacher = parts.teacher(folder / ANSWERS)
    trainer = parts.trainer(folder, teacher, ranks)
    device = trainer.device
    resumed = bool(ranks.from_lead("resumed" if (folder / CHECKPOINT).exists() else ""))
    if resumed:
        trainer.restore()
    else:
        parts.warm_start(trainer.student)
    done = trainer.progress.iteration
    if resumed and done >= config.n_itr:
        if ranks.lead and done:
            trainer.export()
            if not (folder / VERDICT).exists():
                tell_verdict(parts, folder, trainer, parts.evaluator(device))
        say(f"{folder} has its {done} iterations; give a larger --n_itr to go on")
        return
    if resumed and ranks.lead:
        runs.write_config(folder, config, done)
    mode = "one plan drawn a step" if config.hard else "all plans mixed"
    who = f"{config.llm} over HTTP" if config.llm else "plans of a file"
    who = f"{who}, {mode}" if config.kl_start else f"none; for comparison it is tried alone ({who})"
    say(f"{'continuing' if resumed else 'training'} {folder} on {device}; teacher: {who}")

    if not ranks.lead:
        trainer.train(None, interrupts)
        return

    (folder / VERDICT).unlink(missing_ok=True)
    evaluator = parts.evaluator(device)
    log = RunLog(folder, done, [make_wandb_log(project, folder, config, done)] if project else [])
    try:
        with TrainingDisplay(folder.name, done, config.n_itr) as display:
            report = parts.report(trainer, teacher, evaluator, log, display)
            trial = interrupts.at_once()(report.try_teacher)
            trainer.train(replace(report, try_teacher=trial), interrupts)
    finally:
        log.close()
    did = trainer.progress
    if done < did.iteration == config.n_itr and not interrupts():
        tell_verdict(parts, folder, trainer, evaluator)
    missed = f"; {did.unanswered} steps had no answer of the LLM" if config.llm else ""
    say(
        f"{folder}: {did.iteration} iterations, {did.steps} steps, "
        f"{did.seconds:.0f} s of training{missed}"
    )


def make_wandb_log(project: str, folder: Path, config: Config, done: int) -> WandbLog:
    names = {"task": config.task.name, "policy": config.policy.name}
    return WandbLog(project, folder, config.model_dump() | names, done)


def tell_verdict(parts: Parts, folder: Path, trainer: Trainer, evaluator: Evaluator) -> None:
    say(f"{folder.name}: judging its students in {len(VERDICT_SEEDS)} episodes each")
    verdict = give_verdict(trainer, evaluator, parts.actor)
    write_json(folder / VERDICT, verdict.to_dict())
    title = f"{folder.name}: means of {len(VERDICT_SEEDS)} episodes, on which nothing was chosen"
    table(title, verdict.last.columns, verdict.rows())
