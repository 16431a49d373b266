"""Small log trees, written as training and evaluation write them, with a test's own numbers, and
what a report says of them."""

import csv
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import main
from algos.evaluation import Evaluation
from commands import runs
from commands.observers.metrics import Metrics
from commands.settings.methods import load_method
from commands.settings.resolve import fresh_settings, seeded
from planner.task import load_task
from utils.files import write_json

RISING = [0, 0.5, 0.8, 0.8, 0.8, 0.8, 0.8, 1, 1, 1, 1]
"""0.8 is held at the 7th evaluation, 0.95 at the 11th: the means of five are 0.8 and 0.96."""
FEW = {"n_itr": 10, "num_eval": 10, "device": "cpu"}


def write_run(
    logdir: Path,
    name: str,
    success: Sequence[float],
    *,
    method: str = "ppo",
    task: str = "SimpleDoorKey",
    seed: int = 0,
    every: int = 100,
    steps: Sequence[int] | None = None,
    final: Sequence[float] | None = None,
    **settings: Any,
) -> Path:
    """A run that was evaluated every so many steps, or after these `steps`, 2 s each, with these
    shares of successes; a return is nine tenths of a success. `final` are the successes of its
    verdict's episodes."""
    flags = {"policy": load_method(method), "task": load_task(task), **FEW, **settings}
    flags["n_itr"] = settings.get("n_itr", len(success))
    (config,) = seeded(fresh_settings(flags), [seed])
    folder = runs.task_folder(logdir, config.policy, config.task) / name
    folder.mkdir(parents=True)
    runs.write_config(folder, config)
    log = Metrics(folder / "metrics.jsonl")
    steps = steps or range(every, every * len(success) + 1, every)
    for number, (share, done) in enumerate(zip(success, steps, strict=True), 1):
        row = {"Train/Steps": done, "Speed/Seconds": 2.0 * number}
        tests = {"Test/Success Rate": share, "Test/Return": 0.9 * share}
        log.write(number, row | tests)
    log.ended()
    if final:
        outcome = evaluation(final).to_dict()
        teacher = evaluation([1, 1, 1, 0]).to_dict()
        write_json(folder / "verdict.json", {"last": outcome, "best": None, "teacher": teacher})
    return folder


def evaluation(success: Sequence[float]) -> Evaluation:
    count = len(success)
    return Evaluation(
        seeds=list(range(count)),
        success=[bool(each) for each in success],
        timed_out=[not each for each in success],
        returns=[0.9 * each for each in success],
        lengths=[10] * count,
    )


def write_evaluation(folder: Path, name: str, success: Sequence[float], **says: Any) -> None:
    """As `main.py eval` leaves it in a run's folder, or in the one of a task's teachers."""
    content = {"task": "SimpleDoorKey", "deterministic": False, **says}
    write_json(folder / name / "eval.json", content | evaluation(success).to_dict())


def report(*words: object) -> int:
    return main.main(["report", *map(str, words)])


def table(folder: Path, name: str = "results.csv") -> list[dict[str, str]]:
    with (folder / name).open(newline="") as file:
        return list(csv.DictReader(file))


def numbers(folder: Path, table_name: str, **of: str) -> dict[str, list[float | None]]:
    """The numbers of the one line of a table that these names fit: value, low, high."""
    lines = [
        line
        for line in table(folder)
        if line["table"] == table_name and all(line[n] == text for n, text in of.items())
    ]
    found = {
        line["number"]: [
            float(line[end]) if line[end] else None for end in ("value", "low", "high")
        ]
        for line in lines
    }
    assert len(found) == len(lines) > 0, f"{len(lines)} lines fit {table_name} {of}"
    return found
