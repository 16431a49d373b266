"""What a log tree holds: its runs, evaluations of its teachers, and what is left out, and why."""

import math
import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from algos.selection import WINDOW
from commands.observers.metrics import read_lines
from commands.provenance import digest
from commands.reports.evaluations import (
    EVALUATION,
    Outcome,
    TeacherRecord,
    final_outcome,
    last_tests,
    outcome,
    read_json,
    read_teacher,
)
from commands.settings.config import DEFAULTS, SETTINGS
from commands.settings.presets import BESIDE_SETTINGS
from commands.settings.setting import flatten
from utils.errors import UserError
from utils.run_files import CHECKPOINT, CONFIG, METRICS, MODEL, OWNER, VERDICT, check_config_format
from utils.statistics import Values

SIGNS = {METRICS, CHECKPOINT, MODEL, VERDICT, OWNER}
"""Files that say that a folder was to be a run, if there are no runs below it."""
COLUMNS = {
    "steps": "Train/Steps",
    "seconds": "Speed/Seconds",
    "success": "Test/Success Rate",
    "return": "Test/Return",
}
"""What is read of an evaluation while training -> its name in metrics.jsonl."""


@dataclass(frozen=True, eq=False)
class Run:
    """A run, up to where it is; its `name` is its path in the tree. `evaluations` holds what
    `COLUMNS` names, each (evaluations,); `teacher` is what the run says of its teacher alone, and
    `notes` are sentences about what it lacks."""

    name: str
    task: str
    method: str
    seed: int
    settings: Mapping[str, Any]
    commit: str
    iterations: int
    planned: int
    steps: float
    seconds: float
    evaluations: Mapping[str, Values]
    final: Outcome
    teacher: Outcome | None
    notes: list[str]

    @property
    def finished(self) -> bool:
        return self.iterations >= self.planned

    def held(self, threshold: float) -> tuple[float, float]:
        """The steps and seconds of training at which the last five evaluations together first had
        that success; infinite if they never had."""
        success = self.evaluations["success"]
        if len(success) >= WINDOW:
            means = np.lib.stride_tricks.sliding_window_view(success, WINDOW).mean(1)
            # Sums of decimal fractions: 0.8 may be 0.7999….
            for place in np.flatnonzero(means >= threshold - 1e-9):
                last = place + WINDOW - 1
                steps, seconds = (self.evaluations[name][last] for name in ("steps", "seconds"))
                return float(steps), float(seconds)
        return math.inf, math.inf

    def held_at_once(self, threshold: float) -> bool:
        """Whether that is the fifth evaluation, before which nothing can be said to be held: the
        run may have had the success earlier."""
        return self.held(threshold)[0] in self.evaluations["steps"][WINDOW - 1 : WINDOW]


@dataclass
class Tree:
    """The runs below a folder; of what is `left_out`, and of what is noted about runs that are
    not, the place and a sentence."""

    name: str
    runs: list[Run] = field(default_factory=list)
    teachers: list[TeacherRecord] = field(default_factory=list)
    left_out: list[tuple[str, str]] = field(default_factory=list)

    @property
    def notes(self) -> list[tuple[str, str]]:
        return [(run.name, what) for run in self.runs for what in run.notes]


def read_tree(folder: Path, name: str) -> Tree:
    """All that lies below a folder; UserError if that is no run at all."""
    tree = Tree(name)

    def tell(error: OSError) -> None:
        where = readable(Path(error.filename).relative_to(folder))
        tree.left_out.append((where, f"it cannot be read: {error.strerror}"))

    for place, files, is_leaf in walk(folder, tell):
        where = readable(place.relative_to(folder) if place != folder else folder.resolve().name)
        try:
            if CONFIG in files:
                tree.runs.append(read_run(place, where))
            elif EVALUATION in files:
                if teacher := read_teacher(place, where):
                    tree.teachers.append(teacher)
            elif SIGNS & files and place != folder and not any(place.rglob(CONFIG)):
                tree.left_out.append((where, f"there is no {CONFIG} in it"))
            elif is_leaf and not files and place != folder:
                tree.left_out.append((where, "it is empty"))
        except UserError as error:
            tree.left_out.append((where, readable(str(error))))
    if not tree.runs:
        why = f"{folder} holds no run to report on, as <method>/<task>/<run>"
        if kept := sorted(folder.glob("*.jsonl")):
            why += f"; of records that a report has kept, give the file, such as {kept[0]}"
        if tree.left_out:
            why += f"; left out: {'; '.join(': '.join(each) for each in tree.left_out)}"
        raise UserError(why)
    return tree


