"""The files of a report: an HTML page, Markdown, CSV, and figures as PNG and SVG."""

import csv
from collections.abc import Iterable, Iterator, Sequence
from io import StringIO
from itertools import product
from pathlib import Path
from typing import Any

from jinja2 import Environment, StrictUndefined

from commands.provenance import short_commit
from commands.reports.estimates import OUTCOMES, THRESHOLDS, Curve, Number, curve
from commands.reports.pictures import COLORS, Picture
from commands.reports.records import RECORDS, Run, Tree, record_lines
from commands.reports.run_groups import RunGroup
from commands.reports.tables import Row, Table
from utils.files import strict
from utils.terminal import counted

PAGE, MARKDOWN = "index.html", "report.md"
RESULTS, RUNS, CURVES = "results.csv", "runs.csv", "curves.csv"
FIGURES = "figures"
Placed = list[tuple[list[str], str]]
"""Places in the trees, and what is said about them."""
FILES = {PAGE, MARKDOWN, RESULTS, RUNS, CURVES, FIGURES}
"""What every report's folder holds; that of a single tree has its records, too."""
DARK = ("#56a9e0", "#f08a4b", "#3dbd95", "#e089bf", "#cfa63a", "#9fa3f2", "#a4abb2")
"""The figures' colours on a dark page."""
OVERVIEW = Table(
    "overview",
    "At a glance",
    "The learning curves of success over steps. The logarithmic axis shows methods beside each "
    "other that differ by ten times in steps.",
    [],
)
LEARNING = Table(
    "curves",
    "Learning curves",
    "Step counts and learning curves come from separate evaluation rooms while training. A curve "
    "is the mean over runs, interpolated between evaluations; the band is its 95% "
    "interval. Finished runs are extended at their final value; unfinished runs count as far as "
    "they are. A teacher's line is its evaluation with the most episodes, which may be in other "
    "rooms.",
    [],
)


def write(
    folder: Path,
    trees: list[Tree],
    groups: list[RunGroup],
    tables: list[Table],
    pictures: list[Picture],
    margin: float,
) -> None:
    """Fill a new folder."""
    # What compares two trees comes first.
    start = sum(table.name == "trees" for table in tables)
    sections = [*tables[:start], OVERVIEW, LEARNING, *tables[start:], runs_table(groups)]
    drawn = {
        section.name: [p for p in pictures if p.section == section.name] for section in sections
    }
    sections = [section for section in sections if section.rows or drawn[section.name]]
    content: dict[str, Any] = {
        "title": " against ".join(tree.name for tree in trees),
        "summary": summary(trees, groups),
        "reading": reading(groups, margin),
        "left_out": placed(trees, "left_out"),
        "notes": placed(trees, "notes"),
        "sections": sections,
        "pictures": drawn,
    }
    texts = {
        PAGE: html(content),
        MARKDOWN: markdown(**content),
        RESULTS: as_csv(results(tables)),
        RUNS: as_csv(run_row(group, run) for group in groups for run in group.runs),
        CURVES: as_csv(curve_points(groups)),
    }
    if len(trees) == 1:
        texts[RECORDS] = "".join(record_lines(trees[0]))
    (folder / FIGURES).mkdir(parents=True)
    for name, text in texts.items():
        (folder / name).write_text(text, encoding="utf-8")
    for picture in pictures:
        (folder / FIGURES / f"{picture.name}.png").write_bytes(picture.png)
        (folder / FIGURES / f"{picture.name}.svg").write_text(picture.svg, encoding="utf-8")


def html(content: dict[str, Any]) -> str:
    template = (Path(__file__).parent / "page.html").read_text(encoding="utf-8")
    environment = Environment(autoescape=True, undefined=StrictUndefined)
    return environment.from_string(template).render(content, light=COLORS, dark=DARK)


def markdown(
    title: str,
    summary: str,
    reading: list[str],
    left_out: Placed,
    notes: Placed,
    sections: list[Table],
    pictures: dict[str, list[Picture]],
) -> str:
    lines = [f"# {title}", "", summary, ""]
    lines += [f"- {line}" for line in reading]
    for kind, placed in (("left out", left_out), ("note", notes)):
        for places, text in placed:
            lines.append(f"- {kind}: {', '.join(f'`{place}`' for place in places)}: {text}")
    for section in sections:
        lines += ["", f"## {section.title}", "", *([section.note, ""] if section.note else [])]
        lines += [f"![{each.text}]({FIGURES}/{each.name}.png)" for each in pictures[section.name]]
        if section.rows:
            lines += ["", bar(section.columns), bar(["---"] * len(section.columns))]
            lines += map(bar, section.cells())
    return "\n".join(lines) + "\n"


