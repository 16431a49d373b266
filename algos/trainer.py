"""Training: rollout, labels, update, log, save, again."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

import torch
from torch import Tensor

from algos.evaluator import Evaluation
from algos.ppo import PPO
from algos.rollout import Rollout
from algos.schedule import Schedule
from algos.student import save_student
from utils import checkpoint, runs, seeding
from utils.config import Config
from utils.errors import UserError
from utils.timing import Stopwatch

MIN_MINIBATCHES = 2


class Labels(Protocol):
    """The teacher's word on S steps.

    `distribution` (S, A) over actions, a row of zeros where there is no label, which `answered`
    (S,) bool tells; `answers`, one a distinct scene, None where there is none.
    """

    @property
    def distribution(self) -> Tensor: ...

    @property
    def answered(self) -> Tensor: ...

    @property
    def answers(self) -> Sequence[object | None]: ...


class Teacher(Protocol):
    """Whoever labels the steps of whole episodes."""

    def label(self, obs: Tensor, starts: Tensor, generator: torch.Generator) -> Labels: ...

    def counts(self) -> dict[str, float]: ...

    def news(self) -> dict[str, dict[str, float]]: ...


class Play(Protocol):
    """Plays one wave of episodes, each from its own seed (N,), with the student that is trained."""

    def __call__(self, seeds: Tensor, generator: torch.Generator, watch: Stopwatch) -> Rollout: ...


class Log(Protocol):
    """Where the scalars of an iteration go, and what the teacher has learned by asking."""

    def scalars(self, values: dict[str, float], iteration: int) -> None: ...

    def plans(self, plans: dict[str, dict[str, float]], iteration: int) -> None: ...

    def flush(self) -> None: ...


@dataclass
class Report:
    """Where a run tells of itself: its log, its evaluations, what `show` does with the scalars of
    an iteration, and `film`, called when a model was saved and training goes on."""

    log: Log
    evaluate: Callable[[int], Evaluation]
    show: Callable[[int, dict[str, float]], None]
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
    """Trains a student in a run folder; `train` may be called again after `restore`.

    Of several ranks each plays in its own rooms.
    """

    def __init__(
        self,
        config: Config,
        folder: Path,
        play: Play,
        ppo: PPO,
        teacher: Teacher,
        schedule: Schedule,
        device: torch.device,
    ) -> None:
        self.config = config
        self.folder = folder
        self.play = play
        self.ppo = ppo
        self.ranks = ppo.ranks
        self.student = ppo.student
        self.teacher = teacher
        self.schedule = schedule
        self.device = device
        self.progress = Progress()
        self.spent: dict[str, float] = {}

    def train(self, report: Report | None, stopped: Callable[[], bool]) -> None:
        """Go on until `n_itr` iterations are done, or `stopped` says so after one of them.

        Of several ranks the one with a report alone writes. The run folder holds a checkpoint
        from the start, and one of the end in any case.
        """
        if report and self.progress.iteration == 0:
            self.save(report.log)
        stop = self.ranks.any(stopped())
        while self.progress.iteration < self.config.n_itr and not stop:
            scalars = self.iterate()
            done = self.progress.iteration
            last = done == self.config.n_itr
            if report:
                if last or done % self.config.eval_interval == 0:
                    scalars |= _test_scalars(report.evaluate(done))
                report.log.scalars(scalars, done)
                if plans := self.teacher.news():
                    report.log.plans(plans, done)
                report.show(done, scalars)
            stop = self.ranks.any(stopped())
            if report and (last or stop or done % self.config.save_interval == 0):
                self.save(report.log)
                if not stop:
                    report.film(done)

    def iterate(self) -> dict[str, float]:
        """One iteration; returns its scalars by the names that TensorBoard shows."""
        began = time.perf_counter()
        iteration, progress = self.progress.iteration, self.progress
        watch = Stopwatch(self.device)
        rollout = self._gather(iteration, watch)
        k = self.schedule.weight(iteration)
        with watch("teacher"):
            labels = self._label(rollout, iteration) if k else None
        nothing = torch.zeros(len(rollout), self.student.spec.actions, device=self.device)
        with watch("update"):
            distribution = nothing if labels is None else labels.distribution
            losses = self.ppo.update(rollout, distribution, k, self._draws(seeding.MINIBATCHES))
        if not all(torch.isfinite(torch.tensor(value)) for value in losses.values()):
            raise UserError(
                f"the loss of iteration {iteration + 1} is not finite; "
                f"{self.folder} keeps the last checkpoint"
            )
        # From one iteration's end to the next: evaluations and films may cost something, too.
        counts = self.teacher.counts()
        costs = {name: count - self.spent.get(name, 0) for name, count in counts.items()}
        self.spent = counts
        sums = self._sums(_episode_sums(rollout) | _label_sums(rollout, labels) | costs)
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
            _train_scalars(sums, losses, k)
            | _teacher_scalars(sums)
            | {
                **{f"LLM/{name}": count for name, count in progress.teacher.items()},
                "Train/Steps": progress.steps,
                "Speed/Total": sums["steps"] / seconds,
                **{
                    f"Speed/{phase.title()}": sums["steps"] / max(spent, 1e-9)
                    for phase, spent in watch.seconds.items()
                },
            }
        )

    def _gather(self, iteration: int, watch: Stopwatch) -> Rollout:
        """Whole episodes, wave after wave, until there are enough of them, and enough steps for
        two minibatches.

        All episodes of a wave are kept: keeping those that finish first would favour short ones.
        """
        config, waves = self.config, list[Rollout]()
        count = config.num_envs or config.traj_per_itr
        own = self.ranks.share(count)
        actions = self._draws(seeding.ACTIONS, self.device)
        while (
            sum(map(len, waves)) < MIN_MINIBATCHES * self.ppo.batch_size
            or len(waves) * count < config.traj_per_itr
        ):
            seeds = seeding.training_rooms(config.seed, iteration, len(waves), count)
            waves.append(self.play(seeds[own.start : own.stop], actions, watch))
        return Rollout.join(waves)

    def _label(self, rollout: Rollout, iteration: int) -> Labels:
        return self.teacher.label(rollout.obs, rollout.starts, self._draws(seeding.TEACHER))

    def _draws(self, stream: int, device: torch.device | str = "cpu") -> torch.Generator:
        """This rank's random numbers of one stream in the present iteration."""
        place = self.progress.iteration, self.ranks.number
        return seeding.generator(self.config.seed, stream, *place, device=device)

    def _sums(self, values: dict[str, float]) -> dict[str, float]:
        """Each value summed over all ranks."""
        numbers = torch.tensor(list(values.values()), dtype=torch.float64)
        return dict(zip(values, self.ranks.sum(numbers).tolist(), strict=True))

    def save(self, log: Log) -> None:
        """Write the checkpoint and the student; what is logged up to here is on disk first."""
        log.flush()
        weights = self.student.state_dict()
        checkpoint.save(
            self.folder / runs.CHECKPOINT,
            {
                "progress": vars(self.progress),
                "weights": weights,
                "optimizer": self.ppo.optimizer.state_dict(),
                "schedule": self.schedule.state(),
            },
        )
        save_student(self.folder / runs.MODEL, self.config.task.name, self.student)

    def restore(self) -> None:
        """Continue from the run folder's checkpoint."""
        path = self.folder / runs.CHECKPOINT
        content = checkpoint.load(path, "progress", "weights", "optimizer", "schedule")
        self.student.load(content["weights"], path)
        try:
            self.ppo.optimizer.load_state_dict(content["optimizer"])
            self.progress = Progress(**content["progress"])
        except (TypeError, ValueError, KeyError) as error:
            raise UserError(f"{path} does not fit this version of the project") from error
        self.schedule.restore(content["schedule"])
        done = str(self.progress.iteration)
        if self.ranks.from_lead(done) != done:
            raise UserError(f"{path} is not the one of the first rank: all need the same folder")


