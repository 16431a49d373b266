"""Legal plans: all that an agent can usefully do in a scene, as far as its words tell.

An LLM that scores plans, and the uniform control, use one list for each scene. The agent walks to
goals, and to what it can use there: it picks up what can be carried, and opens doors and boxes. It
drops what it holds only in a plan that goes on. No plan waits. A plan may try a key at a door that
it does not fit: the words do not tell.
"""

from collections.abc import Iterable, Mapping

from env.symbols import BOX, CARRIED, DOOR, GOAL, KEY
from planner import world_words as words
from planner.home_scene import THING, is_within_reach
from planner.plans import DROP, EXPLORE, GO_TO, OPEN, PICK_UP, Option, Plan
from planner.room_scene import read_words
from planner.world_words import ANOTHER, LOCKED_DOOR, OBJECT, OBSTACLE, PUT, SceneWords

MOST = 12
"""Plans of a scene; those for the last things that are seen are left out."""
_EXPLORE: Plan = (Option(EXPLORE),)


def room_plans(scene: str, kinds: Mapping[str, int]) -> tuple[Plan, ...]:
    """The legal plans in a room. `kinds` maps each name that the room's things may have to its
    type. Exploring is always one of them: the words do not tell what the room still hides."""
    sees, holds = read_words(scene)
    has_key = kinds.get(holds or "") == KEY or KEY not in kinds.values()
    plans = list[Plan]()
    for name in sees:
        kind = kinds[name]
        if kind in CARRIED and name != holds:
            plans.append(_fetch(name, holds))
        if kind == BOX or (kind == DOOR and has_key):
            plans.append(_open(name))
        if kind == GOAL:
            plans.append((Option(GO_TO, name),))
    return _bounded(plans, explores=True)


def home_plans(scene: str) -> tuple[Plan, ...]:
    """The legal plans in a home: the arm reaches only what is near; what is held is lifted."""
    _, holds = read_words(scene)
    pick_up = Option(PICK_UP, THING)
    if holds:
        return ((pick_up,),)
    fetch = (Option(GO_TO, THING), pick_up)
    return (fetch, (pick_up,)) if is_within_reach(scene) else (fetch,)


def world_plans(scene: str) -> tuple[Plan, ...]:
    """The legal plans in a task of MiniGrid or BabyAI. ValueError for other texts.

    The agent explores unless it can reach what the mission needs now, or unlock a door.
    """
    told = SceneWords.read(scene)
    verb, thing, holds = told.verb, told.thing, told.holds
    plans = list[Plan]()
    for name in told.sees:
        if verb == GO_TO and name == thing:
            plans.append((Option(GO_TO, name),))
        if name in (OBJECT, ANOTHER + OBJECT, words.KEY, words.BOX, OBSTACLE) and name != holds:
            plans.append(_fetch(name, holds))
        is_locked = name in (LOCKED_DOOR, ANOTHER + LOCKED_DOOR)
        opens_it = verb == OPEN and name == words.DOOR
        if name == words.BOX or opens_it or (is_locked and holds == words.KEY):
            plans.append(_open(name))
    if holds and holds == thing:
        if verb == PUT and told.other in told.sees:
            plans.append((Option(DROP, thing, told.other),))
        if verb in (GO_TO, PICK_UP):
            # The mission asks for it anew.
            again = (Option(DROP, thing), Option(GO_TO, thing))
            plans.append(again if verb == GO_TO else (*again, Option(PICK_UP, thing)))
    explores = _searches(told) or not plans
    if explores and holds == words.THING:
        plans.append((Option(DROP, holds), *_EXPLORE))
    return _bounded(plans, explores)


def _searches(told: SceneWords) -> bool:
    """Whether something is left to look for, as far as the words tell."""
    is_held = told.verb != OPEN and told.holds == told.thing
    needs = told.other if is_held and told.verb == PUT else told.thing
    if needs in told.sees or (is_held and told.verb != PUT):
        return False
    unlocks = told.holds == words.KEY or words.KEY in told.sees
    return not (unlocks and any(door in told.sees for door in (LOCKED_DOOR, ANOTHER + LOCKED_DOOR)))


def _fetch(name: str, holds: str | None) -> Plan:
    first = (Option(DROP, holds),) if holds else ()
    return (*first, Option(GO_TO, name), Option(PICK_UP, name))


def _open(name: str) -> Plan:
    return Option(GO_TO, name), Option(OPEN, name)


def _bounded(plans: Iterable[Plan], explores: bool) -> tuple[Plan, ...]:
    most = [*dict.fromkeys(plans)][: MOST - explores]
    return (*most, _EXPLORE) if explores else tuple(most)
