"""What a report knows about runs and teachers, and the small file that keeps it.

A later report reads this file in place of the log tree. Each line is a run, or an evaluation of a
teacher, as JSON. Such files can be joined end to end.
"""

import json
import math
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Annotated, Any, NamedTuple

import numpy as np
from pydantic import BeforeValidator, PlainValidator, TypeAdapter

from algos.saved_files import FORMAT, check_format
from algos.selection import WINDOW
from commands.provenance import plans_digest
from commands.settings.config import DEFAULTS, QUICK_EPISODES, SETTINGS
from commands.settings.presets import BESIDE_SETTINGS
from commands.teacher_identity import asks_llm
from utils import statistics
from utils.errors import UserError
from utils.files import strict
from utils.statistics import Bounds, Estimate, Values
from utils.terminal import counted

RECORDS = "records.jsonl"
COLUMNS = {
    "steps": "Train/Steps",
    "seconds": "Speed/Seconds",
    "success": "Test/Success Rate",
    "return": "Test/Return",
}
"""Part of an evaluation while training -> its name in metrics.jsonl."""
DECIMALS = 6
"""Of the numbers of evaluations while training, which are most of what a report keeps."""

CLEAN, LIKELIEST = "clean_success", "success of likeliest actions"
"""Measures that only some runs have: success without a contact, in homes; and the success of an
evaluation with `--deterministic`."""
COSTS = ("Scenes", "Replies", "Scores", "Tokens", "Seconds Waited")
"""What an LLM costs, as a planner counts it; metrics.jsonl has the tag `LLM/` before each."""


def bounds_of(measure: str) -> Bounds:
    """The least and the largest value of a measure."""
    return statistics.SHARE if measure in ("success", CLEAN, LIKELIEST) else statistics.ANY


def or_nan(number: Any) -> Any:
    """JSON has no NaN: null stands for it."""
    return math.nan if number is None else number


def as_evaluations(content: Mapping[str, Any]) -> dict[str, Values]:
    found = {name: np.array(content[name], float) for name in COLUMNS}
    if not np.isfinite([*found.values()]).all():
        raise ValueError("evaluations lack a number")
    return found


OrNan = Annotated[float, BeforeValidator(or_nan)]
Mean = Annotated[Estimate, BeforeValidator(lambda parts: [*map(or_nan, parts)])]
Evaluations = Annotated[dict[str, Values], PlainValidator(as_evaluations)]


@dataclass(frozen=True)
class Outcome:
    """How an actor did: means over its episodes with their intervals, and the file they are from.
    `measures` are further ones of the environment.

    ValueError if the numbers cannot be those of an evaluation.
    """

    episodes: int
    success: Mean
    returns: Mean
    source: str
    measures: dict[str, Mean] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.episodes < 1:
            raise ValueError("it has no episode")
        if not math.isfinite(self.returns.value):
            raise ValueError(f"a return of {self.returns.value} is not a number")
        for part in (self.success.value, *filter(math.isfinite, self.success)):
            # Wilson's interval may end a rounding error beside 0 or 1.
            if not -1e-9 <= part <= 1 + 1e-9:
                raise ValueError(f"a success of {part:g} is not between 0 and 1")

    def of(self, measure: str) -> Estimate:
        """Success, return, or a further measure, which is NaN if the environment has none."""
        known = {"success": self.success, "return": self.returns}
        return known.get(measure) or self.measures.get(measure, Estimate(math.nan))


@dataclass(frozen=True)
class Teacher:
    """An evaluation of a teacher alone. `place` is the folder of its task in the tree; `traits`
    identify the teacher as far as the evaluation tells; `costs` are what it asked of an LLM."""

    place: str
    task: str
    traits: dict[str, Any]
    outcome: Outcome
    costs: dict[str, float] = field(default_factory=dict)


class Reached(NamedTuple):
    """The steps and seconds of training until a run reached a success; infinite if it never did.

    `at_once` says that its first five evaluations reached it. The run may then have had the success
    earlier, so both numbers are upper bounds.
    """

    steps: float = math.inf
    seconds: float = math.inf
    at_once: bool = False


