"""Makes the parts of a run and hands them to each other: the one place that knows all of them."""

import os
from dataclasses import fields
from functools import partial
from pathlib import Path
from typing import Any, cast

import gymnasium as gym
import torch

import env  # noqa: F401  (registers the tasks)
from algos.evaluator import VERDICT_SEEDS, Evaluation, Evaluator
from algos.film import film_episode
from algos.ppo import PPO, PPOSettings
from algos.rollout import Environments, play
from algos.schedule import AdaptiveSchedule, LinearSchedule, MatchedSchedule, Schedule
from algos.student import NetworkSpec, Student, load_student
from algos.trainer import Play, Report, Trainer, TrainerSettings
from algos.wave import Wave
from commands.config import Config
from env.egocentric import EgocentricView
from env.symbols import ACTIONS
from env.tensor_rooms import DoorKeyRooms
from env.vector import Rooms
from planner.answers import AnswerStore
from planner.asking import AskingPlanner
from planner.llm import ChatClient
from planner.patience import Patience
from planner.plans import AnonymousColors, Planner, RecordedPlanner
from planner.scene import SceneReader
from planner.servers import KEY_VARIABLE, LLM, SERVERS
from planner.task import Task
from planner.together import Asker
from teacher.teacher import PlanTeacher
from utils import seeding
from utils.errors import UserError
from utils.log import GIF_FRAMES, RunLog, TrainingDisplay, say, waiting
from utils.ranks import Ranks
from utils.run_files import ANSWERS

MAX_ROOMS = 100


def make_rooms(config: Config, count: int, render: bool = False) -> Rooms:
    env_id, mode = config.task.env_id, "rgb_array" if render else None
    make = partial(gym.make, env_id, render_mode=mode, disable_env_checker=True)
    try:
        return Rooms(make, count, config.frame_stack)
    except (gym.error.Error, ImportError, TypeError) as error:
        reason = " ".join(str(error).split())
        raise UserError(f"cannot make the environment {env_id}: {reason}") from error


def make_training_rooms(
    config: Config, ranks: Ranks, device: torch.device, **changes: Any
) -> Environments:
    """This rank's share of the rooms."""
    count = len(ranks.share(config.num_envs or config.traj_per_itr))
    return make_fast_rooms(config, count, device, **changes)


def make_fast_rooms(
    config: Config, count: int, device: torch.device, **changes: Any
) -> Environments:
    """Tensor rooms on a device where the task has them, which alone `changes` can make of another
    size or length; else at most `MAX_ROOMS` others."""
    spec = gym.registry.get(config.task.env_id.split(":")[-1])
    if config.rooms == "gym" or spec is None or spec.vector_entry_point is None:
        return make_rooms(config, count)
    rooms = gym.make_vec(
        spec.id,
        count,
        vectorization_mode="vector_entry_point",
        frame_stack=config.frame_stack,
        device=device,
        **changes,
    )
    return cast(Environments, rooms)


def make_test_rooms(config: Config) -> tuple[Rooms, list[int]]:
    """Rooms to evaluate in, as many at once as is sensible, and the seeds of all episodes."""
    seeds = seeding.evaluation_rooms(config.env_seed_list, config.num_eval)
    return make_rooms(config, min(len(seeds), MAX_ROOMS)), seeds


def make_planner(config: Config, answers: Path, asks: bool = True) -> Planner:
    """The planner that the settings ask for; an LLM's replies are kept in `answers` if they name
    no other place. One that does not ask has just those that are there."""
    recorded = make_recorded_planner(config.task)
    if not config.llm:
        return recorded
    return make_asking_planner(config, config.llm, Path(config.answers or answers), asks)


def nouns_of(task: Task) -> tuple[str, ...]:
    """The things that a planner may name."""
    reader = SceneReader(task.domain.names)
    return reader.nouns(AnonymousColors.ALIASES) if task.domain.anonymous_colors else reader.nouns()


def make_recorded_planner(task: Task) -> RecordedPlanner:
    return RecordedPlanner(task.plans, nouns_of(task))


def check_instructions(task: Task) -> None:
    """UserError if a task does not say what an LLM is to be told."""
    if not task.instructions:
        raise UserError(
            f"the task {task.name} has no instructions for an LLM in its file; "
            "give it a goal (and an example), or instructions"
        )


def make_asking_planner(
    config: Config, llm: LLM, answers: Path, asks: bool = True
) -> AskingPlanner:
    check_instructions(config.task)
    server = SERVERS[llm]
    key = os.environ.get(KEY_VARIABLE)
    if key and not (key.isascii() and key.isprintable()):
        raise UserError(f"{KEY_VARIABLE} in the environment holds characters that no key has")
    client = ChatClient(
        config.llm_url or server.url,
        config.llm_model or server.model,
        config.llm_temperature,
        key,
        server.max_tokens,
        config.llm_workers,
    )
    return AskingPlanner(
        asker=Asker(client, Patience(config.llm_workers, strict=config.llm_strict)),
        store=AnswerStore(answers, say if asks else lambda _: None),
        task=config.task.name,
        instructions=config.task.instructions,
        nouns=nouns_of(config.task),
        n=config.n_ask,
        retries=config.llm_retries,
        strict=config.llm_strict,
        optional=config.llm_optional,
        tell=say,
        progress=waiting,
        asks=asks,
    )