def readable(path: Path | str) -> str:
    """A path as text, also if some of its bytes are none."""
    return os.fsencode(path).decode(errors="replace")


def walk(folder: Path, tell: Callable[[OSError], None]) -> Iterator[tuple[Path, set[str], bool]]:
    """Folders in order, with their files and whether they hold no folder; none inside runs, none
    hidden, and none twice, whatever links lead to it. What cannot be read is told."""
    seen = set[str]()
    for place, folders, files in os.walk(folder, onerror=tell, followlinks=True):
        own = os.path.realpath(place)
        folders[:] = [] if own in seen or CONFIG in files else inside(place, folders)
        if own not in seen:
            seen.add(own)
            yield Path(place), set(files), not folders


def inside(place: str, folders: list[str]) -> list[str]:
    """Links behind the others: a folder has its own name."""
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
        seeds = len(settings["env_seed_list"])
        tested = seeds if seeds > 1 else int(config["num_eval"])
        if tested < 1:
            raise ValueError(tested)
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise UserError(f"{CONFIG} does not hold the settings of a run") from error
    notes = list[str]()
    rows = read_metrics(folder / METRICS, notes)
    if not rows:
        raise UserError("it has no iteration yet")
    done = int(rows[-1]["iteration"])
    tests = [row for row in rows if is_test(row)]
    evaluations = {
        key: np.array([t[column] for t in tests], float) for key, column in COLUMNS.items()
    }
    verdict: dict[str, Any] = {}
    try:
        verdict = read_json(folder / VERDICT) if (folder / VERDICT).exists() else {}
    except UserError as error:
        notes.append(f"{VERDICT} is passed over: {error}")
    final = final_outcome(folder, done, settings, verdict, notes)
    if not final and not tests:
        raise UserError("it has no evaluation yet")
    if done < planned:
        notes.append(f"unfinished: {done} of {planned} iterations")
    origin = config.get("provenance")
    return Run(
        name=name,
        task=task,
        method=method,
        seed=seed,
        settings=settings,
        commit=str(origin.get("git_commit") or "") if isinstance(origin, dict) else "",
        iterations=done,
        planned=planned,
        steps=number(rows[-1], COLUMNS["steps"]),
        seconds=number(rows[-1], COLUMNS["seconds"]),
        evaluations=evaluations,
        final=final or last_tests(evaluations, tested),
        teacher=outcome(verdict.get("teacher"), VERDICT),
        notes=notes,
    )


def read_metrics(path: Path, notes: list[str]) -> list[dict[str, Any]]:
    """The iterations that can be read."""
    if not path.exists():
        raise UserError(f"there is no {METRICS} in it")
    try:
        rows = read_lines(path)
        lines = len([line for line in path.read_text(encoding="utf-8").splitlines() if line])
    except (OSError, ValueError) as error:
        raise UserError(f"cannot read {METRICS}: {error}") from error
    rows = [row for row in rows if has(row, "iteration")]
    if torn := lines - len(rows):
        notes.append(f"{torn} of {lines} lines of {METRICS} cannot be read")
    return rows


def is_test(row: Mapping[str, Any]) -> bool:
    """Whether there was an evaluation at an iteration."""
    return all(has(row, each) for each in COLUMNS.values()) and 0 <= row[COLUMNS["success"]] <= 1


def has(row: Mapping[str, Any], name: str) -> bool:
    value = row.get(name)
    return isinstance(value, int | float) and math.isfinite(value)


def number(row: Mapping[str, Any], name: str) -> float:
    return float(row[name]) if has(row, name) else math.nan


def comparable(config: Mapping[str, Any]) -> dict[str, Any]:
    """The settings in which runs of one method and task may differ; a run that is older than a
    setting has its default."""
    settings = {**DEFAULTS, **config}
    task = settings.pop("task")
    for name in (*BESIDE_SETTINGS, "policy"):
        settings.pop(name, None)
    for name, setting in SETTINGS.items():
        if setting.compared == "no":
            settings.pop(name, None)
        elif setting.compared == "if set":
            settings[name] = bool(settings[name])
    # A task's own defaults stand among the settings.
    parts = {name: part for name, part in task.items() if name not in ("name", "settings")}
    parts["plans"] = digest(parts.get("plans"))
    return settings | parts
