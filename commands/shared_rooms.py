"""How many rooms of the reported evaluation also occur elsewhere: a table, one line a task.

`python -m commands.shared_rooms TASK …` draws 1,000 rooms of the reported evaluation and counts
those that are equal to a room of another range of seeds. Two rooms are equal if all cells, the
agent's start and the mission are; two homes if all furniture, the object and the start are.
"""

import argparse
from collections.abc import Callable
from typing import Any

import gymnasium as gym
import torch
from torch import Tensor

import env  # noqa: F401  (registers the tasks)
from algos.evaluator import MOST_TRIALS
from commands.experiments.table import FIRST_REPORTED_SEED
from commands.reports.output import bar
from commands.settings.groups import MOST
from env.nav_pick.homes import draw_homes
from env.worlds import make_world
from planner.task import Task, load_task
from utils import seeding
from utils.terminal import say

REPORTED, TRAINING, WHILE_TRAINING = 1000, 10_000, 50
TASKS = ("SimpleDoorKey", "LavaDoorKey", "ColoredDoorKey", "TwoDoor", "NavPick")
TRAIN, EVALUATE, TRY, JUDGE = "training", "evaluations while training", "trial", "verdict"
Draw = Callable[[Tensor, str], list[bytes]]
"""What draws the environments of seeds (N,) for one of these uses, each as bytes."""
COLUMNS = ("task", "different", TRAIN, EVALUATE, TRY, JUDGE)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("tasks", nargs="*", default=TASKS, metavar="TASK")
    say(bar(COLUMNS))
    say(bar(["---"] * len(COLUMNS)))
    for name in parser.parse_args().tasks:
        task = load_task(name)
        say(bar([task.name, *map(str, counts(drawer(task)))]))


def counts(draw: Draw) -> list[int]:
    """The different rooms among the reported ones, and how many of them occur in other ranges."""
    reported = set(draw(numbered(FIRST_REPORTED_SEED, REPORTED), EVALUATE))
    ranges = [
        (seeding.training_seeds(0, 0, 0, TRAINING), TRAIN),
        (numbered(0, WHILE_TRAINING), EVALUATE),
        (numbered(seeding.FIRST_TRIAL_SEED, MOST_TRIALS), TRY),
        (numbered(seeding.FIRST_VERDICT_SEED, MOST_TRIALS), JUDGE),
    ]
    return [len(reported), *(len(reported & set(draw(*each))) for each in ranges)]


def numbered(first: int, count: int) -> Tensor:
    return torch.tensor(seeding.numbered(first, count))


def drawer(task: Task) -> Draw:
    if task.domain.kind == "nav_pick":
        return draw_all_homes
    return world_drawer(task) if task.domain.kind == "world" else room_drawer(task)


def room_drawer(task: Task) -> Draw:
    """Evaluations take MiniGrid's rooms; training, trial and verdict take tensors."""

    def draw(seeds: Tensor, use: str) -> list[bytes]:
        as_tensors = use != EVALUATE
        count = len(seeds) if as_tensors else 1
        rooms: Any = gym.make_vec(task.env_id, count, vectorization_mode="vector_entry_point")
        if as_tensors:
            rooms.reset(seed=seeds.tolist())
            return rows(rooms.whole())
        single, found = gym.make(task.env_id), list[bytes]()
        for seed in seeds.tolist():
            single.reset(seed=seed)
            rooms.load([single])
            found += rows(rooms.whole())
        return found

    return draw


def world_drawer(task: Task) -> Draw:
    world = make_world(task.env_id)

    def draw(seeds: Tensor, use: str) -> list[bytes]:
        found = []
        for seed in seeds.tolist():
            world.reset(seed=seed)
            inner = world.inner
            agent = (*map(int, inner.agent_pos), int(inner.agent_dir), inner.mission)
            found.append(inner.grid.encode().tobytes() + repr(agent).encode())
        return found

    return draw


def draw_all_homes(seeds: Tensor, use: str) -> list[bytes]:
    """A run trains in ten layouts, and is evaluated in others."""
    layouts = {"layouts": 10} if use == TRAIN else {"layouts": 0, "first_layout": MOST}
    parts = [part.flatten(1) for part in draw_homes(seeds, **layouts).values()]
    return rows(torch.cat(parts, 1))


def rows(tensor: Tensor) -> list[bytes]:
    return [row.tobytes() for row in tensor.numpy()]


if __name__ == "__main__":
    main()
