import tempfile
from pathlib import Path

import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import main
from algos.evaluator import Evaluation
from algos.trainer import Report, Trainer
from planner.planners import make_recorded_planner
from utils.config import Config, make_config
from utils.ranks import Ranks
from utils.settings import fresh_settings

ITERATIONS = 4


class Silence:
    """A log that nobody reads."""

    def scalars(self, values: dict[str, float], iteration: int) -> None: ...

    def plans(self, plans: dict[str, dict[str, float]], iteration: int) -> None: ...

    def flush(self) -> None: ...


NOTHING = Evaluation([0], [False], [True], [0.0], [1])


def train(config: Config, folder: Path, stops: set[int]) -> Trainer:
    """Train to the end, stopped after each iteration in `stops` and resumed by a new trainer."""
    while True:
        teacher = main.make_teacher(config, make_recorded_planner(config.task), 3)
        trainer = main.make_trainer(config, folder, teacher, Ranks())
        if (folder / "checkpoint.pt").exists():
            trainer.restore()
        progress = trainer.progress

        def stopped(trainer: Trainer = trainer, start: int = progress.iteration) -> bool:
            return start < trainer.progress.iteration in stops

        report = Report(
            log=Silence(),
            try_teacher=lambda: NOTHING,
            evaluate=lambda _: (NOTHING, NOTHING),
            show=lambda *_: None,
            tell=lambda _: None,
            film=lambda _: None,
        )
        trainer.train(report, stopped)
        if progress.iteration == ITERATIONS:
            return trainer


@settings(max_examples=4)
@given(
    stops=st.sets(st.integers(1, ITERATIONS - 1), min_size=1),
    recurrent=st.booleans(),
    schedule=st.sampled_from(["linear", "adaptive", "matched"]),
    seed=st.integers(0, 100),
)
def test_a_resumed_run_equals_the_unbroken_one(
    stops: set[int], recurrent: bool, schedule: str, seed: int
) -> None:
    chosen = {"recurrent": recurrent, "schedule": schedule, "n_itr": ITERATIONS}
    small = {"traj_per_itr": 1, "batch_size": 64, "device": "cpu", "threads": 1}
    given = fresh_settings(chosen | small)
    config = make_config(given | {"seed": seed}, "settings")
    with tempfile.TemporaryDirectory() as whole, tempfile.TemporaryDirectory() as parts:
        one = train(config, Path(whole), set())
        other = train(config, Path(parts), stops)
    for first, second in zip(
        (one.student.state_dict(), one.ppo.optimizer.state_dict(), one.schedule.state()),
        (other.student.state_dict(), other.ppo.optimizer.state_dict(), other.schedule.state()),
        strict=True,
    ):
        torch.testing.assert_close(first, second, rtol=0, atol=0)
