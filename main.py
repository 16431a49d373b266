"""LLM4Teach: train a small student from reward and from an LLM's plans; see README.md.

python main.py train --task SimpleDoorKey
python main.py eval
python main.py record --llm vicuna
python main.py bench
"""

import signal

# Ctrl-C while PyTorch is loaded just ends the program; after that it is a KeyboardInterrupt again.
if __name__ == "__main__" and signal.getsignal(signal.SIGINT) is signal.default_int_handler:
    signal.signal(signal.SIGINT, signal.SIG_DFL)

import argparse
import json
import os
import shlex
import sys
import threading
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import fields
from functools import partial
from math import ceil
from pathlib import Path
from typing import Any, cast

# Before PyTorch starts its threads: they sleep while they wait, so that another busy process
# (a second run, an LLM) does not slow them down tenfold.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

import gymnasium as gym
import torch

import env  # noqa: F401  (registers the tasks)
from algos import speeds
from algos.evaluator import COLUMNS, VERDICT_SEEDS, Evaluation, Evaluator, evaluate
from algos.film import film_episode
from algos.ppo import PPO, PPOSettings
from algos.rollout import Actor, Environments, Uniform, play
from algos.schedule import AdaptiveSchedule, LinearSchedule, MatchedSchedule, Schedule
from algos.student import Greedy, NetworkSpec, Student, load_student
from algos.trainer import Play, Report, Trainer
from algos.verdict import give_verdict
from algos.wave import Wave
from env.egocentric import EgocentricView
from env.symbols import ACTIONS
from env.tensor_rooms import DoorKeyRooms
from env.vector import Rooms
from planner.planners import check_instructions, make_planner, make_recorded_planner
from planner.plans import AnonymousColors, Planner, as_plans
from planner.record import NotingPlanner, rows, write_plans
from planner.scene import SceneReader
from teacher.teacher import PlanTeacher
from utils import commands, runs, seeding
from utils.config import Config, Task, load_plans, load_task, make_config, task_names
from utils.devices import choose_device, prepare
from utils.errors import UserError
from utils.files import write_json
from utils.flags import DEFAULT_LOGDIR, DEFAULT_TASK, parse
from utils.interrupts import Interrupts
from utils.log import GIF_FRAMES, RunLog, TrainingDisplay, say, silence, table
from utils.ranks import Ranks
from utils.settings import check_llm_is_named, fresh_settings, given_settings, read_preset
from utils.timing import Stopwatch
from utils.video import write_mp4

MAX_ROOMS = 100
BEST_PRESET = "configs/best.yaml"


# Building the parts.


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


def make_teacher(config: Config, planner: Planner, view_size: int) -> PlanTeacher:
    if config.task.anonymous_colors:
        planner = AnonymousColors(planner)
    return PlanTeacher(planner, SceneReader(config.task.names), view_size, config.hard)


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
    return Trainer(config, folder, player, ppo, teacher, make_schedule(config), device)


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
    narrator = make_narrator(config, trainer.folder / runs.ANSWERS, studio)

    def film(iteration: int) -> None:
        draws = seeding.generator(config.seed, seeding.VIDEO, iteration, device=device)
        room = evaluator.seeds[0]
        frames = film_episode(studio, student, narrator, ACTIONS, room, draws, device, GIF_FRAMES)
        log.film("Episode", frames, iteration)

    def try_teacher() -> Evaluation:
        outcome = evaluator.judge(teacher, draws_on=torch.device("cpu"))
        _, count, success, total, *_ = outcome.row("")
        missed = (
            f"; {outcome.unanswered_steps} steps unanswered" if outcome.unanswered_steps else ""
        )
        say(f"teacher alone in {count} rooms: success {success}, return {total}{missed}")
        return outcome

    evaluate = partial(evaluator.evaluate, student)
    return Report(log, try_teacher, evaluate, display.show, display.tell, film)


def make_evaluator(config: Config, device: torch.device) -> Evaluator:
    others = make_fast_rooms(config, len(VERDICT_SEEDS), device)
    return Evaluator(*make_test_rooms(config), others, config.seed, device)


# train


def train(args: argparse.Namespace) -> int:
    ranks = Ranks()
    if not ranks.lead:
        silence()
    with Interrupts(patient=ranks.count > 1) as interrupts, ExitStack() as owned:
        for name, settings in shared_plan(args, ranks, owned):
            folder, config = Path(name), make_config(settings, "settings")
            train_run(config, folder, ranks, interrupts)
            if ranks.any(interrupts()):
                say(f"stopped; continue with: {resume_command(args, folder, config)}")
                return 128 + (interrupts.received or signal.SIGTERM)
    return 0


