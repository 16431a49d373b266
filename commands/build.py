"""Makes the parts of a run and hands them to each other; no other file knows all of them."""

from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import fields, replace
from functools import cached_property, partial
from math import inf
from pathlib import Path

import gymnasium as gym
import torch
from PIL import Image

from algos.cuda_rollout import CudaRollout
from algos.episodes import Episodes
from algos.evaluator import MOST_TRIALS, Evaluator, trial_episodes
from algos.hierarchical import Hierarchical, fold, let_go
from algos.play import play
from algos.ppo import PPO, PPOSettings
from algos.protocols import Actor, Collector, Play
from algos.rollout import Rollout
from algos.schedule import AdaptiveSchedule, LinearSchedule, MatchedSchedule, Schedule
from algos.segments import Segments
from algos.student import (
    AVAILABLE,
    Deterministic,
    NetworkSpec,
    Student,
    distribution_of,
    read_student,
)
from algos.trainer import Trainer, TrainerSettings
from commands.answer_sources import make_planner
from commands.domains.domain import Domain
from commands.domains.homes import NavPickDomain
from commands.domains.networks import make_encoder
from commands.domains.rooms import MiniGridDomain
from commands.domains.worlds import WorldDomain
from commands.observers.film import MOST_STEPS
from commands.run_files import ANSWERS
from commands.settings.config import QUICK_EPISODES, Config, knows_more
from commands.viewer.film import film_of
from commands.viewer.replay import Played, Viewer
from env.vector import RestingEnv
from planner.mixture import AUTO
from planner.plans import Planner
from teacher.choices import Choices
from teacher.teacher import PlanTeacher
from utils import devices, seeding
from utils.errors import UserError
from utils.ranks import Ranks
from utils.timing import Stopwatch

MOST_TESTED = 100
"""Environments side by side in an evaluation, at most."""
DOMAINS: dict[str, Callable[[Config, ExitStack], Domain]] = {
    "minigrid": MiniGridDomain,
    "nav_pick": NavPickDomain,
    "world": WorldDomain,
}
"""Kind of task -> what makes its environments, teachers and options."""


