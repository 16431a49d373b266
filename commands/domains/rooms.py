"""The parts of tasks in MiniGrid's rooms."""

from contextlib import ExitStack
from functools import partial
from typing import Any, cast

import gymnasium as gym
import torch
from gymnasium.envs.registration import EnvSpec, load_env_creator

import env  # noqa: F401  (registers the tasks)
from commands.domains.domain import Domain
from commands.settings.config import Config
from env.episode import Episode, room
from env.frame_stack import FrameStack
from env.ids import find_spec
from env.spec import Spec
from env.symbols import ACTIONS, COLORS
from env.vector import RestingEnv, SerialEnvs
from planner.anonymous_colors import AnonymousColors
from planner.legal_plans import room_plans
from planner.plans import Plan, Planner
from planner.room_scene import RoomReader
from teacher.choices import Choices
from teacher.room_options import RoomOptions, options_of
from teacher.teacher import PlanTeacher
from utils.errors import UserError


class MiniGridDomain(Domain):
    """Rooms, as tensors or one by one, and a teacher that reads their maps.

    The environments are closed with `owned`.
    """

    action_names = ACTIONS

    def __init__(self, config: Config, owned: ExitStack) -> None:
        """UserError if the environment does not exist, or is no room."""
        self.config = config
        self.owned = owned
        assert config.task.domain.kind == "minigrid"
        self.task = config.task.domain
        self.reader = RoomReader(self.task.names)
        colors = AnonymousColors.ALIASES if self.task.anonymous_colors else COLORS
        self.kinds = self.reader.named_kinds(colors)
        self.nouns = self.reader.nouns(colors)
        self.sees_everything = config.teacher_sees == "everything"
        self.given: dict[str, Any] = {"privileged": True} if self.sees_everything else {}
        self.tensors = self._registered_tensors()
        self.plain = self._describe()
        if self.given and "privileged" not in self.plain.observation.spaces:
            raise UserError(f"--teacher_sees everything: {config.task.env_id} does not show it")
        self.spec = self.plain.stacked(config.frame_stack)

    def environments(self, count: int, device: torch.device, **changes: Any) -> RestingEnv:
        if self.config.rooms == "gym" or not self.tensors:
            return self.single_environments(count)
        rooms = gym.make_vec(
            self.tensors.id,
            count,
            vectorization_mode="vector_entry_point",
            device=device,
            **self.given,
            **changes,
        )
        return self._kept(cast(RestingEnv, rooms))

    def unseen(self, count: int, device: torch.device) -> RestingEnv:
        # Other seeds draw other rooms.
        return self.environments(count, device)

    def single_environments(self, count: int, render: bool = False) -> RestingEnv:
        return self._kept(SerialEnvs(partial(self._room, render), count))

    def teacher(self, planner: Planner) -> PlanTeacher:
        if self.task.anonymous_colors:
            planner = AnonymousColors(planner)
        options = self._options()
        return PlanTeacher(planner, self.reader, options, self.config.hard, self.sees_everything)

    def legal_plans(self, scene: str) -> tuple[Plan, ...]:
        return room_plans(scene, self.kinds)

    def choices(self) -> Choices:
        return Choices(options_of(self.reader.kind), self.reader, self._options())

    def _options(self) -> RoomOptions:
        return RoomOptions(self.reader.number, self.plain.view_size)

    def _describe(self) -> Spec:
        if self.tensors:
            rooms: Any = _made_by(self.tensors)
            try:
                return cast(Spec, rooms.describe(**self.tensors.kwargs, **self.given))
            except TypeError as error:
                raise self._cannot_be_made(error) from error
        episode = self._room()
        episode.close()
        return episode.described

    def _registered_tensors(self) -> EnvSpec | None:
        """The registration of the task's tensor rooms, if it has them."""
        found = find_spec(self.config.task.env_id)
        return found if hasattr(_made_by(found), "describe") else None

    def _room(self, render: bool = False) -> Episode:
        env_id, mode = self.config.task.env_id, "rgb_array" if render else None
        make = partial(gym.make, env_id, render_mode=mode, disable_env_checker=True, **self.given)
        try:
            return room(make)
        except (gym.error.Error, ImportError, TypeError) as error:
            raise self._cannot_be_made(error) from error

    def _cannot_be_made(self, error: Exception) -> UserError:
        reason = " ".join(str(error).split())
        if self.given and "privileged" in reason:
            reason += "; --teacher_sees everything needs a room that can be made with it"
        return UserError(f"cannot make the environment {self.config.task.env_id}: {reason}")

    def _kept(self, rooms: RestingEnv) -> RestingEnv:
        if self.config.frame_stack > 1:
            rooms = FrameStack(rooms, self.config.frame_stack)
        self.owned.callback(rooms.close)
        return rooms


def _made_by(registered: EnvSpec) -> Any:
    """The function or class that makes an environment's vector, or None."""
    maker = registered.vector_entry_point
    return load_env_creator(maker) if isinstance(maker, str) else maker
