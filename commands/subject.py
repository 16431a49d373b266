"""The subject of `eval` and `watch`: the student of a run, or a teacher alone."""

import argparse
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple, cast

import torch

from algos import checkpoint
from algos.evaluation import Evaluation
from algos.evaluator import play_batches
from algos.protocols import Actor
from algos.saved_files import BEST, CHECKPOINT, CONFIG
from algos.student import Deterministic, Student, read_student
from algos.trials import Doubt, doubt_in
from commands import runs
from commands.build import Parts, check_network
from commands.domains.networks import make_encoder
from commands.run_search import runs_to_show
from commands.settings.config import Config
from commands.settings.resolve import (
    check_flags,
    check_llm_flags,
    fresh_settings,
    given_settings,
    seeded,
    shown_settings,
)
from commands.viewer.replay import Played, Viewer
from teacher.teacher import PlanTeacher
from utils import seeding
from utils.devices import choose_device, prepare
from utils.errors import UserError


class Subject(NamedTuple):
    """Who acts: the student of a run's `model` after so many iterations, or, without a student,
    the teacher. Results go into `folder`."""

    config: Config
    folder: Path
    student: Student | None = None
    model: str | None = None
    iteration: int | None = None


class Trial(NamedTuple):
    """What a subject did: an evaluation, the episodes that it counts, and the teacher if it was
    the one that acted."""

    evaluation: Evaluation
    episodes: list[Played]
    teacher: PlanTeacher | None


def find_subjects(args: argparse.Namespace, name: str | None, **changes: Any) -> Iterator[Subject]:
    """The students of the runs of a name, or of the newest run; or the teacher.

    Flags replace settings of a run, and `changes` replace these. UserError if there is no such run,
    or if it holds no usable model.
    """
    if args.plans and not args.eval_teacher:
        raise UserError("--plans: a student needs none; evaluate its teacher with --eval_teacher")
    given = given_settings(args)
    settings = shown_settings(given)
    if args.eval_teacher:
        settings = fresh_settings({"task": settings["task"]} | given)
        check_llm_flags(given, settings)
        parent = runs.task_folder(args.logdir, settings["policy"], settings["task"])
        (config,) = seeded(settings, (args.seed_list or [0])[:1])
        yield Subject(config, parent / runs.TEACHER)
        return
    given["device"] = choose_device(settings.get("device"))
    if args.seed_list and len(args.seed_list) == 1:
        given["seed"] = args.seed_list[0]
    for folder in runs_to_show(args, name, settings):
        yield load_subject(folder, args.loadmodel, given | changes)


def load_subject(folder: Path, model: str, given: dict[str, Any]) -> Subject:
    """A model of a run, whose settings are replaced by the given ones. UserError if there is no
    usable model."""
    path = runs.model_file(folder, model)
    if path.name == BEST and not path.exists():
        raise UserError(f"there is no {path}: a run saves its best from its fifth evaluation on")
    check_flags(given, dict(runs.read_config(folder / CONFIG)))
    config = runs.read_config(folder / CONFIG, **given)
    bf16 = config.precision == "bf16"
    device = torch.device(config.device)
    student, task, iteration = read_student(path, device, make_encoder, bf16)
    if task != config.task.name:
        raise UserError(f"{path} was trained on {task}, not on {config.task.name}")
    if not all(weights.isfinite().all() for weights in student.state_dict().values()):
        raise UserError(f"{path} has diverged: some of its weights are not finite numbers")
    return Subject(config, folder, student, path.name, iteration)


def try_subject(subject: Subject, parts: Parts, answers: Path, deterministic: bool) -> Trial:
    """Evaluate a subject in the run's test environments. A live LLM's replies are kept in the file
    `answers`. UserError if the network does not fit the task, or if the LLM never answers."""
    config, student = subject.config, subject.student
    device = torch.device(config.device)
    prepare(device, config.threads)
    environments, seeds = parts.test_environments()
    if student:
        check_network(student, parts.network(), subject.folder)
        teacher, actor = None, parts.actor(student, deterministic)
    else:
        teacher = parts.teacher(answers)
        actor = cast(Actor, teacher)
        actor = Deterministic(actor) if deterministic else actor
    # A teacher draws on the CPU, a student on its device.
    draws_on = device if student else torch.device("cpu")
    draws = seeding.generator(config.seed, seeding.EVALUATION, device=draws_on)
    evaluation, episodes = Evaluation(), list[Played]()
    for batch, rollout in play_batches(environments, actor, seeds, draws, device):
        evaluation.add(batch, rollout)
        episodes += [Played(seed, rollout, number) for number, seed in enumerate(batch)]
    if teacher and (problem := teacher.planner.problem()):
        raise UserError(f"there is nothing to evaluate: {problem}")
    return Trial(evaluation, episodes, teacher)


def viewer_of(trial: Trial, parts: Parts, answers: Path) -> Viewer:
    """What shows the episodes of a trial. Explanations never ask an LLM: they read its `answers`
    from the file."""
    teacher = trial.teacher
    if not teacher or parts.config.asks_llm:
        teacher = parts.teacher(answers, asks=False)
    if not trial.teacher:
        doubt_in_run(answers.parent).apply(teacher)
    return parts.viewer(teacher)


def doubt_in_run(folder: Path) -> Doubt:
    """How a run's teacher is doubted; not at all without a checkpoint."""
    saved = folder / CHECKPOINT
    return doubt_in(checkpoint.load(saved), saved) if saved.exists() else Doubt()
