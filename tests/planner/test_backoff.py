"""How long servers are waited for that start, hang, fall silent and wake."""

import errno
import threading
import time
from typing import Any

import pytest

from planner.llm_errors import LLMError
from planner.request_pool import in_thread
from tests.planner.pools import ask, make_pool, need, warm
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


def test_a_server_that_answers_is_waited_for_however_slow_it_becomes() -> None:
    """Each reply takes longer than the one before, the last one many times the least patience."""
    seconds = [0.1, 0.2, 0.4, 0.8]

    def slower(handler: Handler, body: dict[str, Any]) -> None:
        time.sleep(seconds.pop(0))
        plans(handler, body)

    with serve(slower) as server:
        pool = make_pool(server.url, first_timeout=5.0, least_timeout=0.1)
        pool.one_at_a_time = True
        pool.backoff.workers = 1
        assert len(ask(pool, 4)) == 4
        assert len(server.requests) == 4


@pytest.mark.parametrize("silence", [hang, drip, drip_headers])
def test_a_server_that_falls_silent_costs_its_patience_once(silence: Behaviour) -> None:
    with serve(in_turn(plans, silence)) as server:
        pool = make_pool(server.url, first_timeout=30.0, least_timeout=0.3)
        warm(pool)
        patience = pool.backoff.timeout()
        began = time.monotonic()
        with pytest.raises(LLMError, match=rf"no answer within {patience:.3g} s"):
            ask(pool, 1)
        assert patience <= time.monotonic() - began < 15
        assert len(server.requests) == 2


def test_a_late_reply_counts() -> None:
    frozen = Frozen()
    with serve(frozen) as server:
        pool = make_pool(server.url, least_timeout=0.2)
        warm(pool)
        frozen.awake.clear()
        came = threading.Event()
        request = need(1, lambda _: came.set())
        pool.send([request])
        assert pool.backoff.away
        assert not came.is_set()
        frozen.awake.set()
        assert came.wait(5)
        assert request.missing() == 0
        while pool.backoff.away:
            assert len(server.requests) == 2


def test_patience_doubles_when_it_was_too_short_and_is_short_again_after_answers() -> None:
    with serve(in_turn(plans, hang)) as server:
        pool = make_pool(server.url, least_timeout=0.5, workers=1)
        warm(pool)
        short = pool.backoff.timeout()
        with pytest.raises(LLMError):
            ask(pool, 1)
        assert pool.backoff.timeout() == pytest.approx(2 * short)
        for _ in range(25):
            pool.backoff.add_duration(0.01, 1)
        assert pool.backoff.timeout() == 0.5


def test_a_server_that_never_answers_is_given_its_time_and_no_more() -> None:
    with serve(hang) as server:
        began = time.monotonic()
        with pytest.raises(LLMError, match="no answer"):
            ask(make_pool(server.url, first_timeout=0.4, strict=False), 10)
        assert 0.4 <= time.monotonic() - began < 4
        assert len(server.requests) <= 1


def test_a_server_that_starts_late_is_waited_for() -> None:
    """It refuses connections first, and then says 503, as while it loads a model."""
    with serve(plans) as server:
        url, port = server.url, server.server_port
    pool = make_pool(url, first_timeout=30.0, strict=False)
    replies = in_thread(lambda: ask(pool, 3))
    while pool.client.usage.failures < 5:
        assert not replies.done()
    with serve(in_turn(*[status(503)] * 5, plans), port):
        assert len(replies.result(20)) == 3
    with pytest.raises(LLMError, match="no connection"):
        ask(make_pool(url, first_timeout=30.0, strict=True), 3)


@pytest.mark.parametrize("code", [400, 401, 404])
def test_a_mistake_is_not_waited_for(code: int) -> None:
    with serve(status(code)) as server:
        with pytest.raises(LLMError, match=f"answers {code}"):
            ask(make_pool(server.url, first_timeout=30.0, strict=False), 10)
        assert len(server.requests) == 1


def test_the_first_reason_is_kept_not_the_last_silence() -> None:
    def out_of_memory(handler: Handler, body: dict[str, Any]) -> None:
        handler.answer(500, b'{"detail": "CUDA out of memory"}')

    for last in (hang, lambda handler, _: handler.reset()):
        with serve(in_turn(plans, out_of_memory, last)) as server:
            pool = make_pool(server.url, least_timeout=0.2)
            warm(pool)
            with pytest.raises(LLMError, match="answers 500: CUDA out of memory"):
                ask(pool, 1)


def test_a_silent_server_is_tried_at_growing_intervals_with_one_reply_each() -> None:
    pauses = [0.1, 0.2, *[0.4] * 5]
    tries: list[tuple[float, float]] = []
    with serve(in_turn(plans, hang)) as server:
        pool = make_pool(server.url, least_timeout=0.1, shortest_pause=0.05, longest_pause=0.4)
        warm(pool)
        pool.send([need(1)])
        # Whoever waited for a try would now wait for a minute.
        pool.backoff.least_timeout = 60.0
        while len(tries) <= len(pauses):
            before = time.monotonic()
            if pool.backoff.retry_is_due():
                tries.append((before, time.monotonic()))
                pool.send_in_background(need(10))
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
        pool = make_pool(server.url, least_timeout=0.1, shortest_pause=0.02, longest_pause=0.1)
        warm(pool)
        frozen.awake.clear()
        request = need(10)
        pool.send([request])
        frozen.awake.set()
        while pool.backoff.away:
            if pool.backoff.retry_is_due():
                pool.send_in_background(request)
        pool.send([request])
        assert request.missing() <= 0
        assert pool.backoff.away is None


def test_what_goes_wrong_in_the_background_beside_the_server_is_raised() -> None:
    def full(reply: str) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with serve(in_turn(plans, hang, plans)) as server:
        pool = make_pool(server.url, least_timeout=0.1)
        warm(pool)
        pool.send([need(1)])
        pool.send_in_background(need(1, full))
        until = time.monotonic() + 30
        while not pool.fault and time.monotonic() < until:
            threading.Event().wait(0.01)
        with pytest.raises(OSError, match="No space left"):
            pool.send_in_background(need(1))
