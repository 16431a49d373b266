"""`main.py report`: compares the runs of a log tree, or of two."""

import argparse
from math import inf
from pathlib import Path

from commands.reports import output
from commands.reports.figures import figures
from commands.reports.log_tree import read_tree, readable
from commands.reports.records import RECORDS, Tree, read_records
from commands.reports.run_groups import groups_of
from commands.reports.tables import Table, tables_of
from commands.reports.teachers import teachers_table
from utils.errors import UserError
from utils.files import replace_folder
from utils.terminal import say, table

SHOWN = {1: ("final", "thresholds", "teachers"), 2: ("trees", "teachers")}
"""Number of trees -> the tables that the terminal shows."""
SHOWN_APART = ("final", "methods", "teachers")
"""The same for two trees that share no group."""

LISTED = 5
"""Places of a note that the terminal shows; the page shows all."""
LEGEND = {
    "[": "[low, high]: 95% interval over seeds (Student's t) and evaluation rooms",
    "≤": "≤: held at the fifth evaluation, the first that can show it; maybe earlier",
    "†": "†: interval over the episodes of one evaluation, not over seeds: Wilson's or Student's t",
}
"""Sign in the tables -> a line about its meaning."""


def run(args: argparse.Namespace) -> int:
    folders = args.logdirs
    check(folders)
    if args.llm_price is not None and not 0 <= args.llm_price < inf:
        raise UserError(f"--llm_price: {args.llm_price} is no price; give 0 or more")
    if not 0 < args.margin < 1:
        raise UserError(f"--margin: {args.margin} is no margin; give a number between 0 and 1")
    names = tree_names(folders)
    out = (args.out or default_out(folders, names)).resolve()
    check_out(out)
    trees = [read(folder, name) for folder, name in zip(folders, names, strict=True)]
    groups = [group for tree in trees for group in groups_of(tree, len(trees) > 1)]
    # The same method of two trees side by side; the sort keeps the order within a tree.
    groups.sort(key=lambda group: (group.task, group.method))
    show_notes(trees)
    tables = tables_of(groups, names, args.margin)
    if (teachers := teachers_table(groups, trees, args.llm_price)).rows:
        tables.append(teachers)
    show_tables(tables, len(trees))
    pictures = figures(groups, tables)
    replace_folder(
        out, lambda part: output.write(part, trees, groups, tables, pictures, args.margin)
    )
    say(f"wrote {out / output.PAGE}")
    return 0


def check(folders: list[Path]) -> None:
    """UserError for what cannot be compared."""
    if len(folders) > 2:
        raise UserError(f"{len(folders)} trees: give one, or two to compare")
    for folder in folders:
        if not folder.exists():
            raise UserError(f"{folder}: there is no such folder or file")
    places = [folder.resolve() for folder in folders]
    if len(set(places)) < len(places):
        raise UserError(f"{places[0]} is given twice: give one tree, or two that differ")
    for one, other in (places, places[::-1]) if len(places) == 2 else ():
        if one in other.parents:
            raise UserError(f"{other} lies in {one}: two trees must lie apart")


def read(place: Path, name: str) -> Tree:
    """A folder of runs, or the records of an earlier report."""
    return read_tree(place, name) if place.is_dir() else read_records(place, name)


def tree_names(folders: list[Path]) -> list[str]:
    """The folders' own names, with as much of their paths as tells them apart."""
    parts = [Path(readable(folder.resolve())).parts for folder in folders]
    for length in range(1, max(map(len, parts)) + 1):
        names = ["/".join(each[-length:]) for each in parts]
        if len(set(names)) == len(names):
            break
    return names


def default_out(folders: list[Path], names: list[str]) -> Path:
    first = folders[0]
    name = f"report-against-{names[1].replace('/', '-')}" if len(folders) > 1 else "report"
    return first / name if first.is_dir() else first.with_name(f"{first.stem}-{name}")


def check_out(out: Path) -> None:
    """UserError if a report would replace something else."""
    if not out.exists():
        return
    if not out.is_dir():
        raise UserError(f"--out: {out} is not a folder")
    present = {path.name for path in out.iterdir()}
    if other := present - output.FILES - {RECORDS}:
        raise UserError(
            f"--out: {out} holds {min(other)}, which is not part of a report; give another folder"
        )
    # A folder with nothing but figures is the user's own.
    if present and (missing := output.FILES - present):
        raise UserError(
            f"--out: {out} holds {min(present)} but no {min(missing)}, so it is not a report; "
            "give another folder"
        )


def show_notes(trees: list[Tree]) -> None:
    for kind, name in (("left out", "left_out"), ("note", "notes")):
        for places, text in output.placed(trees, name):
            more = f" and {len(places) - LISTED} more" if len(places) > LISTED else ""
            say(f"{kind}: {', '.join(places[:LISTED])}{more}: {text}")


def show_tables(tables: list[Table], trees: int) -> None:
    shown = SHOWN[trees]
    if not any(each.name in shown[:-1] for each in tables):
        say("note: the trees share no group; each is shown on its own")
        shown = SHOWN_APART
    printed = [each.brief() for each in tables if each.name in shown]
    for each in printed:
        table(each.title, each.columns, each.cells(), texts=len(each.rows[0].names))
    cells = "".join(cell for each in printed for row in each.cells() for cell in row)
    for sign, meaning in LEGEND.items():
        if sign in cells:
            say(meaning)
