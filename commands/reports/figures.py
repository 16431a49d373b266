"""The figures of a report: curves over steps and time, and intervals side by side."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from io import BytesIO
from typing import Any

import matplotlib
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from commands.reports.arms import Arm
from commands.reports.results import (
    MEASURES,
    Curve,
    Number,
    Table,
    curve,
    final,
    part,
)

INK, RULE, PAPER = "#1c2024", "#d5d9dd", "#ffffff"
COLORS = ("#0072b2", "#c84e00", "#00795c", "#b0478a", "#8f6a00", "#5b5fc7", "#6b7075")
"""Told apart with any colour vision, three times as dark as white at least."""
DASHES: tuple[Any, ...] = ("-", (0, (5, 2)), (0, (1, 1.2)), (0, (6, 2, 1, 2)))
STYLE: Any = {
    "font.size": 9,
    "axes.titlesize": 10,
    "axes.labelsize": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": RULE,
    "grid.linewidth": 0.6,
    "legend.frameon": False,
    "svg.fonttype": "none",
    **dict.fromkeys(
        ("text.color", "axes.edgecolor", "axes.labelcolor", "xtick.color", "ytick.color"), INK
    ),
}
AXES = {"steps": "environment steps", "seconds": "seconds of training"}
LEGEND_LINE = 0.19
"""Inches."""


@dataclass(frozen=True)
class Picture:
    """A figure in a file's formats; `inline` is its SVG for a page, with the page's colours: ink is
    currentColor, lines and series are --rule, --series-0, ….

    `section` is the table that it belongs to, `text` what it shows."""

    name: str
    section: str
    text: str
    png: bytes
    svg: str

    @property
    def inline(self) -> str:
        drawing = self.svg[self.svg.index("<svg") :]
        drawing = re.sub(r"<metadata>.*?</metadata>", "", drawing, flags=re.DOTALL)
        for place in ('id="', "url(#", 'href="#'):
            drawing = drawing.replace(place, f"{place}{self.name}-")
        drawing = drawing.replace(PAPER, "none").replace(INK, "currentColor")
        drawing = drawing.replace(RULE, "var(--rule)")
        for number, color in enumerate(COLORS):
            drawing = drawing.replace(color, f"var(--series-{number})")
        return re.sub(r'width="[\d.]+pt" height="[\d.]+pt"', 'role="img"', drawing, count=1)


def pictures(arms: list[Arm], tables: list[Table]) -> list[Picture]:
    """All that there is something to draw of."""
    look = looks(arms)
    several = len({arm.tree for arm in arms}) > 1
    found = []
    for task in dict.fromkeys(arm.task for arm in arms):
        shown = [arm for arm in arms if arm.task == task and not arm.change]
        found += curves(task, f"curves-{slug(task)}", "curves", shown, look, several)
    found += [final_intervals(arms, measure, look, several) for measure in MEASURES]
    by_name = {table.name: table for table in tables}
    if "improvement" in by_name:
        found.append(chances(by_name["improvement"]))
    if "trees" in by_name:
        found += [gains(by_name["trees"], measure) for measure in MEASURES]
    for main in arms:
        place = (main.tree, main.task, main.method)
        shown = [arm for arm in arms if (arm.tree, arm.task, arm.method) == place]
        if not main.change and len(shown) > 1:
            tree = f"{main.tree}-" if several else ""
            name = f"ablations-{slug(tree + main.task + '-' + main.method)}"
            title = f"{main.task}, {main.method}" + (f" ({main.tree})" if several else "")
            found += curves(title, name, "ablations", shown, looks(shown), False, ("steps",))
    return found


Looks = dict[tuple[str, str], dict[str, Any]]
"""Tree and arm -> the color and dashes of its line, the same in all figures."""


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
    for axis in axes:
        for measure in MEASURES:
            lines = [(arm, line) for arm in arms if (line := curve(arm, axis, measure))]
            if not lines:
                continue

            def draw(
                place: Axes,
                lines: list[tuple[Arm, Curve]] = lines,
                axis: str = axis,
                measure: str = measure,
            ) -> None:
                for arm, line in lines:
                    draw_curve(place, arm, line, look[arm.tree, arm.label], several)
                teacher = next((arm.teacher for arm in arms if arm.teacher), None)
                if teacher:
                    level, label = part(teacher, measure).value, "the teacher alone"
                    place.axhline(level, color=INK, linewidth=1, linestyle=":", label=label)
                place.set(xlabel=AXES[axis], ylabel=f"evaluation {measure}", title=title)
                place.set_xlim(left=0)
                place.set_ylim(*((-0.03, 1.03) if measure == "success" else (None, None)))
                place.xaxis.set_major_formatter(matplotlib.ticker.EngFormatter(sep=" "))
                place.xaxis.set_major_locator(matplotlib.ticker.MaxNLocator(5))

            text = f"{title}: evaluation {measure} over {AXES[axis]}"
            picture_name = f"{name}-{measure}-{axis}"
            found.append(picture(picture_name, section, text, draw, 2.5, len(lines) + 1))
    return found


def draw_curve(place: Axes, arm: Arm, line: Curve, style: dict[str, Any], several: bool) -> None:
    count = len(arm.runs)
    label = f"{arm.label}{f', {arm.tree}' if several else ''} ({count} run{'s'[: count > 1]})"
    marker = "o" if line.x[0] == line.x[-1] else ""
    place.plot(line.x, line.middle, label=label, linewidth=1.6, marker=marker, **style)
    place.fill_between(line.x, line.low, line.high, color=style["color"], alpha=0.18, linewidth=0)


def final_intervals(arms: list[Arm], measure: str, look: Looks, several: bool) -> Picture:
    rows: list[tuple[str, Number, str, str]] = []
    for task in dict.fromkeys(arm.task for arm in arms):
        shown = [arm for arm in arms if arm.task == task]
        for arm in shown:
            name = f"{task}: {arm.label}" + (f", {arm.tree}" if several else "")
            mark = "o" if not several or arm.tree == arms[0].tree else "s"
            color = look[arm.tree, arm.label]["color"]
            rows.append((name, final(arm, measure), color, mark))
        teacher = next((arm.teacher for arm in shown if arm.teacher), None)
        if teacher:
            number = Number(part(teacher, measure), measure, "episodes")
            rows.append((f"{task}: the teacher alone", number, INK, "D"))
    text = f"Final {measure} of each arm, with 95% intervals"
    return forest(f"final-{measure}", "final", text, f"final {measure}", rows, None)


def chances(table: Table) -> Picture:
    """Over all tasks where there are several, and otherwise of the single ones."""
    name = "P, return"
    wide = [line for line in table.lines if line.names["task"] == "all tasks"]
    rows = []
    for line in wide or table.lines:
        names = line.names
        label = f"{names['arm']} > {names['better than']}"
        label = f"{names['tree']}: {label}" if "tree" in names else label
        label = label if wide else f"{names['task']}: {label}"
        rows.append((label, line.numbers[name], COLORS[0], "o"))
    text = "Probability that a run of one method has a higher return than a run of another"
    return forest("improvement", "improvement", text, "probability (return)", rows, 0.5)


def gains(table: Table, measure: str) -> Picture:
    lines = [line for line in table.lines if line.names["measure"] == measure]
    title = next(name for name in table.lines[0].numbers if " less " in name)
    rows = [
        (f"{line.names['task']}: {line.names['arm']}", line.numbers[title], COLORS[0], "o")
        for line in lines
    ]
    text = f"Final {measure}: {title}, with 95% intervals"
    return forest(f"trees-{measure}", "trees", text, f"{measure}: {title}", rows, 0)


def forest(
    name: str,
    section: str,
    text: str,
    axis: str,
    rows: list[tuple[str, Number, str, str]],
    neutral: float | None,
) -> Picture:
    """Numbers below each other, each with its name above and its interval as a line."""

    def draw(place: Axes) -> None:
        for height, (label, number, color, mark) in enumerate(rows):
            value, low, high = number.estimate
            if number.has_interval:
                place.plot([low, high], [height, height], color=color, linewidth=2)
            place.plot(value, height, mark, color=color, markersize=5)
            place.annotate(
                f"{label}  {number.text()}",
                (0, height),
                xytext=(0, 5),
                xycoords=("axes fraction", "data"),
                textcoords="offset points",
                fontsize=8,
            )
        if neutral is not None:
            place.axvline(neutral, color=INK, linewidth=1, linestyle=":")
        place.set(xlabel=axis, yticks=[])
        place.set_ylim(len(rows) - 0.5, -0.9)
        place.grid(visible=False, axis="y")
        place.spines["left"].set_visible(False)
        if name.startswith(("final", "improvement")):
            place.set_xlim(left=min(0, place.get_xlim()[0]), right=max(1, place.get_xlim()[1]))

    return picture(name, section, text, draw, 0.5 + 0.36 * len(rows), 0)


def picture(
    name: str,
    section: str,
    text: str,
    draw: Callable[[Axes], None],
    height: float,
    legend_lines: int,
) -> Picture:
    """A figure of a phone's width, with its legend, if there is one, below."""
    with matplotlib.rc_context(STYLE | {"svg.hashsalt": name}):
        figure = Figure(figsize=(4.6, height + LEGEND_LINE * legend_lines), layout="constrained")
        place = figure.subplots()
        draw(place)
        if legend_lines:
            figure.legend(loc="outside lower left", handlelength=2.6, labelspacing=0.3)
        png, svg = BytesIO(), BytesIO()
        figure.savefig(png, format="png", dpi=160)
        figure.savefig(svg, format="svg", metadata={"Date": None})
    return Picture(name, section, text, png.getvalue(), svg.getvalue().decode())


def slug(text: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")