def shared_plan(
    args: argparse.Namespace, ranks: Ranks, owned: ExitStack
) -> list[tuple[str, dict[str, Any]]]:
    """The folders to train in and their settings, which the lead decides on; none for the others
    if it finds an error, which it alone raises."""
    plan: list[tuple[str, dict[str, Any]]] = []
    try:
        if ranks.lead:
            planned = planned_runs(args, ranks, owned)
            plan = [(str(folder), dict(config)) for folder, config in planned]
    finally:
        plan = json.loads(ranks.from_lead(json.dumps(plan, default=dict)))
    return plan


def resume_command(args: argparse.Namespace, folder: Path, config: Config) -> str:
    several = len(args.seed_list or []) > 1
    name = args.savedir or folder.name.removesuffix(f"-{config.seed}" if several else "")
    words = ["--task", args.task or config.task.name]
    if args.config and not args.task:
        words = ["--config", str(args.config)]
    if args.logdir != DEFAULT_LOGDIR:
        words += ["--logdir", str(args.logdir)]
    if args.plans:
        words += ["--plans", str(args.plans)]
    return shlex.join(["python", "main.py", "train", *words, "--savedir", name, "--resume"])


def planned_runs(
    args: argparse.Namespace, ranks: Ranks, owned: ExitStack
) -> list[tuple[Path, Config]]:
    """The folders that the flags ask to train in, and their settings; new ones are made. They are
    this process's own until `owned` is closed."""
    template = read_preset(args.config, args.task) if args.config else {}
    flags = given_settings(args, template.get("task"))
    settings = fresh_settings({**template, **flags})
    parent = runs.task_folder(args.logdir, settings["policy"], settings["task"])
    if args.resume:
        if args.loaddir:
            raise UserError("--loaddir: a resumed run goes on from its own checkpoint alone")
        # A preset only says where the run lies: the rest stands in its folder.
        planned = runs.resumed_runs(parent, args.savedir, args.seed_list, flags)
        check_ranks([config for _, config in planned], ranks)
        for folder, config in planned:
            check_task(args, folder, config, flags.get("task", config.task))
            owned.enter_context(runs.owned(folder))
        return planned
    check_llm_is_named(flags, settings)
    if args.loaddir:
        source = runs.find(parent, args.loaddir, None)[0]
        settings["warm_start"] = str(runs.model_file(source, args.loadmodel))
    seeds = args.seed_list or [template.get("seed", 0)]
    configs = [make_config(settings | {"seed": seed}, "settings") for seed in seeds]
    # What cannot be built must not cost the run that it would replace.
    rooms = make_rooms(configs[0], 1)
    warm_start(make_student(configs[0], rooms), configs[0])
    make_planner(configs[0], Path(os.devnull))
    check_ranks(configs, ranks)
    planned = runs.new_runs(parent, args.savedir, configs, args.overwrite)
    for folder, _ in planned:
        owned.enter_context(runs.owned(folder))
    if not args.config:
        say(f"without --config, what no flag says is the paper's setting; see {BEST_PRESET}")
    for folder, config in planned:
        runs.claim(folder, config)
    return planned


def check_task(args: argparse.Namespace, folder: Path, config: Config, task: Task) -> None:
    """A run goes on with the task that it began with: UserError if --plans gives it other plans,
    a word if the task's file has come to say something else."""
    if args.plans and task.plans != config.task.plans:
        raise UserError(f"--plans: {args.plans} differs from the plans that {folder} began with")
    for part in Task.model_fields:
        if getattr(task, part) != getattr(config.task, part):
            say(f"{folder} keeps the {part} that it began with, not those of {task.name} now")


def check_ranks(configs: list[Config], ranks: Ranks) -> None:
    """UserError if there is not something for every rank to do."""
    for config in configs:
        rooms = config.num_envs or config.traj_per_itr
        if rooms < ranks.count:
            raise UserError(f"--num_envs: {rooms} rooms are not enough for {ranks.count} ranks")
        if config.batch_size % ranks.count or config.batch_size < 2 * ranks.count:
            raise UserError(
                f"--batch_size {config.batch_size} cannot be split over {ranks.count} ranks"
            )


