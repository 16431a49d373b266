"""Plans: what a planner answers about a scene, and how its words become options."""

import re
from collections.abc import Mapping, Sequence
from typing import NamedTuple, Protocol

from env.symbols import COLORS
from planner.scene import Scene, SceneReader
from utils.errors import UserError

EXPLORE, GO_TO, PICK_UP, DROP, OPEN, WAIT = "explore", "go to", "pick up", "drop", "open", "wait"
VERBS = (EXPLORE, GO_TO, PICK_UP, DROP, OPEN)


class Option(NamedTuple):
    """One thing to do, such as "go to <key>"; `thing` is None where the words name none."""

    verb: str
    thing: str | None = None

    def __str__(self) -> str:
        return self.verb if self.thing is None else f"{self.verb} <{self.thing}>"


Plan = tuple[Option, ...]
Answer = tuple[tuple[float, Plan], ...]
"""Plans with their probabilities, which add up to 1."""


class Planner(Protocol):
    """Whatever says which plans to follow in a scene: recorded answers, an LLM."""

    def answers(self, scenes: Sequence[Scene]) -> list[Answer | None]:
        """The answer to each scene, None where there is none."""


def parse_option(words: str, nouns: Sequence[str]) -> Option:
    """Turn words such as "go to <red key>" into an option; what has no known verb is a wait.

    Of the `nouns` the first that stands in the words is its thing, else what stands in <>.
    """
    words = words.lower()
    verb = next((verb for verb in VERBS if verb in words), WAIT)
    if verb == WAIT:
        return Option(WAIT)
    noun = next((noun for noun in nouns if re.search(rf"\b{re.escape(noun)}\b", words)), None)
    marked = re.search(r"<\s*([^<>]*?)\s*>", words)
    return Option(verb, noun or (marked.group(1) if marked else None))


def parse_plan(words: str, nouns: Sequence[str]) -> Plan:
    """Turn a comma-separated list of options into a plan."""
    return tuple(parse_option(option, nouns) for option in words.split(","))


def describe(plan: Plan) -> str:
    """A plan in the words that `parse_plan` reads."""
    return ", ".join(str(option) for option in plan)


class RecordedPlanner:
    """Answers read from a file of plans: scene text -> plan -> probability.

    With `anonymous_colors` the file speaks of color1, color2, in the order in which colours
    appear in a scene's text, so that an answer holds for every colouring. Raises UserError for a
    plan about a thing that the task does not name.
    """

    def __init__(
        self,
        plans: Mapping[str, Mapping[str, float]],
        reader: SceneReader,
        anonymous_colors: bool = False,
    ) -> None:
        aliases = [f"color{number + 1}" for number in range(len(COLORS))]
        nouns = reader.nouns(aliases) if anonymous_colors else reader.nouns()
        self.anonymous_colors = anonymous_colors
        self.recorded: dict[str, Answer] = {}
        for text, answer in plans.items():
            self.recorded[text] = tuple(
                (p, parse_plan(words, nouns)) for words, p in answer.items()
            )
            for _, plan in self.recorded[text]:
                for option in plan:
                    if option.verb not in (EXPLORE, WAIT) and option.thing not in nouns:
                        raise UserError(
                            f"plans: {describe(plan)!r} for {text!r} names no thing of the task; "
                            f"things are {', '.join(nouns)}"
                        )

    def answers(self, scenes: Sequence[Scene]) -> list[Answer | None]:
        return [self._answer(scene) for scene in scenes]

    def _answer(self, scene: Scene) -> Answer | None:
        if not self.anonymous_colors:
            return self.recorded.get(scene.text)
        aliases = color_aliases(scene)
        answer = self.recorded.get(rename(scene.text, aliases))
        if answer is None:
            return None
        names = {alias: color for color, alias in aliases.items()}
        return tuple(
            (p, tuple(Option(verb, thing and rename(thing, names)) for verb, thing in plan))
            for p, plan in answer
        )


def color_aliases(scene: Scene) -> dict[str, str]:
    """Colour -> color1, color2, … in the order in which colours appear in a scene's text."""
    colors = dict.fromkeys(word for word in re.findall(r"\w+", scene.text) if word in COLORS)
    return {color: f"color{number}" for number, color in enumerate(colors, start=1)}


def rename(text: str, names: Mapping[str, str]) -> str:
    """Replace whole words of a text."""
    return re.sub(r"\w+", lambda word: names.get(word.group(), word.group()), text)