def _episode_sums(rollout: Rollout) -> dict[str, float]:
    returns = rollout.returns.double()
    return {
        "episodes": len(rollout.lengths),
        "steps": len(rollout),
        "return": float(returns.sum()),
        "squared return": float(returns.square().sum()),
        "successes": float(rollout.success.sum()),
    }


def _label_sums(rollout: Rollout, labels: Labels | None) -> dict[str, float]:
    """How often the student's favourite action is the teacher's (or one of them, if several are
    equally likely), and what had no answer."""
    if labels is None:
        return {}
    answered = labels.answered
    favourite = labels.distribution.gather(1, rollout.steps["greedy"][:, None])[:, 0]
    agrees = (favourite == labels.distribution.amax(1)) & answered
    return {
        "agreeing": float(agrees.sum()),
        "answered": float(answered.sum()),
        "unanswered": float((~answered).sum()),
        "unanswered scenes": sum(answer is None for answer in labels.answers),
    }


def _train_scalars(sums: dict[str, float], losses: dict[str, float], k: float) -> dict[str, float]:
    episodes = sums["episodes"]
    mean = sums["return"] / episodes
    return {
        "Train/Return Mean": mean,
        "Train/Return Std": max(sums["squared return"] / episodes - mean**2, 0) ** 0.5,
        "Train/Eplen": sums["steps"] / episodes,
        "Train/Success Rate": sums["successes"] / episodes,
        "Train/Loss": losses["loss"],
        "Train/Mean Entropy": losses["entropy"],
        "Train/Kickstarting Loss": losses["distillation"],
        "Train/Policy Loss": losses["policy"],
        "Train/Value Loss": losses["value"],
        "Train/Kickstarting Coef": k,
        "Train/Approx KL": losses["approx_kl"],
        "Train/Clip Fraction": losses["clip_fraction"],
        "Train/Explained Variance": losses["explained_variance"],
    }


def _teacher_scalars(sums: dict[str, float]) -> dict[str, float]:
    if "answered" not in sums:
        return {}
    return {
        "Train/Agreement": sums["agreeing"] / max(sums["answered"], 1),
        "Train/Unanswered Steps": sums["unanswered"],
        "Train/Unanswered Scenes": sums["unanswered scenes"],
    }


def _test_scalars(evaluation: Evaluation) -> dict[str, float]:
    summary = evaluation.summary()
    return {
        "Test/Return": summary["return"][0],
        "Test/Eplen": summary["length"][0],
        "Test/Success Rate": summary["success"][0],
    }
