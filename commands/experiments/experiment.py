"""Cells: each is a run folder that ends with an evaluation, and two command lines that lead there;
how far one is, its folder says."""

import json
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from commands import runs
from commands.settings.config import DEFAULTS, SETTINGS
from commands.settings.setting import flatten
from utils.run_files import CONFIG, METRICS, MODEL, VERDICT

UNSEEN = "unseen"
"""The evaluation that ends a cell."""
TAIL = 2**16
"""Bytes at the end of a log in which its last line surely lies."""
ADVICE = "move it away, or give another --out"
"""What to do about a run that is another than the table's."""


@dataclass(frozen=True, eq=False)
class Cell:
    """One of a table. `train` (empty for a teacher) and `evaluate` are command lines after
    `main.py`; `settings` is what the run's config.json holds if it is this cell's, or, of a
    teacher, its eval.json."""

    label: str
    task: str
    method: str
    seed: int | None
    folder: Path
    train: list[str]
    evaluate: list[str]
    settings: Mapping[str, Any]
    seeds: range

    @property
    def row(self) -> tuple[str, str, str]:
        """What cells that differ in their seeds alone share."""
        return self.label, self.task, self.method

    @property
    def name(self) -> str:
        return " ".join([self.method, self.task, *([self.folder.name] if self.train else [])])

    @property
    def n_itr(self) -> int:
        return int(self.settings.get("n_itr", 0))


@dataclass(frozen=True)
class State:
    """How far a cell is: `why` it is another run than the table says, the `success` that was
    measured at its end."""

    stage: Literal["new", "begun", "to evaluate", "finished", "other"]
    success: float = 0.0
    why: str = ""

    def words(self, cell: Cell) -> list[str]:
        """The command line that brings the cell further; none, if nothing can or need."""
        resumed, evaluated = [*cell.train, "--resume"], cell.evaluate
        lines = {"new": cell.train, "begun": resumed, "to evaluate": evaluated}
        return lines.get(self.stage, [])


def examine(cell: Cell) -> State:
    """How far a cell is, by what its run folder holds."""
    evaluation = read_json(cell.folder / UNSEEN / "eval.json")
    success = finishes(evaluation, cell)
    if not cell.train:
        return State("to evaluate") if success is None else State("finished", success)
    if not runs.is_run(cell.folder):
        return State("new")
    config = read_json(cell.folder / CONFIG)
    if config is None:
        return State("other", why=f"{cell.folder}: its {CONFIG} is damaged; {ADVICE}")
    if why := difference(config, cell.settings):
        return State("other", why=f"{cell.folder}: {why}; {ADVICE}")
    # Written when all iterations are done, taken back when a run goes on.
    if not (cell.folder / VERDICT).exists():
        return State("begun")
    return State("to evaluate") if success is None else State("finished", success)


def finishes(evaluation: Mapping[str, Any] | None, cell: Cell) -> float | None:
    """The success of an evaluation if it is the cell's: of the last model, or of the teacher as the
    cell says, in the cell's episodes."""
    with suppress(LookupError, TypeError, ValueError, AttributeError):
        if evaluation is None or [e["seed"] for e in evaluation["episodes"]] != [*cell.seeds]:
            return None
        if cell.train:
            found = evaluation["model"], evaluation["iteration"], evaluation["deterministic"]
            same = found == (MODEL, cell.n_itr, False)
        else:
            command = evaluation["provenance"]["command"]
            same = placeless(command[1:]) == placeless(cell.evaluate)
            same &= all(evaluation[name] == value for name, value in cell.settings.items())
        return float(evaluation["success"]["mean"]) if same else None
    return None


def placeless(words: list[str]) -> list[str]:
    """A command line without what says where, and on how many threads, it is carried out."""
    kept, rest = list[str](), iter(words)
    for word in rest:
        if word in ("--logdir", "--threads", "--device"):
            next(rest, None)
        else:
            kept.append(word)
    return kept


def difference(found: Mapping[str, Any], wanted: Mapping[str, Any]) -> str:
    """The first difference between a run's config.json and its table's experiment; empty if there
    is none."""
    settings = flatten(found)
    for name, value in wanted.items():
        # A run that is older than a setting had its default.
        had = settings.get(name, DEFAULTS.get(name))
        if name == "policy":
            # What a method fixes stands among the settings.
            if not isinstance(had, dict) or had.get("name") != value["name"]:
                return "its method is another than the table's"
        elif name == "task":
            if had != value:
                return "its task is another than the table's"
        elif counts(name) and had != value:
            return f"its {name} is {had!r:.40}, the table says {value!r:.40}"
    return ""


def counts(name: str) -> bool:
    """Whether runs that differ in a setting are different experiments of a table, which sets the
    seeds, but no files."""
    return name == "seed" or SETTINGS[name].compared == "yes"


def read_json(path: Path) -> dict[str, Any] | None:
    """The mapping in a JSON file; None if there is none, or it is damaged."""
    with suppress(OSError, ValueError, RecursionError):
        content = json.loads(path.read_text(encoding="utf-8"))
        return content if isinstance(content, dict) else None
    return None


def iterations(cell: Cell) -> int:
    """How many iterations a cell's run has logged."""
    for line in reversed(last_lines(cell.folder / METRICS)):
        with suppress(ValueError, LookupError, TypeError, ArithmeticError, RecursionError):
            return int(json.loads(line)["iteration"])
    return 0


def last_lines(path: Path) -> list[str]:
    """The end of a text file, of which only that is read; nothing if there is no file."""
    try:
        with path.open("rb") as file:
            file.seek(max(path.stat().st_size - TAIL, 0))
            return file.read().decode(errors="replace").splitlines()
    except OSError:
        return []
