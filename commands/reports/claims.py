"""The paper's claims, judged by the records of runs."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from commands.reports.estimates import (
    NO_DIFFERENCE,
    UNKNOWN,
    Number,
    difference,
    difference_up_to,
    difference_within,
    equal_steps,
    final,
    over_tasks,
    told,
)
from commands.reports.records import read_records
from commands.reports.run_groups import RunGroup, groups_of
from commands.reports.teachers import students
from commands.settings.flags import DEFAULT_MARGIN
from commands.settings.setting_flags import as_typed
from commands.teacher_identity import MODES, RECORDED
from planner.servers import LOCAL, UNIFORM_MEANS, model_name
from utils.statistics import apart

PAPER, PRESET, HOMES, LLMS = "paper", "minigrid", "homes", "llms"
"""Tables in configs/, and the records of their runs: the paper's network, estimator and schedule;
this project's preset in rooms; its settings in homes; its preset with other sources of answers."""
STUDENT, ALONE, HARD, OPTIONS = "ppo", "ppo-alone", "ppo-hard", "hierarchical"
EXPLORING = f"{ALONE} {as_typed('entropy_coef', 0.005)}"
"""PPO alone with a larger entropy bonus than the preset's, as in docs/learning.md."""
FEW = "fewer than two runs each"
REPRODUCED, PARTLY, NOT, NOT_TOLD = "reproduced", "partly", "not", "not told apart"
SMALL = f"{model_name(LOCAL, None)}, {MODES['score']}"
Methods = Mapping[str, Mapping[str, RunGroup]]
"""Method -> task -> its main group, and the method's other groups by their names; in `LLMS` source
of answers -> task -> its students."""


@dataclass(frozen=True)
class Claim:
    """A claim, and the number that shows it (the larger the better), computed from the groups of a
    student and of its rivals. `records` are those of the paper's setting and of this project's; the
    first may be missing."""

    text: str
    rivals: tuple[str, ...]
    compute: Callable[..., Number]
    records: tuple[str | None, str] = (PAPER, PRESET)
    student: str = STUDENT


def within_equal_steps(one: RunGroup, other: RunGroup) -> Number:
    return difference_within(one, other, "success", equal_steps(one, other))


def while_training(one: RunGroup, other: RunGroup) -> Number:
    return difference_up_to(one, other, "success", equal_steps(one, other))


def final_success(one: RunGroup, other: RunGroup) -> Number:
    return difference(one, other, "success")


def final_return(one: RunGroup, other: RunGroup) -> Number:
    return difference(one, other, "return")


def above_teacher(student: RunGroup) -> Number:
    teacher = student.teacher.success if student.teacher else UNKNOWN
    gain = apart(final("success", student).estimate, teacher)
    return Number(gain, "difference", fewest=len(student.runs))


CLAIMS = (
    Claim(
        "1. After equal steps, more success than RL alone",
        (ALONE,),
        within_equal_steps,
    ),
    Claim(
        "1b. Over all steps, more than RL alone that explores more", (EXPLORING,), while_training
    ),
    Claim("2. The student ends above its teacher", (), above_teacher),
    Claim("3. Hierarchical RL ends lower", (OPTIONS,), final_success),
    Claim("4. Soft instructions are better than hard ones", (HARD,), final_return),
    Claim("5a. Claim 1 in Nav & Pick", (ALONE,), within_equal_steps, (None, HOMES)),
    Claim("5b. Claim 2 in Nav & Pick", (), above_teacher, (None, HOMES)),
    Claim(
        "6a. Over all steps, an LLM's plans teach better than all legal plans alike",
        (UNIFORM_MEANS,),
        while_training,
        (None, LLMS),
        RECORDED,
    ),
    Claim(
        "6b. So do scores of a live LLM of 135 M",
        (UNIFORM_MEANS,),
        while_training,
        (None, LLMS),
        SMALL,
    ),
)


class Finding(NamedTuple):
    """A claim's number in one task, what it shows, and the runs of both sides."""

    task: str
    number: Number
    shows: str
    runs: tuple[int, ...]

    def text(self) -> str:
        return f"{self.number.text()}, {':'.join(map(str, self.runs))}: {self.shows}"


