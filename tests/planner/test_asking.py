"""What a planner asks, how it counts the replies, and how it goes on without them."""

import itertools
import json
import threading
import time
from collections import defaultdict
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from planner.plan_parser import parse_plan
from planner.plans import describe
from planner.room_scene import in_words
from tests.planner.planners import SCENES, planner, until_it_answers
from tests.planner.servers import Frozen, Handler, hang, in_turn, plans, serve, status
from utils.errors import UserError


def test_equal_plans_are_counted_and_no_scene_is_asked_about_twice(tmp_path: Path) -> None:
    texts = ["Action: {explore}", "Action: explore", "Action: {go to key}", "Action: {EXPLORE}"]

    def mixed(handler: Handler, body: dict[str, Any]) -> None:
        with lock:
            turn = turns[body["messages"][1]["content"]]
            handler.choices([next(turn) for _ in range(body.get("n", 1))])

    lock, turns = threading.Lock(), defaultdict(partial(itertools.cycle, texts))
    told: list[str] = []
    with serve(mixed) as server:
        asking = planner(server.url, tmp_path, told)
        answers = asking.answers([*SCENES, SCENES[0]])
        assert [[(p, describe(plan)) for p, plan in answer or ()] for answer in answers] == [
            [(0.75, "explore"), (0.25, "go to <key>")]
        ] * 4
        assert len(server.requests) == 1 + 3
        assert asking.answers(SCENES) == answers[:3]
        again = planner(server.url, tmp_path, told)
        assert again.answers(SCENES) == answers[:3]
        assert len(server.requests) == 1 + 3
        assert asking.counts()["Requests"] == 1 + 3
    entry = json.loads((tmp_path / "answers.jsonl").read_text().splitlines()[0])
    assert entry["reply"].startswith("Action")
    assert entry["model"] == "model"


def test_a_reply_without_a_plan_is_asked_again_and_then_is_no_advice(tmp_path: Path) -> None:
    with serve(lambda handler, body: handler.choices(["Hm."] * body.get("n", 1))) as server:
        asking = planner(server.url, tmp_path, [])
        assert asking.answers(SCENES[:1]) == [None]
        replies = (tmp_path / "answers.jsonl").read_text().count("\n")
        assert replies == 4 * (1 + 1)
        assert asking.answers(SCENES[:1]) == [None]
        assert (tmp_path / "answers.jsonl").read_text().count("\n") == replies
    assert not asking.awaits_answers()


def test_what_is_not_plain_is_a_wait_and_is_counted(tmp_path: Path) -> None:
    reply = "Action: {go to <window>, dance, explore <the room>, open}"
    with serve(lambda handler, body: handler.choices([reply] * body.get("n", 1))) as server:
        asking = planner(server.url, tmp_path, [])
        assert asking.answers(SCENES[:1]) == [((1.0, parse_plan("wait, wait, explore, wait", ())),)]
    counts = asking.counts()
    assert (counts["Replies"], counts["Unclear Options"]) == (4, 12)
    assert asking.news() == {SCENES[0]: {"wait, wait, explore, wait": 1.0}}
    assert asking.news() == {}


def test_empty_replies_count_as_no_advice_among_the_others(tmp_path: Path) -> None:
    def mixed(handler: Handler, body: dict[str, Any]) -> None:
        handler.choices(["", "Action: {explore}", "", "Action: {explore}"][: body.get("n", 1)])

    with serve(mixed) as server:
        asking = planner(server.url, tmp_path, [])
        ((answer,),) = asking.answers(SCENES[:1])
    assert (answer[0], describe(answer[1])) == (1.0, "explore")
    assert asking.counts()["Replies Without Plan"] == 4


def test_without_its_server_it_goes_on_and_says_so_once(tmp_path: Path) -> None:
    told: list[str] = []
    with serve(in_turn(plans, lambda handler, _: handler.reset())) as server:
        url, port = server.url, server.server_port
        asking = planner(url, tmp_path, told, n=1)
        assert None not in asking.answers(SCENES[:1])
        assert asking.answers(SCENES[1:]) == [None] * 2
        requests = asking.counts()["Requests"]
        began, wanted = time.monotonic(), 0
        while asking.counts()["Requests"] - requests < 5:
            assert asking.answers(SCENES[1:]) == [None] * 2
            wanted += 1
        # It is tried by the clock, not by the scene, nor each time that it is wanted.
        assert time.monotonic() - began >= 3 * 0.05
        assert wanted > 20
    assert sum("going on without" in line for line in told) == 1
    assert asking.awaits_answers()
    with serve(plans, port):
        until_it_answers(asking)
    assert not asking.awaits_answers()
    assert told[-1] == "the LLM answers again"


def test_a_server_that_never_answered_ends_the_run_unless_it_is_optional(tmp_path: Path) -> None:
    with serve(plans) as server:
        url, port = server.url, server.server_port
    told: list[str] = []
    began = time.monotonic()
    with pytest.raises(UserError, match=r"the LLM does not answer.*no connection.*--llm_optional"):
        planner(url, tmp_path / "one", told).answers(SCENES)
    assert 1 <= time.monotonic() - began < 15
    assert len(told) == 1
    assert "no answer yet" in told[0]
    patient = {"first_timeout": 30.0}
    began = time.monotonic()
    with pytest.raises(UserError, match="the LLM does not answer"):
        planner(url, tmp_path / "other", told, strict=True, backoff=patient).answers(SCENES)
    assert time.monotonic() - began < 15
    assert len(told) == 1
    optional = planner(url, tmp_path / "third", told, optional=True)
    assert optional.answers(SCENES) == [None] * 3
    assert "going on without" in told[-1]
    with serve(plans, port):
        until_it_answers(optional)


