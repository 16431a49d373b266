"""The figures of a report: learning curves, and numbers with their intervals side by side."""

import json
from collections.abc import Iterable, Sequence
from functools import partial
from itertools import groupby, product
from typing import Any, Literal, NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import (
    EngFormatter,
    LogLocator,
    MaxNLocator,
    NullLocator,
    StrMethodFormatter,
)

from commands.reports.estimates import OUTCOMES, Curve, Number, curve, final, outcomes_of
from commands.reports.evaluations import TRAITS, largest
from commands.reports.pictures import COLORS, INK, WIDTH, Panel, Picture, folded, picture, slug
from commands.reports.records import Outcome
from commands.reports.run_groups import RunGroup
from commands.reports.tables import COMMON, Row, Table
from utils.terminal import counted

DASHES: tuple[Any, ...] = ("-", (0, (5, 2)), (0, (1, 1.2)), (0, (6, 2, 1, 2)))
AXES = {"steps": "environment steps", "seconds": "seconds of training"}
Style = dict[str, Any]
Styles = dict[tuple[str, str], Style]
"""Tree and group -> colour and dashes of its line, the same in all figures."""
Lines = dict[str, tuple[Curve, Style]]
"""By label in the legend."""
HEIGHT = 2.5
"""Inches of a panel with curves."""
LEGEND = WIDTH - 0.7
"""Inches of a legend's label."""


def figures(groups: list[RunGroup], tables: list[Table]) -> list[Picture]:
    """Every figure that has something to show."""
    styles = styles_of(groups)
    main = [group for group in groups if group.is_main]
    found = overview(main, styles)
    for task, shown in by_task(main).items():
        found += curves(task, f"curves-{slug(task)}", "curves", shown, styles)
    found += [final_intervals(main, measure, styles) for measure in outcomes_of(main)]
    by_name = {table.name: table for table in tables}
    for measure, name in product(OUTCOMES, ("methods", "ablations")):
        if table := by_name.get(name):
            found.append(of_column(table, f"{measure} difference", f"{name}-{measure}", 0))
    for measure in OUTCOMES:
        if table := by_name.get("trees"):
            column = next(name for name in table.rows[0].numbers if " minus " in name)
            found.append(of_column(table, column, f"trees-{measure}", 0, measure))
    for (_, task, method), same in groupby(groups, lambda group: group.experiment):
        if len(shown := [*same]) > 1:
            of_tree = shown[0].place.values()
            name = f"ablations-{slug('-'.join((*of_tree, task, method)))}"
            title = ", ".join((task, method, *of_tree))
            found += curves(title, name, "ablations", shown, styles_of(shown), ("steps",))
    return found


def by_task(groups: Iterable[RunGroup]) -> dict[str, list[RunGroup]]:
    """Groups in the order of their tasks, as a report has them, by task."""
    return {task: [*same] for task, same in groupby(groups, lambda group: group.task)}


def styles_of(groups: list[RunGroup]) -> Styles:
    trees = list(dict.fromkeys(group.tree for group in groups))
    # Main groups come first: they share figures, and should differ in colour.
    labels = list(dict.fromkeys(g.label for g in sorted(groups, key=lambda g: not g.is_main)))
    found = {}
    for group in groups:
        number = labels.index(group.label)
        # Dashes tell two trees apart; with one tree, groups beyond the number of colours.
        dash = trees.index(group.tree) if len(trees) > 1 else number // len(COLORS)
        found[group.tree, group.label] = {
            "color": COLORS[number % len(COLORS)],
            "linestyle": DASHES[dash % len(DASHES)],
        }
    return found


