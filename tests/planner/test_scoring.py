import json
import math
from pathlib import Path

import pytest

from planner.legal_plans import room_plans
from planner.llm import Prompt
from planner.llm_errors import LLMError, PassingError, RefusedError
from planner.plan_parser import parse_reply
from planner.plans import GO_TO, Option, Plan, describe
from planner.room_scene import in_words
from planner.scoring import read_scores, softmax
from planner.wordings import QUESTIONS, answer_with, wordings
from tests.planner.letters import KINDS, TASK, Letters, scoring
from utils.errors import UserError

KEY, DOOR = in_words(("key",), None), in_words(("door",), "key")
BOTH = in_words(("key", "door"), None)
NOTHING = in_words((), None)
GONE = LLMError("http://host: no connection")


def test_an_answer_is_the_mean_over_wordings_of_softmaxes(tmp_path: Path) -> None:
    letters = Letters()
    planner = scoring(letters, tmp_path, temperature=5.0)
    (answer,) = planner.answers([KEY])
    assert answer
    plans = [*planner.legal_plans(KEY)]
    expected = dict.fromkeys(plans, 0.0)
    prompts = wordings(TASK.instructions, KEY)
    for prompt in prompts:
        scores = Letters().scores(prompt, [describe(plan) for plan in plans])
        weights = [math.exp(score / 5.0) for score in scores]
        for plan, weight in zip(plans, weights, strict=True):
            expected[plan] += weight / sum(weights) / len(prompts)
    assert {plan: p for p, plan in answer} == pytest.approx(expected)
    assert [p for p, _ in answer] == sorted((p for p, _ in answer), reverse=True)
    assert letters.asked == [KEY + question for question in QUESTIONS]


def test_a_low_temperature_takes_the_likeliest_plan() -> None:
    assert softmax([-900.0, -901.0, -950.0], 1e-3) == [1.0, 0.0, 0.0]
    assert softmax([-1.0, -1.0], 7.0) == [0.5, 0.5]
    warm, cold = softmax([-1.0, -2.0], 2.0), softmax([-1.0, -2.0], 0.5)
    assert 0.5 < warm[0] < cold[0] < 1


def test_a_scene_with_one_legal_plan_is_not_asked_about(tmp_path: Path) -> None:
    letters = Letters([GONE])
    (answer,) = scoring(letters, tmp_path).answers([NOTHING])
    assert answer
    assert [(p, describe(plan)) for p, plan in answer] == [(1.0, "explore")]
    assert not letters.asked


def test_scores_are_kept_and_never_asked_for_twice(tmp_path: Path) -> None:
    letters = Letters()
    first = scoring(letters, tmp_path)
    answers = first.answers([KEY, DOOR, KEY])
    assert answers[0] == answers[2]
    assert first.counts()["Scores"] == 2 * 2 * len(QUESTIONS)
    assert first.counts()["Requests"] == 2 * len(QUESTIONS)
    assert first.news().keys() == {KEY, DOOR}
    assert first.news() == {}
    lines = (tmp_path / "answers.jsonl").read_text().splitlines()
    assert len(lines) == 2 * len(QUESTIONS)
    assert json.loads(json.loads(lines[0])["reply"]).keys() == {
        "go to <key>, pick up <key>",
        "explore",
    }
    for asks in (True, False):
        again = Letters([GONE])
        later = scoring(again, tmp_path, asks=asks, temperature=1.0)
        assert later.answers([KEY, DOOR, KEY]) == answers
        assert not again.asked


def test_a_silent_planner_knows_only_what_is_stored(tmp_path: Path) -> None:
    letters = Letters()
    assert scoring(letters, tmp_path, asks=False).answers([KEY]) == [None]
    assert not letters.asked


def test_other_models_and_other_plans_are_scored_anew(tmp_path: Path) -> None:
    scoring(Letters(), tmp_path).answers([KEY])
    other = Letters(model="other")
    scoring(other, tmp_path).answers([KEY])
    assert len(other.asked) == len(QUESTIONS)
    letters = Letters()
    (answer,) = scoring(letters, tmp_path, legal_plans=more_plans).answers([KEY])
    assert answer
    assert {plan for _, plan in answer} == {*more_plans(KEY)}
    assert len(letters.asked) == len(QUESTIONS)


def test_scores_of_more_plans_do_not_count_for_fewer(tmp_path: Path) -> None:
    """The probabilities of letters depend on all plans of their list."""
    scoring(Letters(), tmp_path, legal_plans=more_plans).answers([KEY])
    letters = Letters()
    scoring(letters, tmp_path).answers([KEY])
    assert len(letters.asked) == len(QUESTIONS)


def more_plans(scene: str) -> tuple[Plan, ...]:
    return (*room_plans(scene, KINDS), (Option(GO_TO, "key"),))