def bar(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def summary(trees: list[Tree], groups: list[RunGroup]) -> str:
    unfinished = sum(group.unfinished for group in groups)
    runs = counted(sum(len(group.runs) for group in groups), "run")
    parts = [
        f"{runs} ({unfinished} unfinished)" if unfinished else runs,
        counted(len({group.task for group in groups}), "task"),
        counted(len({group.method for group in groups}), "method"),
        counted(len(groups), "group"),
    ]
    left_out = sum(len(tree.left_out) for tree in trees)
    return f"{', '.join(parts)}; {left_out or 'nothing'} left out."


def reading(groups: list[RunGroup], margin: float) -> list[str]:
    """How to read the numbers."""
    lines = [
        "A group is a method with its settings. Its runs differ in their seed, and in where they "
        "ran. The main group of a method on a task has the method's name; it is the one with the "
        "most runs. Other groups are named by the settings that differ.",
        "Numbers over seeds are means. Square brackets hold 95% intervals. They join two errors: "
        "Student's t over seeds, and the error of a single evaluation, because all runs share its "
        "rooms. Bands of curves and intervals of steps cover seeds alone.",
        "Three runs say little about runs that fail: if one run in three fails, an interval of "
        "three runs holds the true mean in two cases of three, one of ten runs in 88%.",
        "A difference is one of pairs if both groups have the same seeds. It shows more, less, no "
        f"difference (the whole interval lies within {margin:g}: two one-sided tests at 2.5%), or "
        "is not told apart.",
        "† marks an interval over the episodes of one evaluation. It says nothing about other "
        "seeds. For a success it is Wilson's, for a return Student's t.",
        "A run reaches a success when five evaluations in a row first have this mean; the last of "
        "the five counts. If these are its first five, it may have had the success earlier: ≤ "
        "marks its steps as an upper bound. A mean with such a run is an upper bound, too.",
    ]
    if any(len(group.runs) == 1 for group in groups):
        lines.append("A single run has no interval over seeds.")
    mixed = []
    for group in groups:
        commits = sorted({short_commit(run.commit) or "unknown" for run in group.runs})
        if len(commits) > 1:
            mixed.append(f"{group.task}, {group.label} ({', '.join(commits)})")
    if mixed:
        lines.append(f"Groups with runs from different git commits: {'; '.join(mixed)}.")
    return lines


def runs_table(groups: list[RunGroup]) -> Table:
    rows = []
    for group in groups:
        for run in group.runs:
            names = {
                **group.place,
                "run": run.name,
                "group": group.label,
                "seed": str(run.seed),
                "iterations": f"{run.iterations} of {run.planned}",
                "commit": short_commit(run.commit),
                "final from": run.final.source,
            }
            numbers = {name: Number(run.final.of(name), name, "episodes") for name in OUTCOMES}
            rows.append(Row(names, numbers))
    return Table("runs", "Runs", "", rows)


def placed(trees: list[Tree], name: str) -> Placed:
    """What is left out, or the notes: each text once, with all its places. A place has its tree if
    there are several."""
    found: dict[str, list[str]] = {}
    for tree in trees:
        for place, text in getattr(tree, name):
            places = found.setdefault(text, [])
            places.append(f"{tree.name}: {place}" if len(trees) > 1 else place)
    return [(places, text) for text, places in found.items()]


def results(tables: list[Table]) -> Iterator[dict[str, Any]]:
    """Each number in full precision, with the text columns of all tables."""
    rows = [(table.name, row) for table in tables for row in table.rows]
    columns = dict.fromkeys((name for _, row in rows for name in row.names | row.details), "")
    for table, row in rows:
        texts = columns | row.names | row.details
        for name, number in row.numbers.items():
            interval = number.over if number.has_interval else "none"
            numbers = {"number": name, **number.estimate._asdict(), "interval": interval}
            yield {"table": table, **texts, **numbers}


def run_row(group: RunGroup, run: Run) -> dict[str, Any]:
    reached = {
        f"{kind}_to_{threshold}": getattr(run.reached(threshold), kind)
        for threshold in THRESHOLDS
        for kind in ("steps", "seconds")
    }
    place = {"tree": group.tree, "run": run.name, "task": group.task, "method": group.method}
    counts = ("seed", "iterations", "planned", "steps", "seconds")
    return {
        **place,
        "group": group.label,
        **{name: getattr(run, name) for name in counts},
        **reached,
        **{measure: run.final.of(measure).value for measure in OUTCOMES},
        "episodes": run.final.episodes,
        "from": run.final.source,
        "commit": run.commit,
    }


def curve_points(groups: list[RunGroup]) -> Iterator[dict[str, Any]]:
    for group, axis, measure in product(groups, ("steps", "seconds"), OUTCOMES):
        if line := curve(group, axis, measure):
            place = {"tree": group.tree, "task": group.task, "group": group.label}
            for point in zip(*line, strict=True):
                numbers = dict(zip(Curve._fields, (part.item() for part in point), strict=True))
                yield place | {"axis": axis, "measure": measure} | numbers


def as_csv(rows: Iterable[dict[str, Any]]) -> str:
    """All rows have the same columns. A cell is empty where a number is NaN or infinite."""
    text, rows = StringIO(), [*rows]
    writer = csv.DictWriter(text, rows[0] if rows else (), lineterminator="\n")
    writer.writeheader()
    writer.writerows(map(strict, rows))
    return text.getvalue()
