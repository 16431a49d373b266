"""The parts of MiniGrid and BabyAI tasks."""

from contextlib import ExitStack
from functools import partial
from typing import Any

import torch

from commands.domains.domain import Domain
from commands.settings.config import Config
from env.episode import Episode
from env.symbols import ACTIONS
from env.vector import RestingEnv, SerialEnvs
from env.worlds import make_world
from planner.legal_plans import world_plans
from planner.plans import Plan, Planner
from planner.world_scene import WorldReader
from teacher.choices import HostChoices
from teacher.teacher import PlanTeacher
from teacher.world_options import OPTIONS, WorldOptions

HIDDEN: dict[str, tuple[str, ...]] = {"map": (), "none": ("image", "done", "start")}
"""The setting `memory` -> observations that only the teacher gets."""


class WorldDomain(Domain):
    """Environments one by one, and a teacher that reads their remembered maps.

    The environments are closed with `owned`.
    """

    action_names = ACTIONS
    long_episodes = True

    def __init__(self, config: Config, owned: ExitStack) -> None:
        """UserError if the environment does not exist, or is none of MiniGrid's kind."""
        self.config = config
        self.owned = owned
        self.reader = WorldReader()
        self.nouns = self.reader.nouns()
        self.hidden = (*HIDDEN[config.memory], "privileged")
        self.sees_everything = config.teacher_sees == "everything"
        episode = self._episode()
        episode.close()
        self.spec = episode.described

    def environments(self, count: int, device: torch.device, **changes: Any) -> RestingEnv:
        return self.single_environments(count)

    def unseen(self, count: int, device: torch.device) -> RestingEnv:
        # Other seeds draw other missions and maps.
        return self.single_environments(count)

    def single_environments(self, count: int, render: bool = False) -> RestingEnv:
        environments = SerialEnvs(partial(self._episode, render), count)
        self.owned.callback(environments.close)
        return environments

    def teacher(self, planner: Planner) -> PlanTeacher:
        options = self._options()
        return PlanTeacher(planner, self.reader, options, self.config.hard, self.sees_everything)

    def legal_plans(self, scene: str) -> tuple[Plan, ...]:
        return world_plans(scene)

    def choices(self) -> HostChoices:
        # Some missions end with a wait, which is MiniGrid's action `done`.
        return HostChoices(OPTIONS, self.reader, self._options(), may_wait=True)

    def _options(self) -> WorldOptions:
        return WorldOptions(self.reader.number)

    def _episode(self, render: bool = False) -> Episode:
        config = self.config
        return Episode(make_world(config.task.env_id, config.memory, render, self.sees_everything))
