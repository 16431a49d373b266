import math
import tempfile
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from algos import checkpoint
from algos.evaluation import Evaluation, Trial
from algos.iteration import Iteration
from algos.protocols import Observer
from algos.trainer import Trainer
from algos.trials import Doubt
from commands.build import Parts
from commands.observers.display import Display
from commands.settings.config import Config, make_config
from commands.settings.resolve import fresh_settings
from planner.task import load_task
from tests import small_rooms
from utils.ranks import Ranks

ITERATIONS = 7
SMALL = {"traj_per_itr": 1, "batch_size": 8, "device": "cpu", "threads": 1}


WINS = 1, 3, 2, 0, 2, 3, 1, 2
"""Of four episodes, by iteration."""


def outcome(iteration: int) -> Evaluation:
    success = [episode < WINS[iteration] for episode in range(4)]
    return Evaluation([*range(4)], success, [not won for won in success], [0.0] * 4, [1] * 4)


@dataclass
class Outcomes:
    """An evaluator that knows all outcomes before. The teacher succeeds in ten of twelve episodes,
    but if `better` in none of its second trial."""

    better: bool = False
    trials: int = 12
    tried: int = 0

    def try_teacher(self) -> Trial:
        self.tried += 1
        wins = 0 if self.better and self.tried == 2 else 10
        success = [episode < wins for episode in range(12)]
        stuck = [not won for won in success]
        tried = Evaluation([*range(12)], success, stuck, [0.0] * 12, [1] * 12)
        return Trial(tried, tried.summary()["success"].low, tried.stuck)

    def expected_steps(self, length: float) -> float:
        return 8 * length

    def evaluate_student(self, iteration: int) -> tuple[Evaluation, Evaluation]:
        return outcome(iteration), outcome(0)


def train(config: Config, folder: Path, stops: set[int], better: bool = False) -> Trainer:
    """Train to the end, stopped after each iteration in `stops` and resumed by a new trainer. The
    teacher may be `better` than in its second trial."""
    while True:
        parts = Parts(config, ExitStack())
        trainer = parts.trainer(folder, parts.teacher(folder), Ranks())
        if (folder / "checkpoint.pt").exists():
            trainer.restore()
        else:
            trainer.begin(Outcomes(better))
        progress = trainer.progress

        def stopped(trainer: Trainer = trainer, start: int = progress.iteration) -> bool:
            return start < trainer.progress.iteration in stops

        trainer.train(stopped, Outcomes())
        if progress.iteration == ITERATIONS:
            return trainer


def states(trainer: Trainer) -> tuple[dict[str, Any], ...]:
    plain = trainer.schedule.state(), vars(trainer.selection), vars(trainer.teacher_alone)
    spent = {"evaluation_steps": trainer.evaluation_steps, "doubt": vars(trainer.doubt)}
    return trainer.learner.state(), trainer.collector.state(), *plain, spent


@settings(max_examples=6)
@given(
    stops=st.sets(st.integers(1, ITERATIONS - 1), min_size=1),
    recurrent=st.booleans(),
    schedule=st.sampled_from(["linear", "adaptive", "matched"]),
    rollout=st.sampled_from([{}, {"num_envs": 3, "rollout_steps": 7}]),
    uniform_share=st.sampled_from([0.0, 0.3, "auto"]),
    sees=st.sampled_from(["memory", "everything", "everything, narrowed"]),
    seed=st.integers(0, 100),
)
def test_a_resumed_run_equals_the_unbroken_one(
    stops: set[int],
    recurrent: bool,
    schedule: str,
    rollout: dict[str, int],
    uniform_share: float | str,
    sees: str,
    seed: int,
) -> None:
    chosen = {"recurrent": recurrent, "schedule": schedule, "n_itr": ITERATIONS}
    chosen |= {"eval_interval": 1, "anneal": True, "uniform_share": uniform_share}
    if sees != "memory":
        chosen |= {"teacher_sees": "everything", "advisor_alpha": 8.0}
    better = sees == "everything"
    given = fresh_settings({"task": load_task(small_rooms.TASK)} | chosen | SMALL)
    config = make_config(given | {"seed": seed} | rollout, "settings")
    with tempfile.TemporaryDirectory() as whole, tempfile.TemporaryDirectory() as parts:
        one = train(config, Path(whole), set(), better)
        other = train(config, Path(parts), stops, better)
    assert one.doubt.narrowed == (sees == "everything, narrowed")
    for first, second in zip(
        (*states(one), one.best),
        (*states(other), other.best),
        strict=True,
    ):
        torch.testing.assert_close(first, second, rtol=0, atol=0)


