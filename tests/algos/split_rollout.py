"""One rank of two iterations of training, and in which rooms it played."""

from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Generator, Tensor

from algos.evaluation import Evaluation, Trial
from algos.rollout import Rollout
from algos.trainer import Trainer
from commands.build import Parts
from commands.observers.tags import tagged
from commands.settings.config import make_config
from commands.settings.resolve import fresh_settings
from planner.task import load_task
from tests import small_rooms
from utils.ranks import Ranks
from utils.timing import Stopwatch


@dataclass
class Tried:
    """An evaluator that knows the outcomes of the teacher's trials, one after another."""

    outcomes: list[Evaluation]

    @property
    def trials(self) -> int:
        return len(self.outcomes[0].seeds)

    def try_teacher(self) -> Trial:
        outcome = self.outcomes.pop(0)
        return Trial(outcome, outcome.summary()["success"].low, outcome.stuck)

    def evaluate_student(self, iteration: int) -> tuple[Evaluation, Evaluation]:
        raise AssertionError("no iteration ends here with an evaluation")


def make_trainer(ranks: Ranks, rollout_steps: int | None = None, **changes: Any) -> Trainer:
    """The trainer of a rank; `changes` are of the settings."""
    small = {"traj_per_itr": 3, "batch_size": 8, "threads": 1, "device": "cpu"}
    small |= {"schedule": "matched", **changes}
    given = fresh_settings({"task": load_task(small_rooms.TASK)} | small)
    config = make_config(given | {"seed": 5, "rollout_steps": rollout_steps}, "test")
    parts = Parts(config, ExitStack())
    return parts.trainer(Path(), parts.teacher(Path()), ranks)


def go_on(ranks: Ranks) -> dict[str, Any]:
    """The state of all ranks' cut episodes, this rank's observations then, and whether a restored
    collector goes on as the first one does."""
    trainer, again = (make_trainer(ranks, 16, recurrent=True) for _ in range(2))
    for _ in range(2):
        numbers = trainer.iterate().numbers
    one, other = trainer.collector, again.collector
    state, obs = one.state(), trainer.collector.obs
    again.learner.restore(trainer.learner.state(), "trainer")
    other.restore(state)
    rewards = []
    for collector in (one, other):
        rollout = collector.collect(2, torch.Generator().manual_seed(ranks.number), Stopwatch())
        rewards.append((rollout.steps["log_prob"], rollout.obs["image"], rollout.returns))
    same = all(map(torch.equal, *rewards))
    return {"state": state, "obs": obs, "same": same, "success": numbers.get("success")}


def tried(wins: int) -> Evaluation:
    """A teacher that succeeds in the first of nine episodes and fails early in the others."""
    success = [episode < wins for episode in range(9)]
    return Evaluation([*range(9)], success, [False] * 9, [1.0] * 9, [1] * 9)


def iterate(ranks: Ranks, with_memory: int = 6, **changes: Any) -> dict[str, Any]:
    """What a rank has seen and reckoned. The teacher succeeds in 6 of 9 episodes, in a second trial
    in so many; `changes` are of the settings."""
    trainer = make_trainer(ranks, **changes)
    play, rooms, draws = trainer.collector.play, list[Tensor](), list[Tensor]()

    def noted(seeds: Tensor, generator: Generator, watch: Stopwatch) -> Rollout:
        rooms.append(seeds)
        draws.append(generator.get_state())
        return play(seeds, generator, watch)

    trainer.collector.play = noted
    # The lead alone tries the teacher.
    evaluator = Tried([tried(6), tried(with_memory)]) if ranks.lead else None
    trainer.save = lambda observers=(): None  # type: ignore[method-assign]
    trainer.begin(evaluator)
    scalars = [tagged(trainer.iterate().numbers) for _ in range(2)]
    seen = {"rooms": rooms, "draws": draws, "episodes": trainer.progress.episodes}
    shared = {k: v for k, v in scalars[-1].items() if not k.startswith("Speed/")}
    state = trainer.schedule.state()
    weights = trainer.student.state_dict()
    return {
        **seen,
        "scalars": shared,
        "schedule": state,
        "weights": weights,
        "doubt": vars(trainer.doubt),
    }
