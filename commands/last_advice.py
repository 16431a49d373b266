"""Until when a student got advice, how much of it it followed then, and why it got no more."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from algos.schedule import Schedule
from algos.trials import Doubt
from commands.observers.tags import AGREEMENT, FOLLOWED, K
from commands.run_files import METRICS, read_lines
from commands.settings.config import Config
from planner.mixture import AUTO


def last_advice(folder: Path, schedule: Schedule, done: int) -> dict[str, Any]:
    """The last `iteration` with advice, the share of it with which the student's likeliest actions
    `agreed`, the share that `counted`, and why there was none after it, `ended`; None for what
    there is not.

    It is read from the log of a run that has `done` so many iterations.
    """
    rows = [row for row in read_lines(folder / METRICS) if row.get(K)]
    last = rows[-1] if rows else {}
    iteration = last.get("iteration", 0)
    return {
        "iteration": iteration or None,
        "agreed": last.get(AGREEMENT),
        "counted": last.get(FOLLOWED),
        "ended": schedule.why_none(iteration) or None if iteration < done else None,
    }


def doubt_of(config: Config, doubt: Doubt) -> dict[str, Any]:
    """How advice was changed after the teacher's trials: the share of it that was
    `every_plan_alike`, and whether the teacher saw `only_memory`, that of its student."""
    # Older checkpoints say how often a teacher was stuck, whether or not it was doubted.
    share = doubt.share if config.uniform_share == AUTO else 0.0
    return {"every_plan_alike": share, "only_memory": doubt.narrowed}


def in_words(advice: Mapping[str, Any]) -> str:
    """A line for the end of a run; empty if it had no teacher."""
    iteration, ended = advice["iteration"], advice["ended"]
    if iteration is None:
        return f"no advice was given: {ended}" if ended else ""
    line = f"advice was given until iteration {iteration}"
    line += doubt_in_words(advice)
    if advice["agreed"] is not None:
        line += f"; the student agreed with {advice['agreed']:.0%} of it then"
    if advice["counted"] is not None:
        line += f", and {advice['counted']:.0%} of it counted"
    return f"{line}; it ended because {ended}" if ended else line


def doubt_in_words(doubt: Mapping[str, Any]) -> str:
    """How advice was changed, to stand behind a teacher; empty if it was not."""
    share, only_memory = doubt["every_plan_alike"], doubt["only_memory"]
    memory = ", from the student's memory only" if only_memory else ""
    return memory + (f", {share:.0%} of it every legal plan alike" if share else "")
