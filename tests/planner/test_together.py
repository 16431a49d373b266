"""Many replies at once, from servers that refuse, hang, queue and wake."""

import threading
import time
from typing import Any

import pytest

from planner.faults import LLMError
from planner.together import Asker, in_thread
from tests.planner.askers import ask, asker, want
from tests.planner.servers import (
    Behaviour,
    Frozen,
    Handler,
    drip,
    drip_headers,
    hang,
    in_turn,
    plans,
    serve,
    status,
)

SCENES = [f"scene {number}" for number in range(6)]


class Serial:
    """Serves one request at a time, each choice in so many seconds, and goes on with what nobody
    waits for any more."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self.lock = threading.Lock()
        self.under_way = 0
        self.most = 0
        self.done: list[float] = []

    def __call__(self, handler: Handler, body: dict[str, Any]) -> None:
        self.under_way += 1
        self.most = max(self.most, self.under_way)
        with self.lock:
            time.sleep(self.seconds * body.get("n", 1))
            self.under_way -= 1
            self.done.append(time.monotonic())
        plans(handler, body)


def warm(asked: Asker) -> None:
    """Let it know how long a reply takes."""
    ask(asked, 1, "warm up")


@pytest.mark.parametrize("code", [400, 422])
def test_a_server_that_refuses_choices_is_asked_singly_from_then_on(code: int) -> None:
    def one_only(handler: Handler, body: dict[str, Any]) -> None:
        status(code)(handler, body) if "n" in body else plans(handler, body)

    with serve(one_only) as server:
        asked = asker(server.url)
        assert len(ask(asked, 4)) == 4
        assert len(ask(asked, 3, "another")) == 3
        assert ["n" in body for body, _ in server.requests] == [False, True] + [False] * 6


def test_a_server_that_gives_one_choice_whatever_n_is_asked_again() -> None:
    with serve(lambda handler, _: handler.choices(["Action: {explore}"])) as server:
        assert len(ask(asker(server.url), 5)) == 5


def test_choices_that_do_not_come_in_time_are_asked_for_singly() -> None:
    def slow_choices(handler: Handler, body: dict[str, Any]) -> None:
        hang(handler, body) if "n" in body else plans(handler, body)

    with serve(slow_choices) as server:
        asked = asker(server.url)
        assert len(ask(asked, 3)) == 3
        assert len(ask(asked, 3, "another")) == 3
        assert ["n" in body for body, _ in server.requests] == [False, True, *[False] * 5]


def test_a_permanent_400_costs_two_requests_and_the_other_scenes_nothing() -> None:
    def refuse_one(handler: Handler, body: dict[str, Any]) -> None:
        refused = body["messages"][1]["content"] == SCENES[0]
        (status(400) if refused else plans)(handler, body)

    with serve(refuse_one) as server:
        asked = asker(server.url)
        warm(asked)
        wants = [want(10, about=scene) for scene in SCENES]
        asked.ask(wants)
        about = [body["messages"][1]["content"] for body, _ in server.requests]
    assert [w.missing() for w in wants] == [10, 0, 0, 0, 0, 0]
    assert [w.failure is None for w in wants] == [False, True, True, True, True, True]
    assert asked.patience.away is None
    assert about.count(SCENES[0]) == 2


def test_what_arrived_before_a_failure_is_handed_over() -> None:
    with serve(in_turn(plans, plans, status(401))) as server:
        asked, arrived = asker(server.url), list[str]()
        asked.one_at_a_time = True
        asked.ask([want(5, arrived.append)])
        assert asked.patience.away
        assert asked.patience.away.status == 401
    assert len(arrived) == 2


def test_workers_bound_the_requests_under_way() -> None:
    most, now, lock, together = 0, 0, threading.Lock(), threading.Barrier(2, timeout=5)
    first = threading.Event()

    def count(handler: Handler, body: dict[str, Any]) -> None:
        nonlocal most, now
        if not first.is_set():
            first.set()
            return plans(handler, body)
        with lock:
            now += 1
            most = max(most, now)
        together.wait()
        with lock:
            now -= 1
        return plans(handler, body)

    with serve(count) as server:
        asked = asker(server.url, workers=2)
        asked.one_at_a_time = True
        assert len(ask(asked, 7)) == 7
    assert most == 2


def test_questions_start_no_more_threads_than_workers() -> None:
    most = 0

    def count(handler: Handler, body: dict[str, Any]) -> None:
        nonlocal most
        # Of each request there is a thread here, and one of the server's.
        with lock:
            most = max(most, threading.active_count())
        plans(handler, body)

    with serve(count) as server:
        before, lock = threading.active_count(), threading.Lock()
        asked = asker(server.url, workers=3)
        asked.one_at_a_time = True
        wants = [want(20, about=scene) for scene in SCENES]
        asked.ask(wants)
    assert not any(w.missing() for w in wants)
    assert 2 <= most - before <= 2 * 3 + 3


def test_requests_under_way_grow_with_answers_and_fall_with_overload() -> None:
    """Against a server that takes three at a time and refuses more."""
    now, lock = 0, threading.Lock()
    taken: list[int] = []

    def three(handler: Handler, body: dict[str, Any]) -> None:
        nonlocal now
        with lock:
            now += 1
            taken.append(now)
            refused = now > 3
        if not refused:
            time.sleep(0.01)
        with lock:
            now -= 1
        (status(429) if refused else plans)(handler, body)

    with serve(three) as server:
        asked = asker(server.url, workers=8)
        asked.one_at_a_time = True
        assert len(ask(asked, 60)) == 60
    assert taken[0] == taken[1] == 1
    assert max(taken) >= 3
    assert sum(one > 3 for one in taken) < 20


def test_a_slow_server_that_serves_one_at_a_time_loses_no_reply() -> None:
    """Eight workers, thirty replies, no request that was in vain: all within the time that the
    server needs, though eight in a row take twice as long as anything is waited for at first."""
    serial = Serial(0.1)
    with serve(serial) as server:
        asked = asker(server.url, workers=8, first=5.0, least=0.4)
        asked.one_at_a_time = True
        wants = [want(5, about=scene) for scene in SCENES]
        asked.ask(wants)
        assert not any(w.missing() for w in wants)
        assert len(server.requests) == 30
    assert asked.client.usage.failures == 0
    assert serial.most > 4


def test_choices_that_are_made_one_after_another_are_waited_for() -> None:
    with serve(Serial(0.05)) as server:
        asked = asker(server.url, workers=8, first=5.0, least=0.1)
        wants = [want(10, about=scene) for scene in SCENES[:3]]
        asked.ask(wants)
        assert not any(w.missing() for w in wants)
        assert sum(body.get("n", 1) for body, _ in server.requests) == 30


def test_a_server_that_answers_is_waited_for_however_slow_it_becomes() -> None:
    """Each reply takes longer than the one before, the last one many times the least patience."""
    seconds = [0.1, 0.2, 0.4, 0.8]

    def slower(handler: Handler, body: dict[str, Any]) -> None:
        time.sleep(seconds.pop(0))
        plans(handler, body)

    with serve(slower) as server:
        asked = asker(server.url, first=5.0, least=0.1)
        asked.one_at_a_time = True
        asked.patience.workers = 1
        assert len(ask(asked, 4)) == 4
        assert len(server.requests) == 4


@pytest.mark.parametrize("silence", [hang, drip, drip_headers])
def test_a_server_that_falls_silent_costs_its_patience_once(silence: Behaviour) -> None:
    with serve(in_turn(plans, silence)) as server:
        asked = asker(server.url, first=30.0, least=0.3)
        warm(asked)
        patience = asked.patience.seconds()
        began = time.monotonic()
        with pytest.raises(LLMError, match=rf"no answer within {patience:.3g} s"):
            ask(asked, 1)
        assert patience <= time.monotonic() - began < 15
        assert len(server.requests) == 2


def test_a_late_reply_counts() -> None:
    frozen = Frozen()
    with serve(frozen) as server:
        asked = asker(server.url, least=0.2)
        warm(asked)
        frozen.awake.clear()
        came = threading.Event()
        wanted = want(1, lambda _: came.set())
        asked.ask([wanted])
        assert asked.patience.away
        assert not came.is_set()
        frozen.awake.set()
        assert came.wait(5)
        assert wanted.missing() == 0
        while asked.patience.away:
            assert len(server.requests) == 2


def test_patience_doubles_when_it_was_too_short_and_is_short_again_after_answers() -> None:
    with serve(in_turn(plans, hang, plans)) as server:
        asked = asker(server.url, least=0.5, workers=1)
        warm(asked)
        short = asked.patience.seconds()
        with pytest.raises(LLMError):
            ask(asked, 1)
        assert asked.patience.seconds() == pytest.approx(2 * short)
        asked.patience.answered()
        asked.one_at_a_time = True
        ask(asked, 25)
        assert 0.5 <= asked.patience.seconds() < 2 * short


def test_a_server_that_never_answers_is_given_its_time_and_no_more() -> None:
    with serve(hang) as server:
        began = time.monotonic()
        with pytest.raises(LLMError, match="no answer"):
            ask(asker(server.url, first=0.4, strict=False), 10)
        assert 0.4 <= time.monotonic() - began < 4
        assert [body.get("n") for body, _ in server.requests] == [None]


def test_a_server_that_starts_late_is_waited_for() -> None:
    """It refuses connections first, and then says 503, as while it loads a model."""
    with serve(plans) as server:
        url, port = server.url, server.server_port
    asked = asker(url, first=30.0, strict=False)
    replies = in_thread(lambda: ask(asked, 3))
    while asked.client.usage.failures < 5:
        assert not replies.done()
    with serve(in_turn(*[status(503)] * 5, plans), port):
        assert len(replies.result(20)) == 3
    with pytest.raises(LLMError, match="no connection"):
        ask(asker(url, first=30.0, strict=True), 3)


@pytest.mark.parametrize("code", [400, 401, 404])
def test_a_mistake_is_not_waited_for(code: int) -> None:
    with serve(status(code)) as server:
        with pytest.raises(LLMError, match=f"answers {code}"):
            ask(asker(server.url, first=30.0, strict=False), 10)
        assert len(server.requests) == 1


def test_the_first_reason_is_kept_not_the_last_silence() -> None:
    def out_of_memory(handler: Handler, body: dict[str, Any]) -> None:
        handler.answer(500, b'{"detail": "CUDA out of memory"}')

    for last in (hang, lambda handler, _: handler.reset()):
        with serve(in_turn(plans, out_of_memory, last)) as server:
            asked = asker(server.url, least=0.2)
            warm(asked)
            with pytest.raises(LLMError, match="answers 500: CUDA out of memory"):
                ask(asked, 1)


def test_what_fails_alone_does_not_keep_the_others_from_their_answers() -> None:
    def crash_on_one(handler: Handler, body: dict[str, Any]) -> None:
        crashes = body["messages"][1]["content"] == SCENES[0]
        (status(500) if crashes else plans)(handler, body)

    with serve(crash_on_one) as server:
        asked = asker(server.url)
        asked.one_at_a_time = True
        warm(asked)
        wants = [want(3, about=scene) for scene in SCENES]
        asked.ask(wants)
    assert [w.missing() for w in wants] == [3, 0, 0, 0, 0, 0]


def test_a_server_that_is_down_is_not_asked_by_each_scene() -> None:
    with serve(in_turn(plans, status(500))) as server:
        asked = asker(server.url)
        warm(asked)
        asked.ask([want(10, about=scene) for scene in SCENES])
        assert "answers 500" in str(asked.patience.away)
        assert len(server.requests) <= 1 + 4


def test_a_silent_server_is_tried_at_growing_intervals_with_one_reply_each() -> None:
    pauses = [0.1, 0.2, *[0.4] * 5]
    tries: list[tuple[float, float]] = []
    with serve(in_turn(plans, hang)) as server:
        asked = asker(server.url, least=0.1, shortest=0.05, longest=0.4)
        warm(asked)
        asked.ask([want(1)])
        # Whoever waited for a try would now wait for a minute.
        asked.patience.least = 60.0
        while len(tries) <= len(pauses):
            before = time.monotonic()
            if asked.patience.due():
                tries.append((before, time.monotonic()))
                asked.try_again(want(10))
                assert time.monotonic() - before < 30
        while len(server.requests) < 2 + len(tries):
            assert time.monotonic() - tries[-1][1] < 30
        assert not any("n" in body for body, _ in server.requests)
    for (earlier, _), (_, later), pause in zip(tries, tries[1:], pauses, strict=False):
        assert later - earlier >= pause
    # If they went on to double, the last one alone would take so long.
    assert tries[-1][0] - tries[0][1] < 0.05 * 2 ** len(pauses)


def test_a_server_that_wakes_is_used_again_with_all_that_it_can() -> None:
    frozen = Frozen()
    with serve(frozen) as server:
        asked = asker(server.url, least=0.1, shortest=0.02, longest=0.1)
        warm(asked)
        frozen.awake.clear()
        wanted = want(10)
        asked.ask([wanted])
        frozen.awake.set()
        while asked.patience.away:
            if asked.patience.due():
                asked.try_again(wanted)
        asked.ask([wanted])
        assert wanted.missing() <= 0
        assert asked.patience.away is None
