"""`main.py train`: trains students in run folders, new or resumed ones."""

import argparse
import signal
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from algos.evaluation import Evaluation
from algos.evaluator import Evaluator
from algos.protocols import Observer, RunEvaluator
from algos.saved_files import CHECKPOINT
from algos.trainer import Trainer
from algos.verdict import give_verdict
from commands import runs
from commands.answer_sources import describe_source
from commands.build import Parts
from commands.evaluation_table import print_evaluations
from commands.last_advice import doubt_of, in_words, last_advice
from commands.observers.display import Display
from commands.observers.film import Film
from commands.observers.metrics import Metrics
from commands.observers.own import OwnObserver, find_class
from commands.observers.tensorboard import TensorBoard
from commands.observers.weights_and_biases import WeightsAndBiases
from commands.planned_runs import resume_command, shared_runs
from commands.run_files import ANSWERS, METRICS, VERDICT, iterations
from commands.settings.config import QUICK_EPISODES, Config
from planner.plans import Planner
from teacher.teacher import PlanTeacher
from utils.devices import choose_device, prepare
from utils.errors import UserError
from utils.files import write_json
from utils.interrupts import Interrupts
from utils.ranks import Ranks
from utils.terminal import counted, say, silence


def run(args: argparse.Namespace) -> int:
    ranks = Ranks()
    if not ranks.lead:
        silence()
    with Interrupts(patient=ranks.count > 1) as interrupts, ExitStack() as owned:
        planned = shared_runs(args, ranks, owned)
        for folder, config in planned:
            further = resume_command(args, folder, config.seed, len(planned) > 1)
            try:
                with ExitStack() as made:
                    train_run(args, Parts(config, made), folder, ranks, interrupts)
            except KeyboardInterrupt:
                if (folder / CHECKPOINT).exists():
                    say(f"stopped at once; continue from what was saved with: {further}")
                else:
                    say(f"stopped before the first iteration; begin again with: {further}")
                return 128 + (interrupts.received or signal.SIGINT)
            except UserError:
                if ranks.lead and not args.resume:
                    for new, _ in planned:
                        runs.discard_unbegun(new)
                raise
            if ranks.any(interrupts()):
                say(f"stopped; continue with: {further}")
                return 128 + (interrupts.received or signal.SIGTERM)
    return 0


def train_run(
    args: argparse.Namespace, parts: Parts, folder: Path, ranks: Ranks, interrupts: Interrupts
) -> None:
    """Train in one folder, from its checkpoint if it has one, and give the verdict."""
    config = parts.config
    prepare(ranks.place(choose_device(config.device)), config.threads)
    teacher = parts.teacher(folder / ANSWERS)
    trainer = parts.trainer(folder, teacher, ranks)
    resumed = bool(ranks.from_lead("resumed" if (folder / CHECKPOINT).exists() else ""))
    if resumed:
        trainer.restore()
    else:
        parts.warm_start(trainer.student)
    done = trainer.progress.iteration
    if not ranks.lead:
        if not resumed or done < config.n_itr:
            train(trainer, resumed, None, (), interrupts, interrupts)
        return

    if resumed and done >= config.n_itr:
        if done:
            trainer.export()
            if not (folder / VERDICT).exists():
                judge_run(parts, trainer, parts.evaluator(trainer, teacher))
        say(f"{folder} has its {counted(done, 'iteration')}; give a larger --n_itr to go on")
        return
    if resumed:
        runs.write_config(folder, config, done)
    what, since = "training", ""
    if resumed:
        what, since = "continuing", f" from iteration {done}"
        if lost := max(iterations(folder) - done, 0):
            since += f" ({counted(lost, 'later one')} not saved)"
    say(f"{what} {folder}{since} on {trainer.device}; {teacher_line(config)}")
    if config.quick:
        say(f"--quick: evaluations, trial and verdict take at most {QUICK_EPISODES} episodes each")
    (folder / VERDICT).unlink(missing_ok=True)
    evaluator = parts.evaluator(trainer, teacher)
    failure = observe_and_train(args, parts, trainer, resumed, teacher, evaluator, interrupts)
    did = trainer.progress
    if done < did.iteration == config.n_itr and not interrupts():
        judge_run(parts, trainer, evaluator)
    missed = f"; {counted(did.unanswered, 'step')} had no answer" if did.unanswered else ""
    say(
        f"{folder}: {counted(did.iteration, 'iteration')}, {counted(did.steps, 'step')}, "
        f"{did.seconds:.0f} s of training{missed}"
    )
    if failure:
        raise failure
    if config.kl_start and not interrupts() and (problem := teacher.planner.problem()):
        nothing = f"{folder} is saved, but its teacher never had a plan: {problem}"
        if not config.llm_optional:
            raise UserError(nothing)
        say(nothing)


