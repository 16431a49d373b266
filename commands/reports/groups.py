"""Arms: the runs of one tree, method and task that differ in nothing but their seed."""

import json
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from commands.provenance import digest
from commands.reports.evaluations import Outcome, TeacherRecord
from commands.reports.log_tree import Run, Tree
from commands.settings.config import SETTINGS
from commands.settings.setting_flags import as_typed
from utils.statistics import Values


@dataclass(frozen=True, eq=False)
class Arm:
    """Runs that are repetitions of each other. `change` says in what their settings differ from
    those of the commonest arm of their method and task in their tree, of as many runs the longest
    trained, whose own is empty;
    `teacher` is what is known best of their teacher alone."""

    tree: str
    task: str
    method: str
    change: str
    settings: Mapping[str, Any]
    runs: list[Run]
    teacher: Outcome | None

    @property
    def label(self) -> str:
        return f"{self.method} {self.change}".rstrip()

    def final(self, measure: str) -> Values:
        """What the last models reached, (runs,): success or return."""
        return np.array([run.final.of(measure).value for run in self.runs])

    def held(self, threshold: float) -> tuple[Values, Values]:
        """Steps and seconds to a success, each (runs,); infinite where it was not held."""
        steps, seconds = zip(*(run.held(threshold) for run in self.runs), strict=True)
        return np.array(steps), np.array(seconds)

    def held_at_once(self, threshold: float) -> NDArray[np.bool_]:
        """Which runs, (runs,), held a success as early as can be said, and maybe earlier."""
        return np.array([run.held_at_once(threshold) for run in self.runs])


def arms_of(tree: Tree) -> list[Arm]:
    """The arms of a tree, by task and method, the commonest of each first. A seed counts once in
    an arm: the others of the tree's runs are left out."""
    groups: dict[tuple[str, str], dict[str, list[Run]]] = {}
    for run in tree.runs:
        arms = groups.setdefault((run.task, run.method), {})
        arms.setdefault(_text(run.settings), []).append(run)
    usual = commonest(run.settings for run in tree.runs)
    found = []
    for (task, method), arms in sorted(groups.items()):
        kept = [once_a_seed(runs, tree) for runs in arms.values()]
        # Of arms with as many runs, a short trial does not take the name from the real ones.
        kept.sort(
            key=lambda runs: (
                -len(runs),
                -sum(run.iterations for run in runs),
                -agreement(runs[0], usual),
                runs[0].name,
            )
        )
        main = kept[0][0].settings
        for runs in kept:
            settings = runs[0].settings
            change = " ".join(differences(settings, main))
            teacher = known_teacher(runs, tree.teachers)
            found.append(Arm(tree.name, task, method, change, settings, runs, teacher))
    return found


def once_a_seed(runs: list[Run], tree: Tree) -> list[Run]:
    """By seed; of two runs of one seed, which are no two samples, the one that came further."""
    kept: dict[int, Run] = {}
    for run in sorted(runs, key=lambda run: (run.seed, -run.iterations, run.name)):
        if run.seed in kept:
            why = f"its settings and its seed are those of {kept[run.seed].name}"
            paths = [name for name, setting in SETTINGS.items() if setting.compared == "if set"]
            if given := [typed(name, True) for name in paths if run.settings.get(name)]:
                why += f" (both {', '.join(given)}; of which files does not count)"
            tree.runs.remove(run)
            tree.left_out.append((run.name, why))
        else:
            kept[run.seed] = run
    return list(kept.values())


def commonest(all_settings: Iterable[Mapping[str, Any]]) -> dict[str, str]:
    """The value, as text, that most runs have of each setting."""
    counts: dict[str, Counter[str]] = {}
    for settings in all_settings:
        for name, value in settings.items():
            counts.setdefault(name, Counter())[_text(value)] += 1
    return {
        name: min(counter, key=lambda text: (-counter[text], text))
        for name, counter in counts.items()
    }


def agreement(run: Run, usual: Mapping[str, str]) -> int:
    """How many of a run's settings are as in most runs."""
    return sum(usual[name] == _text(value) for name, value in run.settings.items())


def differences(settings: Mapping[str, Any], others: Mapping[str, Any]) -> list[str]:
    """Where settings differ from others, as they would be typed."""
    return [
        typed(name, settings.get(name))
        for name in sorted({*settings, *others})
        if _text(settings.get(name)) != _text(others.get(name))
    ]


def typed(name: str, value: Any) -> str:
    if name not in SETTINGS:
        # A part of a task: too much to be said, but not to be told apart.
        return f"{name} {digest(value)[:6]}"
    if SETTINGS[name].compared == "if set":
        return f"{'with' if value else 'without'} {SETTINGS[name].flag}"
    return f"--{name} unset" if value is None else as_typed(name, value)


def known_teacher(runs: list[Run], teachers: list[TeacherRecord]) -> Outcome | None:
    """Of the evaluations of the arm's teacher the one of the most episodes: those of the tree,
    beside the runs before others, then those of the runs' verdicts."""
    first = runs[0]
    wanted = first.settings
    fitting = [
        teacher
        for teacher in teachers
        if teacher.task == first.task
        and all(wanted.get(name) == value for name, value in teacher.traits.items())
    ]
    beside = str(Path(first.name).parent)
    fitting.sort(key=lambda teacher: teacher.place != beside)
    found = [teacher.outcome for teacher in fitting]
    found += [run.teacher for run in runs if run.teacher]
    return max(found, key=lambda each: each.episodes, default=None)


def _text(value: Any) -> str:
    return json.dumps(value, sort_keys=True, ensure_ascii=False)