def overview(groups: list[RunGroup], styles: Styles) -> list[Picture]:
    """Success over steps for each of several tasks, with a logarithmic axis."""
    panels = list[Panel]()
    for task, shown in by_task(groups).items():
        lines = lines_of(shown, styles, "steps", "success", with_runs=False)
        if lines:
            first = min(line.x[0] for line, _ in lines.values())
            lines |= teacher_lines(shown, "success", lines, first)
            panels.append(partial(draw_curves, task, "steps", "success", lines, scale="log"))
    if len(panels) < 2:
        return []
    text = "Evaluation success over environment steps in each task"
    columns = 2 if len(panels) == 4 else min(len(panels), 3)
    return [picture("overview", "overview", text, panels, HEIGHT, columns)]


def curves(
    title: str,
    name: str,
    section: str,
    groups: list[RunGroup],
    styles: Styles,
    axes: Sequence[str] = tuple(AXES),
) -> list[Picture]:
    """Success and return over steps and over time, with a band where there are several runs."""
    found = []
    for axis, measure in product(axes, OUTCOMES):
        lines = lines_of(groups, styles, axis, measure)
        if lines:
            lines |= teacher_lines(groups, measure, lines, 0)
            text = f"{title}: evaluation {measure} over {AXES[axis]}"
            draw = partial(draw_curves, title, axis, measure, lines)
            found.append(picture(f"{name}-{measure}-{axis}", section, text, [draw], HEIGHT))
    return found


def lines_of(
    groups: list[RunGroup], styles: Styles, axis: str, measure: str, with_runs: bool = True
) -> Lines:
    """The curve of each group that was evaluated while training; `with_runs` shows how many."""
    found = {}
    for group in groups:
        label = group.full_label
        if with_runs:
            unfinished = f", {group.unfinished} unfinished" if group.unfinished else ""
            label += f" ({counted(len(group.runs), 'run')}{unfinished})"
        if line := curve(group, axis, measure):
            found[folded(label, LEGEND, 9)] = line, styles[group.tree, group.label]
    return found


def teacher_lines(groups: list[RunGroup], measure: str, beside: Lines, first: float) -> Lines:
    """Each teacher alone, from a first point to the end of the other lines."""
    ends = np.array([first, max(line.x[-1] for line, _ in beside.values())])
    found = {}
    for number, (label, teacher) in enumerate(teachers_of(groups).items()):
        flat = np.full(2, teacher.of(measure).value)
        style = {"color": INK, "linestyle": DASHES[(2 + number) % len(DASHES)]}
        found[folded(label, LEGEND, 9)] = Curve(ends, flat, flat, flat, np.ones(2)), style
    return found


def teachers_of(groups: list[RunGroup]) -> dict[str, Outcome]:
    """The best known result of each teacher of some groups, by its name."""
    by_traits: dict[str, list[RunGroup]] = {}
    for group in groups:
        traits = json.dumps([group.settings.get(name) for name in TRAITS])
        by_traits.setdefault(traits, []).append(group)
    found = {}
    for taught in by_traits.values():
        label = "teacher alone"
        if len(by_traits) > 1:
            label += f", of {'; '.join(group.full_label for group in taught)}"
        if known := largest(group.teacher for group in taught if group.teacher):
            found[label] = known
    return found


def draw_curves(
    title: str,
    axis: str,
    measure: str,
    lines: Lines,
    place: Axes,
    scale: Literal["linear", "log"] = "linear",
) -> None:
    for label, (line, style) in lines.items():
        marker = "o" if line.x[0] == line.x[-1] else ""
        place.plot(line.x, line.value, label=label, linewidth=1.6, marker=marker, **style)
        color = style["color"]
        place.fill_between(line.x, line.low, line.high, color=color, alpha=0.18, linewidth=0)
    place.set(xlabel=AXES[axis], ylabel=f"evaluation {measure}", xscale=scale)
    place.set_title(folded(title, LEGEND, 10))
    if measure == "success":
        place.set_ylim(-0.03, 1.03)
    if scale == "log":
        place.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        place.xaxis.set_minor_locator(NullLocator())
    else:
        place.set_xlim(left=0)
        place.xaxis.set_major_locator(MaxNLocator(5))
    place.xaxis.set_major_formatter(
        EngFormatter(sep=" ") if axis == "steps" else StrMethodFormatter("{x:,.0f}")
    )


