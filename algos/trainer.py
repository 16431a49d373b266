"""Training: rollout, advice, update, log, save, again."""

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import torch
from torch import Tensor

from algos import checkpoint
from algos.evaluation import Evaluation
from algos.iteration import Iteration
from algos.numbers import advice_sums, episode_sums, evaluation_numbers, training_numbers
from algos.progress import Progress
from algos.protocols import Advice, Collector, Learner, Observer, RunEvaluator, Teacher
from algos.rollout import Rollout
from algos.saved_files import BEST, CHECKPOINT, MODEL
from algos.schedule import Schedule
from algos.selection import Selection
from algos.student import Student, save_student
from algos.trials import Decision, Doubt, doubt_in, try_out
from utils import seeding
from utils.errors import UserError
from utils.ranks import Ranks
from utils.timing import Stopwatch


@dataclass(frozen=True)
class TrainerSettings:
    """The task, and how long to train on it.

    `environments` is the number played side by side, by all ranks together. Evaluations take at
    most `evaluation_share` of the number of training steps, but for the last one. With
    `tries_memory` the teacher is tried with its student's memory, too (algos/trials.py).
    """

    task: str
    seed: int
    n_itr: int
    environments: int
    eval_interval: int
    save_interval: int
    evaluation_share: float = math.inf
    tries_memory: bool = False


