"""`main.py report`: compares the runs of a log tree, or of two."""

import argparse
from pathlib import Path

from commands.reports import page
from commands.reports.figures import pictures
from commands.reports.groups import arms_of
from commands.reports.log_tree import Tree, read_tree, readable
from commands.reports.records import RECORDS, read_records
from commands.reports.tables import tables
from utils.errors import UserError
from utils.files import replace_folder
from utils.terminal import say, table

SHOWN = {1: ("final", "thresholds"), 2: ("trees",)}
"""Number of trees -> the tables that the terminal shows, too."""
ALONE = ("final", "improvement")
"""Likewise, of two trees that have no arm in common."""


def run(args: argparse.Namespace) -> int:
    folders = args.logdirs
    check(folders)
    named = tree_names(folders)
    out = (args.out or default_out(folders, named)).resolve()
    check_out(out)
    trees = [read(folder, name) for folder, name in zip(folders, named, strict=True)]
    arms = [arm for tree in trees for arm in arms_of(tree)]
    # Those of two trees beside each other; what is the same stays in order.
    arms.sort(key=lambda arm: (arm.task, arm.method))
    tell(trees)
    found = tables(arms, named)
    shown = SHOWN[len(trees)]
    if not any(each.name in shown for each in found):
        say("noted: no task has an arm of the same name in both; each stands for itself")
        shown = ALONE
    for each in found:
        if each.name in shown:
            table(each.title, each.columns, each.cells(), texts=each.texts)
    drawn = pictures(arms, found)
    replace_folder(out, lambda part: page.write(part, trees, arms, found, drawn))
    say(f"wrote {out / page.PAGE}")
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
    """A folder of runs, or the records that a report has kept of one."""
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
        raise UserError(f"--out: {out} is no folder")
    held = {path.name for path in out.iterdir()}
    if other := held - page.FILES - {RECORDS}:
        raise UserError(
            f"--out: {out} holds {min(other)}, which is no part of a report; give another folder"
        )
    # Figures alone are somebody's own.
    if held and (missing := page.FILES - held):
        raise UserError(
            f"--out: {out} holds {min(held)} but no {min(missing)}, so it is no report; "
            "give another folder"
        )


def tell(trees: list[Tree]) -> None:
    for place, why in page.told(trees, "left_out"):
        say(f"left out: {place}: {why}")
    for place, what in page.told(trees, "notes"):
        say(f"noted: {place}: {what}")
