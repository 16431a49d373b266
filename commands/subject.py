"""Who is looked at: the student of a run, or the teacher alone."""

import argparse
from pathlib import Path
from typing import Any, NamedTuple, cast

import torch

from algos.evaluator import Evaluation
from algos.protocols import Actor
from algos.student import Deterministic, Student, load_student
from commands import runs
from commands.build import Parts, check_network
from commands.domains.networks import make_encoder
from commands.settings.config import Config, make_config
from commands.settings.flags import check_flags
from commands.settings.resolve import check_llm_is_named, fresh_settings, given_settings, resolve
from teacher.teacher import PlanTeacher
from utils import seeding
from utils.devices import choose_device, prepare
from utils.errors import UserError
from utils.run_files import BEST, CONFIG, MODEL
from utils.terminal import say


class Subject(NamedTuple):
    """A run's student, with the name of its model and after how many iterations it is, or nobody,
    which is the teacher; the settings, and where what is found out about it is written."""

    config: Config
    folder: Path
    student: Student | None = None
    model: str | None = None
    iteration: int | None = None


def check_teaches(args: argparse.Namespace) -> None:
    if args.plans and not args.eval_teacher:
        raise UserError("--plans: a student needs none; evaluate its teacher with --eval_teacher")


def find(args: argparse.Namespace, name: str | None) -> list[tuple[Path, dict[str, Any]]]:
    """The folders of the runs that a name means, or else of the newest, or where the teacher's
    evaluations lie, each with the settings that its flags give."""
    given = given_settings(args)
    settings = fresh_settings(given) if args.eval_teacher else resolve(given, {})
    parent = runs.task_folder(args.logdir, settings["policy"], settings["task"])
    if args.eval_teacher:
        check_llm_is_named(given, settings)
        return [(parent / runs.TEACHER, settings | {"seed": (args.seed_list or [0])[0]})]
    given["device"] = choose_device(settings.get("device"))
    if not args.task:
        given.pop("task", None)
    if args.seed_list and len(args.seed_list) == 1:
        given["seed"] = args.seed_list[0]
    if name:
        folders = runs.find(parent, name, args.seed_list)
    else:
        folders = [runs.newest(parent, MODEL, settings["train_option"])]
        say(f"no --loaddir: the newest run of {settings['task'].name} is {folders[0]}")
    return [(folder, given) for folder in folders]


def load(args: argparse.Namespace, folder: Path, given: dict[str, Any]) -> Subject:
    """What lies in one of the folders."""
    if args.eval_teacher:
        return Subject(make_config(given, "settings"), folder)
    path = runs.model_file(folder, args.loadmodel)
    if path.name == BEST and not path.exists():
        raise UserError(f"there is no {path}: a run saves its best from its fifth evaluation on")
    check_flags(given, dict(runs.read_config(folder / CONFIG)))
    config = runs.read_config(folder / CONFIG, **given)
    bf16 = config.precision == "bf16"
    student, trained_on, after = load_student(path, torch.device(config.device), make_encoder, bf16)
    if trained_on != config.task.name:
        raise UserError(f"{path} was trained on {trained_on}, not on {config.task.name}")
    return Subject(config, folder, student, path.name, after)


def acting(
    subject: Subject, parts: Parts, answers: Path, deterministic: bool
) -> tuple[Actor, PlanTeacher | None, torch.Generator]:
    """The actor, the teacher if that is who acts, and what an evaluation draws from. A live LLM's
    replies are kept in a file of answers."""
    device = torch.device(subject.config.device)
    prepare(device, subject.config.threads)
    if subject.student:
        check_network(subject.student, parts.network(), subject.folder)
    # A student needs no teacher any more.
    teacher = None if subject.student else parts.teacher(answers)
    # A teacher draws on the CPU, a student where it is.
    place = device if subject.student else torch.device("cpu")
    draws = seeding.generator(subject.config.seed, seeding.EVALUATION, device=place)
    return actor_of(subject, parts, teacher, deterministic), teacher, draws


def actor_of(
    subject: Subject, parts: Parts, teacher: PlanTeacher | None, deterministic: bool
) -> Actor:
    """A run's student as it acts, or else the teacher."""
    if subject.student:
        return parts.actor(subject.student, deterministic)
    actor = cast(Actor, teacher)
    return Deterministic(actor) if deterministic else actor


def check_answered(subject: Subject, outcome: Evaluation) -> None:
    if subject.config.llm and outcome.unanswered == 1:
        raise UserError("the LLM answered in none of the steps: there is nothing to evaluate")
