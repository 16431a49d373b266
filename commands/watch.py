"""`main.py watch`: a page on which one steps through episodes, and sees what was thought."""

import argparse
import json
import webbrowser
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, suppress
from math import isfinite
from pathlib import Path
from typing import Any

import torch

from algos.evaluator import Evaluation, play_waves
from algos.hierarchical import values
from algos.rollout import Rollout
from algos.student import distribution_of
from commands import subject as actors
from commands.build import Parts
from commands.observers.metrics import read_lines
from commands.subject import Subject
from commands.viewer.replay import Replay, replay
from utils.drawing import as_sheet
from utils.errors import UserError
from utils.files import write_text
from utils.run_files import ANSWERS, METRICS
from utils.terminal import say

PAGE = "watch.html"
TEMPLATE = Path(__file__).parent / "viewer" / PAGE
DATA = "{{data}}"
"""Where in the template the episodes stand."""
PLAYED = 100
DIGITS = 4
"""Of shares and rewards, after the point."""


def run(args: argparse.Namespace) -> int:
    if args.episodes < 1:
        raise UserError(f"--episodes: {args.episodes} cannot be shown")
    if args.run and args.loaddir:
        raise UserError(f"{args.run} and --loaddir {args.loaddir}: give one run")
    if args.eval_teacher and (args.run or args.loaddir):
        raise UserError("--eval_teacher needs no run; leave one of them out")
    actors.check_teaches(args)
    args.num_eval = getattr(args, "num_eval", PLAYED)
    (folder, given), *more = actors.find(args, args.run or args.loaddir)
    if more:
        raise UserError(
            f"a page shows one run: name {folder}, or another, or a seed of them with --seed_list"
        )
    subject = actors.load(args, folder, given)
    target = args.out or folder / PAGE
    with ExitStack() as owned:
        content = watch(args, Parts(subject.config, owned), subject)
    write_text(target, as_page(content))
    shown = content["episodes"]
    failed = sum(not episode["success"] for episode in shown)
    say(f"wrote {target}: {len(shown)} of {content['played']} episodes, {failed} of them failures")
    if args.open and not webbrowser.open(target.resolve().as_uri()):
        say(f"there is no browser to open {target} with")
    return 0


def watch(args: argparse.Namespace, parts: Parts, subject: Subject) -> dict[str, Any]:
    """What stands on the page: an evaluation, and some of its episodes step by step."""
    answers = subject.folder / ANSWERS
    environments, seeds = parts.test_environments()
    actor, _, draws = actors.acting(subject, parts, answers, args.deterministic)
    device = torch.device(subject.config.device)
    evaluation, played = Evaluation(), list[tuple[Rollout, int]]()
    for wave, rollout in play_waves(environments, actor, seeds, draws, device):
        evaluation.add(wave, rollout)
        played += [(rollout, number) for number in range(len(wave))]
    actors.check_answered(subject, evaluation)
    if not all(map(isfinite, evaluation.returns)):
        raise UserError(
            f"{subject.folder / str(subject.model)} has diverged: what it does are no numbers any "
            "more, and there is nothing to show"
        )
    # Who explains asks nobody.
    narrator = parts.teacher(answers, asks=False)
    environment = parts.domain.single_environments(1, render=True)
    kind, names = distribution_of(parts.acting_network()), parts.domain.action_names
    chosen = choose(evaluation.success, args.episodes)
    replays = [
        replay(environment, seeds[i], *played[i], narrator, kind, names, device) for i in chosen
    ]
    option = subject.config.train_option
    held = parts.choices.names if parts.choices and subject.student else ()
    return {
        "task": subject.config.task.name + (f" ({option})" if option else ""),
        "run": str(subject.folder) if subject.student else None,
        "model": subject.model,
        "iteration": subject.iteration,
        "k": weight_of_teacher(subject) if subject.student else None,
        "hard": subject.config.hard,
        "deterministic": args.deterministic,
        "played": len(seeds),
        "summary": {
            name: [mean, *(end if isfinite(end) else None for end in interval)]
            for name, (mean, interval) in evaluation.summary().items()
        },
        "actions": names,
        "episodes": [
            as_episode(each, evaluation, i, held) for each, i in zip(replays, chosen, strict=True)
        ],
    }


