"""Writes the tables and figures of README.md and docs/ from records.

    python -m commands.results_page

`docs/results/NAME.jsonl` holds the records of `configs/NAME.yaml`. To publish newer runs, replace
the file by the records.jsonl of their report and run this. A page has a table between the lines
`<!-- NAME -->` and `<!-- end -->`.
"""

import re
from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path

from algos.selection import WINDOW
from commands.reports.claims import (
    LLMS,
    PAPER,
    STUDENT,
    claims_table,
    details_table,
    read_settings,
    table,
)
from commands.reports.estimates import THRESHOLDS, final, formatted, outcomes_of
from commands.reports.figures import figures
from commands.reports.records import CLEAN, LIKELIEST, Tree, read_records
from commands.reports.run_groups import RunGroup, groups_of
from commands.reports.teachers import teachers_table
from commands.reports.wrong_teachers import by_teacher
from utils.files import write_atomically
from utils.terminal import say

ROOT = Path(__file__).parent.parent
PAGES = (
    ROOT / "README.md",
    *(ROOT / "docs" / name for name in ("results.md", "llm.md", "learning.md")),
)
RECORDS = ROOT / "docs" / "results"
TEACHER_COLUMNS = (
    *("task", "teacher", "replies or scores", "seconds", "teacher's success"),
    *("runs", "steps to 0.95", "student's success"),
)
"""Columns of a report's table of teachers that a page shows."""
RUNS = ("minigrid", "worlds", "views", "homes", "paper_short", "gaps")
DRAWN = {
    "minigrid": "overview",
    "worlds": "overview",
    "homes": "final-success",
}
"""Records -> the figure of their report that the page shows, as NAME.png."""
WRONG = "wrong_teacher"
"""Records of teachers that are wrong, or know more than their students see."""
LISTED = 3
"""Runs of a group that a cell lists one by one."""


def tables(folder: Path) -> dict[str, list[str]]:
    """The lines of each table, by name."""
    settings = read_settings(folder)
    found = {"claims": claims_table(settings), "details": details_table(settings)}
    if (records := folder / f"{LLMS}.jsonl").exists():
        found["teachers"] = teachers(read_records(records, LLMS))
    for name in RUNS:
        if groups := read_groups(folder, name):
            found[f"{name} success"] = by_task(groups, success)
            for title, measure in (("clean", CLEAN), ("likeliest", LIKELIEST)):
                if measure in outcomes_of(groups):
                    found[f"{name} {title}"] = by_task(groups, partial(of_runs, measure=measure))
    if groups := read_groups(folder, PAPER):
        found[f"{PAPER} runs"] = table(*beside_and_after(groups))
    if groups := read_groups(folder, WRONG):
        found[f"{WRONG} steps"] = table(*by_teacher(groups))
    return found


def read_groups(folder: Path, name: str) -> list[RunGroup]:
    records = folder / f"{name}.jsonl"
    return groups_of(read_records(records, name)) if records.exists() else []


def teachers(tree: Tree) -> list[str]:
    """What teachers cost and are worth, a row for each."""
    whole = teachers_table(groups_of(tree), [tree])
    places = [whole.columns.index(name) for name in TEACHER_COLUMNS]
    return table(TEACHER_COLUMNS, ([cells[place] for place in places] for cells in whole.cells()))


def by_task(groups: list[RunGroup], cell: Callable[[RunGroup], str]) -> list[str]:
    """Methods beside tasks, with the teacher alone first. Rows are what there is more of."""
    columns = dict[str, dict[str, str]]()
    if cell is success:
        columns["teacher"] = {
            group.task: "{:.3f} [{:.3f}, {:.3f}]".format(*group.teacher.success)
            for group in groups
            if group.is_main and group.teacher
        }
    for group in groups:
        columns.setdefault(f"`{group.label}`", {})[group.task] = cell(group)
    methods, tasks = list(columns), list(dict.fromkeys(group.task for group in groups))
    if len(tasks) > len(methods):
        rows = [[task, *(columns[name].get(task, "") for name in methods)] for task in tasks]
        return table(["task", *methods], rows)
    rows = [[name, *(columns[name].get(task, "") for task in tasks)] for name in methods]
    return table(["method", *tasks], rows)


def beside_and_after(groups: list[RunGroup]) -> tuple[list[str], list[list[str]]]:
    """The success of each student of the paper's schedule in its last five evaluations beside its
    teacher, and at the end of the run: the head and the rows of a table."""
    rows = []
    for group in groups:
        if not (group.is_main and group.method == STUDENT):
            continue
        done = group.settings["kl_until"] // group.settings["eval_interval"]
        for run in group.runs:
            beside = run.evaluations["success"][:done][-WINDOW:].mean()
            end = "{:.3f} [{:.3f}, {:.3f}]".format(*run.final.success)
            rows.append([group.task, str(run.seed), f"{beside:.3f}", end])
    return ["task", "seed", "beside its teacher", "at the end"], rows


def success(group: RunGroup) -> str:
    return f"{of_runs(group, 'success')}: {steps(group)}"


def of_runs(group: RunGroup, measure: str) -> str:
    return f"{final(measure, group).text()}, {len(group.runs)}"


def steps(group: RunGroup) -> str:
    """Steps until a success of 0.95 is held: of few runs each, equal ones once, else the least,
    middle and most."""
    reached = sorted(group.reached(THRESHOLDS[-1]))
    if len(reached) > LISTED:
        reached = [reached[0], reached[len(reached) // 2], reached[-1]]
    words = [("≤ " if run.at_once else "") + formatted(run.steps, "steps") for run in reached]
    return ", ".join(dict.fromkeys(word.replace("–", "never") for word in words))


def filled(page: str, lines: dict[str, list[str]]) -> str:
    """A page with its tables. One without records says so."""

    def lines_of(match: re.Match[str]) -> str:
        name = match.group(1)
        return "\n".join([f"<!-- {name} -->", *lines.get(name, ["No runs yet."]), "<!-- end -->"])

    return re.sub(r"<!-- ([a-z_ ]+) -->\n.*?<!-- end -->", lines_of, page, flags=re.DOTALL)


def draw(folder: Path, names: Iterable[str]) -> None:
    for name in names:
        if groups := read_groups(folder, name):
            pictures = {each.name: each.png for each in figures(groups, [])}
            (folder / f"{name}.png").write_bytes(pictures[DRAWN[name]])


def main() -> None:
    lines = tables(RECORDS)
    for page in PAGES:
        text = filled(page.read_text(encoding="utf-8"), lines)
        write_atomically(page, partial(Path.write_text, data=text, encoding="utf-8"))
        say(f"wrote {page}")
    draw(RECORDS, DRAWN)
    say("\n".join(lines["claims"]))


if __name__ == "__main__":
    main()
