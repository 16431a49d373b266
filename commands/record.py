"""`main.py record`: the scenes of a task, and what an LLM answers about them."""

import argparse
from collections.abc import Mapping
from contextlib import ExitStack
from math import ceil
from pathlib import Path

import torch

from algos.play import Uniform, play
from algos.protocols import Actor
from commands.build import MOST_TESTED, Parts
from commands.planners import check_instructions
from commands.settings.config import make_config
from commands.settings.resolve import fresh_settings, given_settings
from planner.plans import Planner, as_plans
from planner.record import NotingPlanner, rows, write_plans
from planner.task import load_plans
from utils import seeding
from utils.errors import UserError
from utils.terminal import say, table
from utils.timing import Stopwatch


def run(args: argparse.Namespace) -> int:
    if args.show:
        show_plans(str(args.show), load_plans(args.show))
        return 0
    config = make_config(fresh_settings(given_settings(args)) | {"seed": args.seed}, "settings")
    out = args.out or args.logdir / "plans" / f"{config.task.name.lower()}.yaml"
    if not config.llm and not args.dry_run:
        raise UserError("record asks an LLM: say which with --llm, or look first with --dry_run")
    check_instructions(config.task)
    if args.dry_run:
        config = config.model_copy(update={"llm": None})
    elif out.exists() and not args.overwrite:
        raise UserError(f"{out} is there already; give another --out, or --overwrite")
    # Half a file of plans would help nobody.
    config = config.model_copy(update={"llm_strict": True})
    stored = Path(config.answers or out.with_suffix(".answers.jsonl"))
    with ExitStack() as owned:
        parts = Parts(config, owned)
        planner = NotingPlanner(parts.planner(stored))
        try:
            find_scenes(parts, planner, args.episodes)
        except KeyboardInterrupt:
            say("stopped; what was answered is kept, and the same command goes on from there")
            raise
    if args.dry_run:
        say(f"the system prompt:\n\n{config.task.instructions}")
        table(f"{len(planner.noted)} scenes", ["user prompt"], [[scene] for scene in planner.noted])
        return 0
    plans = {scene: as_plans(answer) for scene, answer in planner.noted.items()}
    show_plans(config.task.name, plans)
    advised = {text: answer for text, answer in plans.items() if answer}
    if not advised:
        raise UserError(
            f"no reply of {config.llm} holds a plan: see {stored}, and delete it to ask anew"
        )
    write_plans(out, f"What {config.llm} answered about {config.task.name}", advised)
    counts = ", ".join(
        f"{name.lower()} {round(count, 1):g}" for name, count in planner.counts().items()
    )
    say(f"wrote {out}; {counts}")
    if not planner.counts()["Requests"]:
        say(f"nothing was asked: all replies were there already; delete {stored} to ask anew")
    return 0


def find_scenes(parts: Parts, planner: Planner, episodes: int) -> None:
    """Have a planner answer in the scenes that random actions and the teacher's own lead to."""
    if episodes < 1:
        raise UserError(f"--episodes: {episodes} episodes hold no scene")
    environments = parts.domain.single_environments(min(episodes, MOST_TESTED))
    seed, count = parts.config.seed, environments.num_envs
    network, teacher = parts.network(), parts.domain.teacher(planner, None)
    actors: tuple[Actor, ...] = Uniform(network.actions, network.continuous), teacher
    for actor in actors:
        for wave in range(ceil(episodes / count)):
            draws = seeding.generator(seed, seeding.ACTIONS, wave)
            seeds = seeding.training_seeds(seed, wave, 0, count)
            rollout = play(environments, actor, torch.device("cpu"), seeds, draws, Stopwatch())
            teacher.advise(rollout.obs, rollout.starts, draws)


def show_plans(title: str, plans: Mapping[str, Mapping[str, float]]) -> None:
    table(f"{title}: {len(plans)} scenes", ["scene", "plan", "probability"], rows(plans), 2)
