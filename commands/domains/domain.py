"""The parts that tasks of one kind share."""

from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Protocol

import torch

from commands.domains.homes import NavPickDomain
from commands.domains.rooms import MiniGridDomain
from commands.settings.config import Config
from env.spec import Spec
from env.vector import RestingEnv
from planner.plans import Planner
from teacher.choices import Choices
from teacher.teacher import PlanTeacher


class Domain(Protocol):
    """Makes environments, teachers and options of tasks of one kind."""

    action_names: tuple[str, ...]
    spec: Spec

    @property
    def nouns(self) -> tuple[str, ...]:
        """The things that a planner may name."""

    def environments(self, count: int, device: torch.device, **changes: Any) -> RestingEnv:
        """`count` environments to train in, the fastest there are; fewer if they are costly."""

    def unseen(self, count: int, device: torch.device) -> RestingEnv:
        """The same of layouts that no training sees, for the verdict."""

    def single_environments(self, count: int, render: bool = False) -> RestingEnv:
        """`count` environments to evaluate in; pictures can be taken of them with `render`."""

    def teacher(self, planner: Planner, options: Path | None) -> PlanTeacher:
        """A teacher; `options` is the folder of learned options, if it uses any."""

    def choices(self, options: Path | None) -> Choices:
        """The task's options, for a student that chooses among them."""


DOMAINS: dict[str, Callable[[Config, ExitStack], Domain]] = {
    "minigrid": MiniGridDomain,
    "nav_pick": NavPickDomain,
}