def make_teacher(config: Config, planner: Planner, view_size: int) -> PlanTeacher:
    if config.task.domain.anonymous_colors:
        planner = AnonymousColors(planner)
    return PlanTeacher(planner, SceneReader(config.task.domain.names), view_size, config.hard)


def make_narrator(config: Config, answers: Path, rooms: Rooms) -> PlanTeacher:
    """A teacher for films, which show what is known and ask nobody."""
    return make_teacher(config, make_planner(config, answers, asks=False), rooms.view_size)


def make_student(config: Config, rooms: Rooms) -> Student:
    """A student that has learned nothing; the run's seed fixes its weights."""
    spec = network_spec(config, rooms)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(config.seed)
        return Student(spec, make_view(spec), bf16=config.precision == "bf16")


def network_spec(config: Config, rooms: Rooms) -> NetworkSpec:
    return NetworkSpec(*rooms.map_shape, rooms.num_actions, config.recurrent, config.network)


def make_view(spec: NetworkSpec) -> EgocentricView | None:
    """How a network sees the maps; the paper's sees them as they are."""
    if spec.network == "egocentric":
        return EgocentricView((spec.width, spec.height, spec.channels))
    return None


def warm_start(student: Student, config: Config) -> None:
    """Give a new student the weights that the run is to start from, if it names any."""
    if config.warm_start:
        source, *_ = load_student(Path(config.warm_start), torch.device(config.device), make_view)
        check_network(source, student.spec, config.warm_start)
        student.load(source.state_dict(), config.warm_start)


def check_network(student: Student, wanted: NetworkSpec, source: object) -> None:
    if student.spec != wanted:
        raise UserError(
            f"{source} holds another network ({student.spec.describe()}) "
            f"than is asked for ({wanted.describe()})"
        )


def make_schedule(config: Config) -> Schedule:
    if config.schedule == "adaptive":
        return AdaptiveSchedule(config.kl_start, config.kl_min, config.kl_until)
    if config.schedule == "matched":
        return MatchedSchedule(config.kl_start, config.kl_until)
    return LinearSchedule(config.kl_start, config.kl_step, config.kl_min, config.kl_until)


def make_trainer(
    config: Config, folder: Path, teacher: PlanTeacher, ranks: Ranks, **changes: int
) -> Trainer:
    settings = PPOSettings(
        **{field.name: getattr(config, field.name) for field in fields(PPOSettings)}
    )
    device = ranks.place(config.device)
    student = make_student(config, make_rooms(config, 1)).to(device)
    rooms = make_training_rooms(config, ranks, device, **changes)
    player = make_player(rooms, student, device)
    ppo = PPO(student, settings, ranks)
    numbers = TrainerSettings(
        config.task.name,
        config.seed,
        config.n_itr,
        config.traj_per_itr,
        config.num_envs or config.traj_per_itr,
        config.eval_interval,
        config.save_interval,
    )
    return Trainer(numbers, folder, player, ppo, teacher, make_schedule(config), device)


def make_player(rooms: Environments, student: Student, device: torch.device) -> Play:
    if isinstance(rooms, DoorKeyRooms) and device.type == "cuda":
        return Wave(rooms, student, device).play
    return partial(play, rooms, student, device)


def make_report(
    config: Config,
    trainer: Trainer,
    teacher: PlanTeacher,
    evaluator: Evaluator,
    log: RunLog,
    display: TrainingDisplay,
) -> Report:
    studio = make_rooms(config, 1, render=True)
    student, device = trainer.student, trainer.device
    narrator = make_narrator(config, trainer.folder / ANSWERS, studio)

    def film(iteration: int) -> None:
        draws = seeding.generator(config.seed, seeding.VIDEO, iteration, device=device)
        room = evaluator.seeds[0]
        frames = film_episode(studio, student, narrator, ACTIONS, room, draws, device, GIF_FRAMES)
        log.film("Episode", frames, iteration)

    def try_teacher() -> tuple[Evaluation, float]:
        outcome = evaluator.judge(teacher, draws_on=torch.device("cpu"))
        _, count, success, total, *_ = outcome.row("")
        missed = (
            f"; {outcome.unanswered_steps} steps unanswered" if outcome.unanswered_steps else ""
        )
        say(f"teacher alone in {count} rooms: success {success}, return {total}{missed}")
        # What an LLM reaches where it did not answer is not known: it may be anything.
        unknown = config.llm and outcome.unanswered_steps
        return outcome, 1.0 if unknown else outcome.summary()["success"][1][0]

    evaluate = partial(evaluator.evaluate, student)
    return Report(log, try_teacher, evaluate, display.show, display.tell, film)


def make_evaluator(config: Config, device: torch.device) -> Evaluator:
    others = make_fast_rooms(config, len(VERDICT_SEEDS), device)
    return Evaluator(*make_test_rooms(config), others, config.seed, device)
