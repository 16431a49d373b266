"""Training: rollout, advice, update, log, save, again."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import torch
from torch import Tensor

from algos.evaluator import Evaluation
from algos.protocols import Advice, Learner, Log, Play, Teacher
from algos.rollout import Rollout
from algos.scalars import (
    advice_sums,
    episode_sums,
    selection_scalars,
    teacher_scalars,
    test_scalars,
    train_scalars,
)
from algos.schedule import Schedule
from algos.selection import Selection
from algos.student import Student, save_student
from utils import checkpoint, seeding
from utils.errors import UserError
from utils.ranks import Ranks
from utils.run_files import BEST, CHECKPOINT, MODEL
from utils.timing import Stopwatch


@dataclass(frozen=True)
class TrainerSettings:
    """How much to train, of which task. `environments` are played side by side, by all ranks
    together; an iteration has `traj_per_itr` episodes at least."""

    task: str
    seed: int
    n_itr: int
    traj_per_itr: int
    environments: int
    eval_interval: int
    save_interval: int


@dataclass
class Report:
    """Where a run tells of itself: its log, what `show` does with the scalars of an iteration,
    what `tell` does with a line of news, and `film`, called when a model was saved and training
    goes on.

    `try_teacher` evaluates the teacher alone, before training, and says what it surely reaches, a
    share of successes; `evaluate` the student after so many iterations, sampled and deterministic.
    """

    log: Log
    try_teacher: Callable[[], tuple[Evaluation, float]]
    evaluate: Callable[[int], tuple[Evaluation, Evaluation]]
    show: Callable[[int, dict[str, float]], None]
    tell: Callable[[str], None]
    film: Callable[[int], None]


@dataclass
class Progress:
    """What a run has done so far, and what its teacher has cost."""

    iteration: int = 0
    steps: int = 0
    episodes: int = 0
    seconds: float = 0.0
    unanswered: int = 0
    teacher: dict[str, float] = field(default_factory=dict)


class Trainer:
    """Trains a student in a run folder: rollout, advice, update, log, save; `train` may be called
    again after `restore`.

    Of several ranks each plays in its own environments. What is learned from is a rollout as
    `fold` makes it of what was played.
    """

    def __init__(
        self,
        settings: TrainerSettings,
        folder: Path,
        student: Student,
        play: Play,
        learner: Learner,
        teacher: Teacher,
        schedule: Schedule,
        device: torch.device,
        ranks: Ranks,
        fold: Callable[[Rollout], Rollout] | None = None,
    ) -> None:
        self.settings = settings
        self.folder = folder
        self.student = student
        self.play = play
        self.learner = learner
        self.teacher = teacher
        self.schedule = schedule
        self.device = device
        self.ranks = ranks
        self.fold = fold or (lambda rollout: rollout)
        self.progress = Progress()
        self.selection = Selection()
        self.teacher_alone = Evaluation()
        self.best: dict[str, Tensor] = {}
        self.spent: dict[str, float] = {}

    def train(self, report: Report | None, stopped: Callable[[], bool]) -> None:
        """Go on until `n_itr` iterations are done, or `stopped` says so after one of them.

        Of several ranks the one with a report alone writes. The run folder holds a checkpoint
        from before the first iteration, and one of the end in any case.
        """
        if self.progress.iteration == 0:
            self._begin(report)
        stop = self.ranks.any(stopped())
        while self.progress.iteration < self.settings.n_itr and not stop:
            scalars = self.iterate()
            done = self.progress.iteration
            last = done == self.settings.n_itr
            if report:
                if last or done % self.settings.eval_interval == 0:
                    scalars |= self._evaluate(report)
                report.log.scalars(scalars, done)
                if plans := self.teacher.news():
                    report.log.plans(plans, done)
                report.show(done, scalars)
            stop = self.ranks.any(stopped())
            if report and (last or stop or done % self.settings.save_interval == 0):
                self.save(report.log)
                if not stop:
                    report.film(done)

    def _begin(self, report: Report | None) -> None:
        """Try the teacher alone, tell the schedule what it surely reaches, save."""
        sure = 0.0
        if report:
            self.teacher_alone, sure = report.try_teacher()
        self.schedule.meet(float(self.ranks.from_lead(str(sure))))
        if report:
            self.save(report.log)

    def _evaluate(self, report: Report) -> dict[str, float]:
        """Evaluate the student, and keep it if it is the best so far; returns the scalars."""
        sampled, deterministic = report.evaluate(self.progress.iteration)
        selection, fallen = self.selection, self.selection.fallen
        if selection.observe(self.progress.iteration, sum(sampled.success), len(sampled.success)):
            weights = self.student.state_dict()
            self.best = {name: weight.cpu().clone() for name, weight in weights.items()}
        if selection.fallen and not fallen:
            report.tell(
                f"success has fallen to {selection.mean:.2f}, from {selection.best:.2f} at "
                f"iteration {selection.iteration}, which is kept as {BEST}"
            )
        return test_scalars(sampled, deterministic) | selection_scalars(selection)

    def iterate(self) -> dict[str, float]:
        """One iteration; returns its scalars by the names that TensorBoard shows."""
        began = time.perf_counter()
        iteration, progress = self.progress.iteration, self.progress
        watch = Stopwatch(self.device)
        rollout = self._gather(iteration, watch)
        k = self.schedule.weight(iteration)
        with watch("teacher"):
            advice = self._advice(rollout) if k else None
        with watch("update"):
            draws = self._draws(seeding.MINIBATCHES)
            elapsed = iteration / self.settings.n_itr
            losses = self.learner.update(self.fold(rollout), advice, k, elapsed, draws)
        if not all(torch.isfinite(torch.tensor(value)) for value in losses.values()):
            raise UserError(
                f"the loss of iteration {iteration + 1} is not finite; "
                f"{self.folder} keeps the last checkpoint"
            )
        # From one iteration's end to the next: evaluations and films may cost something, too.
        counts = self.teacher.counts()
        costs = {name: count - self.spent.get(name, 0) for name, count in counts.items()}
        self.spent = counts
        told = advice_sums(self.learner, rollout, advice)
        sums = self._sums(episode_sums(rollout) | told | costs)
        seconds = time.perf_counter() - began
        self.schedule.observe(sums["successes"] / sums["episodes"])
        progress.iteration += 1
        progress.steps += int(sums["steps"])
        progress.episodes += int(sums["episodes"])
        progress.seconds += seconds
        progress.unanswered += int(sums.get("unanswered", 0))
        for name in costs:
            progress.teacher[name] = progress.teacher.get(name, 0) + sums[name]
        return (
            train_scalars(sums, losses, k)
            | teacher_scalars(sums)
            | {
                **{f"LLM/{name}": count for name, count in progress.teacher.items()},
                "Train/Steps": progress.steps,
                "Speed/Seconds": progress.seconds,
                "Speed/Total": sums["steps"] / seconds,
                **{
                    f"Speed/{phase.title()}": sums["steps"] / max(spent, 1e-9)
                    for phase, spent in watch.seconds.items()
                },
            }
        )

    def _gather(self, iteration: int, watch: Stopwatch) -> Rollout:
        """Whole episodes, wave after wave, until there are enough of them, and enough steps for
        the learner.

        All episodes of a wave are kept: keeping those that finish first would favour short ones.
        """
        settings, waves, enough = self.settings, list[Rollout](), 0
        count = settings.environments
        own = self.ranks.share(count)
        actions = self._draws(seeding.ACTIONS, self.device)
        while enough < self.learner.least_steps or len(waves) * count < settings.traj_per_itr:
            seeds = seeding.training_seeds(settings.seed, iteration, len(waves), count)
            waves.append(self.play(seeds[own.start : own.stop], actions, watch))
            enough += len(self.fold(waves[-1]))
        return Rollout.join(waves)

    def _advice(self, rollout: Rollout) -> Advice:
        return self.teacher.advise(rollout.obs, rollout.starts, self._draws(seeding.TEACHER))

    def _draws(self, stream: int, device: torch.device | str = "cpu") -> torch.Generator:
        """This rank's random numbers of one stream in the present iteration."""
        place = self.progress.iteration, self.ranks.number
        return seeding.generator(self.settings.seed, stream, *place, device=device)

    def _sums(self, values: dict[str, float]) -> dict[str, float]:
        """Each value summed over all ranks."""
        numbers = torch.tensor(list(values.values()), dtype=torch.float64)
        return dict(zip(values, self.ranks.sum(numbers).tolist(), strict=True))

    def save(self, log: Log) -> None:
        """Write the checkpoint, and the students from it; what is logged up to here is on disk
        first."""
        log.flush()
        checkpoint.save(
            self.folder / CHECKPOINT,
            {
                "progress": vars(self.progress),
                "learner": self.learner.state(),
                "schedule": self.schedule.state(),
                "selection": vars(self.selection),
                "best": self.best,
                "teacher_alone": vars(self.teacher_alone),
            },
        )
        self.export()

    def export(self) -> None:
        """Write the last student and the best one, to be used without this run."""
        students = {MODEL: (self.progress.iteration, self.student.state_dict())}
        if self.best:
            students[BEST] = (self.selection.iteration, self.best)
        for name, (iteration, weights) in students.items():
            task, spec = self.settings.task, self.student.spec
            save_student(self.folder / name, task, iteration, spec, weights)

    def restore(self) -> None:
        """Continue from the run folder's checkpoint."""
        path = self.folder / CHECKPOINT
        needed = "progress", "learner", "schedule", "selection", "best", "teacher_alone"
        content = checkpoint.load(path, *needed)
        try:
            self.learner.restore(content["learner"], path)
            self.progress = Progress(**content["progress"])
            self.selection = Selection(**content["selection"])
            self.best = content["best"]
            self.teacher_alone = Evaluation(**content["teacher_alone"])
            self.schedule.restore(content["schedule"])
        except (TypeError, ValueError, KeyError) as error:
            raise UserError(f"{path} does not fit this version of the project") from error
        done = str(self.progress.iteration)
        if self.ranks.from_lead(done) != done:
            raise UserError(f"{path} is not the one of the first rank: all need the same folder")
