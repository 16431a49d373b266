"""What a report has read of its runs, in a small file that is a log tree to later reports.

Each line is a run, or an evaluation of a teacher, as JSON; such files can be joined end to end."""

import json
import math
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from commands.reports.evaluations import Outcome, TeacherRecord
from commands.reports.log_tree import COLUMNS, Run, Tree, comparable
from utils.errors import UserError
from utils.files import strict
from utils.run_files import FORMAT, check_format
from utils.statistics import Estimate

RECORDS = "records.jsonl"
BROKEN = (ArithmeticError, AttributeError, LookupError, TypeError, ValueError, RecursionError)
"""What is raised by content that is none of a report's."""


def records(tree: Tree) -> str:
    """The runs of a tree, with what is noted about them, and its teachers."""
    lines = list[dict[str, Any]]()
    for run in tree.runs:
        curves = {name: values.tolist() for name, values in run.evaluations.items()}
        content = asdict(run) | {"evaluations": curves}
        lines.append({"notes": content.pop("notes"), "run": content})
    lines += [{"teacher": asdict(teacher)} for teacher in tree.teachers]
    return "".join(
        json.dumps(strict({"format": FORMAT} | line), sort_keys=True) + "\n" for line in lines
    )


def read_records(path: Path, name: str) -> Tree:
    """UserError if a line is none of a report's."""
    tree = Tree(name)
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, ValueError) as error:
        raise UserError(f"cannot read {path}: {error}") from error
    for number, line in enumerate(lines, 1):
        try:
            content = json.loads(line)
            check_format(path, content)
            if "run" in content:
                tree.runs.append(as_run(content["run"], content["notes"]))
            else:
                tree.teachers.append(as_teacher(content["teacher"]))
        except BROKEN as error:
            raise UserError(f"{path}, line {number} is no record of a report") from error
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
        # Those that came to the project since then had their defaults.
        settings=comparable({"task": {}}) | content["settings"],
        commit=str(content["commit"]),
        iterations=int(content["iterations"]),
        planned=int(content["planned"]),
        steps=number(content["steps"]),
        seconds=number(content["seconds"]),
        evaluations=evaluations,
        final=as_outcome(content["final"]),
        teacher=None if teacher is None else as_outcome(teacher),
        notes=[str(what) for what in notes],
    )


def as_teacher(content: dict[str, Any]) -> TeacherRecord:
    traits = dict(content["traits"])
    outcome = as_outcome(content["outcome"])
    return TeacherRecord(str(content["place"]), str(content["task"]), traits, outcome)


def as_outcome(content: dict[str, Any]) -> Outcome:
    success, returns = (Estimate(*map(number, content[name])) for name in ("success", "returns"))
    return Outcome(int(content["episodes"]), success, returns, str(content["source"]))


def number(value: float | None) -> float:
    return math.nan if value is None else float(value)
