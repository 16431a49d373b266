"""The words of scenes in MiniGrid and BabyAI tasks, and their reading.

A scene names no kinds, colours and places: a ball, a box or a key is an object, and the reader
knows which one is meant. So a hundred scenes serve all missions.
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

_SCENE = re.compile(
    rf"Mission: (?P<verb>{GO_TO}|{PICK_UP}|{OPEN}|{PUT}) the (?P<thing>[\w ]+?)"
    r"(?: next to (?:the )?(?P<other>[\w ]+))?\. "
    r"Agent sees (?P<sees><[\w ]+>(?:, <[\w ]+>)*), holds <(?P<holds>[\w ]+)>\."
)


@dataclass(frozen=True)
class SceneWords:
    """A scene: what the agent must do now, what it sees and can get to, and what it holds.

    Only the verb `PUT` has `other`, what the thing is put next to. The thing is in hand then.
    """

    verb: str
    thing: str
    other: str | None = None
    sees: tuple[str, ...] = ()
    holds: str | None = None

    def __str__(self) -> str:
        mission = f"{self.verb} the {self.thing}"
        if self.other:
            article = "" if self.other.startswith(ANOTHER) else "the "
            mission += f" next to {article}{self.other}"
        return f"Mission: {mission}. {in_words(self.sees, self.holds)}"

    @classmethod
    def read(cls, text: str) -> "SceneWords":
        """ValueError if this is not the text of a scene."""
        found = _SCENE.fullmatch(text)
        if not found:
            raise ValueError(f"{text!r} is not a scene of a MiniGrid or BabyAI task")
        sees = tuple(name for name in found["sees"][1:-1].split(">, <") if name != NOTHING)
        holds = None if found["holds"] == NOTHING else found["holds"]
        return cls(found["verb"], found["thing"], found["other"], sees, holds)
