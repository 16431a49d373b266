"""`main.py watch`: write a page that shows episodes step by step."""

import argparse
import webbrowser
from contextlib import ExitStack

from commands.build import Parts
from commands.run_files import ANSWERS
from commands.subject import (
    find_subjects,
    try_subject,
    viewer_of,
)
from commands.viewer.watch_page import PAGE, as_page, choose, page_content
from utils.errors import UserError
from utils.files import write_text
from utils.terminal import counted, say

PLAYED = 100
"""How many episodes are played if no flag says it."""


def run(args: argparse.Namespace) -> int:
    if args.episodes < 1:
        raise UserError(f"--episodes: {args.episodes} cannot be shown")
    args.num_eval = getattr(args, "num_eval", PLAYED)
    subject, *more = find_subjects(args, args.run or args.loaddir)
    folder = subject.folder
    if more:
        raise UserError(
            f"a page shows one run: name {folder}, or another, or a seed of them with --seed_list"
        )
    answers, target = folder / ANSWERS, args.out or folder / PAGE
    with ExitStack() as owned:
        parts = Parts(subject.config, owned)
        trial = try_subject(subject, parts, answers, args.deterministic)
        viewer = viewer_of(trial, parts, answers)
        shown = [
            viewer.replay(trial.episodes[number], viewer.environment.drawing)
            for number in choose(trial.evaluation.success, args.episodes)
        ]
    content = page_content(subject, trial.evaluation, shown, viewer.action_names)
    write_text(target, as_page(content | {"deterministic": args.deterministic}))
    failed = sum(not replay.success for replay in shown)
    played = len(trial.episodes)
    say(f"wrote {target}: {len(shown)} of {counted(played, 'episode')}, {failed} of them failed")
    if args.open and not webbrowser.open(target.resolve().as_uri()):
        say(f"there is no browser to open {target} with")
    return 0
