"""`main.py eval`: a student, or the teacher alone, from fixed seeds."""

import argparse
from contextlib import ExitStack
from pathlib import Path

import torch

from algos.evaluator import evaluate
from algos.protocols import Actor, Teacher
from algos.student import distribution_of
from commands import runs
from commands import subject as actors
from commands.build import Parts
from commands.provenance import provenance, teacher_traits
from commands.subject import Subject
from commands.viewer.film import film_episode
from commands.viewer.frames import write_film
from utils import seeding
from utils.errors import UserError
from utils.files import write_json
from utils.run_files import ANSWERS
from utils.terminal import say, table


def run(args: argparse.Namespace) -> int:
    if args.videos < 0:
        raise UserError(f"--videos: {args.videos} films cannot be made")
    actors.check_teaches(args)
    # Of two worlds neither replaces what was found in the other.
    world = f"-{args.simulator}" if "simulator" in args else ""
    name = runs.check_name(args.savedir or f"eval{world}")
    outcomes = []
    for folder, given in actors.find(args, args.loaddir):
        subject = actors.load(args, folder, given)
        if subject.student:
            after = "" if subject.iteration is None else f", of iteration {subject.iteration}"
            say(f"evaluating {folder / str(subject.model)}{after}")
        outcomes.append(evaluate_actor(args, subject, folder / name))
    how = ", each step's likeliest action" if args.deterministic else ""
    title = f"{outcomes[0][0]}: means of n episodes{how}, with 95% intervals"
    table(title, outcomes[0][1], [row for *_, row in outcomes])
    return 0


def evaluate_actor(
    args: argparse.Namespace, subject: Subject, target: Path
) -> tuple[str, list[str], list[str]]:
    """Evaluate a student, or else the teacher, and write eval.json and films.

    Returns what was evaluated on, and the columns and a row for the table.
    """
    with ExitStack() as owned:
        return evaluate_with(args, Parts(subject.config, owned), subject, target)


def evaluate_with(
    args: argparse.Namespace, parts: Parts, subject: Subject, target: Path
) -> tuple[str, list[str], list[str]]:
    config, student = subject.config, subject.student
    device = torch.device(config.device)
    answers = (target.parent if student else target) / ANSWERS
    environments, seeds = parts.test_environments()
    actor, teacher, draws = actors.acting(subject, parts, answers, args.deterministic)
    outcome = evaluate(environments, actor, seeds, draws, device)
    actors.check_answered(subject, outcome)

    counts = teacher.counts() if teacher else {}
    content = {
        "task": config.task.name,
        **teacher_traits(config.task, dict(config)),
        "actor": str(target.parent) if student else "teacher",
        **({"model": subject.model, "iteration": subject.iteration} if student else {}),
        "deterministic": args.deterministic,
        "hard": config.hard,
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
        filmed = actors.actor_of(subject, parts, narrator, args.deterministic)
        film_episodes(args, parts, filmed, narrator, seeds[: args.videos], draws.device, target)
    if outcome.unanswered_steps:
        say(f"{outcome.unanswered_steps} steps were in scenes without an answer: it waited there")
    option = f" ({config.train_option})" if config.train_option else ""
    option += f" in {config.simulator}" if config.simulator != "tensor" else ""
    return config.task.name + option, outcome.columns, outcome.row(target.parent.name)


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