def test_while_a_server_starts_each_reason_to_wait_is_told_once(tmp_path: Path) -> None:
    """A model's name that the server does not know may come as a 500, as well as one that loads:
    who waits can tell them apart by the words."""
    unknown = b'{"error": {"message": "no such model: model"}}'
    wrong = (lambda handler, _: handler.answer(500, unknown),) * 3
    with serve(in_turn(*[status(503)] * 3, *wrong, plans)) as server:
        asking = planner(server.url, tmp_path, told := [], backoff={"first_timeout": 30.0})
        assert None not in asking.answers(SCENES)
    assert told == [
        f"no answer yet, asking again: {server.url} answers {words}"  # type: ignore[attr-defined]
        for words in ("503", "500: no such model: model")
    ]


@pytest.mark.parametrize("optional", [False, True])
def test_a_mistake_before_any_answer_ends_the_run_at_once(tmp_path: Path, optional: bool) -> None:
    """A model that does not know its key, its path, or how long a prompt may be."""
    overflow = b'{"object": "error", "message": "context overflow", "code": 40303}'
    for fault in (
        status(401),
        status(403),
        status(404),
        lambda handler, _: handler.answer(400, overflow),
    ):
        with serve(fault) as server:
            folder, patient = tmp_path / str(server.server_port), {"first_timeout": 30.0}
            asking = planner(server.url, folder, [], optional=optional, backoff=patient)
            began = time.monotonic()
            if optional:
                assert asking.answers(SCENES) == [None] * 3
            else:
                with pytest.raises(UserError, match=r"answers 40.*--llm_optional goes on without"):
                    asking.answers(SCENES)
                assert len(server.requests) == 1
            assert time.monotonic() - began < 15


def test_a_mistake_after_answers_does_not_end_the_run(tmp_path: Path) -> None:
    with serve(in_turn(plans, status(401))) as server:
        asking = planner(server.url, tmp_path, told := [], n=1)
        assert None not in asking.answers(SCENES[:1])
        assert asking.answers(SCENES)[1:] == [None] * 2
        # Answers of a run before count as well.
        again = planner(server.url, tmp_path, told, n=1)
        assert again.answers(SCENES)[1:] == [None] * 2
    assert "answers 401" in told[0]


def test_a_reason_that_changes_is_told(tmp_path: Path) -> None:
    """A server goes away, comes back, but now wants a key."""
    told: list[str] = []
    with serve(in_turn(plans, lambda handler, _: handler.reset())) as server:
        asking = planner(server.url, tmp_path, told, n=1)
        asking.answers(SCENES[:1])
        asking.answers(SCENES)
        assert "no connection" in told[-1]
        server.behaviour = status(401)  # type: ignore[attr-defined]
        limit = time.monotonic() + 10
        while len(told) < 2:
            assert None in asking.answers(SCENES)
            assert time.monotonic() < limit
        assert "answers 401" in told[1]
        server.behaviour = plans  # type: ignore[attr-defined]
        until_it_answers(asking)
    assert told[2:] == ["the LLM answers again"]


def test_a_server_that_hangs_holds_nobody_up_and_is_used_when_it_wakes(tmp_path: Path) -> None:
    frozen = Frozen()
    with serve(frozen) as server:
        quick = {"least_timeout": 0.3}
        asking = planner(server.url, tmp_path, told := [], n=3, backoff=quick)
        assert None not in asking.answers(SCENES[:1])
        frozen.awake.clear()
        began = time.monotonic()
        for _ in range(200):
            assert asking.answers(SCENES[1:]) == [None] * 2
        # The patience once, not each time.
        assert 0.3 <= time.monotonic() - began < 15
        assert [line for line in told if "no answer within" in line]
        kept = (tmp_path / "answers.jsonl").read_text()
        frozen.awake.set()
        until_it_answers(asking)
        assert told[-1] == "the LLM answers again"
    assert (tmp_path / "answers.jsonl").read_text().startswith(kept)


def test_what_is_known_needs_no_server(tmp_path: Path) -> None:
    with serve(plans) as server:
        asking = planner(server.url, tmp_path, [], n=2)
        answers = asking.answers(SCENES)
        lines = (tmp_path / "answers.jsonl").read_text()
    with serve(hang) as server:
        assert planner(server.url, tmp_path, [], n=2, strict=True).answers(SCENES) == answers
        # One that asks nobody answers what it can, and leaves out the rest.
        knowing = planner(server.url, tmp_path, [], n=2, strict=True, asks=False)
        assert knowing.answers([*SCENES, in_words(("door",), None)]) == [*answers, None]
        assert not server.requests
    assert (tmp_path / "answers.jsonl").read_text() == lines


def test_one_scene_that_is_refused_does_not_keep_the_others_from_their_answers(
    tmp_path: Path,
) -> None:
    def refuse_one(handler: Handler, body: dict[str, Any]) -> None:
        refused = body["messages"][1]["content"] == SCENES[0]
        (status(400) if refused else plans)(handler, body)

    with serve(refuse_one) as server:
        asking = planner(server.url, tmp_path, told := [], backoff={"longest_pause": 0.3})
        assert None not in asking.answers(SCENES[1:2])
        answers = asking.answers(SCENES)
        assert answers[0] is None
        assert None not in answers[1:]
        requests = len(server.requests)
        for _ in range(20):
            assert asking.answers(SCENES) == answers
        assert len(server.requests) == requests
        limit = time.monotonic() + 10
        while len(server.requests) == requests:
            assert asking.answers(SCENES) == answers
            assert time.monotonic() < limit
    assert [SCENES[0] in line for line in told] == [True]
