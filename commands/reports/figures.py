"""The figures of a report: curves over steps and time, and intervals side by side."""

import json
import math
from collections.abc import Sequence
from functools import partial
from itertools import product
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

from commands.reports.comparisons import COMMON
from commands.reports.evaluations import TRAITS, Outcome
from commands.reports.groups import Arm
from commands.reports.lines import Table
from commands.reports.pictures import COLORS, INK, WIDTH, Panel, Picture, folded, picture, slug
from commands.reports.results import MEASURES, Curve, Number, curve, final

DASHES: tuple[Any, ...] = ("-", (0, (5, 2)), (0, (1, 1.2)), (0, (6, 2, 1, 2)))
AXES = {"steps": "environment steps", "seconds": "seconds of training"}
Looks = dict[tuple[str, str], dict[str, Any]]
"""Tree and arm -> the color and dashes of its line, the same in all figures."""
Lines = dict[str, tuple[Curve, dict[str, Any]]]
"""By what the legend says of each."""
HEIGHT = 2.5
"""Inches of a panel with curves."""


def pictures(arms: list[Arm], tables: list[Table]) -> list[Picture]:
    """All that there is something to draw of."""
    look = looks(arms)
    several = len({arm.tree for arm in arms}) > 1
    found = []
    if len({arm.task for arm in arms}) > 1:
        found += overview([arm for arm in arms if not arm.change], look, several)
    for task in dict.fromkeys(arm.task for arm in arms):
        shown = [arm for arm in arms if arm.task == task and not arm.change]
        found += curves(task, f"curves-{slug(task)}", "curves", shown, look, several)
    found += [final_intervals(arms, measure, look, several) for measure in MEASURES]
    by_name = {table.name: table for table in tables}
    if "improvement" in by_name:
        found.append(chances(by_name["improvement"]))
    if "ablations" in by_name:
        found += [gains(by_name["ablations"], measure) for measure in MEASURES]
    if "trees" in by_name:
        found += [tree_gains(by_name["trees"], measure) for measure in MEASURES]
    for main in arms:
        place = (main.tree, main.task, main.method)
        shown = [arm for arm in arms if (arm.tree, arm.task, arm.method) == place]
        if not main.change and len(shown) > 1:
            tree = f"{main.tree}-" if several else ""
            name = f"ablations-{slug(tree + main.task + '-' + main.method)}"
            title = f"{main.task}, {main.method}" + (f" ({main.tree})" if several else "")
            found += curves(title, name, "ablations", shown, looks(shown), False, ("steps",))
    return found


def looks(arms: list[Arm]) -> Looks:
    trees = list(dict.fromkeys(arm.tree for arm in arms))
    # The commonest arms come before others, which are drawn apart.
    labels = list(dict.fromkeys(a.label for a in sorted(arms, key=lambda arm: bool(arm.change))))
    found = {}
    for arm in arms:
        number = labels.index(arm.label)
        # Two trees differ in their dashes; of a single one more than there are colours do.
        dash = trees.index(arm.tree) if len(trees) > 1 else number // len(COLORS)
        style = {
            "color": COLORS[number % len(COLORS)],
            "linestyle": DASHES[dash % len(DASHES)],
        }
        found[arm.tree, arm.label] = style
    return found


def overview(arms: list[Arm], look: Looks, several: bool) -> list[Picture]:
    """Success over steps, a panel a task; who needs ten times as many is seen beside the others."""
    panels = list[Panel]()
    labels = dict[str, None]()
    for task in dict.fromkeys(arm.task for arm in arms):
        shown = [arm for arm in arms if arm.task == task]
        lines = {
            arm.label + (f", {arm.tree}" if several else ""): (line, look[arm.tree, arm.label])
            for arm in shown
            if (line := curve(arm, "steps", "success"))
        }
        if not lines:
            continue
        first = min(line.x[0] for line, _ in lines.values())
        lines |= teacher_lines(shown, several, "success", lines, first)
        panels.append(partial(draw_curves, task, "steps", "success", lines, scale="log"))
        labels |= dict.fromkeys(lines)
    if len(panels) < 2:
        return []
    text = "Evaluation success over environment steps in each task"
    columns = 2 if len(panels) == 4 else min(len(panels), 3)
    lines_of_legend = math.ceil(len(labels) / columns)
    return [picture("overview", "overview", text, panels, HEIGHT, lines_of_legend, columns)]


def curves(
    title: str,
    name: str,
    section: str,
    arms: list[Arm],
    look: Looks,
    several: bool,
    axes: Sequence[str] = tuple(AXES),
) -> list[Picture]:
    """Success and return over steps and over time, with a band where there are several runs."""
    found = []
    for axis, measure in product(axes, MEASURES):
        lines = {
            label_of(arm, several): (line, look[arm.tree, arm.label])
            for arm in arms
            if (line := curve(arm, axis, measure))
        }
        if not lines:
            continue
        lines |= teacher_lines(arms, several, measure, lines, 0)
        text = f"{title}: evaluation {measure} over {AXES[axis]}"
        place = f"{name}-{measure}-{axis}"
        draw = partial(draw_curves, title, axis, measure, lines)
        count = sum(label.count("\n") + 1 for label in lines)
        found.append(picture(place, section, text, [draw], HEIGHT, count))
    return found


def teacher_lines(
    arms: list[Arm], several: bool, measure: str, beside: Lines, first: float
) -> Lines:
    """Each teacher alone, from a first point to where other lines end."""
    ends = np.array([first, max(line.x[-1] for line, _ in beside.values())])
    found = {}
    for number, (label, teacher) in enumerate(teachers(arms, several).items()):
        flat = np.full(2, teacher.of(measure).value)
        style = {"color": INK, "linestyle": DASHES[(2 + number) % len(DASHES)]}
        found[folded(label, WIDTH - 10)] = Curve(ends, flat, flat, flat, np.ones(2)), style
    return found


