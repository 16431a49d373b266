"""What of a task's plans is probably misspelt: nothing is wrong with it, but it does nothing."""

import re
from collections.abc import Iterator

from env.symbols import COLORS
from planner.home_scene import THING
from planner.plans import SEPARATOR, VERBS, WAIT, AnonymousColors, parse_option
from planner.task import Task

OPTIONS = ", ".join([*VERBS, WAIT])


def doubts(task: Task) -> Iterator[str]:
    """A line for each scene that names what the task has not, and for each option in a plan that
    is a wait without saying so."""
    things = {*_things(task), "nothing"}
    for scene, answer in task.plans.items():
        for thing in re.findall(r"<([^<>]*)>", scene):
            if thing not in things:
                yield f"there is never a scene {scene!r}: the task has no <{thing}>"
        for words in (part.strip() for plan in answer for part in SEPARATOR.split(plan)):
            waits = re.search(r"\w", words) and parse_option(words, ()).verb == WAIT
            if waits and not re.search(rf"\b{WAIT}", words.lower()):
                yield f"{words!r} for {scene!r} is no option, and waits; options are {OPTIONS}"


def _things(task: Task) -> Iterator[str]:
    if task.domain.kind == "nav_pick":
        yield THING
        return
    colors = AnonymousColors.ALIASES if task.domain.anonymous_colors else COLORS
    for name in task.domain.names.values():
        for each in [name] if isinstance(name, str) else name:
            yield from (each.format(color=color) for color in colors)