class Mark(NamedTuple):
    """A number in a figure of intervals."""

    label: str
    number: Number
    color: str = COLORS[0]
    shape: str = "o"


def final_intervals(groups: list[RunGroup], measure: str, styles: Styles) -> Picture:
    """Main groups and their teachers."""
    marks = []
    for task, shown in by_task(groups).items():
        for group in shown:
            shape = "o" if group.tree == groups[0].tree else "s"
            color = styles[group.tree, group.label]["color"]
            number = final(measure, group)
            marks.append(Mark(f"{task}: {group.full_label}", number, color, shape))
        for label, teacher in teachers_of(shown).items():
            number = Number(teacher.of(measure), measure, "episodes")
            marks.append(Mark(f"{task}: {label}", number, INK, "D"))
    text = f"Final {measure} of each method, with 95% intervals"
    return intervals(f"final-{slug(measure)}", "final", text, f"final {measure}", marks)


def of_column(table: Table, column: str, name: str, neutral: float, measure: str = "") -> Picture:
    """A column of a table. Rows over common tasks are shown alone, if there are any; of a table
    with a row for each measure only those of `measure`."""
    rows = [row for row in table.rows if row.names["task"].endswith(COMMON)] or table.rows
    marks = [
        Mark(label_of(row), row.numbers[column])
        for row in rows
        if row.names.get("measure", "") == measure
    ]
    axis = f"{measure}: {column}" if measure else column
    text = f"{table.title}: {axis}, with 95% intervals"
    return intervals(name, table.name, text, axis, marks, neutral)


def label_of(row: Row) -> str:
    place = ", ".join(row.names[name] for name in ("tree", "task") if name in row.names)
    rival = f" minus {row.names['against']}" if "against" in row.names else ""
    return f"{place}: {row.names['group']}{rival}"


def intervals(
    name: str, section: str, text: str, axis: str, marks: list[Mark], neutral: float | None = None
) -> Picture:
    """Numbers below each other, each with its label above and its interval as a line. Single runs
    are points below it."""
    # A number stays in one line with its interval.
    numbers = [mark.number.text().replace(" ", "\u00a0") for mark in marks]
    labels = [
        folded(f"{mark.label}: {number}", WIDTH - 0.3, 8)
        for mark, number in zip(marks, numbers, strict=True)
    ]
    # Inches from the top: a line of a label takes 0.15.
    depths = np.cumsum([0.4 + 0.15 * label.count("\n") for label in labels])

    def draw(place: Axes) -> None:
        for depth, label, (_, number, color, shape) in zip(depths, labels, marks, strict=True):
            value, low, high = number.estimate
            # Without an interval both ends are NaN, and there is no line.
            place.plot([low, high], [depth, depth], color=color, linewidth=2)
            place.plot(number.runs, [depth + 0.1] * len(number.runs), ".", color=color, alpha=0.6)
            place.plot(value, depth, shape, color=color, markersize=5)
            above: Style = {"xytext": (0, 6), "textcoords": "offset points", "fontsize": 8}
            place.annotate(label, (0, depth), xycoords=("axes fraction", "data"), **above)
        # No line may run through a label.
        place.grid(False)
        if neutral is not None:
            ends = depths - 0.05, depths + 0.05
            place.vlines(np.full(len(marks), neutral), *ends, color=INK, linewidth=1)
        place.set_xlabel(folded(axis, LEGEND, 9))
        place.set_yticks([])
        place.xaxis.set_major_locator(MaxNLocator(5))
        place.set_ylim(depths[-1] + 0.2, 0)
        place.spines["left"].set_visible(False)

    return picture(name, section, text, [draw], 0.8 + float(depths[-1]))
