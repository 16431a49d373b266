"""A report's files: one HTML page, a Markdown table, CSV, and figures as PNG and SVG."""

import csv
import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from io import StringIO
from pathlib import Path
from typing import Any

from jinja2 import Environment, StrictUndefined

from commands.reports.groups import Arm
from commands.reports.lines import Line, Table
from commands.reports.log_tree import Run, Tree
from commands.reports.pictures import COLORS, Picture
from commands.reports.records import RECORDS, records
from commands.reports.results import MEASURES, THRESHOLDS, Curve, Number, curve

PAGE, MARKDOWN = "index.html", "report.md"
RESULTS, RUNS, CURVES = "results.csv", "runs.csv", "curves.csv"
FIGURES = "figures"
FILES = {PAGE, MARKDOWN, RESULTS, RUNS, CURVES, FIGURES}
"""All that a report's folder holds, beside the records of a single tree."""
DARK = ("#56a9e0", "#f08a4b", "#3dbd95", "#e089bf", "#cfa63a", "#9fa3f2", "#a4abb2")
"""The figures' colours on a dark page."""
OVERVIEW_NOTE = (
    "The success of the learning curves below, over steps on a logarithmic scale: who needs ten "
    "times as many is seen beside the others."
)
CURVES_NOTE = (
    "Evaluations while training: the interquartile mean over runs, interpolated between "
    "evaluations; the band is its 95% interval. A run that has ended keeps its last value up to "
    "the end of the longest; an unfinished one takes part as far as it goes. A teacher's line is "
    "of its evaluation of the most episodes, maybe in other rooms."
)


@dataclass(frozen=True)
class Section:
    name: str
    title: str
    note: str
    table: Table | None
    pictures: list[Picture]


def write(
    folder: Path, trees: list[Tree], arms: list[Arm], tables: list[Table], drawn: list[Picture]
) -> None:
    """Fill a new folder."""
    sections = arrange([*tables, runs_table(arms)], drawn)
    texts = {
        PAGE: html(trees, arms, sections),
        MARKDOWN: markdown(trees, arms, sections),
        RESULTS: rows(results(tables)),
        RUNS: rows(
            map(of_run, *zip(*((arm, run) for arm in arms for run in arm.runs), strict=True))
        ),
        CURVES: rows(curve_points(arms)),
    }
    if len(trees) == 1:
        texts[RECORDS] = records(trees[0])
    (folder / FIGURES).mkdir(parents=True)
    for name, text in texts.items():
        (folder / name).write_text(text, encoding="utf-8")
    for picture in drawn:
        (folder / FIGURES / f"{picture.name}.png").write_bytes(picture.png)
        (folder / FIGURES / f"{picture.name}.svg").write_text(picture.svg, encoding="utf-8")


def arrange(tables: list[Table], drawn: list[Picture]) -> list[Section]:
    """The curves, behind what compares two trees, and each table with its figures."""

    def of(name: str) -> list[Picture]:
        return [picture for picture in drawn if picture.section == name]

    found = [
        Section(table.name, table.title, table.note, table, of(table.name)) for table in tables
    ]
    place = sum(table.name == "trees" for table in tables)
    drawings = [
        Section("overview", "At a glance", OVERVIEW_NOTE, None, of("overview")),
        Section("curves", "Learning curves", CURVES_NOTE, None, of("curves")),
    ]
    found[place:place] = [section for section in drawings if section.pictures]
    return found


def html(trees: list[Tree], arms: list[Arm], sections: list[Section]) -> str:
    template = (Path(__file__).parent / "page.html").read_text(encoding="utf-8")
    environment = Environment(autoescape=True, undefined=StrictUndefined)
    return environment.from_string(template).render(
        title=title(trees),
        summary=summary(trees, arms),
        reading=reading(arms),
        left_out=told(trees, "left_out"),
        notes=told(trees, "notes"),
        sections=sections,
        light=COLORS,
        dark=DARK,
    )


def markdown(trees: list[Tree], arms: list[Arm], sections: list[Section]) -> str:
    lines = [f"# {title(trees)}", "", summary(trees, arms), ""]
    lines += [f"- {line}" for line in reading(arms)]
    for name, word in (("left_out", "left out"), ("notes", "noted")):
        lines += [f"- {word}: `{place}`: {why}" for place, why in told(trees, name)]
    for section in sections:
        lines += ["", f"## {section.title}", "", *([section.note, ""] if section.note else [])]
        for picture in section.pictures:
            lines.append(f"![{picture.text}]({FIGURES}/{picture.name}.png)")
        if section.table:
            table = section.table
            lines += ["", bar(table.columns), bar(["---"] * len(table.columns))]
            lines += map(bar, table.cells())
    return "\n".join(lines) + "\n"


