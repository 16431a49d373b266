"""Evaluations that lie in a log tree, of runs' last models and of teachers alone."""

import json
import math
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from algos.selection import WINDOW
from commands.settings.config import SETTINGS
from utils import statistics
from utils.errors import UserError
from utils.run_files import METRICS, MODEL, VERDICT
from utils.statistics import Estimate, Values

EVALUATION = "eval.json"
WORLD, OPTIONS = (
    tuple(name for name, setting in SETTINGS.items() if setting.recorded == part)
    for part in ("world", "options")
)
"""The settings in an eval.json: of the task's world, and of the options."""
TRAITS = (*WORLD, *("llm", "llm_model", "plans"), *OPTIONS)
"""What may distinguish a teacher of a task from others; its plans as their digest. `hard` does not:
alone, such a teacher succeeds as often."""


@dataclass(frozen=True)
class Outcome:
    """How an actor did: means over its episodes, with their intervals; `source` says where that
    stands."""

    episodes: int
    success: Estimate
    returns: Estimate
    source: str

    def of(self, measure: str) -> Estimate:
        return self.success if measure == "success" else self.returns


@dataclass(frozen=True)
class TeacherRecord:
    """An evaluation of a teacher alone, the `place` of its task's folder in the tree, and `traits`,
    which teacher it is of, as far as it says."""

    place: str
    task: str
    traits: Mapping[str, Any]
    outcome: Outcome


def read_json(path: Path) -> dict[str, Any]:
    """UserError if it cannot be read, or holds no names and values."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise UserError(f"cannot read {path.name}: {error}") from error
    if not isinstance(content, dict):
        raise UserError(f"cannot read {path.name}: it must hold names and values")
    return content


def final_outcome(
    folder: Path,
    done: int,
    settings: Mapping[str, Any],
    verdict: Mapping[str, Any],
    notes: list[str],
) -> Outcome | None:
    """How the run's last model does where, and as, it was trained: in its evaluation of the most
    episodes, or else in the verdict."""
    found = []
    # Who chooses options acts through them.
    acting = (*WORLD, *OPTIONS) if settings.get("hierarchical") else WORLD
    for path in sorted(folder.glob(f"*/{EVALUATION}")):
        source = f"{path.parent.name}/{EVALUATION}"
        try:
            content = read_json(path)
        except UserError as error:
            notes.append(f"{source} is passed over: {error}")
            continue
        of_last = content.get("model") == MODEL and content.get("iteration") == done
        otherwise = any(name in content and content[name] != settings[name] for name in acting)
        if of_last and not otherwise and not content.get("deterministic"):
            found.append(outcome(content, source))
    known = [each for each in found if each]
    if not known:
        return outcome(verdict.get("last"), VERDICT)
    return max(known, key=lambda each: each.episodes)


def last_tests(evaluations: Mapping[str, Values], episodes: int) -> Outcome:
    """How a run did that has no other evaluation: in its last five while training, each of so many
    episodes, together."""
    success, returns = (evaluations[name][-WINDOW:] for name in ("success", "return"))
    total = len(success) * episodes
    share, interval = statistics.share_of(round(float(success.sum()) * episodes), total)
    source = f"the last {len(success)} of {METRICS}"
    return Outcome(total, Estimate(share, *interval), Estimate(float(returns.mean())), source)


def outcome(content: Any, source: str) -> Outcome | None:
    """What `Evaluation.to_dict` wrote; None if there is none, or its means are no numbers."""
    with suppress(KeyError, TypeError, ValueError):
        success, returns = (estimate(content[name]) for name in ("success", "return"))
        if math.isfinite(success.value) and math.isfinite(returns.value):
            return Outcome(len(content["episodes"]), success, returns, source)
    return None


def estimate(numbers: Mapping[str, float | None]) -> Estimate:
    """A mean with its interval, in which null stands for what is no number."""
    found = (numbers[part] for part in ("mean", "low", "high"))
    return Estimate(*(math.nan if number is None else float(number) for number in found))


def read_teacher(folder: Path, where: str) -> TeacherRecord | None:
    """The evaluation of a teacher, `where` in its tree; None if it is another actor's, or of its
    likeliest actions."""
    content = read_json(folder / EVALUATION)
    found = outcome(content, f"{folder.parent.name}/{folder.name}/{EVALUATION}")
    if content.get("actor") != "teacher" or content.get("deterministic") or not found:
        return None
    traits = {name: content[name] for name in TRAITS if name in content}
    if isinstance(llm := content.get("llm"), dict):
        traits |= {"llm": llm.get("name"), "llm_model": llm.get("model")}
    return TeacherRecord(str(Path(where).parent.parent), str(content.get("task")), traits, found)