def choose(success: list[bool], count: int) -> list[int]:
    """At most `count` of some episodes: first failures, of which there are no more than half if
    there are enough successes, then these."""
    failed = [i for i, good in enumerate(success) if not good]
    solved = [i for i, good in enumerate(success) if good]
    failures = max(min(len(failed), (count + 1) // 2), count - len(solved))
    return failed[:failures] + solved[: count - failures]


def weight_of_teacher(subject: Subject) -> dict[str, Any] | None:
    """The last k of the run up to its model, and of which iteration; None if that is not known."""
    found = None
    with suppress(OSError, ValueError, TypeError):
        for said in read_lines(subject.folder / METRICS):
            k, iteration = said.get("Train/Kickstarting Coef"), said["iteration"]
            of_model = subject.iteration is None or iteration <= subject.iteration
            if of_model and k is not None and isfinite(k):
                found = {"value": k, "iteration": iteration}
    return found


def as_episode(
    replay: Replay, evaluation: Evaluation, i: int, options: tuple[str, ...]
) -> dict[str, Any]:
    """The i-th episode that was played, as plain values: each step says only what it changes.
    `options` name those that an actor holds, if it does."""
    first, drawings = replay.drawings[0], replay.drawings
    outcome = "timed out" if evaluation.timed_out[i] else "failed"
    sheets = {name: as_sheet([each.pictures[name] for each in drawings]) for name in first.pictures}
    return {
        "seed": replay.seed,
        "success": evaluation.success[i],
        "outcome": "success" if evaluation.success[i] else outcome,
        "return": round(evaluation.returns[i], DIGITS),
        "length": evaluation.lengths[i],
        "kind": first.kind,
        "place": first.place,
        "sheets": sheets,
        "steps": list(changes(moments(replay, options))),
    }


def moments(replay: Replay, options: tuple[str, ...]) -> Iterator[dict[str, Any]]:
    """All that is shown of each moment, the last of which has no step any more."""
    steps, total = replay.rollout.steps, 0.0
    said = values(steps)
    for step, (drawing, moment) in enumerate(zip(replay.drawings, replay.told, strict=False)):
        reward = float(replay.rollout.reward[step])
        total += reward
        yield {
            **drawing.now,
            "scene": moment.scene,
            "plans": [[p, options] for p, options, _ in moment.plans],
            "under_way": [number for *_, number in moment.plans],
            "advised": moment.advised,
            "followed": moment.followed,
            "bars": {who: rounded(shares) for who, shares in moment.bars.items()},
            "action": rounded(steps["action"][step].tolist()),
            "held": options[int(steps["held"][step])] if options else None,
            "value": None if said is None else rounded(float(said[step])),
            "reward": rounded(reward),
            "return": rounded(total),
        }
    nothing = dict.fromkeys(
        (
            *("scene", "plans", "under_way", "advised", "followed", "bars"),
            *("action", "held", "value", "reward"),
        )
    )
    yield {**replay.drawings[-1].now, **nothing, "return": rounded(total)}


def rounded(numbers: Any) -> Any:
    """One number, or a list of them, with the digits that are shown; None for what is none."""
    if isinstance(numbers, list):
        return [rounded(number) for number in numbers]
    return round(numbers, DIGITS) if isfinite(numbers) else None


def changes(moments: Iterator[Mapping[str, Any]]) -> Iterator[dict[str, Any]]:
    """Of each only what is not as it was before."""
    before: Mapping[str, Any] = {}
    for moment in moments:
        yield {k: v for k, v in moment.items() if k not in before or before[k] != v}
        before = moment


def as_page(content: Mapping[str, Any]) -> str:
    """The template with its data, in which no text, whoever wrote it, can end the script."""
    data = json.dumps(content, separators=(",", ":"), allow_nan=False)
    for sign in "<>&":
        data = data.replace(sign, f"\\u{ord(sign):04x}")
    return TEMPLATE.read_text(encoding="utf-8").replace(DATA, data)
