"""`main.py eval`: a student, or the teacher alone, from fixed seeds."""

import argparse
from contextlib import ExitStack
from pathlib import Path
from typing import Any, cast

import torch

from algos.evaluator import evaluate
from algos.film import film_episode
from algos.protocols import Actor, Teacher
from algos.student import Deterministic, Student, distribution_of, load_student
from commands import runs
from commands.build import Parts, check_network
from commands.config import Config, make_config
from commands.flags import check_flags
from commands.networks import make_encoder
from commands.provenance import digest, provenance
from commands.settings import check_llm_is_named, fresh_settings, given_settings, resolve
from utils import seeding
from utils.devices import choose_device, prepare
from utils.errors import UserError
from utils.files import write_json
from utils.log import say, table
from utils.run_files import ANSWERS, BEST, CONFIG, MODEL
from utils.video import write_film


def run(args: argparse.Namespace) -> int:
    if args.videos < 0:
        raise UserError(f"--videos: {args.videos} films cannot be made")
    if args.plans and not args.eval_teacher:
        raise UserError("--plans: a student needs none; evaluate its teacher with --eval_teacher")
    given = given_settings(args)
    settings = fresh_settings(given) if args.eval_teacher else resolve(given, {})
    parent = runs.task_folder(args.logdir, settings["policy"], settings["task"])
    name = runs.check_name(args.savedir or "eval")
    if args.eval_teacher:
        check_llm_is_named(given, settings)
        config = make_config(settings | {"seed": (args.seed_list or [0])[0]}, "settings")
        outcomes = [evaluate_actor(args, config, None, parent / runs.TEACHER / name)]
    else:
        given["device"] = choose_device(settings.get("device"))
        if not args.task:
            given.pop("task", None)
        if args.loaddir:
            folders = runs.find(parent, args.loaddir, args.seed_list)
        else:
            folders = [runs.newest(parent, MODEL, settings["train_option"])]
            say(f"no --loaddir: the newest run of {settings['task'].name} is {folders[0]}")
        outcomes = [evaluate_run(args, folder, given, folder / name) for folder in folders]
    how = ", each step's likeliest action" if args.deterministic else ""
    title = f"{outcomes[0][0]}: means of n episodes{how}, with 95% intervals"
    table(title, outcomes[0][1], [row for *_, row in outcomes])
    return 0


def evaluate_run(
    args: argparse.Namespace, folder: Path, given: dict[str, Any], target: Path
) -> tuple[str, list[str], list[str]]:
    path = runs.model_file(folder, args.loadmodel)
    if path.name == BEST and not path.exists():
        raise UserError(f"there is no {path}: a run saves its best from its fifth evaluation on")
    if args.seed_list and len(args.seed_list) == 1:
        given = given | {"seed": args.seed_list[0]}
    check_flags(given, dict(runs.read_config(folder / CONFIG)))
    config = runs.read_config(folder / CONFIG, **given)
    bf16 = config.precision == "bf16"
    student, trained_on, after = load_student(path, torch.device(config.device), make_encoder, bf16)
    say(f"evaluating {path}" + (f", of iteration {after}" if after is not None else ""))
    if trained_on != config.task.name:
        raise UserError(f"{path} was trained on {trained_on}, not on {config.task.name}")
    model = {"model": path.name, "iteration": after}
    return evaluate_actor(args, config, student, target, model)


def evaluate_actor(
    args: argparse.Namespace,
    config: Config,
    student: Student | None,
    target: Path,
    model: dict[str, Any] | None = None,
) -> tuple[str, list[str], list[str]]:
    """Evaluate a student, or else the teacher, and write eval.json and films.

    Returns what was evaluated on, and the columns and a row for the table.
    """
    with ExitStack() as owned:
        return evaluate_with(args, Parts(config, owned), student, target, model)


def evaluate_with(
    args: argparse.Namespace,
    parts: Parts,
    student: Student | None,
    target: Path,
    model: dict[str, Any] | None,
) -> tuple[str, list[str], list[str]]:
    config, device = parts.config, torch.device(parts.config.device)
    prepare(device, config.threads)
    answers = (target.parent if student else target) / ANSWERS
    network = parts.network()
    if student:
        check_network(student, network, target.parent)
    environments, seeds = parts.test_environments()
    # A student needs no teacher any more.
    teacher = None if student else parts.teacher(answers)
    actor = acting(args, parts, student, teacher)
    # A teacher draws on the CPU, a student where it is.
    place = device if student else torch.device("cpu")
    draws = seeding.generator(config.seed, seeding.EVALUATION, device=place)
    outcome = evaluate(environments, actor, seeds, draws, device)
    if config.llm and outcome.unanswered == 1:
        raise UserError("the LLM answered in none of the steps: there is nothing to evaluate")

    counts = teacher.counts() if teacher else {}
    content = {
        "task": config.task.name,
        "train_option": config.train_option,
        "simulator": config.simulator,
        "actor": str(target.parent) if student else "teacher",
        **(model or {}),
        "deterministic": args.deterministic,
        "hard": config.hard,
        "options": config.options,
        "navigate_noise": config.navigate_noise,
        "pick_noise": config.pick_noise,
        "plans": digest(config.task.plans),
        "seed": config.seed,
        "llm": config.llm and {"name": config.llm, "model": config.llm_model, **counts},
        **outcome.to_dict(),
        "provenance": provenance(),
    }
    if (target / "eval.json").exists():
        say(f"{target} held an evaluation, which this one replaces; --savedir gives another name")
    write_json(target / "eval.json", content)
    say(f"wrote {target / 'eval.json'}")
    for old in (*target.glob("episode-*.mp4"), *target.glob("episode-*.gif")):
        old.unlink()
    if args.videos:
        # Who tells of a film asks nobody.
        narrator = parts.teacher(answers, asks=False)
        filmed = acting(args, parts, student, narrator)
        film_episodes(args, parts, filmed, narrator, seeds[: args.videos], place, target)
    if outcome.unanswered_steps:
        say(f"{outcome.unanswered_steps} steps were in scenes without an answer: it waited there")
    option = f" ({config.train_option})" if config.train_option else ""
    return config.task.name + option, outcome.columns, outcome.row(target.parent.name)


def acting(
    args: argparse.Namespace, parts: Parts, student: Student | None, teacher: Actor | None
) -> Actor:
    """A student as it acts, or else the teacher."""
    if student:
        return parts.actor(student, args.deterministic)
    actor = cast(Actor, teacher)
    return Deterministic(actor) if args.deterministic else actor


def film_episodes(
    args: argparse.Namespace,
    parts: Parts,
    actor: Actor,
    narrator: Teacher,
    seeds: list[int],
    place: torch.device,
    target: Path,
) -> None:
    """A film in `target` for each seed; the actor draws at its `place`."""
    environment = parts.domain.single_environments(1, render=True)
    kind, names = distribution_of(parts.acting_network()), parts.domain.action_names
    device = torch.device(parts.config.device)
    options = parts.choices.names if parts.choices and not args.eval_teacher else ()
    for seed in seeds:
        draws = seeding.generator(parts.config.seed, seeding.VIDEO, seed, device=place)
        frames = film_episode(
            environment, actor, narrator, kind, names, seed, draws, device, options=options
        )
        film = target / f"episode-{seed}.{'gif' if args.gif else 'mp4'}"
        write_film(film, frames)
        say(f"wrote {film}")
