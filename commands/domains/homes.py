"""The parts of tasks in homes."""

from collections.abc import Mapping
from contextlib import ExitStack
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Any, cast

import gymnasium as gym
import torch

import env  # noqa: F401  (registers the tasks)
from algos.saved_files import CONFIG
from algos.student import describe_shapes, read_student
from algos.vision import resnet18_trunk
from commands.domains.domain import Domain
from commands.domains.networks import make_encoder
from commands.run_files import SKILLS, option_file
from commands.runs import read_config
from commands.settings.config import PROCESSES, Config
from commands.settings.groups import MOST
from env.nav_pick.habitat_version import START_ADVICE
from env.nav_pick.rewards import Rewards
from env.nav_pick.robot_state import ACTIONS, action_names
from env.nav_pick.tensor_homes import NavPickHomes
from env.process_envs import ProcessEnvs
from env.spec import Spec
from env.vector import RestingEnv
from planner.home_scene import THING, HomeReader
from planner.legal_plans import home_plans
from planner.plans import Option, Plan, Planner
from planner.task import CONFIGS
from teacher.choices import Choices
from teacher.home_options import LIMITS, RULES, VERBS, HomeOptions, Policy, Scripted
from teacher.learned_options import LearnedOption, SkillOption
from teacher.skill_network import WIDTH
from teacher.teacher import PlanTeacher
from utils.errors import UserError

MODULES = {
    "habitat": "env.nav_pick.habitat_homes",
    "habitat-rearrange": "env.nav_pick.rearrange",
}
"""Simulator -> the module that makes its homes. No other module imports the simulator."""
UNSEEN: Mapping[str, Mapping[str, Any]] = {
    **{name: {"layouts": 0, "first_layout": MOST} for name in ("tensor", "habitat")},
    "habitat-rearrange": {"unseen": True},
}
"""Simulator -> changes of its settings for homes that no run trains in."""
REARRANGEMENT = CONFIGS / "habitat" / "nav_pick.yaml"
"""The default configuration of habitat-lab."""


