"""Written rules: a planner for MiniGrid and BabyAI tasks that knows only the words of a scene.

It answers as a careful LLM would. A plan's first unfinished option acts, so "explore, go to <box>"
goes to the box when nothing is left to explore.
"""

from collections.abc import Sequence
from functools import cache

from planner.plans import DROP, EXPLORE, GO_TO, OPEN, PICK_UP, Answer, Option, Plan, Planner
from planner.world_words import ANOTHER, BOX, KEY, LOCKED_DOOR, OBSTACLE, THING, SceneWords


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
        self.thing, self.other = scene.mission.thing, scene.mission.other
        # If the mission is to open a locked door, that door is meant.
        self.locked_door = LOCKED_DOOR if self.sees(LOCKED_DOOR) else ANOTHER + LOCKED_DOOR

    def plan(self) -> Plan:
        verb, thing, holds = self.scene.mission.verb, self.thing, self.scene.holds
        if verb == GO_TO:
            if self.reaches(thing):
                return (Option(GO_TO, thing),)
            return (Option(DROP, thing),) if holds == thing else self.find()
        if verb == PICK_UP:
            if holds == thing:
                return self.empty_hand()
            return self.fetch(thing) if self.reaches(thing) else self.find()
        if verb == OPEN:
            return self.open(thing) if self.reaches(thing) else self.find()
        return self.put()

    def sees(self, name: str) -> bool:
        return name in self.scene.sees

    def reaches(self, name: str) -> bool:
        return self.sees(name) and name not in self.scene.no_way

    def put(self) -> Plan:
        assert self.other
        if self.scene.holds == self.thing:
            if self.reaches(self.other):
                return (Option(DROP, self.thing, self.other),)
            return self.find()
        # The way to the other thing is made free first, with an empty hand.
        blocked = self.sees(self.locked_door) or self.sees(OBSTACLE)
        if self.reaches(self.thing) and not blocked:
            return self.fetch(self.thing)
        return self.find()

    def empty_hand(self) -> Plan:
        return (Option(DROP, self.scene.holds),) if self.scene.holds else ()

    def fetch(self, name: str) -> Plan:
        return (*self.empty_hand(), Option(GO_TO, name), Option(PICK_UP, name))

    def open(self, name: str) -> Plan:
        return Option(GO_TO, name), Option(OPEN, name)

    def find(self) -> Plan:
        """Towards a thing that is not seen, or has no free way: unlock, clear the way, explore."""
        explore, door = Option(EXPLORE), self.locked_door
        if self.scene.holds == KEY and self.reaches(door):
            return self.open(door)
        if self.reaches(KEY) and (self.reaches(door) or not self.reaches(OBSTACLE)):
            # What the mission needs stays in hand until nothing is left to explore.
            keeps = self.scene.holds == self.thing
            return (*((explore,) if keeps else ()), *self.fetch(KEY))
        if self.reaches(BOX):
            return (explore, *self.open(BOX))
        if self.reaches(OBSTACLE):
            return self.fetch(OBSTACLE)
        # A box in hand may hold the key.
        return (explore, *(self.empty_hand() if self.scene.holds == THING else ()))
