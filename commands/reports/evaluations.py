"""Reading evaluations in a log tree: of the last model of a run, and of a teacher alone."""

import math
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from algos.saved_files import MODEL
from algos.selection import WINDOW
from commands.reports.records import COSTS, Outcome, Teacher, share_of_tests
from commands.run_files import EVALUATION, METRICS, VERDICT
from commands.teacher_identity import INSTRUCTIONS, OF_LLM, OF_OPTIONS, OF_TEACHER, OF_WORLD
from utils.errors import UserError
from utils.files import read_json
from utils.statistics import Estimate, Values

TRAITS = (
    *OF_WORLD,
    *("llm", "llm_model", "plans", INSTRUCTIONS),
    *OF_LLM,
    *OF_OPTIONS,
    *OF_TEACHER,
)
"""What tells two teachers of a task apart; plans and instructions count by their digests. A hard
teacher that acts alone succeeds as often as a soft one, so `hard` is no trait."""


def final_outcomes(
    folder: Path, iteration: int, settings: Mapping[str, Any], verdict: Mapping[str, Any]
) -> tuple[Outcome | None, Outcome | None, list[str]]:
    """The result of a run's last model in the setting it was trained in: its evaluation with the
    most episodes, or else the verdict. Then that of its likeliest actions, if it was evaluated with
    them; and notes on evaluations that are left out."""
    found, likeliest, notes = list[Outcome](), list[Outcome](), list[str]()
    # The options act for a student that chooses among them, so they must be the same.
    same = (*OF_WORLD, *OF_OPTIONS) if settings.get("hierarchical") else OF_WORLD
    for path in sorted(folder.glob(f"*/{EVALUATION}")):
        source = f"{path.parent.name}/{EVALUATION}"
        try:
            content = read_json(path)
            is_last = content.get("model") == MODEL and content.get("iteration") == iteration
            fits = all(content[name] == settings[name] for name in same if name in content)
            if is_last and fits:
                kind = likeliest if content.get("deterministic") else found
                kind.append(read_outcome(content, source))
        except UserError as error:
            notes.append(f"{source} is left out: {error}")
    if not found and verdict.get("last"):
        try:
            found.append(read_outcome(verdict["last"], VERDICT))
        except UserError as error:
            notes.append(f"{VERDICT} is left out: {error}")
    return largest(found), largest(likeliest), notes


def largest(outcomes: Iterable[Outcome]) -> Outcome | None:
    """The evaluation with the most episodes; the first of equal ones."""
    return max(outcomes, key=lambda each: each.episodes, default=None)


def last_evaluations(evaluations: Mapping[str, Values], episodes: int) -> Outcome:
    """The last five evaluations while training together, of `episodes` each."""
    success, returns = (evaluations[name][-WINDOW:] for name in ("success", "return"))
    source = f"the last {len(success)} of {METRICS}"
    share = share_of_tests(success, episodes)
    return Outcome(len(success) * episodes, share, Estimate(float(returns.mean())), source)


def read_outcome(content: Any, source: str) -> Outcome:
    """What `Evaluation.to_dict` wrote; UserError if the numbers are missing or impossible."""
    try:
        success, returns = (estimate(content[name]) for name in ("success", "return"))
        measures = {name: estimate(each) for name, each in content.get("measures", {}).items()}
        return Outcome(len(content["episodes"]), success, returns, source, measures)
    except (LookupError, TypeError) as error:
        raise UserError("success, return and episodes must be in it") from error
    except ValueError as error:
        raise UserError(str(error)) from error


def estimate(numbers: Mapping[str, float | None]) -> Estimate:
    """A mean with its interval; null stands for NaN."""
    parts = (numbers[part] for part in ("mean", "low", "high"))
    return Estimate(*(math.nan if part is None else float(part) for part in parts))


def read_teacher(folder: Path, where: str) -> Teacher | None:
    """The evaluation of a teacher, `where` in its tree; None if another actor was evaluated or
    actions were not sampled."""
    content = read_json(folder / EVALUATION)
    if content.get("actor") != "teacher" or content.get("deterministic"):
        return None
    outcome = read_outcome(content, f"{folder.parent.name}/{folder.name}/{EVALUATION}")
    traits = {name: content[name] for name in TRAITS if name in content}
    llm = content.get("llm")
    if isinstance(llm, dict):
        traits |= {"llm": llm.get("name"), "llm_model": llm.get("model")}
        traits |= {name: llm[name] for name in OF_LLM if name in llm}
    costs = {name: llm[name] for name in COSTS if isinstance(llm, dict) and has(llm, name)}
    return Teacher(str(Path(where).parent.parent), str(content.get("task")), traits, outcome, costs)


def has(numbers: Mapping[str, Any], name: str) -> bool:
    """Whether there is a number of a name."""
    value = numbers.get(name)
    return isinstance(value, int | float) and math.isfinite(value)
