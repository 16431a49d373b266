"""Makes the parts of a run and hands them to each other: the one place that knows all of them."""

from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import fields, replace
from functools import cached_property, partial
from pathlib import Path
from typing import Any, Protocol

import gymnasium as gym
import torch

from algos.cuda_rollout import Wave
from algos.evaluator import VERDICT_SEEDS, Evaluation, Evaluator
from algos.hierarchical import Hierarchical, fold
from algos.play import play
from algos.ppo import PPO, PPOSettings
from algos.protocols import Actor, Play
from algos.schedule import AdaptiveSchedule, LinearSchedule, MatchedSchedule, Schedule
from algos.student import (
    AVAILABLE,
    Deterministic,
    NetworkSpec,
    Student,
    distribution_of,
    load_student,
)
from algos.trainer import Report, Trainer, TrainerSettings
from commands.domains import homes as nav_pick
from commands.domains import rooms as minigrid
from commands.domains.networks import make_encoder
from commands.observers.log import GIF_FRAMES, RunLog, TrainingDisplay
from commands.planners import make_planner
from commands.settings.config import Config
from commands.viewer.film import film_of
from commands.viewer.replay import Played, Viewer
from env.spec import Spec
from env.vector import RestingEnv
from planner.plans import Planner
from teacher.choices import Choices
from teacher.teacher import PlanTeacher
from utils import seeding
from utils.errors import UserError
from utils.ranks import Ranks
from utils.run_files import ANSWERS
from utils.terminal import say
from utils.timing import Stopwatch


class Domain(Protocol):
    """The parts that tasks of one kind share."""

    action_names: tuple[str, ...]
    spec: Spec

    @property
    def nouns(self) -> tuple[str, ...]:
        """The things that a planner may name."""

    def environments(self, count: int, device: torch.device, **changes: Any) -> RestingEnv:
        """So many to train in, or as many at once as is sensible, the fastest there are."""

    def unseen(self, count: int, device: torch.device) -> RestingEnv:
        """As many to judge in, of what no training sees."""

    def single_environments(self, count: int, render: bool = False) -> RestingEnv:
        """To evaluate in, of which pictures can be taken if asked."""

    def teacher(self, planner: Planner, options: Path | None) -> PlanTeacher:
        """`options` is the folder of learned ones."""

    def choices(self, options: Path | None) -> Choices:
        """The task's options, for a student that chooses among them."""


MOST_TESTED = 100
PRIVILEGED = "privileged"
"""What an environment tells under this name is for a teacher alone."""
DOMAINS: dict[str, Callable[[Config, ExitStack], Domain]] = {
    "minigrid": minigrid.MiniGridDomain,
    "nav_pick": nav_pick.NavPickDomain,
}


