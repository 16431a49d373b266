import pytest
from hypothesis import given

from planner.plan_parser import parse_plan
from planner.plans import describe
from planner.rules import RulesPlanner, plan_for
from planner.world_scene import WorldReader
from planner.world_words import SceneWords
from tests.planner.test_world_words import scenes

ANSWERS = {
    "go to the ball. Agent sees <ball>, holds <thing>.": "go to <ball>",
    "go to the ball. Agent sees <nothing>, holds <nothing>.": "explore",
    "go to the ball. Agent sees <nothing>, holds <ball>.": "drop <ball>",
    "pick up the ball. Agent sees <ball>, holds <nothing>.": "go to <ball>, pick up <ball>",
    "pick up the ball. Agent sees <ball>, holds <thing>.": (
        "drop <thing>, go to <ball>, pick up <ball>"
    ),
    "pick up the ball. Agent sees <nothing>, holds <ball>.": "drop <ball>",
    "open the door. Agent sees <door>, holds <nothing>.": "go to <door>, open <door>",
    "open the door. Agent sees <locked door>, holds <nothing>.": "explore",
    "open the door. Agent sees <locked door>, holds <thing>.": "explore, drop <thing>",
    "open the door. Agent sees <locked door>, <box>, <obstacle>, holds <nothing>. "
    "No free way to <locked door>.": "explore, go to <box>, open <box>",
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
    "pick up the box. Agent sees <locked door>, <key>, <obstacle>, holds <nothing>. "
    "No free way to <locked door>.": "go to <obstacle>, pick up <obstacle>",
    "pick up the box. Agent sees <locked door>, <obstacle>, holds <key>. "
    "No free way to <locked door>.": "drop <key>, go to <obstacle>, pick up <obstacle>",
    "pick up the key. Agent sees <locked door>, <another key>, holds <nothing>.": (
        "go to <another key>, pick up <another key>"
    ),
    "put the ball next to another ball. Agent sees <ball>, <another ball>, holds <nothing>.": (
        "go to <ball>, pick up <ball>"
    ),
    "put the ball next to the box. Agent sees <ball>, <box>, <obstacle>, holds <nothing>. "
    "No free way to <box>.": "go to <obstacle>, pick up <obstacle>",
    "put the ball next to the box. Agent sees <box>, holds <ball>.": "drop <ball> next to <box>",
    "put the ball next to the box. Agent sees <ball>, holds <nothing>.": (
        "go to <ball>, pick up <ball>"
    ),
    "put the ball next to the box. Agent sees <ball>, <locked door>, <key>, holds <nothing>.": (
        "go to <key>, pick up <key>"
    ),
    "put the ball next to the box. Agent sees <locked door>, <key>, holds <ball>.": (
        "explore, drop <ball>, go to <key>, pick up <key>"
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


@given(scenes)
def test_plans_are_read_back_from_their_words(scene: SceneWords) -> None:
    plan = plan_for(str(scene))
    assert parse_plan(describe(plan), WorldReader().nouns()) == plan
