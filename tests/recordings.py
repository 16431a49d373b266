"""Recordings of the original system, 24 episodes a task, and the tasks that they are of."""

from functools import cache
from pathlib import Path

import numpy as np

from planner.anonymous_colors import AnonymousColors
from planner.plans import Answer, Planner
from planner.recorded_plans import RecordedPlanner
from planner.room_scene import RoomReader
from planner.task import Task, load_task
from teacher.room_options import RoomOptions
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


def recorded_planner(name: str) -> RecordedPlanner:
    """The recorded planner of a task, without its colours where they have no names."""
    spec = task(name)
    reader, aliases = RoomReader(spec.domain.names), AnonymousColors.ALIASES
    nouns = reader.nouns(aliases) if spec.domain.anonymous_colors else reader.nouns()
    return RecordedPlanner(spec.plans, nouns)


def make_teacher(name: str, hard: bool = False) -> PlanTeacher:
    """The recorded teacher of a task."""
    spec = task(name)
    planner: Planner = recorded_planner(name)
    if spec.domain.anonymous_colors:
        planner = AnonymousColors(planner)
    reader = RoomReader(spec.domain.names)
    return PlanTeacher(planner, reader, RoomOptions(reader.number, view_size=3), hard)


def recorded_answers(teacher: PlanTeacher) -> dict[str, Answer]:
    """A recorded teacher's answers, to be changed."""
    planner = teacher.planner
    inner = planner.planner if isinstance(planner, AnonymousColors) else planner
    assert isinstance(inner, RecordedPlanner)
    return inner.recorded
