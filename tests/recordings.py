"""Recordings of the original system, 24 episodes a task, and the tasks that they are of."""

from functools import cache
from pathlib import Path

import numpy as np

from commands.build import make_recorded_planner
from planner.plans import AnonymousColors, Answer, Planner, RecordedPlanner
from planner.scene import SceneReader
from planner.task import Task, load_task
from teacher.teacher import PlanTeacher

DATA = Path(__file__).parent / "data"
TASKS = ("SimpleDoorKey", "LavaDoorKey", "ColoredDoorKey", "TwoDoor")


@cache
def recording(name: str) -> dict[str, np.ndarray]:
    with np.load(DATA / f"{name.lower()}.npz") as file:
        return dict(file)


@cache
def task(name: str) -> Task:
    return load_task(name)


def make_teacher(name: str, hard: bool = False) -> PlanTeacher:
    """The recorded teacher of a task."""
    spec = task(name)
    planner: Planner = make_recorded_planner(spec)
    if spec.domain.anonymous_colors:
        planner = AnonymousColors(planner)
    return PlanTeacher(planner, SceneReader(spec.domain.names), view_size=3, hard=hard)


def recorded_answers(teacher: PlanTeacher) -> dict[str, Answer]:
    """A recorded teacher's answers, to be changed."""
    planner = teacher.planner
    inner = planner.planner if isinstance(planner, AnonymousColors) else planner
    assert isinstance(inner, RecordedPlanner)
    return inner.recorded
