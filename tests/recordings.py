"""Recordings of the original system, 24 episodes a task, and the tasks that they are of."""

from functools import cache
from pathlib import Path

import numpy as np

from utils.config import Task, load_task

DATA = Path(__file__).parent / "data"
TASKS = ("SimpleDoorKey", "LavaDoorKey", "ColoredDoorKey", "TwoDoor")


@cache
def recording(name: str) -> dict[str, np.ndarray]:
    with np.load(DATA / f"{name.lower()}.npz") as file:
        return dict(file)


@cache
def task(name: str) -> Task:
    return load_task(name)
