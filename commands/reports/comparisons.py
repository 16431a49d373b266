"""The tables that set arms against each other: methods, ablations, and two trees."""

from collections.abc import Iterator
from itertools import combinations, product

from commands.reports.groups import Arm, differences
from commands.reports.lines import Line, Table, episodes_of, mains, names_of, trees_of
from commands.reports.results import (
    EARLY,
    MEASURES,
    contrast,
    improvement,
    reached,
    versus,
)

COMMON = "common tasks"


Method = tuple[str, dict[str, Arm]]
"""Its name, and its commonest arm of each task."""


def method_table(arms: list[Arm], trees: list[str]) -> Table:
    lines = []
    for tree, (one, ones), (other, others) in rivals(arms, trees):
        tasks = sorted(ones.keys() & others.keys())
        groups = [[task] for task in tasks] + ([tasks] if len(tasks) > 1 else [])
        for group in groups:
            pair = [[by_task[task] for task in group] for by_task in (ones, others)]
            runs = " : ".join(str(sum(len(arm.runs) for arm in each)) for each in pair)
            place = {"task": group[0] if len(group) == 1 else f"{len(group)} {COMMON}"}
            place |= {"tree": tree} if len(trees) > 1 else {}
            names = place | {"arm": one, "better than": other, "runs": runs}
            lines.append(Line(names, versus(*pair)))
    note = (
        "The probability that a run of the one method does better than a run of the other, ties "
        "counting half; over the tasks that both have, the mean over tasks. Of two trees, a method "
        "that one of them lacks is also set against the other's. In steps, fewer are better, and a "
        "run that has not held the success comes last; who held it at the fifth evaluation may "
        "have had it before, so all that were as early as the latest of these are even. Where all "
        "runs of one lie above all of the other, the interval is a point: that says that the runs "
        "do not overlap, not that more would not."
    )
    return Table("improvement", "Probability of improvement between methods", note, lines)


def rivals(arms: list[Arm], trees: list[str]) -> Iterator[tuple[str, Method, Method]]:
    """The methods of each tree in pairs, with the tree; and pairs across two trees, if one of the
    pair has no counterpart in the other tree."""
    found = {tree: mains(arms, tree) for tree in trees}
    for tree, methods in found.items():
        for one, other in combinations(methods.items(), 2):
            yield tree, one, other
    for (tree, methods), (other_tree, other_methods) in combinations(found.items(), 2):
        shared = methods.keys() & other_methods.keys()
        for one, other in product(methods.items(), other_methods.items()):
            if one[0] != other[0] and not {one[0], other[0]} <= shared:
                yield f"{tree} against {other_tree}", one, other


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
    uneven = []
    for arm in arms:
        twin = by_name.get((other, arm.task, arm.label))
        if arm.tree != one or not twin:
            continue
        changed = " ".join(differences(arm.settings, twin.settings)) or "the same"
        runs = f"{len(arm.runs)} : {len(twin.runs)}"
        episodes = [episodes_of(each) for each in (arm, twin)]
        if len(set(episodes)) > 1:
            uneven.append(f"{arm.task}, {arm.label} ({' against '.join(episodes)})")
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
        f"of {one} does better than one of {other}, ties counting half. In steps, fewer are "
        "better; ≤ says that some runs held the success at their fifth evaluation, maybe earlier: "
        "then there is no difference, and all that were as early as the latest of these are even."
    )
    if uneven:
        note += " With final evaluations of different numbers of episodes: "
        note += "; ".join(uneven) + "."
    if alone:
        note += " In one of them alone: "
        note += "; ".join(f"{arm.task}, {arm.label} ({arm.tree})" for arm in alone) + "."
    return Table("trees", f"{one} against {other}", note, lines)