class Parts:
    """Makes the parts of a run from its settings. Closing `owned` closes what parts hold, such as
    environments."""

    def __init__(self, config: Config, owned: ExitStack) -> None:
        self.config = config
        self.owned = owned
        self.domain: Domain = DOMAINS[config.task.domain.kind](config, owned)

    def planner(self, answers: Path, asks: bool = True) -> Planner:
        return make_planner(self.config, self.domain, answers, self.owned, asks)

    def teacher(self, answers: Path, asks: bool = True) -> PlanTeacher:
        """The teacher; it keeps an LLM's replies in the file `answers`. Without `asks` it knows
        only the replies that are in the file: a film asks no LLM."""
        return self.domain.teacher(self.planner(answers, asks))

    @property
    def environment_count(self) -> int:
        """The number of training environments, of all ranks together."""
        return self.config.num_envs or self.config.traj_per_itr

    @cached_property
    def choices(self) -> Choices | None:
        """The options that a hierarchical student chooses among."""
        return self.domain.choices() if self.config.hierarchical else None

    def test_environments(self, most: int | None = None) -> tuple[RestingEnv, list[int]]:
        """Environments to evaluate in, at most 100 at once, and the seeds of all episodes, or of
        the first `most`."""
        seeds = seeding.evaluation_seeds(self.config.env_seed_list, self.config.num_eval)[:most]
        return self.domain.single_environments(min(len(seeds), MOST_TESTED)), seeds

    def network(self) -> NetworkSpec:
        """The network that the settings ask for."""
        spec = self.acting_network()
        if not self.choices:
            return spec
        count = len(self.choices.names)
        obs = {**spec.obs, AVAILABLE: (count,)}
        return replace(spec, obs=obs, actions=count, continuous=False)

    def acting_network(self) -> NetworkSpec:
        """The network of a student whose outputs are actions of the environment."""
        action, spaces = self.domain.spec.action, self.domain.spec.observation.spaces
        seen = [name for name in spaces if name not in self.domain.hidden]
        return NetworkSpec(
            obs={name: tuple(spaces[name].shape or ()) for name in seen},
            actions=gym.spaces.flatdim(action),
            continuous=isinstance(action, gym.spaces.Box),
            recurrent=self.config.recurrent,
            network=self.config.network,
        )

    def student(self) -> Student:
        """A new student; the run's seed fixes its weights."""
        spec = self.network()
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(self.config.seed)
            return Student(spec, make_encoder(spec), bf16=self.config.precision == "bf16")

    def actor(self, student: Student, deterministic: bool = False) -> Actor:
        """A student as an actor, with sampled or with its likeliest actions. A hierarchical one
        acts through its options."""
        actor: Actor = Deterministic(student) if deterministic else student
        return Hierarchical(actor, self.choices) if self.choices else actor

    def fold(self, rollout: Rollout) -> Rollout:
        """What a student learns from: a hierarchical one from its choices, others from steps."""
        return fold(rollout, self.config.gamma)

    def warm_start(self, student: Student) -> None:
        """Load the weights of the setting `warm_start`, if it is set."""
        if path := self.config.warm_start:
            source, *_ = read_student(Path(path), torch.device(self.config.device), make_encoder)
            check_network(source, student.spec, path)
            student.load(source.state_dict(), path)

    def schedule(self) -> Schedule:
        config = self.config
        if config.schedule == "adaptive":
            return AdaptiveSchedule(config.kl_start, config.kl_min, config.kl_until)
        if config.schedule == "matched":
            return MatchedSchedule(config.kl_start, config.kl_until)
        if config.schedule == "constant":
            return LinearSchedule(config.kl_start, 0.0, 0.0, config.n_itr)
        return LinearSchedule(config.kl_start, config.kl_step, config.kl_min, config.kl_until)

    def trainer(self, folder: Path, teacher: PlanTeacher, ranks: Ranks, **changes: int) -> Trainer:
        """A trainer for this rank's share of the environments; `changes` are passed to these."""
        config, device = self.config, ranks.place(self.config.device)
        student = self.student().to(device)
        own = ranks.share(self.environment_count)
        environments = self.domain.environments(len(own), device, **changes)
        numbers = {field.name: getattr(config, field.name) for field in fields(PPOSettings)}
        sees_more = knows_more(dict(config)) and config.kl_start > 0
        if not sees_more:
            # Advice, if any, follows from what the student sees, too: it can be imitated.
            numbers["advisor_alpha"] = 0.0
        doubts = numbers["advisor_alpha"] > 0 or config.uniform_share == AUTO
        learner = PPO(student, PPOSettings(**numbers), ranks)
        return Trainer(
            TrainerSettings(
                task=config.task.name,
                seed=config.seed,
                n_itr=config.n_itr,
                environments=self.environment_count,
                eval_interval=config.eval_interval,
                save_interval=config.save_interval,
                evaluation_share=config.evaluation_share if self.domain.long_episodes else inf,
                # A student without a memory sees less than either.
                tries_memory=sees_more and doubts and config.memory == "map",
            ),
            folder,
            student,
            self._collector(environments, student, learner.least_steps, device, ranks),
            learner,
            teacher,
            self.schedule(),
            device,
            ranks,
            self.fold,
        )

    def _collector(
        self,
        environments: RestingEnv,
        student: Student,
        least_steps: int,
        device: torch.device,
        ranks: Ranks,
    ) -> Collector:
        config, count = self.config, self.environment_count
        if config.rollout_steps:
            return Segments(
                environments=environments,
                actor=self.actor(student),
                fold=self.fold,
                cut=let_go,
                device=device,
                seed=config.seed,
                total=count,
                steps=config.rollout_steps,
                least_steps=least_steps,
                ranks=ranks,
            )
        return Episodes(
            play=self._play(environments, student, device),
            fold=self.fold,
            seed=config.seed,
            environments=count,
            least_episodes=config.traj_per_itr,
            least_steps=least_steps,
            ranks=ranks,
        )

    def _play(self, environments: RestingEnv, student: Student, device: torch.device) -> Play:
        actor = self.actor(student)
        if environments.capturable and devices.asynchronous(device):
            # The search for a path reads whether it has ended: a CUDA graph cannot hold that.
            return CudaRollout(environments, actor, device, recorded=not self.choices).play
        return partial(play, environments, actor, device)

    def evaluator(self, trainer: Trainer, teacher: PlanTeacher) -> Evaluator:
        """Evaluates the trainer's student and its teacher."""
        most = QUICK_EPISODES if self.config.quick else None
        environments, seeds = self.test_environments(most)
        trials = most or MOST_TRIALS
        if self.domain.long_episodes:
            trials = min(trials, trial_episodes(self.domain.spec.max_steps))
        return Evaluator(
            student=self.actor(trainer.student),
            deterministic=self.actor(trainer.student, deterministic=True),
            teacher=teacher,
            environments=environments,
            seeds=seeds,
            unseen=self.domain.unseen(trials, trainer.device),
            trials=trials,
            seed=self.config.seed,
            device=trainer.device,
            awaits_answers=teacher.planner.awaits_answers,
        )

    def viewer(self, teacher: PlanTeacher) -> Viewer:
        """Shows episodes that were played; `teacher` explains their steps."""
        return Viewer(
            environment=self.domain.single_environments(1, render=True),
            teacher=teacher,
            distribution=distribution_of(self.acting_network()),
            action_names=self.domain.action_names,
            option_names=self.choices.names if self.choices else (),
            device=torch.device(self.config.device),
        )

    def camera(self, trainer: Trainer, seed: int) -> Callable[[int], list[Image.Image]]:
        """Films the first steps of an episode of a trainer's student, after any iteration."""
        teacher = self.teacher(trainer.folder / ANSWERS, asks=False)
        viewer = self.viewer(teacher)
        student, device = self.actor(trainer.student), trainer.device

        def take(iteration: int) -> list[Image.Image]:
            trainer.doubt.apply(teacher)
            draws = seeding.generator(self.config.seed, seeding.VIDEO, iteration, device=device)
            place, watch = viewer.environment, Stopwatch()
            rollout = play(place, student, device, [seed], draws, watch, limit=MOST_STEPS)
            return film_of(viewer, Played(seed, rollout, 0))

        return take


def check_network(student: Student, wanted: NetworkSpec, source: object) -> None:
    """UserError if the student that `source` holds has another network than `wanted`."""
    if student.spec != wanted:
        raise UserError(
            f"{source} holds another network ({student.spec.describe()}) "
            f"than is asked for ({wanted.describe()})"
        )
