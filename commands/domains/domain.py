"""The parts that tasks of one kind share."""

from typing import Any, Protocol

import torch

from commands.settings.config import Config
from env.spec import Spec
from env.vector import RestingEnv
from planner.plans import Plan, Planner
from teacher.choices import Choices
from teacher.teacher import PlanTeacher


class Domain(Protocol):
    """Makes environments, teachers and options of tasks of one kind.

    config: the settings of the run
    action_names, spec: the actions, and the environment as a student sees it
    nouns: the things that a planner may name
    hidden: the observations that only the teacher gets
    long_episodes: whether episodes can have so many steps that evaluations must be limited
    """

    config: Config
    action_names: tuple[str, ...]
    nouns: tuple[str, ...]
    hidden: tuple[str, ...] = ("privileged",)
    long_episodes: bool = False
    spec: Spec

    def environments(self, count: int, device: torch.device, **changes: Any) -> RestingEnv:
        """`count` environments to train in, the fastest there are; fewer if they are costly.
        `changes` replace arguments of tensor environments, such as their size."""

    def unseen(self, count: int, device: torch.device) -> RestingEnv:
        """The same of layouts that no training sees, for the verdict."""

    def single_environments(self, count: int, render: bool = False) -> RestingEnv:
        """`count` environments on the CPU to evaluate in; films can be made of them with
        `render`."""

    def teacher(self, planner: Planner) -> PlanTeacher:
        """A teacher that carries out a planner's plans with the task's options."""

    def legal_plans(self, scene: str) -> tuple[Plan, ...]:
        """The legal plans of a scene that `teacher` asks a planner about."""

    def choices(self) -> Choices:
        """The task's options, for a student that chooses among them."""
