"""Groups: the runs of one tree, task and method with the same settings but different seeds."""

import json
from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Any

from commands.provenance import digest
from commands.reports.evaluations import largest
from commands.reports.records import Outcome, Reached, Run, Teacher, Tree, bounds_of
from commands.run_files import VERDICT
from commands.settings.config import DEFAULTS, SETTINGS
from commands.settings.setting_flags import as_typed
from commands.teacher_identity import (
    INSTRUCTIONS,
    OF_LLM,
    OF_TEACHER,
    OF_WORLD,
    alone,
    asks_llm,
    beside_source,
    differs_by_seed,
)
from planner.servers import UNIFORM, UNIFORM_MEANS
from utils.statistics import Estimate, mean_of_runs


@dataclass(frozen=True, eq=False)
class RunGroup:
    """Repetitions of one experiment.

    `change` lists the settings that differ from the main group of this tree, task and method; the
    main group has an empty `change`. `teacher` is the best known result of their teacher alone.
    `compared` is true if the report has a second tree.
    """

    tree: str
    compared: bool
    task: str
    method: str
    change: str
    settings: Mapping[str, Any]
    runs: list[Run]
    teacher: Outcome | None

    @property
    def experiment(self) -> tuple[str, str, str]:
        """What it has in common with its main group, which comes before it in a report."""
        return self.tree, self.task, self.method

    @property
    def is_main(self) -> bool:
        return not self.change

    @property
    def label(self) -> str:
        means = f" ({UNIFORM_MEANS})" if is_control(self.settings) else ""
        return f"{self.method} {self.change}".rstrip() + means

    @property
    def full_label(self) -> str:
        """With its tree, if there are two."""
        return f"{self.label}, {self.tree}" if self.compared else self.label

    @property
    def place(self) -> dict[str, str]:
        """Its tree as the column of a table, if there are two."""
        return {"tree": self.tree} if self.compared else {}

    @property
    def unfinished(self) -> int:
        return sum(not run.finished for run in self.runs)

    @property
    def episodes(self) -> str:
        """The number of episodes behind the final result of each run, or its range."""
        counts = [run.final.episodes for run in self.runs]
        return "–".join(map(str, dict.fromkeys([min(counts), max(counts)])))

    @property
    def seeds(self) -> list[int]:
        return [run.seed for run in self.runs]

    def final(self, measure: str) -> list[Estimate]:
        """A number of each last model, with the interval of its episodes."""
        return [run.of(measure) for run in self.runs]

    def reached(self, threshold: float) -> list[Reached]:
        return [run.reached(threshold) for run in self.runs]


def groups_of(tree: Tree, compared: bool = False) -> list[RunGroup]:
    """The groups of a tree by task and method, the main one first. A seed counts once in a group;
    its other runs move to what the tree leaves out."""
    by_settings: dict[str, list[Run]] = defaultdict(list)
    for run in tree.runs:
        by_settings[_text([run.task, run.method, run.settings])].append(run)
    users = Counter[tuple[str, str]]()
    for runs in by_settings.values():
        for name, value in runs[0].settings.items():
            users[name, _text(value)] += len(runs)

    def rank(runs: list[Run]) -> tuple[Any, ...]:
        """The control without an LLM, and unusual teachers, last. Else most runs first; of equal
        ones the longest trained, so that no short trial is the main group; then the one whose
        settings most runs of the tree share."""
        trained = sum(run.iterations for run in runs)
        settings = runs[0].settings
        shared = sum(users[name, _text(value)] for name, value in settings.items())
        last = is_control(settings), bool(beside_source(settings))
        return *kind(runs), last, -len(runs), -trained, -shared, runs[0].name

    def kind(runs: list[Run]) -> tuple[str, str]:
        return runs[0].task, runs[0].method

    groups = list[RunGroup]()
    ranked = sorted((one_run_per_seed(runs, tree) for runs in by_settings.values()), key=rank)
    for (task, method), alike in groupby(ranked, kind):
        several = [*alike]
        changes = [
            " ".join(differences(runs[0].settings, several[0][0].settings)) for runs in several
        ]
        for runs, change in zip(several, changes, strict=True):
            settings = runs[0].settings
            if changes.count(change) > 1:
                # Only the instructions tell these groups apart.
                change = f"{change} {typed(INSTRUCTIONS, settings.get(INSTRUCTIONS))}"
            teacher = known_teacher(runs, tree.teachers)
            groups.append(
                RunGroup(tree.name, compared, task, method, change, settings, runs, teacher)
            )
    return groups