class NavPickDomain(Domain):
    """Homes, as tensors or in a simulator, and a teacher with two options.

    The environments are closed with `owned`.
    """

    nouns = (THING,)

    def __init__(self, config: Config, owned: ExitStack) -> None:
        self.config = config
        self.owned = owned
        self._simulated: dict[int, RestingEnv] = {}
        assert config.task.domain.kind == "nav_pick"
        self.task = config.task.domain
        self.habitat_config = config.habitat_config or str(REARRANGEMENT)
        self.spec = self._describe()
        self.actions = gym.spaces.flatdim(self.spec.action)
        self.action_names = action_names(self.actions)

    def _describe(self) -> Spec:
        sizes = self.config.depth_size, self.task.max_steps
        if self.config.simulator == "habitat-rearrange":
            described: Spec = maker(self.config.simulator, "describe")(self.habitat_config, *sizes)
            return described
        return NavPickHomes.describe(*sizes)

    def environments(self, count: int, device: torch.device, **changes: Any) -> RestingEnv:
        settings = self._settings() | changes
        if self.config.simulator == "tensor":
            homes = self._tensors(count, device, settings)
        else:
            make = partial(maker(self.config.simulator), **settings)
            homes = ProcessEnvs(make, count, START_ADVICE)
        self.owned.callback(homes.close)
        return homes

    def _tensors(self, count: int, device: torch.device, settings: dict[str, Any]) -> RestingEnv:
        env_id, mode = self.config.task.env_id, "vector_entry_point"
        try:
            homes = gym.make_vec(env_id, count, vectorization_mode=mode, device=device, **settings)
        except (gym.error.Error, ImportError) as error:
            reason = " ".join(str(error).split())
            raise UserError(f"cannot make the environment {env_id}: {reason}") from error
        return cast(RestingEnv, homes)

    def _settings(self) -> dict[str, Any]:
        config, task = self.config, self.task
        homes: dict[str, Any] = {"layouts": config.layouts}
        if config.simulator == "habitat-rearrange":
            homes = {"habitat_config": self.habitat_config}
        return homes | {
            "depth_size": config.depth_size,
            "max_steps": task.max_steps,
            "max_collisions": config.max_contacts or task.max_collisions,
            "rewards": Rewards(**{str(k): v for k, v in task.rewards.items()}),
            "sparse": config.reward == "sparse",
            "subtask": config.train_option,
        }

    def unseen(self, count: int, device: torch.device) -> RestingEnv:
        changes = UNSEEN[self.config.simulator]
        if self.config.simulator == "tensor":
            return self.environments(count, device, **changes)
        # Each home is a process: it starts in seconds and takes some hundred megabytes.
        count = min(count, PROCESSES)
        if count not in self._simulated:
            self._simulated[count] = self.environments(count, device, **changes)
        return self._simulated[count]

    def single_environments(self, count: int, render: bool = False) -> RestingEnv:
        # Films can always be made of them.
        return self.unseen(count, torch.device("cpu"))

    def teacher(self, planner: Planner) -> PlanTeacher:
        return PlanTeacher(planner, HomeReader(), self._options(), self.config.hard)

    def legal_plans(self, scene: str) -> tuple[Plan, ...]:
        return home_plans(scene)

    def choices(self) -> Choices:
        every = [Option(verb, THING) for verb in VERBS]
        return Choices(every, HomeReader(), self._options())

    def _options(self) -> HomeOptions:
        policies: Mapping[str, Policy]
        if folder := self.config.option_dir:
            policies = {name: self._learned(name, Path(folder)) for name in RULES}
        elif self.actions != len(ACTIONS):
            raise UserError(
                f"{self.habitat_config} moves the arm joint by joint; rules cannot do that: "
                "give --options learned"
            )
        else:
            noise = {"navigate": self.config.navigate_noise, "pick": self.config.pick_noise}
            policies = {name: Scripted(rule, noise[name]) for name, rule in RULES.items()}
        return HomeOptions(policies, self.actions)

    def _learned(self, name: str, folder: Path) -> Policy:
        path = option_file(folder, name)
        if path.name == SKILLS[name]:
            return self._skill(name, path)
        if not path.exists():
            raise UserError(
                f"there is no {path}; --option_dir needs the runs {' and '.join(RULES)}; train "
                f"this one with: python main.py train --task {self.config.task.name} "
                f"--train_option {name}"
            )
        if read_config(folder / name / CONFIG).train_option != name:
            raise UserError(f"{path} was not trained with --train_option {name}")
        student, *_ = read_student(path, torch.device(self.config.device), make_encoder)
        spaces = self.spec.observation.spaces
        shapes = {name: space.shape or () for name, space in spaces.items()}
        if not student.spec.obs.items() <= shapes.items():
            raise UserError(
                f"{path} has learned to see {describe_shapes(student.spec.obs)}; "
                f"this task shows {describe_shapes(shapes)}"
            )
        student.requires_grad_(False).eval()
        # What sees a home moves a robot: its policy is a Gaussian.
        return LearnedOption(student, LIMITS[name])

    def _skill(self, name: str, path: Path) -> SkillOption:
        if self.actions == len(ACTIONS):
            raise UserError(
                f"{path} moves an arm joint by joint: it needs --simulator habitat-rearrange and a "
                "--habitat_config such as configs/habitat/joints.yaml"
            )
        trunk, device = resnet18_trunk(1, WIDTH), torch.device(self.config.device)
        # All actions but forward, turn and grip move a joint.
        return SkillOption(name, path, trunk, self.config.depth_size, self.actions - 3, device)


def maker(simulator: str, part: str = "make_home") -> Any:
    """A function of a simulator's module; the default one makes a home from the settings of
    `NavPickHomes`. UserError if the simulator cannot be loaded."""
    try:
        return getattr(import_module(MODULES[simulator]), part)
    # A library of the system that is missing, such as libEGL, is an OSError.
    except (ImportError, OSError) as error:
        reason = " ".join(str(error).split())
        raise UserError(
            f"--simulator {simulator}: {reason}; see docs/habitat.md: it needs habitat-sim "
            "(by conda or by pip install git+https://github.com/facebookresearch/habitat-sim) and "
            "habitat-lab; --simulator tensor needs neither"
        ) from error
