"""Reading a log tree: its runs, the evaluations of its teachers, and what is left out and why."""

import math
import os
from collections.abc import Callable, Iterator, Mapping
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np

from algos.saved_files import CHECKPOINT, CONFIG, MODEL
from commands.reports.evaluations import (
    final_outcomes,
    has,
    last_evaluations,
    read_outcome,
    read_teacher,
)
from commands.reports.records import COLUMNS, COSTS, DECIMALS, Run, Tree, comparable, test_episodes
from commands.run_files import EVALUATION, METRICS, VERDICT, check_config_format, read_lines
from commands.settings.setting import flatten
from utils.errors import UserError
from utils.files import read_json
from utils.ownership import OWNER
from utils.terminal import counted

RUN_FILES = {METRICS, CHECKPOINT, MODEL, VERDICT, OWNER}
"""A folder with one of these, and without runs below it, should be a run."""


def read_tree(folder: Path, name: str) -> Tree:
    """Everything below a folder; UserError if there is no run."""
    tree = Tree(name)

    def leave_out(error: OSError) -> None:
        where = readable(Path(error.filename).relative_to(folder))
        tree.left_out.append((where, f"it cannot be read: {error.strerror}"))

    for place, files, is_leaf in walk(folder, leave_out):
        where = readable(place.relative_to(folder) if place != folder else folder.resolve().name)
        try:
            if CONFIG in files:
                tree.runs.append(read_run(place, where))
            elif EVALUATION in files:
                if teacher := read_teacher(place, where):
                    tree.teachers.append(teacher)
            elif RUN_FILES & files and place != folder and not any(place.rglob(CONFIG)):
                tree.left_out.append((where, f"there is no {CONFIG} in it"))
            elif is_leaf and not files and place != folder:
                tree.left_out.append((where, "it is empty"))
        except UserError as error:
            tree.left_out.append((where, readable(str(error))))
    if not tree.runs:
        why = f"{folder} holds no run to report on, as <method>/<task>/<run>"
        if records := sorted(folder.glob("*.jsonl")):
            why += f"; for the records of an earlier report give the file, such as {records[0]}"
        if tree.left_out:
            why += f"; left out: {'; '.join(': '.join(each) for each in tree.left_out)}"
        raise UserError(why)
    return tree


def readable(path: Path | str) -> str:
    """A path as text, with a replacement for bytes that are not UTF-8."""
    return os.fsencode(path).decode(errors="replace")


def walk(
    folder: Path, on_error: Callable[[OSError], None]
) -> Iterator[tuple[Path, set[str], bool]]:
    """Each folder in order, its files, and whether it has no folder inside. Links are followed, but
    no folder comes twice. Hidden folders and those inside a run are skipped."""
    seen = set[str]()
    for place, folders, files in os.walk(folder, onerror=on_error, followlinks=True):
        real = os.path.realpath(place)
        folders[:] = [] if real in seen or CONFIG in files else inside(place, folders)
        if real not in seen:
            seen.add(real)
            yield Path(place), set(files), not folders


def inside(place: str, folders: list[str]) -> list[str]:
    """Folders before links to them, so that a run is listed under its own path."""
    shown = (name for name in folders if not name.startswith("."))
    return sorted(shown, key=lambda name: (os.path.islink(os.path.join(place, name)), name))


def read_run(folder: Path, name: str) -> Run:
    """UserError if there is nothing to show."""
    config = read_json(folder / CONFIG)
    check_config_format(folder / CONFIG, config)
    try:
        config = flatten(config)
        settings = comparable(config)
        method, task = str(config["policy"]["name"]), str(config["task"]["name"])
        seed, planned = int(config["seed"]), int(config["n_itr"])
        episodes = test_episodes(settings)
        if episodes < 1:
            raise ValueError(episodes)
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise UserError(f"{CONFIG} does not hold the settings of a run") from error
    rows, notes = read_metrics(folder / METRICS)
    iterations = int(rows[-1]["iteration"])
    tests = [row for row in rows if is_test(row)]
    evaluations = {
        key: np.array([test[column] for test in tests], float).round(DECIMALS)
        for key, column in COLUMNS.items()
    }
    verdict, teacher = dict[str, Any](), None
    try:
        verdict = read_json(folder / VERDICT) if (folder / VERDICT).exists() else {}
        advice = verdict.get("advice")
        if narrowed := isinstance(advice, dict) and advice.get("only_memory"):
            notes.append("its teacher saw only its student's memory: it did as well with it")
        if verdict.get("teacher") and not narrowed:
            teacher = read_outcome(verdict["teacher"], VERDICT)
    except UserError as error:
        notes.append(f"{VERDICT} is left out: {error}")
    final, likeliest, final_notes = final_outcomes(folder, iterations, settings, verdict)
    if not final and not tests:
        raise UserError("it has no evaluation yet")
    if settings.get("quick"):
        final_notes.append("a --quick run: its evaluations have a few episodes each")
    origin = config.get("provenance")
    return Run(
        name=name,
        task=task,
        method=method,
        seed=seed,
        settings=settings,
        commit=str(origin.get("git_commit") or "") if isinstance(origin, dict) else "",
        iterations=iterations,
        planned=planned,
        steps=number(rows[-1], COLUMNS["steps"]),
        seconds=number(rows[-1], COLUMNS["seconds"]),
        evaluations=evaluations,
        final=final or last_evaluations(evaluations, episodes),
        teacher=teacher,
        notes=notes + final_notes,
        costs=costs_of(rows[-1]),
        likeliest=likeliest,
    )


def costs_of(last: Mapping[str, Any]) -> dict[str, float]:
    """What a run asked of an LLM, from its last iteration: that has what all have added."""
    tags = {name: f"LLM/{name}" for name in COSTS}
    return {name: float(last[tag]) for name, tag in tags.items() if has(last, tag)}


def read_metrics(path: Path) -> tuple[list[dict[str, Any]], list[str]]:
    """The iterations that can be read, and notes on those that cannot or are missing. UserError if
    there is none."""
    if not path.exists():
        raise UserError(f"there is no {METRICS} in it")
    rows = read_lines(path)
    if not rows:
        raise UserError("it has no iteration yet")
    notes = []
    lines = sum(bool(line) for line in path.read_text(encoding="utf-8").splitlines())
    if torn := lines - len(rows):
        notes.append(f"{torn} of {counted(lines, 'line')} of {METRICS} cannot be read")
    numbers = {row["iteration"] for row in rows}
    if missing := max(numbers) - len(numbers):
        first = next(number for number in count(1) if number not in numbers)
        logged = counted(max(numbers), "iteration")
        notes.append(f"{METRICS} lacks {missing} of {logged}, the first is {first}")
    return rows, notes


def is_test(row: Mapping[str, Any]) -> bool:
    """Whether an iteration has an evaluation."""
    return all(has(row, each) for each in COLUMNS.values()) and 0 <= row[COLUMNS["success"]] <= 1


def number(row: Mapping[str, Any], name: str) -> float:
    return float(row[name]) if has(row, name) else math.nan
