"""Many replies at once, from servers that refuse, queue and are slow."""

import threading
import time
from typing import Any

import pytest

from tests.planner.pools import SCENES, ask, make_pool, need, warm
from tests.planner.servers import Handler, hang, in_turn, plans, serve, status


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


@pytest.mark.parametrize("code", [400, 422])
def test_a_server_that_refuses_choices_is_asked_singly_from_then_on(code: int) -> None:
    def one_only(handler: Handler, body: dict[str, Any]) -> None:
        status(code)(handler, body) if "n" in body else plans(handler, body)

    with serve(one_only) as server:
        pool = make_pool(server.url)
        assert len(ask(pool, 4)) == 4
        assert len(ask(pool, 3, "another")) == 3
        assert ["n" in body for body, _ in server.requests] == [False, True] + [False] * 6


def test_a_server_that_gives_one_choice_whatever_n_is_asked_again() -> None:
    with serve(lambda handler, _: handler.choices(["Action: {explore}"])) as server:
        assert len(ask(make_pool(server.url), 5)) == 5


def test_choices_that_do_not_come_in_time_are_asked_for_singly() -> None:
    def slow_choices(handler: Handler, body: dict[str, Any]) -> None:
        hang(handler, body) if "n" in body else plans(handler, body)

    with serve(slow_choices) as server:
        pool = make_pool(server.url)
        assert len(ask(pool, 3)) == 3
        assert len(ask(pool, 3, "another")) == 3
        assert ["n" in body for body, _ in server.requests] == [False, True, *[False] * 5]


def test_a_permanent_400_costs_two_requests_and_the_other_scenes_nothing() -> None:
    def refuse_one(handler: Handler, body: dict[str, Any]) -> None:
        refused = body["messages"][1]["content"] == SCENES[0]
        (status(400) if refused else plans)(handler, body)

    with serve(refuse_one) as server:
        pool = make_pool(server.url)
        warm(pool)
        requests = [need(10, about=scene) for scene in SCENES]
        pool.send(requests)
        about = [body["messages"][1]["content"] for body, _ in server.requests]
    assert [w.missing() for w in requests] == [10, 0, 0, 0, 0, 0]
    assert [w.error is None for w in requests] == [False, True, True, True, True, True]
    assert pool.backoff.away is None
    assert about.count(SCENES[0]) == 2


def test_what_arrived_before_a_failure_is_handed_over() -> None:
    with serve(in_turn(plans, plans, status(401))) as server:
        pool, arrived = make_pool(server.url), list[str]()
        pool.one_at_a_time = True
        pool.send([need(5, arrived.append)])
        assert pool.backoff.away
        assert pool.backoff.away.status == 401
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
        pool = make_pool(server.url, workers=2)
        pool.one_at_a_time = True
        assert len(ask(pool, 7)) == 7
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
        pool = make_pool(server.url, workers=3)
        pool.one_at_a_time = True
        requests = [need(20, about=scene) for scene in SCENES]
        pool.send(requests)
    assert not any(w.missing() for w in requests)
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
        pool = make_pool(server.url, workers=8)
        pool.one_at_a_time = True
        assert len(ask(pool, 60)) == 60
    assert taken[0] == taken[1] == 1
    assert max(taken) >= 3
    assert sum(one > 3 for one in taken) < 20


def test_a_slow_server_that_serves_one_at_a_time_loses_no_reply() -> None:
    """Eight workers, thirty replies, no request that was in vain: all within the time that the
    server needs, though eight in a row take twice as long as anything is waited for at first."""
    serial = Serial(0.1)
    with serve(serial) as server:
        pool = make_pool(server.url, workers=8, first_timeout=5.0, least_timeout=0.4)
        pool.one_at_a_time = True
        requests = [need(5, about=scene) for scene in SCENES]
        pool.send(requests)
        assert not any(w.missing() for w in requests)
        assert len(server.requests) == 30
    assert pool.client.usage.failures == 0
    assert serial.most > 4


def test_choices_that_are_made_one_after_another_are_waited_for() -> None:
    with serve(Serial(0.05)) as server:
        pool = make_pool(server.url, workers=8, first_timeout=5.0, least_timeout=0.1)
        requests = [need(10, about=scene) for scene in SCENES[:3]]
        pool.send(requests)
        assert not any(w.missing() for w in requests)
        assert sum(body.get("n", 1) for body, _ in server.requests) == 30


def test_what_fails_alone_does_not_keep_the_others_from_their_answers() -> None:
    def crash_on_one(handler: Handler, body: dict[str, Any]) -> None:
        crashes = body["messages"][1]["content"] == SCENES[0]
        (status(500) if crashes else plans)(handler, body)

    with serve(crash_on_one) as server:
        pool = make_pool(server.url)
        pool.one_at_a_time = True
        warm(pool)
        requests = [need(3, about=scene) for scene in SCENES]
        pool.send(requests)
    assert [w.missing() for w in requests] == [3, 0, 0, 0, 0, 0]


def test_a_server_that_is_down_is_not_asked_by_each_scene() -> None:
    with serve(in_turn(plans, status(500))) as server:
        pool = make_pool(server.url)
        warm(pool)
        pool.send([need(10, about=scene) for scene in SCENES])
        assert "answers 500" in str(pool.backoff.away)
        assert len(server.requests) <= 1 + 4
