"""Until when a student got advice, how much of it it followed then, and why it got no more."""

from pathlib import Path
from typing import Any

from algos.schedule import Schedule
from commands.observers.tags import AGREEMENT, FOLLOWED, K
from commands.run_files import METRICS, read_lines


def last_advice(folder: Path, schedule: Schedule, narrowed: bool, done: int) -> dict[str, Any]:
    """The last `iteration` with advice, the share of it that the student's likeliest actions
    `followed`, the share that `counted`, and why there was none after it, `ended`; None for what
    there is not. `narrowed` says whether its teacher saw only its student's memory.

    It is read from the log of a run that has `done` so many iterations.
    """
    rows = [row for row in read_lines(folder / METRICS) if row.get(K)]
    last = rows[-1] if rows else {}
    iteration = last.get("iteration", 0)
    return {
        "iteration": iteration or None,
        "followed": last.get(AGREEMENT),
        "counted": last.get(FOLLOWED),
        "narrowed": narrowed,
        "ended": schedule.why_none(iteration) or None if iteration < done else None,
    }


def in_words(advice: dict[str, Any]) -> str:
    """A line for the end of a run; empty if it had no teacher."""
    iteration, followed, ended = (advice[name] for name in ("iteration", "followed", "ended"))
    counted = advice["counted"]
    if iteration is None:
        return f"no advice was given: {ended}" if ended else ""
    line = f"advice was given until iteration {iteration}"
    if advice["narrowed"]:
        line += ", from the student's memory"
    if followed is not None:
        line += f"; the student agreed with {followed:.0%} of it then"
    if counted is not None:
        line += f", and {counted:.0%} of it counted"
    return f"{line}; it ended because {ended}" if ended else line