@pytest.mark.parametrize(
    "reply",
    ["", "Action: {explore}", "[1]", "null", '{"explore": "high"}', '{"explore": NaN}', "[" * 9999],
)
def test_a_stored_reply_that_holds_no_scores_does_not_count(reply: str, tmp_path: Path) -> None:
    assert read_scores(reply) == {}
    letters = Letters()
    planner = scoring(letters, tmp_path)
    for prompt in wordings(TASK.instructions, KEY):
        planner.store.add(planner._question(KEY, prompt), reply)
    assert planner.answers([KEY]) != [None]
    assert len(letters.asked) == len(QUESTIONS)


@pytest.mark.parametrize("strict", [False, True])
def test_a_model_that_never_answers_ends_the_run(strict: bool, tmp_path: Path) -> None:
    planner = scoring(Letters([GONE]), tmp_path, strict=strict)
    with pytest.raises(UserError, match="does not answer: http://host: no connection") as error:
        planner.answers([KEY])
    assert ("--llm_optional" in str(error.value)) != strict


def test_an_optional_model_is_asked_again_later(tmp_path: Path) -> None:
    told: list[str] = []
    letters = Letters([GONE, GONE])
    planner = scoring(letters, tmp_path, told.append, optional=True)
    assert planner.answers([KEY, NOTHING])[0] is None
    assert planner.problem() == ""
    assert planner.answers([KEY]) == [None]
    assert planner.counts()["Failures"] == 2
    assert told == [f"going on without the LLM for now, and asking again later: {GONE}"]
    assert planner.answers([KEY]) != [None]
    assert told[1:] == ["the LLM answers again"]


def test_a_planner_without_any_answer_says_why(tmp_path: Path) -> None:
    planner = scoring(Letters([GONE]), tmp_path, optional=True)
    assert planner.problem() == ""
    planner.answers([KEY])
    assert planner.problem() == "letters scores no plans: http://host: no connection"


def test_scores_before_a_failure_count(tmp_path: Path) -> None:
    letters = Letters()
    planner = scoring(letters, tmp_path, optional=True)
    planner.answers([DOOR])
    letters.failures = [GONE]
    assert planner.answers([KEY, DOOR])[1]
    assert planner.answers([KEY]) != [None]
    assert planner.counts()["Scores"] == 2 * 2 * len(QUESTIONS)


def test_errors_that_may_pass_are_waited_for(tmp_path: Path) -> None:
    letters = Letters([PassingError("busy", 429), PassingError("busy", 503)])
    planner = scoring(letters, tmp_path)
    assert planner.answers([KEY]) != [None]
    assert planner.counts()["Failures"] == 2
    busy = scoring(Letters([PassingError("busy", 429)] * 4, model="busy"), tmp_path)
    with pytest.raises(UserError, match="busy"):
        busy.answers([KEY])


def test_a_scene_that_the_server_refuses_does_not_keep_it_from_others(tmp_path: Path) -> None:
    told: list[str] = []
    letters = Letters()
    planner = scoring(letters, tmp_path, told.append)
    planner.answers([DOOR])
    letters.failures = [RefusedError("http://host answers 400: too long", 400)]
    key, both = planner.answers([KEY, BOTH])
    assert key is None
    assert both
    assert told == [
        f"going on without an answer about {KEY!r} for now: http://host answers 400: too long"
    ]
    assert planner.answers([KEY]) != [None]
    assert planner.counts()["Failures"] == 1


def test_scores_that_are_no_numbers_are_a_failure(tmp_path: Path) -> None:
    class Broken(Letters):
        def scores(self, prompt: Prompt, plans: object) -> list[float]:
            return [math.nan, -1.0]

    with pytest.raises(UserError, match="gives scores that are not numbers"):
        scoring(Broken(), tmp_path).answers([KEY])
    assert (tmp_path / "answers.jsonl").read_text() == ""


def test_what_is_scored_is_a_reply_that_would_be_understood() -> None:
    for scene in (KEY, DOOR, NOTHING):
        for plan in more_plans(scene):
            assert parse_reply(answer_with(describe(plan)), tuple(KINDS)) == plan


def test_prompts_show_the_example_of_the_instructions_as_a_turn() -> None:
    plain, *_ = wordings(TASK.instructions, DOOR)
    assert [message["role"] for message in plain.messages] == [
        *("system", "user", "assistant", "user")
    ]
    assert plain.turns == ((KEY, "Action: {go to <key>, pick up <key>}"),)
    assert all(prompt.turns == () for prompt in wordings("Open the door.", DOOR))


def test_a_prompt_without_turns_has_the_fingerprint_it_always_had() -> None:
    assert Prompt("Advise.", KEY).fingerprint == "343b96f56994f573"
    prompts = wordings(TASK.instructions, KEY)
    assert len({prompt.fingerprint for prompt in prompts}) == len(prompts)