def teacher_line(config: Config) -> str:
    """The teacher, for the first line of a run."""
    mode = "one plan drawn a step" if config.hard else "all plans mixed"
    source = describe_source(config)
    if config.kl_start:
        return f"teacher: {source}, {mode}"
    return f"teacher: none; for comparison it is tried alone ({source}, {mode})"


@dataclass(frozen=True)
class SomePlans(Observer):
    """Ends a run whose recorded plans answer no scene, before anything is saved: its student would
    be one without a teacher."""

    planner: Planner

    def teacher_tried(self, outcome: Evaluation) -> None:
        if problem := self.planner.problem():
            raise UserError(f"the teacher has no plan: {problem}")


def observe_and_train(
    args: argparse.Namespace,
    parts: Parts,
    trainer: Trainer,
    resumed: bool,
    teacher: PlanTeacher,
    evaluator: Evaluator,
    interrupts: Interrupts,
) -> UserError | None:
    """Train with what every run logs, films and shows in the terminal, and with the user's own
    observers. Training stops, and the run is saved, if one of these fails; returns that failure."""
    config, folder, done = parts.config, trainer.folder, trainer.progress.iteration
    own = [OwnObserver(name, find_class(name), folder) for name in args.observer]

    def stopped() -> bool:
        return interrupts() or any(observer.failed for observer in own)

    metrics = Metrics(folder / METRICS, done)
    boards: list[TensorBoard | WeightsAndBiases] = [TensorBoard(folder, done)]
    if args.wandb:
        names = {"task": config.task.name, "policy": config.policy.name}
        boards.append(WeightsAndBiases(args.wandb, folder, config.model_dump() | names))
    film = Film(parts.camera(trainer, evaluator.seeds[0]), boards, stopped)
    # An LLM may answer later.
    plans = [SomePlans(teacher.planner)] if config.kl_start and not config.asks_llm else []
    observers = [*plans, metrics, *boards, film, Display(folder.name, done, config.n_itr), *own]
    with ExitStack() as closing:
        for observer in observers:
            closing.callback(observer.ended)
        train(trainer, resumed, evaluator, observers, interrupts, stopped)
    return next((observer.failed for observer in own if observer.failed), None)


def train(
    trainer: Trainer,
    resumed: bool,
    evaluator: RunEvaluator | None,
    observers: Sequence[Observer],
    interrupts: Interrupts,
    stopped: Callable[[], bool],
) -> None:
    if not resumed and not trainer.ranks.any(stopped()):
        with interrupts.at_once():
            trainer.begin(evaluator, observers)
    trainer.train(stopped, evaluator, observers)


def judge_run(parts: Parts, trainer: Trainer, evaluator: Evaluator) -> None:
    """Judge the run's students, write the verdict and print it."""
    folder, count = trainer.folder, evaluator.trials
    say(f"{folder.name}: judging its students in {counted(count, 'episode')} each")
    verdict = give_verdict(trainer, evaluator, parts.actor)
    advice = last_advice(folder, trainer.schedule, trainer.progress.iteration)
    advice |= doubt_of(parts.config, trainer.doubt)
    write_json(folder / VERDICT, {**verdict.to_dict(), "advice": advice})
    title = f"{folder.name}: means of {counted(count, 'fresh episode')}, not used to choose a model"
    best = f"best, of iteration {verdict.iteration}"
    if not verdict.best:
        best = "best: none yet, it takes five evaluations"
    alone = "teacher alone" + ", its student's memory" * trainer.doubt.narrowed
    students = ("last student", verdict.last), (best, verdict.best)
    print_evaluations(title, [*students, (alone, verdict.teacher)])
    if line := in_words(advice):
        say(f"{folder.name}: {line}")
