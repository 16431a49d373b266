"""`main.py record`: writes what an LLM answers about a task's scenes to a file of plans."""

import argparse
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from math import ceil
from pathlib import Path

import torch

from algos.play import Uniform, play
from algos.protocols import Actor
from commands.answer_sources import check_instructions, describe_source
from commands.build import MOST_TESTED, Parts
from commands.settings.config import make_config
from commands.settings.resolve import check_llm_flags, fresh_settings, given_settings
from planner.plans import Answer, Planner, describe, plan_shares
from planner.recorded_plans import load_plans, write_plans
from planner.wordings import QUESTIONS
from utils import seeding
from utils.errors import UserError
from utils.terminal import counted, say, table
from utils.timing import Stopwatch

MOST_STEPS = 40_000
"""Episodes side by side have at most so many steps together, which must fit into memory."""
NO_ADVICE = "no advice"
"""The plan of a scene without an answer, in a table."""


@dataclass
class SceneCollector(Planner):
    """A planner that keeps the scenes it was asked about, and another planner's answers to them."""

    planner: Planner
    collected: dict[str, Answer | None] = field(default_factory=dict)

    def answers(self, scenes: Sequence[str]) -> list[Answer | None]:
        answers = self.planner.answers(scenes)
        self.collected |= zip(scenes, answers, strict=True)
        return answers


def run(args: argparse.Namespace) -> int:
    if args.show:
        show_plans(str(args.show), load_plans(args.show))
        return 0
    given = given_settings(args)
    settings = fresh_settings(given)
    if settings["llm"]:
        check_llm_flags(given, settings)
    config = make_config(settings | {"seed": args.seed}, "settings")
    out = args.out or args.logdir / "plans" / f"{config.task.name.lower()}.yaml"
    if config.asks_llm or args.dry_run:
        check_instructions(config.task)
    if args.dry_run:
        config = config.model_copy(update={"llm": None})
    elif out.exists() and not args.overwrite:
        raise UserError(f"{out} exists; give another --out, or --overwrite")
    # Strict: half a file of plans is of no use. And a file holds what the teacher means.
    meant = {"wrong_plans": 0.0, "uniform_share": 0.0}
    config = config.model_copy(update={"llm_strict": True, **meant})
    stored = Path(config.answers or out.with_suffix(".answers.jsonl"))
    with ExitStack() as owned:
        parts = Parts(config, owned)
        source = parts.planner(stored)
        planner = SceneCollector(source)
        try:
            find_scenes(parts, planner, args.episodes)
        except KeyboardInterrupt:
            say("stopped; all replies are kept, and the same command continues from there")
            raise
    if args.dry_run:
        show_prompts(parts, [*planner.collected])
        return 0
    plans = {scene: plan_shares(answer) for scene, answer in planner.collected.items()}
    show_plans(config.task.name, plans)
    advised = {text: answer for text, answer in plans.items() if answer}
    if not advised:
        raise UserError(
            f"no scene has a plan of {describe_source(config)}: {source.problem()}; "
            f"delete {stored} to ask anew"
        )
    if without := len(plans) - len(advised):
        say(f"{without} of {counted(len(plans), 'scene')} without advice: the teacher waits there")
    title = f"{config.task.name}: {describe_source(config)}"
    write_plans(out, title, advised)
    if not config.asks_llm:
        say(f"wrote {out}; {title}")
        return 0
    counts = ", ".join(
        f"{name.lower()} {round(count, 1):g}" for name, count in source.counts().items()
    )
    say(f"wrote {out}; {counts}")
    if not source.counts()["Requests"]:
        say(f"nothing was asked: all replies were stored already; delete {stored} to ask anew")
    return 0


def find_scenes(parts: Parts, planner: Planner, episodes: int) -> None:
    """Ask a planner about the scenes of episodes with random actions and of the teacher's own."""
    if episodes < 1:
        raise UserError(f"--episodes: {episodes} is too few; give at least 1")
    most = max(MOST_STEPS // parts.domain.spec.max_steps, 1)
    environments = parts.domain.single_environments(min(episodes, most, MOST_TESTED))
    seed, count = parts.config.seed, environments.num_envs
    network, teacher = parts.network(), parts.domain.teacher(planner)
    actors: tuple[Actor, ...] = Uniform(network.actions, network.continuous), teacher
    for actor in actors:
        for batch in range(ceil(episodes / count)):
            draws = seeding.generator(seed, seeding.ACTIONS, batch)
            seeds = seeding.training_seeds(seed, batch, 0, count)
            rollout = play(environments, actor, torch.device("cpu"), seeds, draws, Stopwatch())
            teacher.advise(rollout.obs, rollout.starts, draws)


def show_prompts(parts: Parts, scenes: Sequence[str]) -> None:
    """Print the prompts about scenes, with their legal plans if an LLM chooses among these."""
    config, title = parts.config, counted(len(scenes), "scene")
    say(f"the system prompt:\n\n{config.task.instructions}")
    if config.llm_mode == "sample":
        table(title, ["user prompt"], [[scene] for scene in scenes])
        return
    if config.llm_mode == "score":
        endings = ", ".join(f'"{question.strip()}"' for question in QUESTIONS)
        say(f"the example is a first turn, too; each scene is asked with the endings {endings}\n")
    rows = [
        [scene if number == 0 else "", describe(plan)]
        for scene in scenes
        for number, plan in enumerate(parts.domain.legal_plans(scene))
    ]
    table(title, ["user prompt", "legal plan"], rows, 2)


def show_plans(title: str, plans: Mapping[str, Mapping[str, float]]) -> None:
    """Print a table of plans. A scene stands in its first row only."""
    rows = [
        [scene if number == 0 else "", plan, f"{share:.2f}" if share else ""]
        for scene, answer in plans.items()
        for number, (plan, share) in enumerate((answer or {NO_ADVICE: 0.0}).items())
    ]
    table(f"{title}: {counted(len(plans), 'scene')}", ["scene", "plan", "probability"], rows, 2)
