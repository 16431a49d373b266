"""What a report has read, in one small file that later reports read in place of the log tree.

Each line is a run, or an evaluation of a teacher, as JSON. Such files can be joined end to end.
"""

import json
import math
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from algos.saved_files import FORMAT, check_format
from commands.reports.evaluations import Outcome, TeacherRecord
from commands.reports.log_tree import COLUMNS, Run, Tree, comparable
from utils.errors import UserError
from utils.files import strict
from utils.statistics import Estimate

RECORDS = "records.jsonl"
BROKEN = (ArithmeticError, AttributeError, LookupError, TypeError, ValueError, RecursionError)
"""What a line raises that no report has written."""


def record_lines(tree: Tree) -> Iterator[str]:
    """The runs of a tree with their notes, then its teachers."""
    for run in tree.runs:
        curves = {name: values.tolist() for name, values in run.evaluations.items()}
        content = asdict(run) | {"evaluations": curves}
        yield as_line({"notes": content.pop("notes"), "run": content})
    for teacher in tree.teachers:
        yield as_line({"teacher": asdict(teacher)})


def as_line(record: dict[str, Any]) -> str:
    return json.dumps(strict({"format": FORMAT} | record), sort_keys=True) + "\n"


def read_records(path: Path, name: str) -> Tree:
    """UserError if a line is not from a report."""
    tree = Tree(name)
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, ValueError) as error:
        raise UserError(f"cannot read {path}: {error}") from error
    for position, line in enumerate(lines, 1):
        try:
            content = json.loads(line)
            check_format(path, content, FORMAT)
            if "run" in content:
                tree.runs.append(as_run(content["run"], content["notes"]))
            else:
                tree.teachers.append(as_teacher(content["teacher"]))
        except BROKEN as error:
            raise UserError(f"{path}, line {position} is not a record of a report") from error
    if not tree.runs:
        raise UserError(f"{path} holds no record of a run")
    return tree


def as_run(content: dict[str, Any], notes: list[Any]) -> Run:
    evaluations = {name: np.array(content["evaluations"][name], float) for name in COLUMNS}
    if not np.isfinite(list(evaluations.values())).all():
        raise ValueError("evaluations lack a number")
    teacher = content["teacher"]
    return Run(
        name=str(content["name"]),
        task=str(content["task"]),
        method=str(content["method"]),
        seed=int(content["seed"]),
        # A setting that is younger than the record has its default.
        settings=comparable({"task": {}}) | content["settings"],
        commit=str(content["commit"]),
        iterations=int(content["iterations"]),
        planned=int(content["planned"]),
        steps=number(content["steps"]),
        seconds=number(content["seconds"]),
        evaluations=evaluations,
        final=as_outcome(content["final"]),
        teacher=None if teacher is None else as_outcome(teacher),
        notes=[str(note) for note in notes],
    )


def as_teacher(content: dict[str, Any]) -> TeacherRecord:
    traits, outcome = dict(content["traits"]), as_outcome(content["outcome"])
    return TeacherRecord(str(content["place"]), str(content["task"]), traits, outcome)


def as_outcome(content: dict[str, Any]) -> Outcome:
    success, returns = (Estimate(*map(number, content[name])) for name in ("success", "returns"))
    return Outcome(int(content["episodes"]), success, returns, str(content["source"]))


def number(value: float | None) -> float:
    return math.nan if value is None else float(value)
