"""Speeds, measured: medians over repeats on the machine at hand."""

import statistics
import time
from collections.abc import Callable

import gymnasium as gym
import numpy as np
import torch

from algos.rollout import play
from algos.trainer import Trainer
from utils import seeding
from utils.timing import Stopwatch

REPEATS = 7
ENVIRONMENT_STEPS = 2000
ITERATION_STEPS = 1500


def median_seconds(work: Callable[[], object]) -> float:
    """The median time of a call, after one that warms up."""
    work()
    seconds = []
    for _ in range(REPEATS):
        start = time.perf_counter()
        work()
        seconds.append(time.perf_counter() - start)
    return statistics.median(seconds)


def row(what: str, steps: int, seconds: float) -> list[str]:
    return [what, str(steps), f"{seconds:.3f}", f"{steps / seconds:,.0f}"]


def environment(task: str, room: gym.Env) -> list[str]:
    """A single environment under random actions, resets included."""
    actions = np.random.default_rng(0)
    moves = actions.integers(room.action_space.n, size=ENVIRONMENT_STEPS).tolist()  # type: ignore[attr-defined]

    def walk() -> None:
        room.reset(seed=0)
        for move in moves:
            _, _, terminated, truncated, _ = room.step(move)
            if terminated or truncated:
                room.reset()

    return row(f"{task}: environment", ENVIRONMENT_STEPS, median_seconds(walk))


def labels(task: str, trainer: Trainer) -> list[str]:
    """The teacher on a whole rollout of a student that has learned nothing yet."""
    rooms = seeding.training_rooms(0, 0, 0, trainer.rooms.num_envs)
    draws = seeding.generator(0, seeding.ACTIONS, device=trainer.device)
    watch = Stopwatch(trainer.device)
    rollout = play(trainer.rooms, trainer.student, rooms, draws, trainer.device, watch)

    def label() -> None:
        with watch("teacher"):
            trainer.teacher.label(rollout.obs, rollout.starts, torch.Generator())

    return row(f"{task}: labels", len(rollout), median_seconds(label))


def iterations(task: str, make_trainer: Callable[[], Trainer]) -> list[list[str]]:
    """The first iteration of a run and its phases, as if it had 10 episodes of 150 steps."""
    costs: dict[str, list[float]] = {}
    for _ in range(REPEATS):
        for name, speed in make_trainer().iterate().items():
            if name.startswith("Speed/"):
                costs.setdefault(name.removeprefix("Speed/").lower(), []).append(1 / speed)
    return [
        row(f"{task}: iteration, {phase}", ITERATION_STEPS, ITERATION_STEPS * statistics.median(c))
        for phase, c in costs.items()
    ]