def train_run(config: Config, folder: Path, ranks: Ranks, interrupts: Interrupts) -> None:
    prepare(ranks.place(choose_device(config.device)), config.threads)
    planner = make_planner(config, folder / runs.ANSWERS)
    teacher = make_teacher(config, planner, make_rooms(config, 1).view_size)
    trainer = make_trainer(config, folder, teacher, ranks)
    device = trainer.device
    resumed = bool(ranks.from_lead("resumed" if (folder / runs.CHECKPOINT).exists() else ""))
    if resumed:
        trainer.restore()
    else:
        warm_start(trainer.student, config)
    done = trainer.progress.iteration
    if resumed and done >= config.n_itr:
        if ranks.lead and done:
            trainer.export()
            if not (folder / runs.VERDICT).exists():
                tell_verdict(folder, trainer, make_evaluator(config, device))
        say(f"{folder} has its {done} iterations; give a larger --n_itr to go on")
        return
    if resumed and ranks.lead:
        runs.write_config(folder, config)
    mode = "one plan drawn a step" if config.hard else "all plans mixed"
    who = f"{config.llm} over HTTP" if config.llm else "recorded answers"
    say(f"{'continuing' if resumed else 'training'} {folder} on {device}; teacher: {who}, {mode}")

    if not ranks.lead:
        trainer.train(None, interrupts)
        return

    (folder / runs.VERDICT).unlink(missing_ok=True)
    evaluator = make_evaluator(config, device)
    log = RunLog(folder, after=done)
    try:
        with TrainingDisplay(folder.name, done, config.n_itr) as display:
            report = make_report(config, trainer, teacher, evaluator, log, display)
            trainer.train(report, interrupts)
    finally:
        log.close()
    did = trainer.progress
    if done < did.iteration == config.n_itr and not interrupts():
        tell_verdict(folder, trainer, evaluator)
    missed = f"; {did.unanswered} steps had no answer of the LLM" if config.llm else ""
    say(
        f"{folder}: {did.iteration} iterations, {did.steps} steps, "
        f"{did.seconds:.0f} s of training{missed}"
    )


def tell_verdict(folder: Path, trainer: Trainer, evaluator: Evaluator) -> None:
    verdict = give_verdict(trainer, evaluator)
    write_json(folder / runs.VERDICT, verdict.to_dict())
    title = f"{folder.name}: means in {len(VERDICT_SEEDS)} rooms that nothing was chosen in"
    table(title, COLUMNS, verdict.rows())


# eval


def evaluation(args: argparse.Namespace) -> int:
    if args.videos < 0:
        raise UserError(f"--videos: {args.videos} films cannot be made")
    if args.plans and not args.eval_teacher:
        raise UserError("--plans: a student needs none; evaluate its teacher with --eval_teacher")
    given = given_settings(args)
    settings = fresh_settings(given)
    parent = runs.task_folder(args.logdir, settings["policy"], settings["task"])
    name = runs.check_name(args.savedir or "eval")
    if args.eval_teacher:
        check_llm_is_named(given, settings)
        config = make_config(settings | {"seed": (args.seed_list or [0])[0]}, "settings")
        outcomes = [evaluate_actor(args, config, None, parent / runs.TEACHER / name)]
    else:
        given["device"] = settings["device"]
        if not args.task:
            given.pop("task", None)
        if args.loaddir:
            folders = runs.find(parent, args.loaddir, args.seed_list)
        else:
            folders = [runs.newest(parent)]
            say(f"no --loaddir: the newest run of {settings['task'].name} is {folders[0]}")
        outcomes = [evaluate_run(args, folder, given, folder / name) for folder in folders]
    title = f"{outcomes[0][0]}: means of n episodes, with 95% intervals"
    table(title, COLUMNS, [row for _, row in outcomes])
    return 0


def evaluate_run(
    args: argparse.Namespace, folder: Path, given: dict[str, Any], target: Path
) -> tuple[str, list[str]]:
    path = runs.model_file(folder, args.loadmodel)
    if path.name == runs.BEST and not path.exists():
        raise UserError(f"there is no {path}: a run saves its best from its fifth evaluation on")
    if args.seed_list and len(args.seed_list) == 1:
        given = given | {"seed": args.seed_list[0]}
    config = runs.read_config(folder / runs.CONFIG, **given)
    bf16 = config.precision == "bf16"
    student, trained_on, after = load_student(path, torch.device(config.device), make_view, bf16)
    say(f"evaluating {path}" + (f", of iteration {after}" if after is not None else ""))
    if trained_on != config.task.name:
        raise UserError(f"{path} was trained on {trained_on}, not on {config.task.name}")
    model = {"model": path.name, "iteration": after}
    return evaluate_actor(args, config, student, target, model)


