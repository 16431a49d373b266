"""The words of scenes in MiniGrid and BabyAI tasks, and their reading.

A scene says what the agent must do now, without kinds, colours and places: a ball, a box or a key
is an object, and the reader knows which one is meant. So a hundred scenes serve all missions.
"""

import re
from dataclasses import dataclass

from planner.plans import GO_TO, NOTHING, OPEN, PICK_UP
from planner.room_scene import in_words

PUT = "put"
OBJECT, GOAL, DOOR = "object", "goal", "door"
"""What missions name."""
ANOTHER = "another "
"""Stands before the name of a thing if the mission means something else by that name."""
LOCKED_DOOR, KEY, BOX = "locked door", "key", "box"
"""What may be in the way, and what opens it: the key that fits, or a box that may hold it."""
OBSTACLE = "obstacle"
"""A ball, box or key that blocks a way."""
THING = "thing"
"""What the agent holds, if it is neither the object nor the key."""

VOCABULARY = (
    *(OBJECT, ANOTHER + OBJECT, GOAL, DOOR, LOCKED_DOOR, ANOTHER + LOCKED_DOOR),
    *(KEY, BOX, OBSTACLE, THING),
)
"""All names of things in scenes."""

_MISSION = re.compile(
    rf"(?P<verb>{GO_TO}|{PICK_UP}|{OPEN}|{PUT}) the (?P<thing>[\w ]+?)"
    r"(?: next to (?:the )?(?P<other>[\w ]+))?"
)
_NAMES = r"<[\w ]+>(?:, <[\w ]+>)*"
_SCENE = re.compile(
    rf"Mission: (?P<mission>[\w ]+)\. Agent sees (?P<sees>{_NAMES}), holds <(?P<holds>[\w ]+)>\."
    rf"(?: No free way to (?P<no_way>{_NAMES})\.)?"
)


@dataclass(frozen=True)
class Deed:
    """What a mission asks for now: a verb (`PUT` has `other`, what the thing is put next to)."""

    verb: str
    thing: str
    other: str | None = None

    def __str__(self) -> str:
        if not self.other:
            return f"{self.verb} the {self.thing}"
        article = "" if self.other.startswith(ANOTHER) else "the "
        return f"{self.verb} the {self.thing} next to {article}{self.other}"

    @classmethod
    def read(cls, words: str) -> "Deed":
        """ValueError if these are not the words of a deed."""
        found = _MISSION.fullmatch(words)
        if not found:
            raise ValueError(f"{words!r} is not a mission of a scene")
        return cls(**found.groupdict())


@dataclass(frozen=True)
class SceneWords:
    """A scene: the mission's deed, what the agent sees and holds, and what it has no way to."""

    mission: Deed
    sees: tuple[str, ...] = ()
    holds: str | None = None
    no_way: tuple[str, ...] = ()

    def __str__(self) -> str:
        text = f"Mission: {self.mission}. {in_words(self.sees, self.holds)}"
        if self.no_way:
            text += " No free way to " + ", ".join(f"<{name}>" for name in self.no_way) + "."
        return text

    @classmethod
    def read(cls, text: str) -> "SceneWords":
        """ValueError if this is not the text of a scene."""
        found = _SCENE.fullmatch(text)
        if not found:
            raise ValueError(f"{text!r} is not a scene of a MiniGrid or BabyAI task")
        holds = found["holds"]
        return cls(
            Deed.read(found["mission"]),
            _names(found["sees"]),
            None if holds == NOTHING else holds,
            _names(found["no_way"] or ""),
        )


def _names(words: str) -> tuple[str, ...]:
    return tuple(name for name in re.findall(r"<([\w ]+)>", words) if name != NOTHING)