@dataclass(frozen=True, eq=False)
class Run:
    """A run up to its last iteration; `name` is its path in the tree.

    `evaluations` has an array (evaluations,) for each of `COLUMNS`. `final` is the result of the
    last model, `teacher` that of the teacher alone in the run's verdict. `notes` say what is
    missing or wrong. `costs` are what the run asked of an LLM, by the names of `COSTS`.
    `likeliest` is the result of the last model's likeliest actions, if it was evaluated.
    """

    name: str
    task: str
    method: str
    seed: int
    settings: dict[str, Any]
    commit: str
    iterations: int
    planned: int
    steps: OrNan
    seconds: OrNan
    evaluations: Evaluations
    final: Outcome
    teacher: Outcome | None
    notes: list[str]
    costs: dict[str, float] = field(default_factory=dict)
    likeliest: Outcome | None = None

    @property
    def finished(self) -> bool:
        return self.iterations >= self.planned

    def of(self, measure: str) -> Estimate:
        """A number of the last model."""
        if measure == LIKELIEST:
            return self.likeliest.success if self.likeliest else Estimate(math.nan)
        return self.final.of(measure)

    def within(self, measure: str, steps: float) -> Estimate:
        """The mean of the last five evaluations within a number of steps; NaN if there is none. A
        success has the interval of one evaluation."""
        values = self.evaluations[measure][self.evaluations["steps"] <= steps][-WINDOW:]
        if not len(values):
            return Estimate(math.nan)
        if measure != "success":
            return Estimate(float(values.mean()))
        return share_of_tests(values, test_episodes(self.settings))

    def reached(self, threshold: float) -> Reached:
        """When five evaluations in a row first had this mean success; the last of them counts."""
        success = self.evaluations["success"]
        if len(success) < WINDOW:
            return Reached()
        means = np.lib.stride_tricks.sliding_window_view(success, WINDOW).mean(1)
        # Of rounded numbers: a mean of 0.95 may be 0.9499994.
        places = np.flatnonzero(means >= threshold - 10.0**-DECIMALS)
        if not len(places):
            return Reached()
        steps, seconds = (
            float(self.evaluations[name][places[0] + WINDOW - 1]) for name in ("steps", "seconds")
        )
        return Reached(steps, seconds, at_once=bool(places[0] == 0))


def test_episodes(settings: Mapping[str, Any]) -> int:
    """The episodes of an evaluation while training."""
    seeds = len(settings["env_seed_list"])
    episodes = seeds if seeds > 1 else int(settings["num_eval"])
    return min(episodes, QUICK_EPISODES) if settings.get("quick") else episodes


def share_of_tests(shares: Values, episodes: int) -> Estimate:
    """The share of successes in evaluations of `episodes` each, all in the same environments."""
    counts = [round(share * episodes) for share in shares]
    return statistics.share_of_repeats(counts, [episodes] * len(counts))


@dataclass
class Tree:
    """The runs and teachers below a folder; what is left out, with its place and the reason."""

    name: str
    runs: list[Run] = field(default_factory=list)
    teachers: list[Teacher] = field(default_factory=list)
    left_out: list[tuple[str, str]] = field(default_factory=list)

    @property
    def notes(self) -> list[tuple[str, str]]:
        missing = [(run.name, note) for run in self.runs for note in run.notes]
        return missing + [
            (
                f"{run.name} ({run.iterations} of {counted(run.planned, 'iteration')})",
                "unfinished",
            )
            for run in self.runs
            if not run.finished
        ]


def comparable(config: Mapping[str, Any]) -> dict[str, Any]:
    """The settings that tell groups of one method and task apart. A setting that is younger than
    the run has its default."""
    settings = {**DEFAULTS, **config}
    task = settings.pop("task")
    for name in (*BESIDE_SETTINGS, "policy"):
        settings.pop(name, None)
    for name, setting in SETTINGS.items():
        if setting.compared == "no":
            settings.pop(name, None)
        elif setting.compared == "if set":
            settings[name] = bool(settings[name])
    # A task's own defaults stand among the settings.
    parts = {name: part for name, part in task.items() if name not in ("name", "settings")}
    parts["plans"] = plans_digest(parts.get("plans"))
    return without_unused(settings | parts)


def without_unused(settings: dict[str, Any]) -> dict[str, Any]:
    """Settings without the instructions for an LLM, if none is asked."""
    if asks_llm(settings):
        return settings
    return {name: value for name, value in settings.items() if name != "instructions"}


def record_lines(tree: Tree) -> Iterator[str]:
    """The runs of a tree with their notes, then its teachers."""
    for run in tree.runs:
        curves = {name: values.tolist() for name, values in run.evaluations.items()}
        content = asdict(run) | {"evaluations": curves}
        yield as_line({"notes": content.pop("notes"), "run": content})
    for teacher in tree.teachers:
        yield as_line({"teacher": asdict(teacher)})


def as_line(record: dict[str, Any]) -> str:
    return json.dumps(strict({"format": FORMAT} | record), sort_keys=True) + "\n"


def read_records(path: Path, name: str) -> Tree:
    """UserError if a line is not from a report."""
    tree, defaults = Tree(name), comparable({"task": {}})
    as_run, as_teacher = TypeAdapter(Run), TypeAdapter(Teacher)
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, ValueError) as error:
        raise UserError(f"cannot read {path}: {error}") from error
    for position, line in enumerate(lines, 1):
        try:
            content = json.loads(line)
            check_format(path, content, FORMAT)
            if "run" in content:
                run = content["run"] | {"notes": content["notes"]}
                # A setting that is younger than the record has its default.
                run["settings"] = without_unused(defaults | run["settings"])
                tree.runs.append(as_run.validate_python(run))
            else:
                tree.teachers.append(as_teacher.validate_python(content["teacher"]))
        except (AttributeError, LookupError, TypeError, ValueError, RecursionError) as error:
            raise UserError(f"{path}, line {position} is not a record of a report") from error
    if not tree.runs:
        raise UserError(f"{path} holds no record of a run")
    return tree
