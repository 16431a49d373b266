"""What a table of a report is, and which arms its lines are of."""

from dataclasses import dataclass
from typing import NamedTuple

from commands.reports.groups import Arm
from commands.reports.results import Number


class Line(NamedTuple):
    """A row: what it is of, by column, and its numbers."""

    names: dict[str, str]
    numbers: dict[str, Number]


@dataclass(frozen=True)
class Table:
    name: str
    title: str
    note: str
    lines: list[Line]

    @property
    def columns(self) -> list[str]:
        return [*self.lines[0].names, *self.lines[0].numbers]

    @property
    def texts(self) -> int:
        """How many of its columns, the first ones, hold no numbers."""
        return len(self.lines[0].names)

    def cells(self) -> list[list[str]]:
        return [
            [*line.names.values(), *(number.text() for number in line.numbers.values())]
            for line in self.lines
        ]


def names_of(arm: Arm, several: bool) -> dict[str, str]:
    unfinished = sum(not run.finished for run in arm.runs)
    count = f"{len(arm.runs)} ({unfinished} unfinished)" if unfinished else str(len(arm.runs))
    tree = {"tree": arm.tree} if several else {}
    return {"task": arm.task, **tree, "arm": arm.label, "runs": count}


def episodes_of(arm: Arm) -> str:
    """Of how many episodes the final evaluations of its runs are."""
    counts = [run.final.episodes for run in arm.runs]
    return "–".join(map(str, dict.fromkeys([min(counts), max(counts)])))


def mains(arms: list[Arm], tree: str) -> dict[str, dict[str, Arm]]:
    """Method -> task -> its commonest arm."""
    found: dict[str, dict[str, Arm]] = {}
    for arm in arms:
        if arm.tree == tree and not arm.change:
            found.setdefault(arm.method, {})[arm.task] = arm
    return found


def trees_of(arms: list[Arm]) -> list[str]:
    return list(dict.fromkeys(arm.tree for arm in arms))
