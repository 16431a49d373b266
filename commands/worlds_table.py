"""The written teacher in MiniGrid's and BabyAI's environments: a table, one line for each id.

`python -m commands.worlds_table > docs/results/worlds.csv` measures all ids, which takes hours.
Ids as arguments measure only those. Each id is measured by a process of its own.
"""

import argparse
import csv
import re
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from minigrid.envs.babyai.core.roomgrid_level import RoomGridLevel
from minigrid.utils.baby_ai_bot import BabyAIBot

from env.ids import world_ids
from env.worlds import World, make_world
from planner.plans import Answer
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
"""An id that takes longer is given up; the bot stops after so many seconds."""
SIDE_BY_SIDE = 100
REMARKS = {
    r"OpenDoorsOrder.*Debug": "BabyAI's strict verifier fails every mission with two doors",
    r"GoToImpUnlock|BabyAI-Unlock-": "the key may lie in the locked room",
    r"ObstructedMaze-(2Dlhb|1Q|2Q|Full)-v0": "a ball may have replaced the box with the key",
    r"PickupDistDebug": "the object may be walled in, and moving another one ends the episode",
}
"""Patterns of ids -> why some of their episodes cannot be won."""


class Episode(NamedTuple):
    seed: int
    success: bool
    steps: int


class WatchedRules(RulesPlanner):
    """Rules that remember all scenes that they answered."""

    def __init__(self) -> None:
        self.scenes: set[str] = set()

    def answers(self, scenes: Sequence[str]) -> list[Answer | None]:
        self.scenes.update(scenes)
        return super().answers(scenes)


def teacher_episodes(env_id: str, seeds: Sequence[int], planner: RulesPlanner) -> Iterator[Episode]:
    """Plays one episode for each seed."""
    reader = WorldReader()
    teacher = PlanTeacher(planner, reader, WorldOptions(reader.number))
    generator = torch.Generator().manual_seed(0)
    waiting = list(reversed(seeds))
    worlds = [make_world(env_id) for _ in range(min(SIDE_BY_SIDE, len(seeds)))]
    playing: dict[int, tuple[int, int]] = {}
    """Number of the world -> seed and steps of its episode."""
    observations: dict[int, dict[str, np.ndarray]] = {}

    def begin(number: int) -> None:
        if waiting:
            playing[number] = (waiting.pop(), 0)
            observations[number], _ = worlds[number].reset(seed=playing[number][0])

    for number in range(len(worlds)):
        begin(number)
    while playing:
        seen = [observations[number] for number in playing]
        batch = {
            name: torch.from_numpy(np.stack([each[name] for each in seen])) for name in seen[0]
        }
        state = teacher.initial_state(len(playing), torch.device("cpu"))
        actions, _ = teacher.act(batch, state, generator)
        for number, action in zip(list(playing), actions["mode"].tolist(), strict=True):
            seed, steps = playing[number]
            outcome = worlds[number].step(action)
            observations[number], _, terminated, truncated, info = outcome
            playing[number] = (seed, steps + 1)
            if terminated or truncated:
                del playing[number]
                yield Episode(seed, info["success"], steps + 1)
                begin(number)


def bot_episodes(env_id: str, seeds: Sequence[int]) -> Iterator[Episode]:
    """MiniGrid's bot for BabyAI, which knows the whole environment, for `BOT_SECONDS` at most. An
    episode in which it gives up is a failure."""
    world, end = make_world(env_id), time.monotonic() + BOT_SECONDS
    for seed in seeds:
        world.reset(seed=seed)
        episode = bot_episode(world, seed, end)
        if time.monotonic() > end:
            return
        yield episode


def bot_episode(world: World, seed: int, end: float) -> Episode:
    """One episode, or its beginning up to the time `end`."""
    success, over = False, False
    action: Any = None
    try:
        bot = BabyAIBot(world)
        while not over and time.monotonic() < end:
            action = bot.replan(action)
            _, _, terminated, truncated, info = world.step(action)
            success, over = info["success"], terminated or truncated
    except Exception:
        # The bot raises errors of many kinds where it cannot go on.
        success = False
    return Episode(seed, success, world.inner.step_count)


def measure(env_id: str, episodes: int) -> dict[str, Any]:
    """One line of the table."""
    torch.set_num_threads(1)
    planner, begun = WatchedRules(), time.monotonic()
    played = list(teacher_episodes(env_id, range(episodes), planner))
    seconds = time.monotonic() - begun
    row = {"id": env_id, "episodes": episodes, **outcome(played)}
    row["scenes"] = len(planner.scenes)
    row["steps_per_second"] = round(sum(each.steps for each in played) / seconds)
    is_level = isinstance(make_world(env_id).inner, RoomGridLevel)
    if is_level and (by_bot := list(bot_episodes(env_id, range(BOT_EPISODES)))):
        bot = outcome(by_bot)
        row |= {"bot_success": bot["success"], "bot_steps": bot.get("steps", "")}
    row["remark"] = next((why for ids, why in REMARKS.items() if re.search(ids, env_id)), "")
    return row


def outcome(episodes: list[Episode]) -> dict[str, float]:
    """Success with its 95% interval, and the mean length of successful episodes."""
    succeeded = [each.steps for each in episodes if each.success]
    share, (low, high) = share_of(len(succeeded), len(episodes))
    numbers = {"success": share, "low": low, "high": high}
    steps = {"steps": round(float(np.mean(succeeded)), 1)} if succeeded else {}
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
    parser.add_argument("--here", action="store_true", help="no header, and no process of its own")
    args = parser.parse_args(arguments)
    table = csv.DictWriter(sys.stdout, COLUMNS, lineterminator="\n")
    if not args.here:
        table.writeheader()
    for env_id in args.ids or world_ids():
        row = (measure if args.here else measured_apart)(env_id, args.episodes)
        table.writerow(row)
        sys.stdout.flush()
    return 0


if __name__ == "__main__":
    sys.exit(main())
