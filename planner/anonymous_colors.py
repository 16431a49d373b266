"""Anonymous colours: one answer serves every colouring of a scene."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from env.symbols import COLORS
from planner.plans import Answer, Option
from planner.wrapped_planner import WrappedPlanner


@dataclass
class AnonymousColors(WrappedPlanner):
    """Hides the colours of scenes from a planner, and puts them back into its answers.

    The planner gets color1, color2, … in the order in which the colours appear in the text.
    """

    ALIASES = tuple(f"color{number}" for number in range(1, len(COLORS) + 1))

    def answers(self, scenes: Sequence[str]) -> list[Answer | None]:
        aliases = [color_aliases(scene) for scene in scenes]
        hidden = [rename(scene, names) for scene, names in zip(scenes, aliases, strict=True)]
        return [
            answer and _colored(answer, {alias: color for color, alias in names.items()})
            for answer, names in zip(self.planner.answers(hidden), aliases, strict=True)
        ]


def _colored(answer: Answer, names: Mapping[str, str]) -> Answer:
    return tuple((p, tuple(_recolored(option, names) for option in plan)) for p, plan in answer)


def _recolored(option: Option, names: Mapping[str, str]) -> Option:
    things = (thing and rename(thing, names) for thing in option[1:])
    return Option(option.verb, *things)


def color_aliases(scene: str) -> dict[str, str]:
    """Colour -> color1, color2, … in the order in which colours appear in a scene's text."""
    colors = dict.fromkeys(word for word in re.findall(r"\w+", scene) if word in COLORS)
    return {color: f"color{number}" for number, color in enumerate(colors, start=1)}


def rename(text: str, names: Mapping[str, str]) -> str:
    """Replace whole words of a text."""
    return re.sub(r"\w+", lambda word: names.get(word.group(), word.group()), text)