def bar(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def title(trees: list[Tree]) -> str:
    return " against ".join(tree.name for tree in trees)


def summary(trees: list[Tree], arms: list[Arm]) -> str:
    def some(count: int, word: str) -> str:
        return f"{count} {word}{'' if count == 1 else 's'}"

    runs = sum(len(arm.runs) for arm in arms)
    unfinished = sum(not run.finished for arm in arms for run in arm.runs)
    parts = [
        some(runs, "run") + (f" ({unfinished} unfinished)" if unfinished else ""),
        some(len({arm.task for arm in arms}), "task"),
        some(len({arm.method for arm in arms}), "method"),
        some(len(arms), "arm"),
    ]
    left_out = sum(len(tree.left_out) for tree in trees)
    return ", ".join(parts) + (f"; {left_out} left out." if left_out else "; nothing left out.")


def reading(arms: list[Arm]) -> list[str]:
    """What the numbers are."""
    lines = [
        "An arm is a method with its settings; its runs differ in their seed, and in where they "
        "ran. The commonest settings of a method on a task have the method's name, others are "
        "named by what differs.",
        "Numbers over runs are interquartile means (of fewer than four runs: means) with 95% "
        "percentile intervals of a bootstrap that draws whole runs, from each task by itself. Of "
        "few runs such an interval is narrow: three can only say so much. It does not know what "
        "the choice of the rooms, the same for all runs, has done.",
    ]
    if any(len(arm.runs) == 1 for arm in arms):
        lines.append(
            "A single run has no interval over seeds, so none is drawn; † marks the interval of "
            "its episodes, which says nothing of other seeds."
        )
    else:
        lines.append("† marks the interval of an evaluation's episodes, not one over seeds.")
    for arm in arms:
        commits = sorted({run.commit[:12] for run in arm.runs})
        if len(commits) > 1:
            lines.append(
                f"The runs of {arm.task}, {arm.label}, are of different git commits: "
                f"{', '.join(commit or 'unknown' for commit in commits)}."
            )
    return lines


def told(trees: list[Tree], name: str) -> list[tuple[str, str]]:
    """What is left out or noted, with the tree where there are several."""
    return [
        (f"{tree.name}: {place}" if len(trees) > 1 else place, why)
        for tree in trees
        for place, why in getattr(tree, name)
    ]


def runs_table(arms: list[Arm]) -> Table:
    several = len({arm.tree for arm in arms}) > 1
    lines = []
    for arm in arms:
        for run in arm.runs:
            tree = {"tree": arm.tree} if several else {}
            names = {
                **tree,
                "run": run.name,
                "arm": arm.label,
                "seed": str(run.seed),
                "iterations": f"{run.iterations} of {run.planned}",
                "commit": run.commit[:12],
                "final from": run.final.source,
            }
            numbers = {name: Number(run.final.of(name), name, "episodes") for name in MEASURES}
            lines.append(Line(names, numbers))
    return Table("runs", "Runs", "", lines)


def results(tables: list[Table]) -> Iterator[dict[str, Any]]:
    """A line a number, in full precision, with what it is of under the tables' own columns."""
    lines = [(table.name, line) for table in tables for line in table.lines]
    columns = dict.fromkeys(name for _, line in lines for name in line.names)
    for name, line in lines:
        for number_name, number in line.numbers.items():
            value, low, high = map(plain, number.estimate)
            yield {
                "table": name,
                **{column: line.names.get(column, "") for column in columns},
                "number": number_name,
                "value": value,
                "low": low,
                "high": high,
                "interval": number.over if number.has_interval else "none",
            }


def of_run(arm: Arm, run: Run) -> dict[str, Any]:
    held = {
        f"{name}_to_{threshold}": plain(value)
        for threshold in THRESHOLDS
        for name, value in zip(("steps", "seconds"), run.held(threshold), strict=True)
    }
    return {
        "tree": arm.tree,
        "run": run.name,
        "task": arm.task,
        "method": arm.method,
        "arm": arm.label,
        "seed": run.seed,
        "iterations": run.iterations,
        "planned": run.planned,
        "steps": plain(run.steps),
        "seconds": plain(run.seconds),
        **held,
        "success": run.final.success.value,
        "return": run.final.returns.value,
        "episodes": run.final.episodes,
        "from": run.final.source,
        "commit": run.commit,
    }


def curve_points(arms: list[Arm]) -> Iterator[dict[str, Any]]:
    for arm in arms:
        for axis in ("steps", "seconds"):
            for measure in MEASURES:
                line = curve(arm, axis, measure)
                for point in zip(*line, strict=True) if line else ():
                    numbers = dict(zip(Curve._fields, map(float, point), strict=True))
                    yield {
                        "tree": arm.tree,
                        "task": arm.task,
                        "arm": arm.label,
                        "axis": axis,
                        "x": numbers["x"],
                        "measure": measure,
                        "value": numbers["middle"],
                        "low": plain(numbers["low"]),
                        "high": plain(numbers["high"]),
                        "runs": int(numbers["runs"]),
                    }


def plain(value: float) -> float | str:
    """Nothing, for what is no number."""
    return value if math.isfinite(value) else ""


def rows(content: Iterable[dict[str, Any]]) -> str:
    """CSV; all of one kind."""
    lines = list(content)
    text = StringIO()
    writer = csv.DictWriter(text, list(lines[0]) if lines else [], lineterminator="\n")
    writer.writeheader()
    writer.writerows(lines)
    return text.getvalue()