class Parts:
    """What a run is made of, from its settings. What parts hold, such as environments, is closed
    with `owned`."""

    def __init__(self, config: Config, owned: ExitStack) -> None:
        self.config = config
        self.owned = owned
        self.domain: Domain = DOMAINS[config.task.domain.kind](config, owned)

    def planner(self, answers: Path, asks: bool = True) -> Planner:
        return make_planner(self.config, self.domain.nouns, answers, self.owned, asks)

    def teacher(self, answers: Path, asks: bool = True) -> PlanTeacher:
        """The teacher, which keeps an LLM's replies in a file of answers; one that does not ask, as
        films want it, has just those that are there."""
        return self.domain.teacher(self.planner(answers, asks), self.option_folder)

    @property
    def option_folder(self) -> Path | None:
        return Path(self.config.option_dir) if self.config.option_dir else None

    @cached_property
    def choices(self) -> Choices | None:
        """What a hierarchical student chooses among."""
        return self.domain.choices(self.option_folder) if self.config.hierarchical else None

    def test_environments(self) -> tuple[RestingEnv, list[int]]:
        """Environments to evaluate in, as many at once as is sensible, and the seeds of all
        episodes."""
        seeds = seeding.evaluation_seeds(self.config.env_seed_list, self.config.num_eval)
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
        """The network of a student that says what to do itself."""
        action, spaces = self.domain.spec.action, self.domain.spec.observation.spaces
        return NetworkSpec(
            obs={name: tuple(spaces[name].shape or ()) for name in spaces if name != PRIVILEGED},
            actions=gym.spaces.flatdim(action),
            continuous=isinstance(action, gym.spaces.Box),
            recurrent=self.config.recurrent,
            network=self.config.network,
        )

    def student(self) -> Student:
        """A student that has learned nothing; the run's seed fixes its weights."""
        spec = self.network()
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(self.config.seed)
            return Student(spec, make_encoder(spec), bf16=self.config.precision == "bf16")

    def actor(self, student: Student, deterministic: bool = False) -> Actor:
        """How a student acts: by the actions that it draws, or by its likeliest ones; or, if it
        chooses options, by those."""
        actor: Actor = Deterministic(student) if deterministic else student
        return Hierarchical(actor, self.choices) if self.choices else actor

    def warm_start(self, student: Student) -> None:
        """Give a new student the weights that the run is to start from, if it names any."""
        if path := self.config.warm_start:
            source, *_ = load_student(Path(path), torch.device(self.config.device), make_encoder)
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
        """Of a rank, which has its share of the environments."""
        config, device = self.config, ranks.place(self.config.device)
        student = self.student().to(device)
        count = config.num_envs or config.traj_per_itr
        environments = self.domain.environments(len(ranks.share(count)), device, **changes)
        numbers = {field.name: getattr(config, field.name) for field in fields(PPOSettings)}
        return Trainer(
            TrainerSettings(
                task=config.task.name,
                seed=config.seed,
                n_itr=config.n_itr,
                traj_per_itr=config.traj_per_itr,
                environments=count,
                eval_interval=config.eval_interval,
                save_interval=config.save_interval,
            ),
            folder,
            student,
            self._player(environments, student, device),
            PPO(student, PPOSettings(**numbers), ranks),
            teacher,
            self.schedule(),
            device,
            ranks,
            partial(fold, gamma=config.gamma) if self.choices else None,
        )

    def _player(self, environments: RestingEnv, student: Student, device: torch.device) -> Play:
        # Which options have ended must be looked at: no CUDA graph can hold that.
        if environments.capturable and device.type == "cuda" and not self.choices:
            return Wave(environments, student, device).play
        return partial(play, environments, self.actor(student), device)

    def evaluator(self, device: torch.device) -> Evaluator:
        others = self.domain.unseen(len(VERDICT_SEEDS), device)
        return Evaluator(*self.test_environments(), others, self.config.seed, device)

    def viewer(self, teacher: PlanTeacher) -> Viewer:
        """What shows episodes that were played; `teacher` explains their steps."""
        return Viewer(
            environment=self.domain.single_environments(1, render=True),
            teacher=teacher,
            distribution=distribution_of(self.acting_network()),
            action_names=self.domain.action_names,
            option_names=self.choices.names if self.choices else (),
            device=torch.device(self.config.device),
        )

    def report(
        self,
        trainer: Trainer,
        teacher: PlanTeacher,
        evaluator: Evaluator,
        log: RunLog,
        display: TrainingDisplay,
    ) -> Report:
        viewer = self.viewer(self.teacher(trainer.folder / ANSWERS, asks=False))
        student, device = self.actor(trainer.student), trainer.device
        deterministic = self.actor(trainer.student, deterministic=True)

        def film(iteration: int) -> None:
            draws = seeding.generator(self.config.seed, seeding.VIDEO, iteration, device=device)
            first = evaluator.seeds[0]
            played = play(viewer.environment, student, device, [first], draws, Stopwatch())
            log.film("Episode", film_of(viewer, Played(first, played, 0), GIF_FRAMES), iteration)

        def try_teacher() -> tuple[Evaluation, float]:
            display.tell(f"trying the teacher alone in {len(VERDICT_SEEDS)} episodes")
            outcome = evaluator.judge(teacher, draws_on=torch.device("cpu"))
            _, count, success, total, *_ = outcome.row("")
            missed = outcome.unanswered_steps
            also = f"; {missed} steps unanswered" if missed else ""
            say(f"teacher alone in {count} episodes: success {success}, return {total}{also}")
            # What an LLM reaches where it did not answer is not known: it may be anything.
            unknown = self.config.llm and missed
            return outcome, 1.0 if unknown else outcome.summary()["success"][1][0]

        evaluate = partial(evaluator.evaluate, student, deterministic)
        return Report(log, try_teacher, evaluate, display.show, display.tell, film)


def check_network(student: Student, wanted: NetworkSpec, source: object) -> None:
    """UserError if a student of some source has another network than is wanted."""
    if student.spec != wanted:
        raise UserError(
            f"{source} holds another network ({student.spec.describe()}) "
            f"than is asked for ({wanted.describe()})"
        )
