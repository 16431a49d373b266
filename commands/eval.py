"""`main.py eval`: evaluate a student, or the teacher alone, from fixed seeds."""

import argparse
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from commands import runs
from commands.answer_sources import describe_source
from commands.build import Parts
from commands.evaluation_table import print_evaluations
from commands.provenance import provenance
from commands.run_files import ANSWERS, EVALUATION
from commands.settings.config import Config
from commands.subject import (
    Subject,
    Trial,
    find_subjects,
    try_subject,
    viewer_of,
)
from commands.teacher_identity import OF_LLM, teacher_suffix, teacher_traits
from commands.viewer.film import film_of, write_film
from utils.errors import UserError
from utils.files import write_json
from utils.terminal import counted, say


def run(args: argparse.Namespace) -> int:
    if args.videos < 0:
        raise UserError(f"--videos: {args.videos} films cannot be made")
    # Evaluations in two simulators keep their results apart.
    simulator = f"-{args.simulator}" if "simulator" in args else ""
    name = runs.check_name(args.savedir) if args.savedir else f"eval{simulator}"
    trials = list[tuple[Subject, Trial]]()
    for subject in find_subjects(args, args.loaddir):
        folder = subject.folder
        if subject.student:
            say(f"evaluating {folder / str(subject.model)}, of iteration {subject.iteration}")
        else:
            say(f"evaluating the teacher alone: {describe_source(subject.config)}")
        own = "" if args.savedir else default_suffix(args, subject)
        trials.append((subject, evaluate_subject(args, subject, folder / f"{name}{own}")))
    how = ", each step's likeliest action" if args.deterministic else ""
    title = f"{described_task(trials[0][0])}: means of n episodes{how}, with 95% intervals"
    named = [(subject.folder.name, trial.evaluation) for subject, trial in trials]
    print_evaluations(title, named)
    return 0


def default_suffix(args: argparse.Namespace, subject: Subject) -> str:
    """What keeps evaluations of different teachers apart: the file of their plans, an LLM, …"""
    if subject.student:
        return ""
    plans = f"-{Path(args.plans).stem}" if args.plans else ""
    return plans + teacher_suffix(dict(subject.config))


def evaluate_subject(args: argparse.Namespace, subject: Subject, target: Path) -> Trial:
    """Evaluate a subject; write eval.json and films into the folder `target`."""
    answers = (subject.folder if subject.student else target) / ANSWERS
    with ExitStack() as owned:
        parts = Parts(subject.config, owned)
        trial = try_subject(subject, parts, answers, args.deterministic)
        write_result(target, subject, trial, args.deterministic)
        if args.videos:
            viewer = viewer_of(trial, parts, answers)
            for episode in trial.episodes[: args.videos]:
                path = target / f"episode-{episode.seed}.{'gif' if args.gif else 'mp4'}"
                write_film(path, film_of(viewer, episode))
                say(f"wrote {path}")
    if missed := trial.evaluation.unanswered_steps:
        say(f"the teacher waited for {counted(missed, 'step')}, in scenes without an answer")
    return trial


def write_result(target: Path, subject: Subject, trial: Trial, deterministic: bool) -> None:
    """Write eval.json and remove the films of an evaluation that it replaces."""
    config = subject.config
    model = {"model": subject.model, "iteration": subject.iteration} if subject.student else {}
    counts = trial.teacher.counts() if trial.teacher else {}
    content = {
        "task": config.task.name,
        **teacher_traits(config.task, dict(config)),
        "actor": str(subject.folder) if subject.student else "teacher",
        **model,
        "deterministic": deterministic,
        "hard": config.hard,
        "seed": config.seed,
        "teacher": describe_source(config),
        "llm": config.llm and {**llm_traits(config), **counts},
        **trial.evaluation.to_dict(),
        "provenance": provenance(),
    }
    path = target / EVALUATION
    if path.exists():
        say(f"{target} held an evaluation, which this one replaces; --savedir gives another name")
    write_json(path, content)
    say(f"wrote {path}")
    for film in (*target.glob("episode-*.mp4"), *target.glob("episode-*.gif")):
        film.unlink()


def llm_traits(config: Config) -> dict[str, Any]:
    """What distinguishes an LLM as a teacher from others."""
    how = {name: getattr(config, name) for name in OF_LLM}
    return {"name": config.llm, "model": config.llm_model, **how}


def described_task(subject: Subject) -> str:
    """The name of the task, with an option that was trained and a simulator, if any."""
    config = subject.config
    option = f" ({config.train_option})" if config.train_option else ""
    simulator = f" in {config.simulator}" if config.simulator != "tensor" else ""
    return f"{config.task.name}{option}{simulator}"
