"""Missions: the sentences of MiniGrid and BabyAI as numbers, and as clauses in an order.

The grammar is that of MiniGrid's fixed sentences and of BabyAI's language (arXiv 1810.08272,
section 3.2): "go to", "pick up", "open" and "put next to", joined by "and", "then" and "after you".
"""

import re
from dataclasses import dataclass
from functools import cache

import numpy as np
from minigrid.core.constants import COLOR_NAMES

from utils.errors import UserError

GO_TO, PICK_UP, OPEN, PUT_NEXT = "go to", "pick up", "open", "put next to"

KINDS = ("ball", "box", "key", "door", "object", "goal", "matching object")
"""What a mission may name. An object is a ball, box, key or door. The matching object is that of
MiniGrid's Memory: at the end of the hallway, of the kind that lies at the start."""
PLACES = ("in front of you", "behind you", "on your left", "on your right")
"""Places as seen from where the agent starts."""

_WORDS = """, a after and at avoid ball behind blue box door end fetch find from front get go goal
green grey hallway in key lava left matching must near next object of on open opening pick purple
put reach red right room rooms square the then to traverse unlock up use yellow you your"""
VOCABULARY = tuple(_WORDS.split())
"""The words of all missions. The number of a word is its place plus 1; 0 is no word."""
NUMBERS = {word: number for number, word in enumerate(VOCABULARY, start=1)}
MOST_WORDS = 72
"""Four times "put the red ball in front of you next to the red box in front of you", joined."""
MOST_CLAUSES = 4


@dataclass(frozen=True)
class Thing:
    """What a clause names: one of `KINDS`, perhaps a colour, perhaps one of `PLACES`."""

    kind: str
    color: str | None = None
    place: str | None = None

    @property
    def name(self) -> str:
        """Colour and kind, such as "red ball"."""
        return f"{self.color} {self.kind}" if self.color else self.kind


@dataclass(frozen=True)
class Clause:
    """One thing to do. `other` is what a thing is put next to.

    Clauses of one `group` may be done in any order, after all clauses of the group before.
    """

    verb: str
    thing: Thing
    other: Thing | None = None
    group: int = 0

    def __str__(self) -> str:
        thing = " ".join(filter(None, ("the", self.thing.name, self.thing.place)))
        if not self.other:
            return f"{self.verb} {thing}"
        return f"put {thing} next to " + " ".join(
            filter(None, ("the", self.other.name, self.other.place))
        )


Mission = tuple[Clause, ...]


def to_numbers(mission: str) -> np.ndarray:
    """A mission as (MOST_WORDS,) uint8. UserError if it has an unknown word or is too long."""
    words = re.findall(r"[\w-]+|,", mission.lower())
    if unknown := [word for word in words if word not in NUMBERS]:
        raise UserError(
            f"the mission {mission!r} has the unknown word {unknown[0]!r}; missions must be "
            "sentences of MiniGrid's or BabyAI's grammar (env/missions.py)"
        )
    if len(words) > MOST_WORDS:
        raise UserError(f"the mission {mission!r} has more than {MOST_WORDS} words")
    numbers = np.zeros(MOST_WORDS, np.uint8)
    numbers[: len(words)] = [NUMBERS[word] for word in words]
    return numbers


def to_words(numbers: np.ndarray) -> str:
    """The mission that `to_numbers` made into numbers."""
    words = " ".join(VOCABULARY[number - 1] for number in numbers.tolist() if number)
    return words.replace(" ,", ",")


_COLOR = "|".join(sorted(COLOR_NAMES))
_THING = (
    rf"(?:a|the) (?:(?P<color{{0}}>{_COLOR}) )?(?P<kind{{0}}>ball|box|key|door|object)"
    rf"(?: (?P<place{{0}}>{'|'.join(PLACES)}))?"
)
_CLAUSES = {
    re.compile(f"go to {_THING.format(1)}"): GO_TO,
    re.compile(f"(?:pick up|(?:you must |go )?(?:get|fetch)) {_THING.format(1)}"): PICK_UP,
    re.compile(f"open {_THING.format(1)}"): OPEN,
    re.compile(f"put {_THING.format(1)} (?:next to|near) {_THING.format(2)}"): PUT_NEXT,
}
_FIXED = {
    re.compile(r".*\bgoal(?: square)?"): (Clause(GO_TO, Thing("goal")),),
    re.compile(r"go to the matching object at the end of the hallway"): (
        Clause(GO_TO, Thing("matching object")),
    ),
    re.compile(r"open the red door then the blue door"): (
        Clause(OPEN, Thing("door", "red")),
        Clause(OPEN, Thing("door", "blue"), group=1),
    ),
    re.compile(r"pick up the key and open the door"): (Clause(OPEN, Thing("door")),),
}


@cache
def parse(mission: str) -> Mission:
    """The clauses of a mission, in the order of their groups. UserError if it is not understood."""
    for pattern, clauses in _FIXED.items():
        if pattern.fullmatch(mission):
            return clauses
    first, then, second = mission.partition(", then ")
    if not then:
        second, then, first = mission.partition(" after you ")
    parts = [first, second] if then else [mission]
    return tuple(
        _clause(words, group, mission)
        for group, part in enumerate(parts)
        for words in part.split(" and ")
    )


def _clause(words: str, group: int, mission: str) -> Clause:
    for pattern, verb in _CLAUSES.items():
        if found := pattern.fullmatch(words):
            named = found.groupdict()
            things = [
                Thing(named[f"kind{i}"], named[f"color{i}"], named[f"place{i}"])
                for i in "12"
                if named.get(f"kind{i}")
            ]
            other = things[1] if len(things) > 1 else None
            return Clause(verb, things[0], other, group)
    raise UserError(f"the mission {mission!r} is not understood at {words!r} (env/missions.py)")
