"""How soon students of teachers that may be wrong hold a success of 0.95."""

from collections import defaultdict
from collections.abc import Mapping
from math import inf, isinf
from typing import Any

from commands.reports.estimates import THRESHOLDS
from commands.reports.run_groups import RunGroup, is_control
from planner.wrong_plans import WORST
from utils.errors import UserError
from utils.terminal import counted

NONE, UNIFORM = "none", "every legal plan alike"
USUAL = 3
"""Runs of a group. A cell says it where there are more or fewer."""
Row = dict[str, RunGroup]
"""Task -> the runs in it with one teacher."""


def by_teacher(groups: list[RunGroup]) -> tuple[list[str], list[list[str]]]:
    """Columns and rows: what the teacher says, and whether it is doubted, beside tasks."""
    tasks = list(dict.fromkeys(group.task for group in groups))
    rows = defaultdict[tuple[str, str], Row](dict)
    for group in sorted(groups, key=lambda group: order(group.settings)):
        row = rows[said(group.settings), doubt(group.settings)]
        if group.task in row:
            raise UserError(
                f"{group.task}: {row[group.task].label} and {group.label} have one cell"
            )
        row[group.task] = group
    cells = []
    for (teacher, doubted), row in rows.items():
        controls = [rows.get((name, "no"), {}) for name in (NONE, UNIFORM, teacher)]
        compared = controls if doubted == "yes" else []
        cells.append([teacher, doubted, *(cell(task, row, compared) for task in tasks)])
    return ["teacher", "doubted", *tasks], cells


def cell(task: str, row: Row, controls: list[Row]) -> str:
    """Steps in a task; and how many times those of the fastest control, as means over runs, if all
    these runs reached 0.95."""
    if task not in row:
        return ""
    fastest = min((mean_steps(each[task]) for each in controls if task in each), default=inf)
    own = mean_steps(row[task])
    if isinf(fastest) or isinf(own):
        return span(row[task])
    return f"{span(row[task])}, {own / fastest:.2f}"


def mean_steps(group: RunGroup) -> float:
    """The mean number of steps until 0.95 is held; infinite if a run never holds it."""
    steps = [run.steps for run in group.reached(THRESHOLDS[-1])]
    return sum(steps) / len(steps)


def span(group: RunGroup) -> str:
    """Thousands of steps until 0.95 is held, the least and the most of a group's runs."""
    reached = sorted(group.reached(THRESHOLDS[-1]))
    ends = (reached[0].steps, reached[-1].steps)
    words = ("never" if isinf(steps) else f"{steps / 1000:.0f}" for steps in ends)
    text = "≤ " * any(run.at_once for run in reached) + "–".join(dict.fromkeys(words))
    return text if len(reached) == USUAL else f"{text} ({counted(len(reached), 'run')})"


def order(settings: Mapping[str, Any]) -> tuple[Any, ...]:
    """From no teacher to a worse one, which comes after one that knows more; each first in full."""
    guides = settings["kl_start"] > 0, not is_control(settings)
    return *guides, str(settings["wrong_plans"]), settings["teacher_sees"], doubt(settings)


def doubt(settings: Mapping[str, Any]) -> str:
    """Whether there is anything that doubts a teacher."""
    return "yes" if settings["advisor_alpha"] or settings["uniform_share"] else "no"


def said(settings: Mapping[str, Any]) -> str:
    """What the teacher says."""
    wrong = settings["wrong_plans"]
    if not settings["kl_start"]:
        return NONE
    if is_control(settings):
        return UNIFORM
    if wrong:
        return "worst plans" if wrong == WORST else f"{wrong:.0%} of scenes wrong"
    return "right, sees everything" if settings["teacher_sees"] == "everything" else "right"
