import pytest
from hypothesis import given
from hypothesis import strategies as st

from planner.plans import (
    DROP,
    EXPLORE,
    GO_TO,
    OPEN,
    PICK_UP,
    WAIT,
    Option,
    RecordedPlanner,
    describe,
    parse_option,
    parse_plan,
)
from planner.scene import Scene, SceneReader
from tests.recordings import TASKS, task
from utils.errors import UserError

NOUNS = ("blue door", "door2", "door", "red key", "key")
things = st.sampled_from(NOUNS)
options = st.one_of(
    st.builds(Option, st.sampled_from([GO_TO, PICK_UP, DROP, OPEN]), things),
    st.sampled_from([Option(EXPLORE), Option(WAIT)]),
)


@given(st.lists(options, min_size=1, max_size=5))
def test_a_plan_survives_its_words(plan: list[Option]) -> None:
    assert parse_plan(describe(tuple(plan)), NOUNS) == tuple(plan)


@pytest.mark.parametrize(
    ("words", "option"),
    [
        ("Explore", Option(EXPLORE)),
        ("  Go to <Key> ", Option(GO_TO, "key")),
        ("go to and pick up < red key >", Option(GO_TO, "red key")),
        ("pick up <key>", Option(PICK_UP, "key")),
        ("go to key", Option(GO_TO, "key")),
        ("go to <key> near <door>", Option(GO_TO, "door")),
        ("go to the monkey", Option(GO_TO)),
        ("go to <unicorn>", Option(GO_TO, "unicorn")),
        ("explore behind <door2>", Option(EXPLORE, "door2")),
        ("dance with <key>", Option(WAIT)),
        ("", Option(WAIT)),
    ],
)
def test_the_first_known_verb_in_the_fixed_order_counts(words: str, option: Option) -> None:
    assert parse_option(words, NOUNS) == option


@pytest.mark.parametrize("name", TASKS)
def test_every_recorded_answer_is_found_and_adds_up(name: str) -> None:
    spec = task(name)
    planner = RecordedPlanner(spec.plans, SceneReader(spec.names), spec.anonymous_colors)
    for answer in planner.recorded.values():
        assert sum(p for p, _ in answer) == pytest.approx(1)


def test_an_answer_holds_for_every_colouring() -> None:
    spec = task("ColoredDoorKey")
    planner = RecordedPlanner(spec.plans, SceneReader(spec.names), anonymous_colors=True)
    scenes = [
        Scene((f"{a} key", f"{b} door"), f"{b} key")
        for a, b in (("red", "blue"), ("blue", "red"), ("grey", "green"))
    ]
    for (a, b), answer in zip(
        (("red", "blue"), ("blue", "red"), ("grey", "green")), planner.answers(scenes), strict=True
    ):
        assert answer == (
            (
                0.71,
                (Option(DROP, f"{b} key"), Option(GO_TO, f"{a} key"), Option(PICK_UP, f"{a} key")),
            ),
            (0.29, (Option(GO_TO, f"{b} door"), Option(OPEN, f"{b} door"))),
        )


def test_a_scene_that_was_never_asked_about_has_no_answer() -> None:
    planner = RecordedPlanner({}, SceneReader({"key": "key"}))
    assert planner.answers([Scene(("box",), None)]) == [None]


@pytest.mark.parametrize("words", ["go to <unicorn>", "explore, pick up"])
def test_a_recorded_plan_about_nothing_known_is_refused(words: str) -> None:
    with pytest.raises(UserError, match="names no thing of the task"):
        RecordedPlanner({"Agent sees <nothing>.": {words: 1.0}}, SceneReader({"key": "key"}))