def test_the_best_of_a_run_that_was_killed_is_the_one_its_checkpoint_speaks_of(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    chosen = {"n_itr": ITERATIONS, "eval_interval": 1, "save_interval": 1}
    given = fresh_settings({"task": load_task(small_rooms.TASK)} | chosen | SMALL)
    config = make_config(given | {"seed": 0}, "settings")

    def killed(trainer: Trainer) -> None:
        if trainer.progress.iteration == 6:
            raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(Trainer, "export", killed)
        with pytest.raises(KeyboardInterrupt):
            train(config, tmp_path, set())
    assert not (tmp_path / "best.pt").exists()
    parts = Parts(config, ExitStack())
    trainer = parts.trainer(tmp_path, parts.teacher(tmp_path), Ranks())
    trainer.restore()
    trainer.export()
    saved = checkpoint.load(tmp_path / "best.pt")
    assert saved["iteration"] == trainer.selection.iteration
    torch.testing.assert_close(saved["weights"], trainer.best, rtol=0, atol=0)
    assert checkpoint.load(tmp_path / "acmodel.pt")["iteration"] == 6


def test_a_trial_without_all_answers_holds_nothing_against_the_teacher() -> None:
    class Away(Outcomes):
        def try_teacher(self) -> Trial:
            return Trial(outcome(1), success=1.0, stuck=0.0, incomplete=True)

    class Told(Observer):
        def news(self, text: str) -> None:
            said.append(text)

    said = list[str]()
    trainer = short_rollouts(uniform_share="auto")
    trainer.save = lambda observers=(): None  # type: ignore[method-assign]
    trainer.begin(Away(), [Told()])
    assert said[1] == "answers were missing: nothing is held against the teacher"
    assert trainer.doubt == Doubt(0.1)


def short_rollouts(**changes: Any) -> Trainer:
    """A trainer on rollouts of four steps in each room; episodes have up to 16."""
    chosen = {"num_envs": 4, "eval_interval": 2, **changes}
    given = fresh_settings({"task": load_task(small_rooms.TASK)} | SMALL | chosen)
    config = make_config(given | {"seed": 0, "rollout_steps": 4}, "settings")
    parts = Parts(config, ExitStack())
    return parts.trainer(Path(), parts.teacher(Path()), Ranks())


def test_an_iteration_in_which_no_episode_ended_tells_the_schedule_nothing() -> None:
    trainer = short_rollouts(schedule="matched", kl_start=1.0)
    told = list[tuple[float, float]]()
    trainer.schedule.observe = lambda *seen: told.append(seen)  # type: ignore[method-assign]
    iterations = [trainer.iterate() for _ in range(8)]
    ended = [int(iteration.rollout.ended.sum()) for iteration in iterations]
    assert 0 in ended
    assert sum(ended) == trainer.progress.episodes >= 8
    assert [weight for _, weight in told] == [min(count / 4, 1) for count in ended if count]
    for iteration, count in zip(iterations, ended, strict=True):
        assert ("success" in iteration.numbers) == (count > 0)
        assert iteration.steps_per_episode == 16 / max(count, 1)
        display = Display("run", 0, 8)
        display.iteration(iteration)
        display.ended()


def long_outcome() -> Evaluation:
    return Evaluation([*range(4)], [False] * 4, [True] * 4, [0.0] * 4, [16] * 4)


class LongEpisodes(Outcomes):
    """An evaluator of a student that never succeeds."""

    def evaluate_student(self, iteration: int) -> tuple[Evaluation, Evaluation]:
        return long_outcome(), long_outcome()


@pytest.mark.parametrize("share", [0.5, math.inf])
def test_evaluations_take_their_share_of_the_steps_but_for_the_last(
    tmp_path: Path, share: float
) -> None:
    trainer = short_rollouts(n_itr=25)
    trainer.folder = tmp_path
    trainer.settings = replace(trainer.settings, evaluation_share=share)
    evaluated, put_off = dict[int, float](), list[int]()

    class Noted(Observer):
        def iteration(self, iteration: Iteration) -> None:
            if iteration.evaluations:
                assert "test/success" in iteration.numbers
                evaluated[iteration.number] = trainer.evaluation_steps / trainer.progress.steps
            if iteration.put_off:
                put_off.append(iteration.number)

    trainer.train(lambda: False, LongEpisodes(), [Noted()])
    last = evaluated.pop(25)
    assert last == len([*evaluated, 25]) * 128 / trainer.progress.steps
    assert sorted([*evaluated, *put_off]) == [*range(2, 25, 2)]
    if share == math.inf:
        assert not put_off
    else:
        assert evaluated
        assert put_off
        # An evaluation takes 128 steps, and at least 32 were expected.
        assert max(evaluated.values()) <= share + (128 - 32) / (16 * min(evaluated))
