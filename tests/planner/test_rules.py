import itertools

import pytest
from hypothesis import given

from planner.legal_plans import world_plans
from planner.plan_parser import parse_plan
from planner.plans import DROP, Option, describe
from planner.rules import RulesPlanner, plan_for
from planner.world_scene import WorldReader
from planner.world_words import SceneWords
from teacher.world_options import OPTIONS
from tests.planner.test_world_words import scenes

ANSWERS = {
    "go to the object. Agent sees <object>, holds <thing>.": "go to <object>",
    "go to the object. Agent sees <nothing>, holds <nothing>.": "explore",
    "go to the object. Agent sees <nothing>, holds <object>.": "drop <object>",
    "go to the goal. Agent sees <goal>, holds <nothing>.": "go to <goal>",
    "pick up the object. Agent sees <object>, holds <nothing>.": "go to <object>, pick up <object>",
    "pick up the object. Agent sees <object>, holds <thing>.": (
        "drop <thing>, go to <object>, pick up <object>"
    ),
    "pick up the object. Agent sees <nothing>, holds <object>.": "drop <object>",
    "open the door. Agent sees <door>, holds <nothing>.": "go to <door>, open <door>",
    "open the door. Agent sees <locked door>, holds <nothing>.": "explore",
    "open the door. Agent sees <locked door>, holds <thing>.": "explore, drop <thing>",
    "open the door. Agent sees <box>, <obstacle>, holds <nothing>.": (
        "explore, go to <box>, open <box>"
    ),
    "open the door. Agent sees <locked door>, <key>, holds <nothing>.": (
        "go to <key>, pick up <key>"
    ),
    "open the door. Agent sees <locked door>, holds <key>.": (
        "go to <locked door>, open <locked door>"
    ),
    "open the door. Agent sees <another locked door>, holds <key>.": (
        "go to <another locked door>, open <another locked door>"
    ),
    "go to the goal. Agent sees <locked door>, <box>, holds <thing>.": (
        "explore, go to <box>, open <box>"
    ),
    "pick up the object. Agent sees <key>, <obstacle>, holds <nothing>.": (
        "go to <obstacle>, pick up <obstacle>"
    ),
    "pick up the object. Agent sees <obstacle>, holds <key>.": (
        "drop <key>, go to <obstacle>, pick up <obstacle>"
    ),
    "put the object next to another object. Agent sees <obstacle>, holds <object>.": (
        "drop <object>, go to <obstacle>, pick up <obstacle>"
    ),
    "put the object next to the door. Agent sees <nothing>, holds <object>.": "explore",
    "put the object next to the door. Agent sees <door>, holds <object>.": (
        "drop <object> next to <door>"
    ),
    "put the object next to the door. Agent sees <locked door>, <key>, holds <object>.": (
        "explore, drop <object>, go to <key>, pick up <key>"
    ),
}


@pytest.mark.parametrize(("scene", "plan"), ANSWERS.items())
def test_the_rules_answer_like_this(scene: str, plan: str) -> None:
    assert describe(plan_for(f"Mission: {scene}")) == plan


@given(scenes)
def test_every_scene_has_one_plan_of_things_that_it_names(scene: SceneWords) -> None:
    (answer,) = RulesPlanner().answers([str(scene)])
    assert answer
    assert [p for p, _ in answer] == [1.0]
    known = {*scene.sees, scene.holds, None}
    things = {name for option in answer[0][1] for name in (option.thing, option.other)}
    assert things <= known


def test_students_can_choose_what_plans_are_made_of() -> None:
    for scene in (f"Mission: {words}" for words in ANSWERS):
        for option in itertools.chain(plan_for(scene), *world_plans(scene)):
            aside = option.verb == DROP and not option.other
            assert (Option(DROP) if aside else option) in OPTIONS


@given(scenes)
def test_plans_are_read_back_from_their_words(scene: SceneWords) -> None:
    plan = plan_for(str(scene))
    assert parse_plan(describe(plan), WorldReader().nouns()) == plan