def evaluate_actor(
    args: argparse.Namespace,
    config: Config,
    student: Student | None,
    target: Path,
    model: dict[str, Any] | None = None,
) -> tuple[str, list[str]]:
    """Evaluate a student, or else the teacher, and write eval.json and films.

    Returns the task's name and a row for the table.
    """
    device = torch.device(config.device)
    prepare(device, config.threads)
    rooms, seeds = make_test_rooms(config)
    answers = (target.parent if student else target) / runs.ANSWERS
    narrator = make_narrator(config, answers, rooms)
    # A student needs no LLM any more.
    teacher = narrator
    if student:
        spec = network_spec(config, rooms)
        check_network(student, spec, target.parent)
    else:
        teacher = make_teacher(config, make_planner(config, answers), rooms.view_size)
    actor, filmed = cast(tuple[Actor, Actor], (student or teacher, student or narrator))
    if args.deterministic:
        actor, filmed = Greedy(actor), Greedy(filmed)
    # A teacher draws on the CPU, a student where it is.
    place = device if student else torch.device("cpu")
    draws = seeding.generator(config.seed, seeding.EVALUATION, device=place)
    outcome = evaluate(rooms, actor, seeds, draws, device)
    if config.llm and outcome.unanswered == 1:
        raise UserError("the LLM answered in none of the steps: there is nothing to evaluate")

    content = {
        "task": config.task.name,
        "actor": str(target.parent) if student else "teacher",
        **(model or {}),
        "deterministic": args.deterministic,
        "hard": config.hard,
        "seed": config.seed,
        "llm": config.llm and {"name": config.llm, "model": config.llm_model, **teacher.counts()},
        **outcome.to_dict(),
        "provenance": runs.provenance(),
    }
    write_json(target / "eval.json", content)
    say(f"wrote {target / 'eval.json'}")
    for old in target.glob("episode-*.mp4"):
        old.unlink()
    if args.videos:
        studio = make_rooms(config, 1, render=True)
        for seed in seeds[: args.videos]:
            draws = seeding.generator(config.seed, seeding.VIDEO, seed, device=place)
            frames = film_episode(studio, filmed, narrator, ACTIONS, seed, draws, device)
            write_mp4(target / f"episode-{seed}.mp4", frames)
            say(f"wrote {target / f'episode-{seed}.mp4'}")
    if outcome.unanswered_steps:
        say(f"{outcome.unanswered_steps} steps were in scenes without an answer: it waited there")
    return config.task.name, outcome.row(target.parent.name)


# record


def record(args: argparse.Namespace) -> int:
    if args.show:
        show_plans(str(args.show), load_plans(args.show))
        return 0
    config = make_config(fresh_settings(given_settings(args)) | {"seed": args.seed}, "settings")
    out = args.out or args.logdir / "plans" / f"{config.task.name.lower()}.yaml"
    if not config.llm and not args.dry_run:
        raise UserError("record asks an LLM: say which with --llm, or look first with --dry_run")
    check_instructions(config.task)
    if args.dry_run:
        config = config.model_copy(update={"llm": None})
    elif out.exists() and not args.overwrite:
        raise UserError(f"{out} is there already; give another --out, or --overwrite")
    # Half a file of plans would help nobody.
    config = config.model_copy(update={"llm_strict": True})
    stored = Path(config.answers or out.with_suffix(".answers.jsonl"))
    planner = NotingPlanner(make_planner(config, stored))
    try:
        find_scenes(config, planner, args.episodes)
    except KeyboardInterrupt:
        say("stopped; what was answered is kept, and the same command goes on from there")
        raise
    if args.dry_run:
        say(f"the system prompt:\n\n{config.task.instructions}")
        table(f"{len(planner.noted)} scenes", ["user prompt"], [[s.text] for s in planner.noted])
        return 0
    plans = {scene.text: as_plans(answer) for scene, answer in planner.noted.items()}
    show_plans(config.task.name, plans)
    advised = {text: answer for text, answer in plans.items() if answer}
    if not advised:
        raise UserError(
            f"no reply of {config.llm} holds a plan: see {stored}, and delete it to ask anew"
        )
    write_plans(out, f"What {config.llm} answered about {config.task.name}", advised)
    counts = ", ".join(
        f"{name.lower()} {round(count, 1):g}" for name, count in planner.counts().items()
    )
    say(f"wrote {out}; {counts}")
    if not planner.counts()["Requests"]:
        say(f"nothing was asked: all replies were there already; delete {stored} to ask anew")
    return 0


