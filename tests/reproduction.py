"""A small table of experiments, processes that work on it, and the files that they leave."""

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from commands.experiments.experiment import Experiment
from tests import small_rooms
from tests.running import ROOT
from utils.files import write_json, write_text

TABLE = f"""
seeds: [0, 1]
num_eval: 8
groups:
- label: tiny
  tasks: [{small_rooms.TASK}]
  methods: [ppo, teacher]
  settings: {{n_itr: 14, traj_per_itr: 2, batch_size: 8, save_interval: 4, device: cpu}}
  of_tasks: {{{small_rooms.TASK}: {{num_eval: 2}}}}
"""
PATIENCE = 120
"""Seconds."""


@contextmanager
def begun(table: Path, out: Path, *flags: str) -> Iterator[subprocess.Popen[str]]:
    """A process that works on a table; its output is a pipe."""
    command = [sys.executable, "main.py", "reproduce", str(table), "--out", str(out), *flags]
    with subprocess.Popen(
        command, cwd=ROOT, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def reproduced(table: Path, out: Path) -> tuple[int, str]:
    """The exit code and the output."""
    with begun(table, out, "--jobs", "2") as process:
        said, _ = process.communicate(timeout=2 * PATIENCE)
    return process.returncode, said


def wait_until(process: subprocess.Popen[Any], happened: Callable[[], bool]) -> None:
    for _ in range(PATIENCE * 20):
        if happened():
            return
        with suppress(subprocess.TimeoutExpired):
            process.wait(0.05)
            break
    raise AssertionError(f"it ended before: {process.poll()}")


def evaluations(experiments: list[Experiment]) -> list[Any]:
    contents = [
        json.loads((experiment.folder / "unseen" / "eval.json").read_text())
        for experiment in experiments
    ]
    return [(content["success"], content["episodes"]) for content in contents]


def begin(experiment: Experiment, iterations: str) -> None:
    """Write the files of a run that has logged some iterations."""
    write_json(experiment.folder / "config.json", experiment.settings)
    write_text(experiment.folder / "metrics.jsonl", iterations)


def evaluate(experiment: Experiment, **said: object) -> None:
    """Write the file of a teacher's evaluation, with some values changed."""
    command = ["main.py", *experiment.evaluate, "--threads", "7"]
    episodes = [{"seed": seed} for seed in experiment.seeds]
    content = {"success": {"mean": 0.75}, "episodes": episodes, "provenance": {"command": command}}
    write_json(
        experiment.folder / experiment.final / "eval.json",
        {**content, **experiment.settings, **said},
    )