@dataclass
class Trainer:
    """Trains a student in a run folder.

    Call `begin` for a new run or `restore` for one that has a checkpoint, then `train`. The learner
    learns from `fold(rollout)`.
    """

    settings: TrainerSettings
    folder: Path
    student: Student
    collector: Collector
    learner: Learner
    teacher: Teacher
    schedule: Schedule
    device: torch.device
    ranks: Ranks
    fold: Callable[[Rollout], Rollout]
    progress: Progress = field(default_factory=Progress)
    selection: Selection = field(default_factory=Selection)
    teacher_alone: Evaluation = field(default_factory=Evaluation)
    doubt: Doubt = field(default_factory=Doubt)
    best: dict[str, Tensor] = field(default_factory=dict)
    evaluation_steps: int = 0
    spent: dict[str, float] = field(default_factory=dict)

    def begin(self, evaluator: RunEvaluator | None, observers: Sequence[Observer] = ()) -> None:
        """Before the first iteration: try the teacher alone, tell the schedule, save.

        Of several ranks only the one with an evaluator does so and writes.
        """
        decision = Decision()
        if evaluator:
            tries_memory = self.settings.tries_memory
            decision = try_out(self.teacher, evaluator, tries_memory, observers)
            self.teacher_alone = decision.outcome
        share, narrowed = decision.doubt.share, decision.doubt.narrowed
        self._doubt(Doubt(self._of_lead(share), bool(self._of_lead(narrowed))))
        self.schedule.set_teacher_success(self._of_lead(decision.success))
        self._announce_end_of_advice(observers)
        self.progress.spend(self._sum_over_ranks(self._new_costs()))
        self.save(observers)

    def _of_lead(self, number: float) -> float:
        """A number of the first rank."""
        return float(self.ranks.from_lead(str(float(number))))

    def _doubt(self, doubt: Doubt) -> None:
        """Doubt the teacher as its trials told."""
        self.doubt = doubt
        doubt.apply(self.teacher)
        if doubt.narrowed:
            self.learner.trust()

    def train(
        self,
        stopped: Callable[[], bool],
        evaluator: RunEvaluator | None,
        observers: Sequence[Observer] = (),
    ) -> None:
        """Iterate until `n_itr` iterations are done, or until `stopped` returns True after one.

        Of several ranks only the one with an evaluator writes. The run folder holds a checkpoint
        of the last iteration when this returns.
        """
        settings = self.settings
        stop = self.ranks.any(stopped())
        while self.progress.iteration < settings.n_itr and not stop:
            iteration = self.iterate()
            last = iteration.number == settings.n_itr
            if evaluator and (last or iteration.number % settings.eval_interval == 0):
                if last or self._can_afford(evaluator, iteration.steps_per_episode):
                    iteration = self._evaluate(iteration, evaluator, observers)
                else:
                    iteration = replace(iteration, put_off=True)
            for observer in observers:
                observer.iteration(iteration)
            if iteration.numbers["k"] and not last:
                self._announce_end_of_advice(observers)
            stop = self.ranks.any(stopped())
            if last or stop or iteration.number % settings.save_interval == 0:
                self.save(observers)

    def iterate(self) -> Iteration:
        """Rollout, advice, update: one iteration, neither evaluated nor saved."""
        began, watch = time.perf_counter(), Stopwatch(self.device)
        draws = self._generator(seeding.ACTIONS, self.device)
        rollout = self.collector.collect(self.progress.iteration, draws, watch)
        k = self.schedule.weight(self.progress.iteration)
        advice = self._advise(rollout, watch) if k else None
        losses = self._update(rollout, advice, k, watch)

        costs = self._new_costs()
        parts = episode_sums(rollout) | advice_sums(self.learner, rollout, advice) | costs
        sums = self._sum_over_ranks(parts)
        seconds = time.perf_counter() - began
        if ended := sums["episodes"]:
            weight = min(ended / self.settings.environments, 1.0)
            self.schedule.observe(sums["successes"] / ended, weight)
        self.progress.add(sums, {name: sums[name] for name in costs}, seconds)
        numbers = {
            **training_numbers(sums, k),
            **{f"learner/{name}": loss for name, loss in losses.items()},
            **{f"cost/{name}": total for name, total in self.progress.teacher.items()},
            **{
                f"speed/{phase}": sums["steps"] / max(spent, 1e-9)
                for phase, spent in watch.seconds.items()
            },
            "speed/total": sums["steps"] / seconds,
            "steps": self.progress.steps,
            "seconds": self.progress.seconds,
        }
        plans = self.teacher.news()
        steps_per_episode = sums["steps"] / max(sums["episodes"], 1)
        return Iteration(self.progress.iteration, numbers, rollout, steps_per_episode, plans)

    def _advise(self, rollout: Rollout, watch: Stopwatch) -> Advice:
        with watch("teacher"):
            draws = self._generator(seeding.TEACHER)
            return self.teacher.advise(rollout.obs, rollout.starts, draws)

    def _update(
        self, rollout: Rollout, advice: Advice | None, k: float, watch: Stopwatch
    ) -> dict[str, float]:
        """Let the learner learn; returns its diagnostics. UserError if one is not finite."""
        with watch("update"):
            draws = self._generator(seeding.MINIBATCHES)
            elapsed = self.progress.iteration / self.settings.n_itr
            losses = self.learner.update(self.fold(rollout), advice, k, elapsed, draws)
        if not torch.tensor(list(losses.values())).isfinite().all():
            raise UserError(
                f"the loss of iteration {self.progress.iteration + 1} is not finite; "
                f"{self.folder} keeps the last checkpoint"
            )
        return losses

    def _new_costs(self) -> dict[str, float]:
        """What the teacher has cost since the last call."""
        # Evaluations and films between two iterations may cost something, too.
        before, self.spent = self.spent, self.teacher.counts()
        return {name: count - before.get(name, 0) for name, count in self.spent.items()}

    def _generator(self, stream: int, device: torch.device | str = "cpu") -> torch.Generator:
        """This rank's random numbers of one stream in the present iteration."""
        place = self.progress.iteration, self.ranks.number
        return seeding.generator(self.settings.seed, stream, *place, device=device)

    def _sum_over_ranks(self, values: dict[str, float]) -> dict[str, float]:
        numbers = torch.tensor(list(values.values()), dtype=torch.float64)
        return dict(zip(values, self.ranks.sum(numbers).tolist(), strict=True))

    def _can_afford(self, evaluator: RunEvaluator, length: float) -> bool:
        """Whether all evaluations, with one now, take no more than their share of steps. Its
        episodes are expected to be as long as those of training are now."""
        share = self.settings.evaluation_share
        if share == math.inf:
            return True
        expected = self.evaluation_steps + evaluator.expected_steps(length)
        return expected <= share * self.progress.steps

    def _evaluate(
        self, iteration: Iteration, evaluator: RunEvaluator, observers: Sequence[Observer]
    ) -> Iteration:
        """Evaluate the student, and keep its weights if they are the best so far."""
        sampled, deterministic = evaluator.evaluate_student(iteration.number)
        self.evaluation_steps += sum(sampled.lengths) + sum(deterministic.lengths)
        selection, had_fallen = self.selection, self.selection.fallen
        if selection.observe(iteration.number, sum(sampled.success), len(sampled.success)):
            weights = self.student.state_dict()
            self.best = {name: weight.cpu().clone() for name, weight in weights.items()}
        if selection.fallen and not had_fallen:
            self._announce(
                f"success has fallen to {selection.mean:.2f}, from {selection.best:.2f} at "
                f"iteration {selection.iteration}, which is kept as {BEST}",
                observers,
            )
        numbers = iteration.numbers | evaluation_numbers(sampled, deterministic, selection)
        return replace(iteration, numbers=numbers, evaluations=(sampled, deterministic))

    def _announce_end_of_advice(self, observers: Sequence[Observer]) -> None:
        if reason := self.schedule.why_none(self.progress.iteration):
            self._announce(f"k is 0 from now on: {reason}", observers)

    def _announce(self, news: str, observers: Sequence[Observer]) -> None:
        for observer in observers:
            observer.news(news)

    def save(self, observers: Sequence[Observer] = ()) -> None:
        """Write the checkpoint and the models, after observers have written what they hold.

        All ranks must call this; the first one writes.
        """
        collected = self.collector.state()
        if not self.ranks.lead:
            return
        for observer in observers:
            observer.saving()
        content = {
            "progress": vars(self.progress),
            "learner": self.learner.state(),
            "schedule": self.schedule.state(),
            "selection": vars(self.selection),
            "best": self.best,
            "teacher_alone": vars(self.teacher_alone),
            "doubt": vars(self.doubt),
            "collector": collected,
            "evaluation_steps": self.evaluation_steps,
        }
        checkpoint.save(self.folder / CHECKPOINT, content)
        self.export()
        for observer in observers:
            observer.saved(self.progress.iteration)

    def export(self) -> None:
        """Write the last student and the best one as models that need no checkpoint."""
        students = {MODEL: (self.progress.iteration, self.student.state_dict())}
        if self.best:
            students[BEST] = (self.selection.iteration, self.best)
        for name, (iteration, weights) in students.items():
            task, spec = self.settings.task, self.student.spec
            save_student(self.folder / name, task, iteration, spec, weights)

    def restore(self) -> None:
        """Continue from the run folder's checkpoint; UserError if it cannot be read."""
        path = self.folder / CHECKPOINT
        needed = "progress", "learner", "schedule", "selection", "best", "teacher_alone"
        content = checkpoint.load(path, *needed)
        try:
            # Older checkpoints lack these: they are of whole episodes, evaluated without a limit.
            self._doubt(doubt_in(content, path))
            self.collector.restore(content.get("collector", {}))
            self.evaluation_steps = int(content.get("evaluation_steps", 0))
            self.learner.restore(content["learner"], path)
            self.progress = checkpoint.record(Progress, content["progress"])
            self.selection = checkpoint.record(Selection, content["selection"])
            self.best = content["best"]
            self.teacher_alone = checkpoint.record(Evaluation, content["teacher_alone"])
            self.schedule.restore(content["schedule"])
        except (TypeError, ValueError, KeyError, AttributeError) as error:
            raise checkpoint.misfit(path) from error
        done = str(self.progress.iteration)
        if self.ranks.from_lead(done) != done:
            raise UserError(f"{path} is not the one of the first rank: all need the same folder")
