"""An experiment: one run with its final evaluation, or one evaluation of a teacher. Its folder
alone says how far it is."""

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from algos.saved_files import CONFIG, MODEL
from commands import runs
from commands.run_files import EVALUATION, VERDICT, iterations, read_json, read_settings
from commands.settings.config import DEFAULTS, SETTINGS
from commands.teacher_identity import asks_llm

FINAL = "unseen"
"""Name of the evaluation that ends an experiment."""
ADVICE = "move it away, or give another --out"


@dataclass(frozen=True, eq=False)
class Experiment:
    """One experiment of a table.

    `train` and `evaluate` are command lines without `main.py`; a teacher's `train` is empty.
    `settings` must stand in the run's config.json, or in a teacher's eval.json. `seeds` are those
    of the final evaluation, one an episode; `final` is its name.
    """

    label: str
    task: str
    method: str
    seed: int | None
    folder: Path
    train: list[str]
    evaluate: list[str]
    settings: Mapping[str, Any]
    seeds: range
    final: str = FINAL

    @property
    def row(self) -> tuple[str, str, str]:
        """Its row in the progress table; experiments of one row differ only in their seeds."""
        return self.label, self.task, self.method

    @property
    def name(self) -> str:
        return " ".join([self.method, self.task, *self.variant])

    @property
    def variant(self) -> list[str]:
        """What tells it from others of its task and method: its run, or its final evaluation."""
        if self.train:
            return [self.folder.name]
        return [self.final] if self.final != FINAL else []

    @property
    def n_itr(self) -> int:
        return int(self.settings.get("n_itr", 0))


@dataclass(frozen=True)
class State:
    """How far an experiment is: its `stage`, and the iterations `done`. A finished one has the
    `success` of its final evaluation. `why` says how an "other" run differs from the table."""

    stage: Literal["new", "begun", "to evaluate", "finished", "other"]
    done: int = 0
    success: float = 0.0
    why: str = ""

    def command(self, experiment: Experiment) -> list[str]:
        """The next command line, without `main.py`; empty if there is nothing to run."""
        match self.stage:
            case "new":
                return experiment.train
            case "begun":
                return [*experiment.train, "--resume"]
            case "to evaluate":
                return experiment.evaluate
        return []


def examine(experiment: Experiment) -> State:
    """How far an experiment is, by the files in its folder."""
    folder = experiment.folder
    evaluation = read_json(folder / experiment.final / EVALUATION)
    success = final_success(evaluation, experiment)
    evaluated = State("finished", experiment.n_itr, success or 0.0)
    trained = State("to evaluate", experiment.n_itr)
    if not experiment.train:
        return trained if success is None else evaluated
    if not runs.is_run(folder):
        return State("new")
    settings = read_settings(folder)
    if settings is None:
        return State("other", why=f"{folder}: its {CONFIG} is damaged; {ADVICE}")
    if why := difference(settings, experiment.settings):
        return State("other", why=f"{folder}: {why}; {ADVICE}")
    # Training ends with the verdict. A resume with more iterations deletes it.
    if not (folder / VERDICT).exists():
        return State("begun", iterations(folder))
    return trained if success is None else evaluated


def final_success(evaluation: Mapping[str, Any] | None, experiment: Experiment) -> float | None:
    """The mean success of an evaluation if it is the experiment's final one: of the last model or
    of this very teacher, on all its seeds. None otherwise."""
    with suppress(LookupError, TypeError, ValueError, AttributeError):
        if evaluation is None:
            return None
        if [episode["seed"] for episode in evaluation["episodes"]] != [*experiment.seeds]:
            return None
        if experiment.train:
            found = evaluation["model"], evaluation["iteration"], evaluation["deterministic"]
            same = found == (MODEL, experiment.n_itr, False)
        else:
            command = evaluation["provenance"]["command"][1:]
            same = without_place(command) == without_place(experiment.evaluate)
            # Older evaluations lack some of a teacher's traits.
            same &= all(
                evaluation.get(name, value) == value for name, value in experiment.settings.items()
            )
        return float(evaluation["success"]["mean"]) if same else None
    return None


def without_place(command: list[str]) -> list[str]:
    """A command line without the flags that say where, and with how many threads, it runs."""
    kept, words = list[str](), iter(command)
    for word in words:
        if word in ("--logdir", "--threads", "--device"):
            next(words, None)
        else:
            kept.append(word)
    return kept


def difference(found: Mapping[str, Any], wanted: Mapping[str, Any]) -> str:
    """The first difference between a run's settings and the table's; empty if there is none."""
    for name, value in wanted.items():
        # A run that is older than a setting had its default.
        had = found.get(name, DEFAULTS.get(name))
        if name == "policy":
            # The method's file may have changed since; its settings are compared one by one.
            if not isinstance(had, dict) or had.get("name") != value["name"]:
                return "its method is not the table's"
        elif name == "task":
            if told_by(had, wanted) != told_by(value, wanted):
                return "its task is not the table's"
        elif counts(name) and had != value:
            return f"its {name} is {had!r:.40}, the table says {value!r:.40}"
    return ""


def told_by(task: Any, settings: Mapping[str, Any]) -> Any:
    """What a run with these settings takes from its task's file."""
    if asks_llm(settings) or not isinstance(task, dict):
        return task
    return {name: part for name, part in task.items() if name != "instructions"}


def counts(name: str) -> bool:
    """Whether runs that differ in a setting are different experiments of a table. They are if
    their seeds differ, or the models that they start with."""
    return name in ("seed", "warm_start") or SETTINGS[name].compared == "yes"