def find_scenes(config: Config, planner: Planner, episodes: int) -> None:
    """Have a planner answer in the scenes that random actions and the teacher's own lead to."""
    if episodes < 1:
        raise UserError(f"--episodes: {episodes} episodes hold no scene")
    rooms = make_rooms(config, min(episodes, MAX_ROOMS))
    teacher = make_teacher(config, planner, rooms.view_size)
    actors: tuple[Actor, ...] = Uniform(rooms.num_actions), teacher
    for actor in actors:
        for wave in range(ceil(episodes / rooms.num_envs)):
            draws = seeding.generator(config.seed, seeding.ACTIONS, wave)
            seeds = seeding.training_rooms(config.seed, wave, 0, rooms.num_envs)
            rollout = play(rooms, actor, torch.device("cpu"), seeds, draws, Stopwatch())
            teacher.label(rollout.obs, rollout.starts, draws)


def show_plans(title: str, plans: Mapping[str, Mapping[str, float]]) -> None:
    table(f"{title}: {len(plans)} scenes", ["scene", "plan", "probability"], rows(plans), 2)


# bench


def bench(args: argparse.Namespace) -> int:
    if args.threads < 1 or min(args.num_envs or [1]) < 1:
        raise UserError("--threads and --num_envs: at least 1")
    if args.plot and args.plot.suffix not in (".png", ".svg"):
        raise UserError(f"--plot: {args.plot.name} is no name of a PNG or SVG file")
    device = torch.device(choose_device(args.device))
    prepare(device, args.threads)
    counts = args.num_envs or [10, 1024, 16384, *([65536] if device.type == "cuda" else [])]
    machine = f"{device}, {args.threads} CPU thread(s), {args.precision}"
    measured, grown = list[speeds.Speed](), list[speeds.Speed]()
    for task in map(load_task, args.task or task_names()):
        found = [speed for count in counts for speed in bench_task(args, task, count, device)]
        show_speeds(f"medians on {machine}", found)
        measured += found
    if args.plot:
        config = make_config(bench_settings(args, load_task(DEFAULT_TASK), 1), "settings")
        teacher = make_teacher(config, make_recorded_planner(config.task), 3)

        def rooms(count: int, size: int) -> Environments:
            say(f"measuring {count} rooms of up to {size}x{size}")
            sized = config.model_copy(update={"num_envs": count})
            return make_training_rooms(sized, Ranks(), device, grid_size=size, max_size=size)

        grown = speeds.growth(DEFAULT_TASK, rooms, teacher, counts, device)
        show_speeds(f"{DEFAULT_TASK} as it grows", grown)
    if args.json:
        content = {"machine": machine, "speeds": [s.to_dict() for s in measured + grown]}
        write_json(args.json, content | {"provenance": runs.provenance()})
    if args.plot:
        speeds.plot(args.plot, grown, f"{DEFAULT_TASK} on {machine}")
    return 0


def bench_settings(args: argparse.Namespace, task: Task, count: int) -> dict[str, Any]:
    """The paper's settings, but for what the flags say; minibatches grow with the rooms."""
    given = {"task": task, "device": args.device, "threads": args.threads, "num_envs": count}
    settings = fresh_settings(given) | {"seed": 0, "precision": args.precision}
    trained = speeds.TRAINED_STEPS[torch.device(settings["device"]).type]
    return settings | {"batch_size": max(128, min(count, trained // 4))}


def bench_task(
    args: argparse.Namespace, task: Task, count: int, device: torch.device
) -> list[speeds.Speed]:
    say(f"measuring {task.name}, {count} rooms")
    config = make_config(bench_settings(args, task, count), "settings")
    rooms = make_training_rooms(config, Ranks(), device)
    teacher = make_teacher(config, make_recorded_planner(task), rooms.view_size)
    plain = gym.make_vec(task.env_id, min(count, MAX_ROOMS), vectorization_mode="sync")
    length = speeds.trained_length(count, device)
    trainer = make_trainer(config, Path(), teacher, Ranks(), max_steps=length)
    return speeds.of_task(task.name, rooms, plain, teacher, trainer)


def show_speeds(title: str, measured: list[speeds.Speed]) -> None:
    table(title, speeds.COLUMNS, [speed.row() for speed in measured], texts=2)


def report_thread_error(error: threading.ExceptHookArgs) -> None:
    # TensorBoard's writer raises a full disk once more where it is next used; once is enough.
    if not isinstance(error.exc_value, OSError):
        threading.__excepthook__(error)


def main(arguments: list[str] | None = None) -> int:
    threading.excepthook = report_thread_error
    args = parse(arguments)
    command = {"train": train, "eval": evaluation, "record": record, "bench": bench}[args.command]
    return commands.run(partial(command, args))


if __name__ == "__main__":
    if signal.getsignal(signal.SIGINT) is signal.SIG_DFL:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    sys.exit(main())
