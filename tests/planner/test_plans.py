import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from planner.anonymous_colors import AnonymousColors
from planner.plan_parser import parse_option, parse_plan, parse_reply
from planner.plans import (
    DROP,
    EXPLORE,
    GO_TO,
    OPEN,
    PICK_UP,
    WAIT,
    Option,
    describe,
)
from planner.recorded_plans import RecordedPlanner
from planner.room_scene import in_words
from tests.recordings import TASKS, recorded_planner
from utils.errors import UserError

NOUNS = ("blue door", "door2", "door", "red key", "key")
PIECES = [
    "Action:",
    "Plan:",
    "actions",
    ":",
    "{",
    "}",
    "[",
    "<",
    ">",
    ",",
    "\n",
    "1. ",
    "go to ",
    "use ",
    "door",
]
texts = st.lists(st.sampled_from(PIECES) | st.text(max_size=5), max_size=30).map("".join)
things = st.sampled_from(NOUNS)
options = st.one_of(
    st.builds(Option, st.sampled_from([GO_TO, PICK_UP, DROP, OPEN]), things, st.none()),
    st.builds(Option, st.just(DROP), things, things),
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
        ("go to <key> near <door>", Option(GO_TO, "key")),
        ("go to the monkey", Option(GO_TO)),
        ("pickup the key", Option(PICK_UP, "key")),
        ("use the red key on the blue door", Option(OPEN, "blue door")),
        ("unlock <door2>", Option(OPEN, "door2")),
        ("move to key", Option(GO_TO, "key")),
        ("go to <unicorn>", Option(GO_TO, "unicorn")),
        ("explore behind <door2>", Option(EXPLORE, "door2")),
        ("drop <key> next to <red key>", Option(DROP, "key", "red key")),
        ("put the red key next to the blue door", Option(DROP, "red key", "blue door")),
        ("drop <key> near <door>", Option(DROP, "key")),
        ("put <key> next to <unicorn>", Option(DROP, "key", "unicorn")),
        ("dance with <key>", Option(WAIT)),
        ("", Option(WAIT)),
    ],
)
def test_the_first_known_verb_in_the_fixed_order_counts(words: str, option: Option) -> None:
    assert parse_option(words, NOUNS) == option


@pytest.mark.parametrize("name", TASKS)
def test_every_recorded_answer_is_found_and_adds_up(name: str) -> None:
    for answer in recorded_planner(name).recorded.values():
        assert sum(p for p, _ in answer) == pytest.approx(1)


def test_an_answer_holds_for_every_colouring() -> None:
    planner = AnonymousColors(recorded_planner("ColoredDoorKey"))
    scenes = [
        in_words((f"{a} key", f"{b} door"), f"{b} key")
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
    known, unknown = in_words(("key",), None), in_words(("box",), None)
    planner = RecordedPlanner({known: {"explore": 1.0}}, ["key"])
    assert planner.problem() == ""
    assert planner.answers([unknown]) == [None]
    assert planner.problem().startswith(f"the plans answer none of 1 scene; the first: {unknown!r}")
    planner.answers([known])
    assert planner.problem() == ""


@pytest.mark.parametrize("words", ["go to <unicorn>", "explore, pick up"])
def test_a_recorded_plan_about_nothing_known_is_refused(words: str) -> None:
    with pytest.raises(UserError, match="names no thing of the task"):
        RecordedPlanner({"Agent sees <nothing>.": {words: 1.0}}, ["key"])


@pytest.mark.parametrize(
    ("reply", "words"),
    [
        (
            "The key comes first.\nAction: {go to <key>, pick up <key>}",
            "go to <key>, pick up <key>",
        ),
        ("Actions: go to the key, pickup the key", "go to <key>, pick up <key>"),
        ("ACTION: {wait}\nNo: Action: {explore}", "explore"),
        ("**Action:** {explore}", "explore"),
        ('Action: {"go to <key>", "pick up <key>"}', "go to <key>, pick up <key>"),
        ("Action: [go to key then unlock door]", "go to <key>, open <door>"),
        ("Action: 1. move to key 2. grab key", "go to <key>, pick up <key>"),
        ("Action:\n1. Go to <door>\n2. Open <door>\n\nThat is all.", "go to <door>, open <door>"),
        ("Action: {dance, explore}", "wait, explore"),
        ("Action: {explore <the room>}", "explore"),
        ("Action: {use <key> on the door}", "open <door>"),
        ("Action: {use the key}", "open <door>"),
        ("Action：{explore}", "explore"),
        ("Action:\n* go to <key>\n* pick_up(key)", "go to <key>, pick up <key>"),
        ("Action: 1.go to key 2.get the key", "go to <key>, pick up <key>"),
        ("Action:\nStep 1: go to key\nStep 2: take it", "go to <key>, pick up"),
        ("Action: {go to <key>}, {pick up <key>}\nDone.", "go to <key>, pick up <key>"),
        ("Action: {go to key and pick up key}", "go to <key>, pick up <key>"),
        ("Action: {open the door with <key>}", "open <door>"),
        ("Plan: {go to <key>, pick up <key>}", "go to <key>, pick up <key>"),
        ("My plan: the key first.\nAction: {explore}", "explore"),
        ("The agent should {go to <key>, pick up <key>}.", "go to <key>, pick up <key>"),
        ("First {go to <door>}; no:\n{go to <key>}, {pick up <key>}", "go to <key>, pick up <key>"),
        ("{explore}\nThat is my action:", "explore"),
        ("Reaction: {explore}", "explore"),
        ('{"plan": "go to <key>, pick up <key>"}', "go to <key>, pick up <key>"),
        ('{\n  "plan": "drop <key>, explore"\n}', "drop <key>, explore"),
        ('{"plan": ["go to <key>", "pick up <key>"]}', "go to <key>, pick up <key>"),
    ],
)
def test_plans_are_found_in_free_text(reply: str, words: str) -> None:
    plan = parse_reply(reply, NOUNS)
    assert plan is not None
    assert describe(plan) == words


@pytest.mark.parametrize(
    "reply",
    [
        "",
        "go to <key>",
        "Action:",
        "Action: {}",
        "Reaction: explore",
        "I see {the agent}.",
        "{go to <key>, pick",
    ],
)
def test_a_reply_without_a_plan_is_none(reply: str) -> None:
    assert parse_reply(reply, NOUNS) is None


def assert_taken(reply: str) -> None:
    plan = parse_reply(reply, NOUNS)
    assert plan is None or 1 <= len(plan) <= 32


@settings(max_examples=1000)
@given(texts)
def test_any_text_is_taken(reply: str) -> None:
    assert_taken(reply)


@pytest.mark.slow
@settings(max_examples=10_000)
@given(texts)
def test_any_of_very_many_texts_is_taken(reply: str) -> None:
    assert_taken(reply)


@pytest.mark.parametrize("piece", [*PIECES, "a", " ", "<" * 9, "use " * 3, "1. "])
def test_a_megabyte_is_read_in_bounded_work(piece: str) -> None:
    for reply in (piece * (10**6 // len(piece)), "Action: {" + piece * (10**6 // len(piece))):
        plan = parse_reply(reply, NOUNS)
        assert plan is None or len(plan) <= 32
