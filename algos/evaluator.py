"""Evaluation: how well an actor does in episodes from fixed seeds."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import torch

from algos.evaluation import Evaluation, Trial
from algos.play import play
from algos.protocols import Actor, BoundedEnvironments, Environments
from algos.rollout import Rollout
from utils import seeding
from utils.timing import Stopwatch

TRIAL_STEPS, FEWEST_TRIALS, MOST_TRIALS = 30_000, 30, 100


def trial_episodes(max_steps: int) -> int:
    """The number of episodes of a trial and of a verdict on episodes of at most `max_steps`.

    100 if all of them have at most 30,000 steps together; fewer if they may have more, but at least
    30. The 95% interval of 30 successes in 30 episodes begins at 0.89.
    """
    return min(max(TRIAL_STEPS // max_steps, FEWEST_TRIALS), MOST_TRIALS)


def evaluate(
    environments: Environments,
    actor: Actor,
    seeds: list[int],
    generator: torch.Generator,
    device: torch.device,
) -> Evaluation:
    """Play one episode from each seed, as many at once as there are environments."""
    evaluation = Evaluation()
    for batch, rollout in play_batches(environments, actor, seeds, generator, device):
        evaluation.add(batch, rollout)
    return evaluation


def play_batches(
    environments: Environments,
    actor: Actor,
    seeds: list[int],
    generator: torch.Generator,
    device: torch.device,
) -> Iterator[tuple[list[int], Rollout]]:
    """Yield the seeds of each batch of episodes with its rollout, without observations.

    If the last batch has fewer seeds than environments, its seeds are repeated: the rollout then
    has more episodes than the batch has seeds, and only the first ones count.
    """
    count = environments.num_envs
    for first in range(0, len(seeds), count):
        batch = seeds[first : first + count]
        padded = [batch[i % len(batch)] for i in range(count)]
        rollout = play(environments, actor, device, padded, generator, Stopwatch(), keep_obs=False)
        yield batch, rollout


@dataclass
class Evaluator:
    """Evaluates the student and the teacher of one run.

    The student is evaluated during the run in `environments` from `seeds`. The teacher's trial and
    the verdict have `trials` episodes each, in `unseen` environments from seeds of their own. So
    the verdict is in rooms that have chosen neither a model nor the teacher's weight.
    `deterministic` is the student that takes its likeliest actions. `seed` is the run's.
    """

    student: Actor
    deterministic: Actor
    teacher: Actor
    environments: BoundedEnvironments
    seeds: list[int]
    unseen: Environments
    trials: int
    seed: int
    device: torch.device
    awaits_answers: Callable[[], bool] = lambda: False
    """Whether answers that a teacher lacks may still come, as those of an LLM that is away."""

    def try_teacher(self) -> Trial:
        """Let the teacher act alone. It reaches the lower end of its success's interval for sure.
        If answers were missing that may still come, nothing is held against it."""
        seeds = seeding.numbered(seeding.FIRST_TRIAL_SEED, self.trials)
        # A teacher draws on the CPU.
        draws = self._draws(seeding.TRIAL, device=torch.device("cpu"))
        outcome = evaluate(self.unseen, self.teacher, seeds, draws, self.device)
        if outcome.unanswered_steps and self.awaits_answers():
            return Trial(outcome, success=1.0, stuck=0.0, incomplete=True)
        return Trial(outcome, outcome.summary()["success"].low, outcome.stuck)

    def expected_steps(self, length: float) -> float:
        return 2 * len(self.seeds) * min(length, self.environments.max_steps)

    def evaluate_student(self, iteration: int) -> tuple[Evaluation, Evaluation]:
        """The student with sampled actions, then with its likeliest ones."""

        def outcome(actor: Actor) -> Evaluation:
            draws = self._draws(seeding.EVALUATION, iteration)
            return evaluate(self.environments, actor, self.seeds, draws, self.device)

        return outcome(self.student), outcome(self.deterministic)

    def judge(self, actor: Actor) -> Evaluation:
        """Evaluate an actor for the verdict."""
        seeds = seeding.numbered(seeding.FIRST_VERDICT_SEED, self.trials)
        draws = self._draws(seeding.VERDICT)
        return evaluate(self.unseen, actor, seeds, draws, self.device)

    def _draws(self, *stream: int, device: torch.device | None = None) -> torch.Generator:
        return seeding.generator(self.seed, *stream, device=device or self.device)