def teachers(arms: list[Arm], several: bool) -> dict[str, Outcome]:
    """What is known best of each teacher that some arms have, under its name."""
    groups: dict[str, list[Arm]] = {}
    for arm in arms:
        traits = [arm.settings.get(name) for name in TRAITS]
        groups.setdefault(json.dumps(traits), []).append(arm)
    found = {}
    for group in groups.values():
        known = [arm.teacher for arm in group if arm.teacher]
        names = ", ".join(arm.label + (f" in {arm.tree}" if several else "") for arm in group)
        if known:
            label = "the teacher alone" + (f", of {names}" if len(groups) > 1 else "")
            found[label] = max(known, key=lambda teacher: teacher.episodes)
    return found


def label_of(arm: Arm, several: bool) -> str:
    count = f"{len(arm.runs)} run{'s' if len(arm.runs) > 1 else ''}"
    if unfinished := sum(not run.finished for run in arm.runs):
        count += f", {unfinished} unfinished"
    tree = f", {arm.tree}" if several else ""
    return folded(f"{arm.label}{tree} ({count})", WIDTH - 10)


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
        place.plot(line.x, line.middle, label=label, linewidth=1.6, marker=marker, **style)
        color = style["color"]
        place.fill_between(line.x, line.low, line.high, color=color, alpha=0.18, linewidth=0)
    place.set(xlabel=AXES[axis], ylabel=f"evaluation {measure}", title=title, xscale=scale)
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


class Row(NamedTuple):
    label: str
    number: Number
    color: str = COLORS[0]
    mark: str = "o"


def final_intervals(arms: list[Arm], measure: str, look: Looks, several: bool) -> Picture:
    """Of the commonest arms and their teachers."""
    rows = []
    for task in dict.fromkeys(arm.task for arm in arms):
        shown = [arm for arm in arms if arm.task == task and not arm.change]
        for arm in shown:
            label = f"{task}: {arm.label}" + (f", {arm.tree}" if several else "")
            mark = "o" if arm.tree == arms[0].tree else "s"
            rows.append(Row(label, final(arm, measure), look[arm.tree, arm.label]["color"], mark))
        for label, teacher in teachers(shown, several).items():
            number = Number(teacher.of(measure), measure, "episodes")
            rows.append(Row(f"{task}: {label}", number, INK, "D"))
    text = f"Final {measure} of each method, with 95% intervals"
    return forest(f"final-{measure}", "final", text, f"final {measure}", rows)


def chances(table: Table) -> Picture:
    """Over common tasks where there are several, and otherwise of the single ones."""
    lines = [line for line in table.lines if line.names["task"].endswith(COMMON)] or table.lines
    rows = []
    for line in lines:
        place = [line.names[name] for name in ("tree", "task") if name in line.names]
        label = f"{', '.join(place)}: {line.names['arm']} above {line.names['better than']}"
        rows.append(Row(label, line.numbers["P, return"]))
    text = "Probability that a run of one method has a higher return than a run of another"
    return forest("improvement", "improvement", text, "probability", rows, 0.5)


def gains(table: Table, measure: str) -> Picture:
    rows = []
    for line in table.lines:
        place = [line.names[name] for name in ("tree", "task") if name in line.names]
        label = f"{', '.join(place)}: {line.names['arm']}"
        rows.append(Row(label, line.numbers[f"{measure}, difference"]))
    text = f"Final {measure} of an arm less the commonest's, with 95% intervals"
    return forest(f"ablations-{measure}", "ablations", text, f"{measure}, difference", rows, 0)


def tree_gains(table: Table, measure: str) -> Picture:
    title = next(name for name in table.lines[0].numbers if " less " in name)
    rows = [
        Row(f"{line.names['task']}: {line.names['arm']}", line.numbers[title])
        for line in table.lines
        if line.names["measure"] == measure
    ]
    text = f"Final {measure}, {title}, with 95% intervals"
    return forest(f"trees-{measure}", "trees", text, f"{measure}: {title}", rows, 0)


def forest(
    name: str, section: str, text: str, axis: str, rows: list[Row], neutral: float | None = None
) -> Picture:
    """Numbers below each other, each with its name above and its interval as a line."""
    # A number with its interval stays in one line.
    numbers = [row.number.text().replace(" ", "\u00a0") for row in rows]
    labels = [
        folded(f"{row.label}: {number}", WIDTH) for row, number in zip(rows, numbers, strict=True)
    ]
    heights = np.cumsum([1 + 0.45 * label.count("\n") for label in labels])

    def draw(place: Axes) -> None:
        for height, label, (_, number, color, mark) in zip(heights, labels, rows, strict=True):
            value, low, high = number.estimate
            if number.has_interval:
                place.plot([low, high], [height, height], color=color, linewidth=2)
            place.plot(value, height, mark, color=color, markersize=5)
            place.annotate(
                label,
                (0, height),
                xytext=(0, 6),
                xycoords=("axes fraction", "data"),
                textcoords="offset points",
                fontsize=8,
            )
        if neutral is not None:
            place.axvline(neutral, color=INK, linewidth=1, linestyle=":")
        place.set(xlabel=axis, yticks=[])
        place.xaxis.set_major_locator(MaxNLocator(5))
        place.set_ylim(heights[-1] + 0.5, -0.1)
        place.spines["left"].set_visible(False)
        if rows[0].number.kind == "probability":
            place.set_xlim(-0.03, 1.03)

    return picture(name, section, text, [draw], 0.5 + 0.4 * float(heights[-1]), 0)
