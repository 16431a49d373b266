"""The command line, called as users call it, and what is looked at in the runs that it leaves."""

import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

import main
from algos import checkpoint
from algos.evaluation import Evaluation
from algos.iteration import Iteration
from algos.rollout import Rollout
from commands.settings.setting import flatten
from tests import small_rooms

ROOT = Path(__file__).parent.parent
SMALL = [
    *("--task", small_rooms.TASK, "--threads", "1", "--device", "cpu", "--traj_per_itr", "2"),
    *("--batch_size", "8", "--eval_interval", "1", "--save_interval", "4", "--num_eval", "2"),
]
SCALARS = (
    *("Train/Return Mean", "Train/Return Std", "Train/Eplen", "Train/Success Rate", "Train/Loss"),
    *("Train/Mean Entropy", "Train/Kickstarting Loss", "Train/Policy Loss", "Train/Value Loss"),
    *("Train/Kickstarting Coef", "Train/Approx KL", "Train/Clip Fraction"),
    *("Train/Explained Variance", "Train/Agreement", "Train/Unanswered Steps"),
    *("Train/Approx KL Largest", "Train/Gradient Norm", "Train/Weight Norm"),
    *("Train/Teacher's Share of the Gradient", "Train/Timed Out", "Train/Failed Early"),
    *("Speed/Environment", "Speed/Policy", "Speed/Teacher", "Speed/Update", "Speed/Total"),
    "Speed/Seconds",
)
TESTS = (
    *("Test/Return", "Test/Eplen", "Test/Success Rate", "Test/Success Rate Deterministic"),
    *("Test/Timed Out", "Test/Failed Early"),
)


def train(logdir: Path, *flags: str) -> int:
    return main.main(["train", "--logdir", str(logdir), *SMALL, *flags])


def evaluate(logdir: Path, *flags: str) -> int:
    return main.main(["eval", "--logdir", str(logdir), "--threads", "1", *flags])


def runs_of(logdir: Path, method: str = "ppo") -> Path:
    return logdir / method / "simpledoorkey"


def settings_of(folder: Path) -> dict[str, Any]:
    """The settings in a run's config.json by name, with its format, history and provenance."""
    return flatten(json.loads((folder / "config.json").read_text()))


def write_format_2(folder: Path, changes: Mapping[str, Any], without: Sequence[str] = ()) -> None:
    """Give a run the config.json that format 2 had, with some settings changed or missing."""
    content = settings_of(folder) | {"format": 2} | changes
    kept = {k: v for k, v in content.items() if k not in ("history", *without)}
    (folder / "config.json").write_text(json.dumps(kept))


def diverge(model: Path) -> None:
    """As if a run had gone on until nothing that its student says is a number."""
    content = checkpoint.load(model)
    for weights in content["weights"].values():
        weights.fill_(math.nan)
    checkpoint.save(model, content)


def scalars(folder: Path) -> dict[str, list[int]]:
    """Name -> the iterations that TensorBoard shows."""
    events = EventAccumulator(str(folder), size_guidance={"scalars": 0})
    events.Reload()
    return {name: [e.step for e in events.Scalars(name)] for name in events.Tags()["scalars"]}


def observed(number: int, evaluated: bool) -> Iteration:
    """An iteration as a display sees it."""
    numbers = {"success": 0.5, "return mean": 0.25, "k": 9.0, "speed/total": 1000.0}
    evaluation = Evaluation([0], [True], [False], [1.0], [1])
    nothing = torch.zeros(0)
    rollout = Rollout({}, nothing, {}, nothing, nothing, nothing, nothing, {}, {})
    if not evaluated:
        return Iteration(number, numbers, rollout, 1.0)
    both = evaluation, evaluation
    numbers["test/success"] = 0.75
    return Iteration(number, numbers, rollout, 1.0, evaluations=both)


def assert_same_run(one: Path, other: Path) -> None:
    kept = ("acmodel.pt", "weights"), ("checkpoint.pt", "learner"), ("checkpoint.pt", "best")
    for name, key in kept:
        first, second = (checkpoint.load(folder / name)[key] for folder in (one, other))
        torch.testing.assert_close(first, second, rtol=0, atol=0)
    for key in ("selection", "schedule", "teacher_alone"):
        first, second = (checkpoint.load(folder / "checkpoint.pt")[key] for folder in (one, other))
        assert first == second
    unclocked = {"progress": ("iteration", "steps", "episodes")}
    for key, names in unclocked.items():
        first, second = (checkpoint.load(folder / "checkpoint.pt")[key] for folder in (one, other))
        assert [first[name] for name in names] == [second[name] for name in names]


def done(folders: list[Path]) -> list[int]:
    """The iterations that each run has behind it."""
    saved = [checkpoint.load(folder / "checkpoint.pt") for folder in folders]
    return [content["progress"]["iteration"] for content in saved]
