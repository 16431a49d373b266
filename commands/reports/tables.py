"""The tables of a report: what groups reached, and how groups compare."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import combinations, groupby, product

from commands.reports.estimates import (
    MEASURES,
    OUTCOMES,
    THRESHOLDS,
    Number,
    difference,
    difference_within,
    early,
    equal_steps,
    final,
    formatted,
    measured,
    outcomes_of,
    over_tasks,
    told,
    within,
)
from commands.reports.run_groups import RunGroup, differences, main_groups
from utils import statistics

COMMON = "common tasks"
EQUAL_STEPS = "success difference within equal steps"
LISTED = 10
"""Runs of a group that a cell lists one by one."""


Method = tuple[str, dict[str, RunGroup]]
"""Its name, and its main group for each task."""


@dataclass(frozen=True)
class Row:
    """What a row is about, by column, and its numbers, by column. Only pages show the `details`; a
    terminal is too narrow."""

    names: dict[str, str]
    numbers: dict[str, Number]
    details: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Table:
    name: str
    title: str
    note: str
    rows: list[Row]

    @property
    def columns(self) -> list[str]:
        return [*self.rows[0].names, *self.rows[0].details, *self.rows[0].numbers]

    def cells(self) -> list[list[str]]:
        return [
            [*(row.names | row.details).values(), *(n.text() for n in row.numbers.values())]
            for row in self.rows
        ]

    def brief(self) -> "Table":
        return replace(self, rows=[Row(row.names, row.numbers) for row in self.rows])


def tables_of(groups: list[RunGroup], trees: list[str], margin: float) -> list[Table]:
    """Every table that has a row."""
    found = [
        *([tree_table(groups, trees[0], trees[1], margin)] if len(trees) > 1 else []),
        final_table(groups),
        overall_table(groups, trees),
        early_table(groups),
        budget_table(groups),
        teacher_table(groups),
        method_table(groups, trees, margin),
        ablation_table(groups, margin),
    ]
    return [table for table in found if table.rows]


def tree_table(groups: list[RunGroup], one: str, other: str, margin: float) -> Table:
    """Groups of the same name in both trees."""
    by_name = {(group.tree, group.task, group.label): group for group in groups}
    rows = []
    uneven = []
    for group in groups:
        twin = by_name.get((other, group.task, group.label))
        if group.tree != one or not twin:
            continue
        episodes = [each.episodes for each in (group, twin)]
        if len(set(episodes)) > 1:
            uneven.append(f"{group.task}, {group.label} ({' against '.join(episodes)})")
        names = {
            "task": group.task,
            "group": group.label,
            "runs": f"{len(group.runs)} : {len(twin.runs)}",
        }
        changed = " ".join(differences(group.settings, twin.settings)) or "the same"
        for measure in MEASURES:
            gain = difference(group, twin, measure)
            numbers = {
                one: measured(group, measure),
                other: measured(twin, measure),
                f"{one} minus {other}": gain,
            }
            details = {f"settings in {one}": changed, "shows": told(gain, margin)}
            rows.append(Row(names | {"measure": measure}, numbers, details))
    paired = {(row.names["task"], row.names["group"]) for row in rows}
    alone = [group for group in groups if (group.task, group.label) not in paired]
    note = f"Groups of one name in both trees: {one} minus {other}. Upper bounds lack a difference."
    if uneven:
        note += f" Final evaluations differ in their number of episodes: {'; '.join(uneven)}."
    if alone:
        only = "; ".join(f"{group.task}, {group.label} ({group.tree})" for group in alone)
        note += f" Only in one tree: {only}."
    return Table("trees", f"{one} against {other}", note, rows)


def final_table(groups: list[RunGroup]) -> Table:
    rows, outcomes = [], outcomes_of(groups)
    for group in groups:
        sources = ", ".join(sorted({run.final.source for run in group.runs}))
        details = {"episodes per run": group.episodes, "from": sources}
        rows.append(Row(names_of(group), finals(outcomes, group), details))
    note = (
        "The last model of each run, with sampled actions, in its evaluation with the most "
        "episodes. Without an evaluation the run's verdict counts, or else its last five "
        "evaluations while training."
    )
    return Table("final", "Final success and return", note, rows)


def finals(measures: Sequence[str], *groups: RunGroup) -> dict[str, Number]:
    return {f"final {measure}": final(measure, *groups) for measure in measures}


def overall_table(groups: list[RunGroup], trees: list[str]) -> Table:
    """Over the tasks that all methods of a tree share, if there are several."""
    rows = []
    for tree in trees:
        methods = main_groups(groups, tree)
        tasks = sorted(set.intersection(*(set(by_task) for by_task in methods.values())))
        for method, by_task in methods.items() if len(tasks) > 1 else ():
            chosen = [by_task[task] for task in tasks]
            names = {
                "tasks": ", ".join(tasks),
                **chosen[0].place,
                "group": method,
                "runs": " + ".join(str(len(group.runs)) for group in chosen),
            }
            rows.append(Row(names, finals(OUTCOMES, *chosen)))
    note = "The mean over the tasks that all methods share. All tasks count alike."
    return Table("overall", "Over common tasks", note, rows)


def early_table(groups: list[RunGroup]) -> Table:
    rows = []
    for group, threshold in product(groups, THRESHOLDS):
        reached = group.reached(threshold)
        each = [
            ("≤ " if found.at_once else "") + formatted(found.steps, "steps")
            if math.isfinite(found.steps)
            else ("never" if run.finished else "not yet")
            for run, found in zip(group.runs, reached, strict=True)
        ]
        successful = sum(math.isfinite(found.steps) for found in reached)
        names = names_of(group) | {
            "success": str(threshold),
            "reached by": f"{successful} of {len(reached)}",
        }
        details = {"each run": ", ".join(each[:LISTED] + ["…"] * (len(each) > LISTED))}
        numbers = {kind: early(group, threshold, kind) for kind in ("steps", "seconds")}
        rows.append(Row(names, numbers, details))
    note = (
        "Seconds are training time on the machine that trained, without evaluations. A mean needs "
        "all runs to reach the success."
    )
    return Table("thresholds", "Steps and seconds to a success", note, rows)


def budget_table(groups: list[RunGroup]) -> Table:
    """The main groups within the steps of the shortest run of their task."""
    shown = [group for group in groups if group.is_main]
    rows = []
    for group in shown:
        rivals = [each for each in shown if each.task == group.task]
        steps = min(run.steps for each in rivals for run in each.runs)
        if math.isfinite(steps) and len(rivals) > 1:
            numbers = {measure: within(group, measure, steps) for measure in OUTCOMES}
            rows.append(Row(names_of(group) | {"steps": formatted(steps, "steps")}, numbers))
    note = (
        "The number of steps per iteration differs between methods. Here each run has as many "
        "steps as the shortest run of its task: the mean of its last five evaluations within them. "
        "What falls with iterations (learning rate, weight of the teacher) has fallen less far by "
        "then in a longer run."
    )
    return Table("budget", "With the same number of steps", note, rows)


def teacher_table(groups: list[RunGroup]) -> Table:
    rows = []
    for group in groups:
        if not group.teacher:
            continue
        numbers = dict[str, Number]()
        for measure in OUTCOMES:
            student, teacher = final(measure, group), group.teacher.of(measure)
            gain = statistics.apart(student.estimate, teacher)
            numbers |= {
                f"student's {measure}": student,
                f"teacher's {measure}": Number(teacher, measure, "episodes"),
                f"{measure} difference": Number(gain, "difference", student.over),
            }
        names = names_of(group) | {"teacher's episodes": str(group.teacher.episodes)}
        rows.append(Row(names, numbers))
    note = (
        "The teacher acts alone, in its evaluation with the most episodes, or else in a run's "
        "verdict. The interval of the difference combines both intervals (Newcombe's method)."
    )
    return Table("teacher", "Student against teacher", note, rows)


def method_table(groups: list[RunGroup], trees: list[str], margin: float) -> Table:
    rows = []
    for tree, (one, ones), (other, others) in rivals_of(groups, trees):
        tasks = sorted(ones.keys() & others.keys())
        found = {task: differences_of(ones[task], others[task]) for task in tasks}
        if len(tasks) > 1:
            each = [*found.values()]
            all_tasks = {name: over_tasks([numbers[name] for numbers in each]) for name in each[0]}
            found[f"{len(tasks)} {COMMON}"] = all_tasks
        for task, numbers in found.items():
            chosen = [task] if task in ones else tasks
            runs = [sum(len(by_task[t].runs) for t in chosen) for by_task in (ones, others)]
            names = {
                "task": task,
                **({"tree": tree} if len(trees) > 1 else {}),
                "group": one,
                "against": other,
                "runs": f"{runs[0]} : {runs[1]}",
            }
            rows.append(Row(names, numbers, words(numbers, margin)))
    note = (
        "What one method has more than another. Within equal steps: in the last five evaluations "
        "within the steps of the pair's shortest run. With two trees, a method that one of them "
        "lacks is also compared with the other tree's methods."
    )
    return Table("methods", "Differences between methods", note, rows)


def differences_of(one: RunGroup, other: RunGroup) -> dict[str, Number]:
    """The differences between two groups of a task."""
    found = {f"{name} difference": difference(one, other, name) for name in MEASURES}
    return found | {EQUAL_STEPS: difference_within(one, other, "success", equal_steps(one, other))}


def words(numbers: dict[str, Number], margin: float) -> dict[str, str]:
    """What each difference of success or return shows."""
    return {
        name.replace("difference", "shows"): told(number, margin)
        for name, number in numbers.items()
        if number.kind == "difference"
    }


def rivals_of(groups: list[RunGroup], trees: list[str]) -> Iterator[tuple[str, Method, Method]]:
    """Pairs of methods within each tree; and pairs across two trees, if one of the pair has no
    counterpart in the other tree."""
    found = {tree: main_groups(groups, tree) for tree in trees}
    for tree, methods in found.items():
        for one, other in combinations(methods.items(), 2):
            yield tree, one, other
    for (tree, methods), (other_tree, other_methods) in combinations(found.items(), 2):
        shared = methods.keys() & other_methods.keys()
        for one, other in product(methods.items(), other_methods.items()):
            if one[0] != other[0] and not {one[0], other[0]} <= shared:
                yield f"{tree} against {other_tree}", one, other


def ablation_table(groups: list[RunGroup], margin: float) -> Table:
    rows = []
    for _, alike in groupby(groups, lambda group: group.experiment):
        usual, *others = alike
        for group in others:
            names = names_of(group)
            names["runs"] += f" : {len(usual.runs)}"
            gains = {f"{name} difference": difference(group, usual, name) for name in MEASURES}
            rows.append(Row(names, gains, words(gains, margin)))
    note = "Groups of one method and task against the main group, which has the usual settings."
    return Table("ablations", "Ablations", note, rows)


def names_of(group: RunGroup) -> dict[str, str]:
    runs = f"{len(group.runs)}"
    if group.unfinished:
        runs += f" ({group.unfinished} unfinished)"
    return {"task": group.task, **group.place, "group": group.label, "runs": runs}
