"""The tables of a report."""

import math

import numpy as np

from commands.reports.comparisons import ablation_table, method_table, tree_table
from commands.reports.groups import Arm
from commands.reports.lines import Line, Table, episodes_of, mains, names_of, trees_of
from commands.reports.results import (
    MEASURES,
    THRESHOLDS,
    Number,
    early,
    final,
    seeds_estimate,
    within,
    written,
)
from utils import statistics


def tables(arms: list[Arm], trees: list[str]) -> list[Table]:
    """All that have something in them."""
    several = len(trees) > 1
    found = [
        *([tree_table(arms, *trees)] if several else []),
        final_table(arms, several),
        overall_table(arms, several),
        early_table(arms, several),
        budget_table(arms, several),
        teacher_table(arms, several),
        method_table(arms, trees),
        ablation_table(arms, several),
    ]
    return [table for table in found if table.lines]


def final_table(arms: list[Arm], several: bool) -> Table:
    lines = []
    for arm in arms:
        finals = [run.final for run in arm.runs]
        told = {
            "episodes a run": episodes_of(arm),
            "from": ", ".join(sorted({final.source for final in finals})),
        }
        numbers = {f"final {measure}": final(arm, measure) for measure in MEASURES}
        lines.append(Line(names_of(arm, several) | told, numbers))
    note = (
        "The last model of each run, drawing its actions, in its evaluation of the most episodes; "
        "where there is none, in the run's verdict, or else in its last five evaluations while "
        "training."
    )
    return Table("final", "Final success and return", note, lines)


def overall_table(arms: list[Arm], several: bool) -> Table:
    """Over the tasks that all methods of a tree have, if these are several."""
    lines = []
    for tree in trees_of(arms):
        methods = mains(arms, tree)
        tasks = sorted(set.intersection(*(set(by_task) for by_task in methods.values())))
        for method, by_task in methods.items() if len(tasks) > 1 else ():
            chosen = [by_task[task] for task in tasks]
            names = {"tasks": ", ".join(tasks), **({"tree": tree} if several else {})}
            count = " + ".join(str(len(arm.runs)) for arm in chosen)
            numbers = {
                f"final {measure}": Number(
                    seeds_estimate(*(arm.final(measure) for arm in chosen)), measure
                )
                for measure in MEASURES
            }
            lines.append(Line(names | {"arm": method, "runs": count}, numbers))
    note = (
        "Over the tasks that all methods have, and no others: all their runs together, so that a "
        "task with more runs counts for more, and the quarter that is left out at either end may "
        "be a whole task. The bootstrap draws from each task by itself."
    )
    return Table("overall", "Over common tasks", note, lines)


def early_table(arms: list[Arm], several: bool) -> Table:
    lines = []
    for arm in arms:
        for threshold in THRESHOLDS:
            steps = arm.held(threshold)[0]
            at_once = arm.held_at_once(threshold)
            reached = np.isfinite(steps)
            told = {
                "success": str(threshold),
                "held by": f"{reached.sum()} of {len(reached)}",
                "each run": ", ".join(
                    ("≤ " if first else "") + written(s, "steps")
                    if math.isfinite(s)
                    else ("never" if run.finished else "not yet")
                    for s, first, run in zip(steps, at_once, arm.runs, strict=True)
                ),
            }
            numbers = {kind: early(arm, threshold, kind) for kind in ("steps", "seconds")}
            lines.append(Line(names_of(arm, several) | told, numbers))
    note = (
        "A success is held where the mean of the last five evaluations while training first "
        "reaches it, counted at the last of the five. A run that holds it at its fifth evaluation, "
        "before which that cannot be said, may have had it earlier: ≤. Seconds are those of "
        "training alone, without evaluations, on the machine that trained. A mean is given where "
        "all runs got there."
    )
    return Table("thresholds", "Steps and seconds to a success", note, lines)


def budget_table(arms: list[Arm], several: bool) -> Table:
    """The commonest arms, within the steps that the shortest of their runs has had."""
    shown = [arm for arm in arms if not arm.change]
    lines = []
    for arm in shown:
        steps = min(run.steps for each in shown if each.task == arm.task for run in each.runs)
        numbers = {measure: within(arm, measure, steps) for measure in MEASURES}
        if math.isfinite(steps) and any(each.task == arm.task for each in shown if each != arm):
            lines.append(Line(names_of(arm, several) | {"steps": written(steps, "steps")}, numbers))
    note = (
        "Where episodes last longer, as many iterations have more steps. Here all have as many as "
        "the shortest run of the task had: what their last five evaluations within them say. (What "
        "falls over iterations, a learning rate or the weight of a teacher, has then not fallen as "
        "far in a longer run.)"
    )
    return Table("budget", "With the same number of steps", note, lines)


def teacher_table(arms: list[Arm], several: bool) -> Table:
    lines = []
    for arm in arms:
        if not arm.teacher:
            continue
        numbers = dict[str, Number]()
        for measure in MEASURES:
            alone = arm.teacher.of(measure)
            student = final(arm, measure)
            gain = statistics.apart(student.estimate, alone)
            numbers |= {
                f"student's {measure}": student,
                f"teacher's {measure}": Number(alone, measure, "episodes"),
                f"{measure}, difference": Number(gain, "difference", student.over),
            }
        told = {"teacher's episodes": str(arm.teacher.episodes)}
        lines.append(Line(names_of(arm, several) | told, numbers))
    note = (
        "The teacher alone, untrained, in its evaluation of the most episodes (else in a run's "
        "verdict). The interval of a difference is made of both (Newcombe's method)."
    )
    return Table("teacher", "Student against teacher", note, lines)