def methods_of(records: Path) -> Methods:
    """The groups of a file of records; none if there is no such file."""
    found: dict[str, dict[str, RunGroup]] = {}
    if records.exists():
        for group in groups_of(read_records(records, records.stem)):
            found.setdefault(group.label, {})[group.task] = group
    return found


def sources_of(records: Path) -> Methods:
    """The students of each source of answers in a file of records; none if there is no such
    file."""
    found: dict[str, dict[str, RunGroup]] = {}
    if records.exists():
        groups = groups_of(read_records(records, records.stem))
        for (_, task, source), group in students(groups).items():
            found.setdefault(source, {})[task] = group
    return found


def compared(claim: Claim, methods: Methods) -> Iterator[tuple[str, list[RunGroup]]]:
    """The tasks with at least two runs of all that a claim compares, and their groups."""
    for task in sorted(methods.get(claim.student, {})):
        sides = [methods.get(method, {}).get(task) for method in (claim.student, *claim.rivals)]
        groups = [group for group in sides if group and len(group.runs) > 1]
        if len(groups) == len(sides):
            yield task, groups


def findings(claim: Claim, methods: Methods) -> list[Finding]:
    """What the claim's number shows in each task."""
    found = []
    for task, groups in compared(claim, methods):
        number = claim.compute(*groups)
        if number.has_interval:
            runs = tuple(len(group.runs) for group in groups)
            found.append(Finding(task, number, told(number, DEFAULT_MARGIN), runs))
    return found


def verdict(found: Sequence[Finding]) -> str:
    """One of four words. "not" takes tasks that all tell; else the runs are too few."""
    shown = [finding.shows for finding in found]
    if all(word == "more" for word in shown):
        return REPRODUCED
    if "more" in shown:
        return PARTLY
    return NOT if all(word in ("less", NO_DIFFERENCE) for word in shown) else NOT_TOLD


def cell(claim: Claim, methods: Methods) -> str:
    """A claim's verdict in one setting, its number over all tasks, and the number of runs."""
    found = findings(claim, methods)
    if not found:
        if not methods:
            return "no runs yet"
        # A teacher may lack an evaluation, or runs may lack evaluations while training.
        return "evaluations are missing" if [*compared(claim, methods)] else FEW
    number = over_tasks([finding.number for finding in found]).text()
    runs = ":".join(str(sum(each)) for each in zip(*(f.runs for f in found), strict=True))
    shown = sum(finding.shows == "more" for finding in found)
    return f"**{verdict(found)}**, {shown}/{len(found)} tasks: {number}; {runs} runs"


def read_settings(folder: Path) -> dict[str | None, Methods]:
    found: dict[str | None, Methods] = {LLMS: sources_of(folder / f"{LLMS}.jsonl")}
    return found | {name: methods_of(folder / f"{name}.jsonl") for name in (PAPER, PRESET, HOMES)}


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    """The lines of a Markdown table. Without spaces, bars do not count as words of the page."""
    return [f"|{'|'.join(cells)}|" for cells in (head, ["---"] * len(head), *rows)]


def claims_table(settings: Mapping[str | None, Methods]) -> list[str]:
    """The table of claims as Markdown."""
    head = ["claim", "the paper's setting, 5,000 iterations", "this project's, advice in full"]
    return table(
        head,
        (
            [claim.text, *(cell(claim, settings.get(name, {})) for name in claim.records)]
            for claim in CLAIMS
        ),
    )


def details_table(settings: Mapping[str | None, Methods]) -> list[str]:
    """The numbers behind the table of claims as Markdown: a column for each task."""
    judged = {
        (claim.text.split(".")[0], str(name)): findings(claim, settings.get(name, {}))
        for claim in CLAIMS
        for name in claim.records
    }
    tasks = list(dict.fromkeys(finding.task for found in judged.values() for finding in found))
    rows = []
    for place, found in judged.items():
        cells = {finding.task: finding.text() for finding in found}
        if cells:
            rows.append([*place, *(cells.get(task, "") for task in tasks)])
    return table(["claim", "records", *tasks], rows)