def is_control(settings: Mapping[str, Any]) -> bool:
    """Whether the teacher follows every legal plan alike, without an LLM."""
    return settings.get("llm") == UNIFORM


def main_groups(groups: list[RunGroup], tree: str) -> dict[str, dict[str, RunGroup]]:
    """Method -> task -> its main group."""
    found: dict[str, dict[str, RunGroup]] = {}
    for group in groups:
        if group.tree == tree and group.is_main:
            found.setdefault(group.method, {})[group.task] = group
    return found


def one_run_per_seed(runs: list[Run], tree: Tree) -> list[Run]:
    """The runs by seed. Two runs with one seed are no two samples: the longer one counts."""
    first: dict[int, Run] = {}
    for run in sorted(runs, key=lambda run: (run.seed, -run.iterations, run.name)):
        if run.seed not in first:
            first[run.seed] = run
            continue
        why = f"it has the settings and the seed of {first[run.seed].name}"
        paths = [name for name, setting in SETTINGS.items() if setting.compared == "if set"]
        if given := [typed(name, True) for name in paths if run.settings.get(name)]:
            why += f" (both {', '.join(given)}; which files they read does not count)"
        tree.runs.remove(run)
        tree.left_out.append((run.name, why))
    return [*first.values()]


def differences(settings: Mapping[str, Any], others: Mapping[str, Any]) -> list[str]:
    """The settings that differ from others, as typed on the command line. Instructions for an LLM
    count if both have them."""
    names = {*settings, *others}
    if not (INSTRUCTIONS in settings and INSTRUCTIONS in others):
        names.discard(INSTRUCTIONS)
    return [
        typed(name, settings.get(name))
        for name in sorted(names)
        if _text(settings.get(name)) != _text(others.get(name))
    ]


def typed(name: str, value: Any) -> str:
    if name not in SETTINGS:
        # A part of a task's file is too long to be shown; a digest tells two apart.
        return f"{name} {digest(value)[:6]}"
    if SETTINGS[name].compared == "if set":
        return f"{'with' if value else 'without'} {SETTINGS[name].flag}"
    return f"--{name} unset" if value is None else as_typed(name, value)


def known_teacher(runs: list[Run], teachers: list[Teacher]) -> Outcome | None:
    """The evaluation of the group's teacher with the most episodes. Of equal ones, those beside the
    runs come first, then others of the tree, then the runs' verdicts. If seeds have different
    teachers, the mean of the runs' verdicts."""
    first = runs[0]
    verdicts = [run.teacher for run in runs if run.teacher]
    if differs_by_seed(first.settings) and verdicts:
        return together(verdicts)
    settings = alone(first.settings)
    # An evaluation that is older than one of these settings had its default.
    names = (*OF_WORLD, *OF_TEACHER, *(OF_LLM if asks_llm(settings) else ()))
    usual = {name: DEFAULTS[name] for name in names}
    fitting = [
        teacher
        for teacher in teachers
        if teacher.task == first.task
        and all(settings.get(name) == value for name, value in (usual | teacher.traits).items())
    ]
    beside = str(Path(first.name).parent)
    fitting.sort(key=lambda teacher: teacher.place != beside)
    return largest([*(teacher.outcome for teacher in fitting), *verdicts])


def together(outcomes: list[Outcome]) -> Outcome:
    """The mean of the outcomes of different teachers."""
    if len(outcomes) == 1:
        return outcomes[0]
    success, returns = (
        mean_of_runs([outcome.of(measure) for outcome in outcomes], bounds_of(measure))
        for measure in ("success", "return")
    )
    episodes = sum(outcome.episodes for outcome in outcomes)
    return Outcome(episodes, success, returns, f"{len(outcomes)} runs' {VERDICT}")


def _text(value: Any) -> str:
    return json.dumps(value, sort_keys=True, ensure_ascii=False)
