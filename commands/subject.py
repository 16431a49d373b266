"""The subject of `eval` and `watch`: the student of a run, or a teacher alone."""

import argparse
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any, NamedTuple, cast

import torch

from algos.evaluation import Evaluation
from algos.evaluator import play_batches
from algos.protocols import Actor
from algos.saved_files import BEST, CONFIG, MODEL
from algos.student import Deterministic, Student, read_student
from commands import runs
from commands.build import Parts, check_network
from commands.domains.networks import make_encoder
from commands.settings.config import DEFAULT_HOME_TASK, SETTINGS, Config, make_config
from commands.settings.resolve import (
    check_flags,
    check_llm_is_named,
    fresh_settings,
    given_settings,
    resolve,
)
from commands.viewer.replay import Played, Viewer
from planner.task import load_task
from teacher.teacher import PlanTeacher
from utils import seeding
from utils.devices import choose_device, prepare
from utils.errors import UserError
from utils.terminal import say


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


def check_plans(args: argparse.Namespace) -> None:
    """UserError if a student is given plans."""
    if args.plans and not args.eval_teacher:
        raise UserError("--plans: a student needs none; evaluate its teacher with --eval_teacher")


def find_subjects(args: argparse.Namespace, name: str | None) -> list[tuple[Path, dict[str, Any]]]:
    """The folders of the runs of a name, or of the newest run, or the teacher's folder. Each comes
    with the settings that flags give. UserError if there is no such run."""
    given = given_settings(args)
    task = _task_of_flags(given)
    if args.eval_teacher:
        settings = fresh_settings(task | given)
        check_llm_is_named(given, settings)
        parent = runs.task_folder(args.logdir, settings["policy"], settings["task"])
        return [(parent / runs.TEACHER, settings | {"seed": (args.seed_list or [0])[0]})]
    settings = resolve(task | given, {})
    given["device"] = choose_device(settings.get("device"))
    if args.seed_list and len(args.seed_list) == 1:
        given["seed"] = args.seed_list[0]
    return [(folder, given) for folder in _run_folders(args, name, settings)]


def _task_of_flags(given: dict[str, Any]) -> dict[str, Any]:
    """The task of homes, if a flag is one that only homes have; else nothing."""
    is_home = any(SETTINGS[name].domain == "nav_pick" for name in given)
    return {"task": load_task(DEFAULT_HOME_TASK)} if is_home else {}


def _run_folders(
    args: argparse.Namespace, name: str | None, settings: dict[str, Any]
) -> list[Path]:
    parent = runs.task_folder(args.logdir, settings["policy"], settings["task"])
    if name:
        # Of several methods with a run of that name, the default one counts.
        known = args.task and _named(parent.glob(f"*/{CONFIG}"), name)
        if Path(name).name == name and not known:
            method = parent.parent.name if "policy" in args else "*"
            parent = _parent_of(args.logdir, name, method, parent.name if args.task else "*")
        return runs.find(parent, name, args.seed_list)
    others = args.logdir.glob(f"*/{parent.name if args.task else '*'}/*/{MODEL}")
    parents = {model.parent.parent for model in others}
    if parents and parent not in parents:
        raise UserError(
            f"there is no run under {parent}; there are runs under "
            f"{', '.join(map(str, sorted(parents)))}: give --task, --policy, or the path of a run"
        )
    folder = runs.newest(parent, MODEL, settings["train_option"])
    say(f"no --loaddir: the newest run of {settings['task'].name} is {folder}")
    return [folder]


def _parent_of(logdir: Path, name: str, method: str, task: str) -> Path:
    """The folder <method>/<task> of a log tree that holds the runs of a name; "*" stands for any
    method or task. UserError if none, or more than one, does."""
    found = sorted(logdir.glob(f"{method}/{task}/*/{CONFIG}"))
    parents = dict.fromkeys(run.parent for run in _named(found, name))
    if not parents:
        folders = ", ".join(str(path.parent) for path in found)
        known = f"there are {folders}" if found else "train one first"
        raise UserError(f"there is no run {name} under {logdir / method / task}; {known}")
    if len(parents) > 1:
        places = ", ".join(str(parent / name) for parent in parents)
        raise UserError(f"there are several runs {name}: {places}; give a path, --task or --policy")
    return next(iter(parents))


def _named(configs: Iterable[Path], name: str) -> list[Path]:
    """The folders of the runs of a name, one or several seeds, among those of some config.json."""
    per_seed = re.compile(rf"{re.escape(name)}(-\d+)?")
    return [path.parent for path in configs if per_seed.fullmatch(path.parent.name)]


def load_subject(args: argparse.Namespace, folder: Path, given: dict[str, Any]) -> Subject:
    """The subject of a folder that was found. UserError if it holds no usable model."""
    if args.eval_teacher:
        return Subject(make_config(given, "settings"), folder)
    path = runs.model_file(folder, args.loadmodel)
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
    if teacher and evaluation.unanswered == 1 and (problem := teacher.planner.problem()):
        raise UserError(f"there is nothing to evaluate: {problem}")
    return Trial(evaluation, episodes, teacher)


def viewer_of(trial: Trial, parts: Parts, answers: Path) -> Viewer:
    """What shows the episodes of a trial. Explanations never ask an LLM: they read its `answers`
    from the file."""
    teacher = trial.teacher
    if not teacher or parts.config.llm:
        teacher = parts.teacher(answers, asks=False)
    return parts.viewer(teacher)
