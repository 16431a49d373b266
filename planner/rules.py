"""Written rules: a planner for MiniGrid and BabyAI tasks that knows only the words of a scene.

It answers as a careful LLM would. A plan's first unfinished option acts, so "explore, go to <box>"
goes to the box when nothing is left to explore.
"""

from collections.abc import Sequence
from functools import cache

from planner.plans import DROP, EXPLORE, GO_TO, OPEN, PICK_UP, Answer, Option, Plan, Planner
from planner.world_words import ANOTHER, BOX, KEY, LOCKED_DOOR, OBSTACLE, PUT, THING, SceneWords


class RulesPlanner(Planner):
    """One plan for each scene. ValueError for other texts."""

    def answers(self, scenes: Sequence[str]) -> list[Answer | None]:
        return [((1.0, plan_for(scene)),) for scene in scenes]


@cache
def plan_for(scene: str) -> Plan:
    """The plan for a scene's text."""
    return _Rules(SceneWords.read(scene)).plan()


class _Rules:
    def __init__(self, scene: SceneWords) -> None:
        self.scene = scene
        # If the mission is to open a locked door, that door is meant.
        self.locked_door = LOCKED_DOOR if self.sees(LOCKED_DOOR) else ANOTHER + LOCKED_DOOR

    def sees(self, name: str | None) -> bool:
        return name in self.scene.sees

    def plan(self) -> Plan:
        scene, thing = self.scene, self.scene.thing
        if scene.verb == PUT:
            puts = scene.holds == thing and self.sees(scene.other)
            return (Option(DROP, thing, scene.other),) if puts else self.find()
        if scene.verb == GO_TO:
            if self.sees(thing):
                return (Option(GO_TO, thing),)
            return self.empty_hand() if scene.holds == thing else self.find()
        if scene.verb == PICK_UP:
            if scene.holds == thing:
                return self.empty_hand()
            return self.fetch(thing) if self.sees(thing) else self.find()
        return self.open(thing) if self.sees(thing) else self.find()

    def empty_hand(self) -> Plan:
        return (Option(DROP, self.scene.holds),) if self.scene.holds else ()

    def fetch(self, name: str) -> Plan:
        return (*self.empty_hand(), Option(GO_TO, name), Option(PICK_UP, name))

    def open(self, name: str) -> Plan:
        return Option(GO_TO, name), Option(OPEN, name)

    def find(self) -> Plan:
        """Get to a thing that is not in sight: unlock a door, clear the way, explore."""
        explore, door = Option(EXPLORE), self.locked_door
        if self.scene.holds == KEY and self.sees(door):
            return self.open(door)
        if self.sees(KEY) and (self.sees(door) or not self.sees(OBSTACLE)):
            # What the mission needs stays in hand until nothing is left to explore.
            keeps = self.scene.holds == self.scene.thing
            return (*((explore,) if keeps else ()), *self.fetch(KEY))
        if self.sees(BOX):
            return (explore, *self.open(BOX))
        if self.sees(OBSTACLE):
            return self.fetch(OBSTACLE)
        # A box in hand may hold the key.
        return (explore, *(self.empty_hand() if self.scene.holds == THING else ()))
