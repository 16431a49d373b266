"""The table of teachers: what each source of answers costs, and what it is worth."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

from commands.reports.estimates import EARLY, OUTCOMES, UNKNOWN, Number, measured
from commands.reports.evaluations import largest
from commands.reports.records import Outcome, Run, Teacher, Tree
from commands.reports.run_groups import RunGroup
from commands.reports.tables import Row, Table
from commands.teacher_identity import INSTRUCTIONS, RECORDED, prompt, source
from planner.servers import LOCAL
from planner.task import RULES
from utils.statistics import Estimate

NOBODY = "no teacher"
Source = tuple[str, str, str]
"""A tree, a task, and a source of answers in words."""
Usual = Mapping[tuple[str, str], Mapping[str, str]]
"""A tree and a task -> digests of the plans and instructions of its first groups."""


def teachers_table(
    groups: Sequence[RunGroup], trees: Sequence[Tree], price: float | None = None
) -> Table:
    """A row for each task and source of answers; no row if no run or evaluation asks for other
    answers than the task's own. `price` is that of a million tokens of a server."""
    usual = usual_texts(groups)
    taught, alone = students(groups), evaluations(trees, usual)
    sources = [*dict.fromkeys([*taught, *alone])]
    own = (NOBODY, RECORDED, RULES)
    shown = sorted(sources, key=lambda source: (source[1], source[0]))
    rows = [
        row_of(
            source,
            taught.get(source),
            alone.get(source, []),
            runs_of(source, trees, usual),
            {"tree": source[0]} if len(trees) > 1 else {},
            price,
        )
        for source in shown
        if any(name not in own for _, _, name in sources)
    ]
    note = (
        "What one run has asked at most: scenes, replies or scores, tokens and seconds of waiting. "
        "A run that found its answers in a shared file asked nothing. The teacher alone is its "
        "evaluation with the most episodes, or else a run's verdict. The student is the method ppo "
        "if there is one."
    )
    if price is not None:
        note += f" Money is {price:g} for each million tokens of a server."
    return Table("teachers", "Teachers", note, rows)


def usual_texts(groups: Sequence[RunGroup]) -> Usual:
    found = dict[tuple[str, str], dict[str, str]]()
    for group in groups:
        first = found.setdefault((group.tree, group.task), {})
        for name, text in {"plans": group.settings.get("plans"), **prompt(group.settings)}.items():
            if text:
                first.setdefault(name, text)
    return found


def students(groups: Sequence[RunGroup]) -> dict[Source, RunGroup]:
    """The group that stands for each source: one of ppo before others, main groups first."""
    found, usual = dict[Source, RunGroup](), usual_texts(groups)
    for group in sorted(groups, key=lambda group: group.method != "ppo"):
        settings = group.settings
        if not settings.get("hierarchical"):
            teaches = bool(settings.get("kl_start"))
            place = group.tree, group.task
            name = source_of({**settings, **prompt(settings)}, usual[place]) if teaches else NOBODY
            found.setdefault((*place, name), group)
    return found


def evaluations(trees: Sequence[Tree], usual: Usual) -> dict[Source, list[Teacher]]:
    """The evaluations of teachers alone, by source."""
    found = dict[Source, list[Teacher]]()
    for tree in trees:
        for teacher in tree.teachers:
            place = tree.name, teacher.task
            name = source_of(teacher.traits, usual.get(place, {}))
            found.setdefault((*place, name), []).append(teacher)
    return found


def runs_of(source: Source, trees: Sequence[Tree], usual: Usual) -> list[Run]:
    """The runs with this source of answers."""
    tree, task, name = source
    return [
        run
        for each in trees
        for run in each.runs
        if (each.name, run.task) == (tree, task)
        and source_of({**run.settings, **prompt(run.settings)}, usual[tree, task]) == name
    ]


def source_of(settings: Mapping[str, Any], usual: Mapping[str, str]) -> str:
    """Where answers come from, by the settings of a run or the traits of a teacher, and what is
    unusual about that teacher. Texts other than the `usual` ones are named by their digests."""
    plans, instructions = settings.get("plans"), settings.get(INSTRUCTIONS)
    words = RECORDED
    if plans == RULES:
        words = RULES
    elif plans and plans != usual.get("plans", plans):
        words = f"plans {plans[:6]}"
    found = source(settings, words)
    if instructions and instructions != usual.get(INSTRUCTIONS, instructions):
        found += f", instructions {instructions[:6]}"
    return found


def row_of(
    source: Source,
    group: RunGroup | None,
    alone: Sequence[Teacher],
    same: Sequence[Run],
    place: Mapping[str, str],
    price: float | None,
) -> Row:
    """`group` has the students, `alone` the teacher's evaluations, `same` all runs. `place` names
    the tree, if there are several."""
    _, task, name = source
    costs = most_of([*(run.costs for run in same), *(each.costs for each in alone)])
    numbers = {
        "scenes": number(costs.get("Scenes"), "count"),
        "replies or scores": number(costs.get("Replies", costs.get("Scores")), "count"),
        "tokens": number(costs.get("Tokens"), "count"),
        "seconds": number(costs.get("Seconds Waited"), "seconds"),
    }
    if price is not None:
        settings = [*(run.settings for run in same), *(each.traits for each in alone)]
        is_free = all(each.get("llm") == LOCAL for each in settings)
        tokens = 0.0 if is_free else costs.get("Tokens", math.nan)
        numbers["money"] = number(tokens * price / 1e6, "money")
    # A group knows its own teacher's evaluations; `alone` holds those at other settings, too.
    known = group.teacher if group else best_known(alone)
    outcome = None if name == NOBODY else known
    for measure in OUTCOMES:
        estimate = outcome.of(measure) if outcome else UNKNOWN
        numbers[f"teacher's {measure}"] = Number(estimate, measure, "episodes")
    for measure in (EARLY, "success"):
        title = measure if measure == EARLY else f"student's {measure}"
        numbers[title] = measured(group, measure) if group else Number(UNKNOWN, measure)
    runs = str(len(group.runs)) if group else "0"
    return Row({"task": task, **place, "teacher": name, "runs": runs}, numbers)


def most_of(costs: Sequence[Mapping[str, float]]) -> dict[str, float]:
    """The largest of several numbers, by name."""
    names = dict.fromkeys(name for each in costs for name in each)
    return {name: max(each.get(name, 0.0) for each in costs) for name in names}


def best_known(alone: Sequence[Teacher]) -> Outcome | None:
    """The evaluation of a teacher alone with the most episodes."""
    return largest([each.outcome for each in alone])


def number(value: float | None, kind: str) -> Number:
    return Number(UNKNOWN if value is None else Estimate(value), kind)
