"""The written teacher in MiniGrid's and BabyAI's environments: a table, one line for each id.

`python -m commands.worlds_table --out worlds.csv` measures all ids, each by a process of its own.
If it is interrupted, the same command goes on: it skips ids that have a line in the file. Ids as
arguments measure only those.
"""

import argparse
import csv
import re
import signal
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any, NamedTuple

import torch
from minigrid.envs.babyai.core.roomgrid_level import RoomGridLevel
from minigrid.utils.baby_ai_bot import BabyAIBot

from algos.evaluator import evaluate
from commands.record import SceneCollector
from env.episode import Episode
from env.ids import world_ids
from env.vector import SerialEnvs
from env.worlds import World, make_world
from planner.plans import Planner
from planner.rules import RulesPlanner
from planner.world_scene import WorldReader
from teacher.teacher import PlanTeacher
from teacher.world_options import WorldOptions
from utils.statistics import share_of

COLUMNS = (
    *("id", "episodes", "success", "low", "high", "steps", "scenes", "steps_per_second"),
    *("bot_success", "bot_steps", "remark"),
)
EPISODES, BOT_EPISODES = 100, 25
SECONDS, BOT_SECONDS = 1200.0, 120.0
"""An id that takes longer is given up. The bot stops after so many seconds."""
SIDE_BY_SIDE = 100
REMARKS = {
    r"OpenDoorsOrder.*Debug": "BabyAI's strict verifier fails every mission with two doors",
    r"GoToImpUnlock|BabyAI-Unlock-": "the key may lie in the locked room",
    r"ObstructedMaze-(2Dlhb|1Q|2Q|Full)-v0": "a ball may have replaced the box with the key",
    r"MiniBossLevel|SynthS5R2": "a room may be so full that nothing can be put aside",
    r"-(BossLevel|SynthSeq)-": "a thing that was moved is not known by its first place any more",
    r"PickupDistDebug": "the object may be walled in, and moving another one ends the episode",
}
"""Patterns of ids -> why some of their episodes cannot be won."""


class Outcome(NamedTuple):
    success: bool
    steps: int


def teacher_episodes(env_id: str, episodes: int, planner: Planner) -> list[Outcome]:
    """Episodes of the written teacher from the seeds 0, 1, …."""
    reader = WorldReader()
    teacher = PlanTeacher(planner, reader, WorldOptions(reader.number))
    worlds = SerialEnvs(lambda: Episode(make_world(env_id)), min(SIDE_BY_SIDE, episodes))
    draws, seeds = torch.Generator().manual_seed(0), list(range(episodes))
    played = evaluate(worlds, teacher, seeds, draws, torch.device("cpu"))
    return list(map(Outcome, played.success, played.lengths))


def bot_episodes(env_id: str, episodes: int) -> list[Outcome]:
    """Episodes of MiniGrid's bot for BabyAI, which knows the whole environment, from the seeds 0,
    1, …; those that end within `BOT_SECONDS`. It is a failure if the bot gives up."""
    world, played = make_world(env_id), list[Outcome]()
    with at_most(BOT_SECONDS):
        for seed in range(episodes):
            world.reset(seed=seed)
            played.append(bot_episode(world))
    return played


@contextmanager
def at_most(seconds: float) -> Iterator[None]:
    """Leave the block after so many seconds. The bot may search without end in one step."""

    def stop(*_: object) -> None:
        raise TimeoutError

    before = signal.signal(signal.SIGALRM, stop)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    except TimeoutError:
        pass
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def bot_episode(world: World) -> Outcome:
    success, over = False, False
    action: Any = None
    try:
        bot = BabyAIBot(world)
        while not over:
            action = bot.replan(action)
            _, _, terminated, truncated, info = world.step(action)
            success, over = info["success"], terminated or truncated
    except TimeoutError:
        raise
    except Exception:
        # The bot raises errors of many kinds where it cannot go on.
        success = False
    return Outcome(success, world.inner.step_count)


def measure(env_id: str, episodes: int) -> dict[str, Any]:
    """One line of the table."""
    torch.set_num_threads(1)
    planner, begun = SceneCollector(RulesPlanner()), time.monotonic()
    played = teacher_episodes(env_id, episodes, planner)
    seconds = time.monotonic() - begun
    row = {"id": env_id, "episodes": episodes, **summary(played)}
    row["scenes"] = len(planner.collected)
    row["steps_per_second"] = round(sum(each.steps for each in played) / seconds)
    is_level = isinstance(make_world(env_id).inner, RoomGridLevel)
    if is_level and (by_bot := bot_episodes(env_id, BOT_EPISODES)):
        bot = summary(by_bot)
        row |= {"bot_success": bot["success"], "bot_steps": bot.get("steps", "")}
    row["remark"] = next((why for ids, why in REMARKS.items() if re.search(ids, env_id)), "")
    return row


def summary(outcomes: list[Outcome]) -> dict[str, float]:
    """Success with its 95% interval, and the mean length of successful episodes."""
    succeeded = [each.steps for each in outcomes if each.success]
    share = share_of(len(succeeded), len(outcomes))
    numbers = {"success": share.value, "low": share.low, "high": share.high}
    steps = {"steps": round(statistics.mean(succeeded), 1)} if succeeded else {}
    return {name: round(number, 3) for name, number in numbers.items()} | steps


def measured_apart(env_id: str, episodes: int) -> dict[str, Any]:
    """The line of an id from a process of its own, or a line that says what went wrong."""
    command = [sys.executable, "-m", "commands.worlds_table", "--here", env_id]
    try:
        done = subprocess.run(
            [*command, "--episodes", str(episodes)],
            capture_output=True,
            text=True,
            timeout=SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return {"id": env_id, "remark": f"gave up after {SECONDS:.0f} s"}
    if done.returncode:
        lines = done.stderr.strip().splitlines() or [f"exit status {done.returncode}"]
        return {"id": env_id, "remark": lines[-1]}
    (row,) = csv.DictReader(done.stdout.splitlines(), COLUMNS)
    return row


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m commands.worlds_table", description=__doc__)
    parser.add_argument("ids", nargs="*", help="ids to measure; default: all that can be used")
    parser.add_argument("--episodes", type=int, default=EPISODES, help="episodes of each id")
    parser.add_argument("--out", type=Path, help="the table's file; default: print it")
    parser.add_argument("--here", action="store_true", help="no header, and no process of its own")
    args = parser.parse_args(arguments)
    known = args.out.read_text().splitlines() if args.out and args.out.exists() else []
    has_line = {row["id"] for row in csv.DictReader(known)}
    with args.out.open("a") if args.out else nullcontext(sys.stdout) as file:
        table = csv.DictWriter(file, COLUMNS, lineterminator="\n")
        if not args.here and not known:
            table.writeheader()
        for env_id in args.ids or world_ids():
            if env_id not in has_line:
                table.writerow((measure if args.here else measured_apart)(env_id, args.episodes))
                file.flush()
    return 0


if __name__ == "__main__":
    sys.exit(main())
