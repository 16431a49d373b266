"""The tables of a report."""

import math
from dataclasses import dataclass
from itertools import combinations
from typing import NamedTuple

import numpy as np

from commands.reports.arms import Arm, differences
from commands.reports.results import (
    EARLY,
    MEASURES,
    THRESHOLDS,
    Number,
    contrast,
    final,
    improvement,
    reached,
    seeds_estimate,
    versus,
    within,
    written,
)
from utils import statistics
from utils.statistics import Estimate

COMMON = "common tasks"


class Line(NamedTuple):
    """A row: what it is of, by column, and its numbers."""

    names: dict[str, str]
    numbers: dict[str, Number]


@dataclass(frozen=True)
class Table:
    name: str
    title: str
    note: str
    lines: list[Line]

    @property
    def columns(self) -> list[str]:
        return [*self.lines[0].names, *self.lines[0].numbers]

    @property
    def texts(self) -> int:
        """How many of its columns, the first ones, hold no numbers."""
        return len(self.lines[0].names)

    def cells(self) -> list[list[str]]:
        return [
            [*line.names.values(), *(number.text() for number in line.numbers.values())]
            for line in self.lines
        ]


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
        method_table(arms, several),
        ablation_table(arms, several),
    ]
    return [table for table in found if table.lines]


def names_of(arm: Arm, several: bool) -> dict[str, str]:
    unfinished = sum(not run.finished for run in arm.runs)
    count = f"{len(arm.runs)} ({unfinished} unfinished)" if unfinished else str(len(arm.runs))
    tree = {"tree": arm.tree} if several else {}
    return {"task": arm.task, **tree, "arm": arm.label, "runs": count}


def final_table(arms: list[Arm], several: bool) -> Table:
    lines = []
    for arm in arms:
        finals = [run.final for run in arm.runs]
        counts = sorted({final.episodes for final in finals})
        told = {
            "episodes a run": "–".join(str(n) for n in dict.fromkeys([counts[0], counts[-1]])),
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


def mains(arms: list[Arm], tree: str) -> dict[str, dict[str, Arm]]:
    """Method -> task -> its commonest arm."""
    found: dict[str, dict[str, Arm]] = {}
    for arm in arms:
        if arm.tree == tree and not arm.change:
            found.setdefault(arm.method, {})[arm.task] = arm
    return found


def trees_of(arms: list[Arm]) -> list[str]:
    return list(dict.fromkeys(arm.tree for arm in arms))


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
            steps, seconds = arm.held(threshold)
            reached = np.isfinite(steps)
            told = {
                "success": str(threshold),
                "held by": f"{reached.sum()} of {len(reached)}",
                "each run": ", ".join(
                    written(s, "steps")
                    if math.isfinite(s)
                    else ("never" if run.finished else "not yet")
                    for s, run in zip(steps, arm.runs, strict=True)
                ),
            }
            numbers = dict[str, Number]()
            for kind, values in (("steps", steps), ("seconds", seconds)):
                whole = seeds_estimate(values) if reached.all() else Estimate(math.nan)
                numbers[kind] = Number(whole, kind)
            lines.append(Line(names_of(arm, several) | told, numbers))
    note = (
        "A success is held where the mean of the last five evaluations while training first "
        "reaches it, counted at the last of the five, so not before the fifth evaluation. Seconds "
        "are those of training alone, without evaluations, on the machine that trained. A mean is "
        "given where all runs got there."
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


def method_table(arms: list[Arm], several: bool) -> Table:
    lines = []
    for tree in trees_of(arms):
        for (one, ones), (other, others) in combinations(mains(arms, tree).items(), 2):
            tasks = sorted(ones.keys() & others.keys())
            groups = [[task] for task in tasks] + ([tasks] if len(tasks) > 1 else [])
            for group in groups:
                pair = [[by_task[task] for task in group] for by_task in (ones, others)]
                runs = " : ".join(str(sum(len(arm.runs) for arm in each)) for each in pair)
                place = {"task": group[0] if len(group) == 1 else f"{len(group)} {COMMON}"}
                place |= {"tree": tree} if several else {}
                names = place | {"arm": one, "better than": other, "runs": runs}
                lines.append(Line(names, versus(*pair)))
    note = (
        "The probability that a run of the one method does better than a run of the other, ties "
        "counting half; over the tasks that both have, the mean over tasks. In steps, fewer are "
        "better, and a run that has not held the success comes last. Where all runs of one lie "
        "above all of the other, the interval is a point: that says that the runs do not overlap, "
        "not that more would not."
    )
    return Table("improvement", "Probability of improvement between methods", note, lines)


def ablation_table(arms: list[Arm], several: bool) -> Table:
    lines = []
    for tree in trees_of(arms):
        for method, by_task in mains(arms, tree).items():
            for task, main in by_task.items():
                place = (tree, method, task)
                for arm in arms:
                    if (arm.tree, arm.method, arm.task) == place and arm.change:
                        lines.append(ablation(arm, main, several))
    note = (
        "Runs of one method and task whose settings differ, against the commonest of them: the "
        "arm's number less the commonest's, and the probability that a run of it does better."
    )
    return Table("ablations", "Ablations", note, lines)


def ablation(arm: Arm, main: Arm, several: bool) -> Line:
    names = names_of(arm, several)
    names["runs"] += f" : {len(main.runs)}"
    return Line(
        names,
        {f"{name}, difference": contrast(arm, main, name) for name in MEASURES}
        | versus([arm], [main]),
    )


def tree_table(arms: list[Arm], one: str, other: str) -> Table:
    """The arms of the same name in both trees."""
    by_name = {(arm.tree, arm.task, arm.label): arm for arm in arms}
    lines = []
    for arm in arms:
        twin = by_name.get((other, arm.task, arm.label))
        if arm.tree != one or not twin:
            continue
        changed = " ".join(differences(arm.settings, twin.settings)) or "the same"
        runs = f"{len(arm.runs)} : {len(twin.runs)}"
        for measure in (*MEASURES, EARLY):
            names = {"task": arm.task, "arm": arm.label, "runs": runs}
            names |= {f"settings in {one}": changed, "measure": measure}
            sides = {each.tree: reached(each, measure) for each in (arm, twin)}
            compared = {
                f"{one} less {other}": contrast(arm, twin, measure),
                f"P({one} better)": improvement(measure, [arm], [twin]),
            }
            lines.append(Line(names, sides | compared))
    paired = {(line.names["task"], line.names["arm"]) for line in lines}
    alone = [a for a in arms if (a.task, a.label) not in paired]
    note = (
        f"Arms of the same name in both trees: {one} less {other}, and the probability that a run "
        f"of {one} does better than one of {other}, ties counting half. In steps, fewer are better."
    )
    if alone:
        note += " In one of them alone: "
        note += "; ".join(f"{arm.task}, {arm.label} ({arm.tree})" for arm in alone) + "."
    return Table("trees", f"{one} against {other}", note, lines)
