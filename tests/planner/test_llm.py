import itertools
import json
import threading
from pathlib import Path
from typing import Any

import pytest

from planner.llm import ChatClient, LLMError, Prompt
from planner.replies import read_reply
from tests.planner.servers import Behaviour, Handler, plans, serve

PROMPT = Prompt("Advise.", "Agent sees <key>, holds <nothing>.")


def client(url: str, **options: Any) -> ChatClient:
    quick: dict[str, Any] = {"timeout": (1.0, 0.5), "pause": 0.001, "attempts": 3}
    return ChatClient(url, "a-model", 0.5, **(quick | options))


def in_turn(*behaviours: Behaviour) -> Behaviour:
    """Each request meets the next behaviour; the last one stays."""
    turns = itertools.chain(behaviours, itertools.repeat(behaviours[-1]))
    lock = threading.Lock()

    def behave(handler: Handler, body: dict[str, Any]) -> None:
        with lock:
            turn = next(turns)
        turn(handler, body)

    return behave


def status(code: int, **headers: str) -> Behaviour:
    return lambda handler, _: handler.answer(code, b"{}", **headers)


def text(content: bytes) -> Behaviour:
    return lambda handler, _: handler.answer(200, content)


def hang(handler: Handler, body: dict[str, Any]) -> None:
    handler.rfile.read(1)


def drip(handler: Handler, body: dict[str, Any]) -> None:
    """A byte every tenth of a second, for ever."""
    handler.send_response(200)
    handler.send_header("Content-Length", "1000000")
    handler.end_headers()
    pause = threading.Event()
    try:
        while not pause.wait(0.1):
            handler.wfile.write(b" ")
            handler.wfile.flush()
    except OSError:
        handler.close_connection = True


def drip_headers(handler: Handler, body: dict[str, Any]) -> None:
    """A header every tenth of a second, for ever."""
    handler.wfile.write(b"HTTP/1.1 200 OK\r\n")
    pause = threading.Event()
    try:
        while not pause.wait(0.1):
            handler.wfile.write(b"X-More: yes\r\n")
    except OSError:
        handler.close_connection = True


def break_off(handler: Handler, body: dict[str, Any]) -> None:
    handler.send_response(200)
    handler.send_header("Content-Length", "1000")
    handler.end_headers()
    handler.wfile.write(b'{"choices"')
    handler.wfile.flush()
    handler.reset()


def test_a_proxy_is_not_asked_for_the_way_to_this_machine(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    monkeypatch.delenv("no_proxy", raising=False)
    with serve(plans) as server:
        assert client(server.url).ask(PROMPT, 1)


def test_n_choices_come_in_one_request() -> None:
    with serve(plans) as server:
        arrived: list[str] = []
        asked = client(server.url, key="sesame")
        assert asked.ask(PROMPT, 10, arrived.append) == arrived
        assert arrived == ["I think so. Action: {explore}"] * 10
        ((body, headers),) = server.requests
    assert (body["model"], body["temperature"], body["n"]) == ("a-model", 0.5, 10)
    assert [message["role"] for message in body["messages"]] == ["system", "user"]
    assert headers["Authorization"] == "Bearer sesame"
    assert (asked.usage.requests, asked.usage.failures, asked.usage.tokens) == (1, 0, 7)


@pytest.mark.parametrize("code", [400, 422])
def test_a_server_that_refuses_choices_is_asked_singly_from_then_on(code: int) -> None:
    def one_only(handler: Handler, body: dict[str, Any]) -> None:
        status(code)(handler, body) if "n" in body else plans(handler, body)

    with serve(one_only) as server:
        asked = client(server.url)
        assert len(asked.ask(PROMPT, 4)) == 4
        assert len(asked.ask(PROMPT, 3)) == 3
        assert ["n" in body for body, _ in server.requests] == [True] + [False] * 7


def test_a_server_that_gives_one_choice_whatever_n_is_asked_again() -> None:
    with serve(lambda handler, _: handler.choices(["Action: {explore}"])) as server:
        assert len(client(server.url).ask(PROMPT, 5)) == 5


def test_workers_bound_the_requests_under_way() -> None:
    most, now, lock, together = 0, 0, threading.Lock(), threading.Barrier(2, timeout=5)

    def count(handler: Handler, body: dict[str, Any]) -> None:
        nonlocal most, now
        with lock:
            now += 1
            most = max(most, now)
        together.wait()
        with lock:
            now -= 1
        handler.choices(["Action: {explore}"])

    with serve(count) as server:
        asked = client(server.url, workers=2, timeout=(5.0, 10.0))
        asked._one_at_a_time = True
        assert len(asked.ask(PROMPT, 6)) == 6
    assert most == 2


@pytest.mark.parametrize(
    "fault",
    [
        status(429, Retry_After="0"),
        status(500),
        status(503),
        hang,
        drip,
        break_off,
        lambda handler, _: handler.reset(),
        text(b"<html><body>Bad gateway</body></html>"),
        text(b'{"choices": []}'),
        text(b"[1, 2]"),
        text(b"[" * 100_000),
        status(429, Retry_After="Fri, 01 Jan 2021 00:00:00 GMT"),
        status(529),
        drip_headers,
    ],
)
def test_what_passes_is_tried_again(fault: Behaviour) -> None:
    with serve(in_turn(fault, plans)) as server:
        asked = client(server.url)
        assert asked.ask(PROMPT, 1) == ["I think so. Action: {explore}"]
        assert (asked.usage.requests, asked.usage.failures) == (2, 1)
    with serve(fault) as server:
        with pytest.raises(LLMError, match=r"http://127\.0\.0\.1") as error:
            client(server.url).ask(PROMPT, 1)
        assert "\n" not in str(error.value)
        assert len(server.requests) == 3


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        (status(401), "answers 401; is the key"),
        (status(404), "answers 404"),
        (status(400), "answers 400"),
        (text(b" " * 10_000_000), "sends more than"),
    ],
)
def test_what_does_not_pass_is_not_tried_again(fault: Behaviour, words: str) -> None:
    with serve(fault) as server:
        with pytest.raises(LLMError, match=words) as error:
            client(server.url, key="sesame").ask(PROMPT, 1)
        assert len(server.requests) == 1
    assert "sesame" not in str(error.value)


def test_a_refused_connection_is_an_error_in_one_line() -> None:
    with serve(plans) as server:
        url = server.url
    with pytest.raises(LLMError, match="no connection"):
        client(url).ask(PROMPT, 2)


def test_retry_after_is_waited_for() -> None:
    with serve(in_turn(status(429, Retry_After="0.2"), plans)) as server:
        asked = client(server.url)
        asked.ask(PROMPT, 1)
        slept = asked._retrying.statistics
    assert slept == {} or slept["idle_for"] >= 0.2


def test_what_arrived_before_a_failure_is_handed_over() -> None:
    with serve(in_turn(plans, plans, status(401))) as server:
        asked, arrived = client(server.url), list[str]()
        asked._one_at_a_time = True
        with pytest.raises(LLMError):
            asked.ask(PROMPT, 5, arrived.append)
    assert len(arrived) == 2


@pytest.mark.parametrize(
    ("reply", "texts"),
    [
        ({"choices": [{"message": {"content": "a"}}, {"message": {"content": "b"}}]}, ["a", "b"]),
        ({"choices": [{"text": "a"}]}, ["a"]),
        ({"choices": [{"message": {"content": ""}}, {"message": {"content": None}}]}, ["", ""]),
        ({"text": "a", "error_code": 0}, ["a"]),
        ({"response": "a"}, ["a"]),
        ("a", ["a"]),
        ({"choices": [None, {"message": None}, {"message": {"content": 3}}]}, []),
        ({"choices": "many", "usage": "much"}, []),
        ({"choices": [{"text": "a"}], "usage": {"total_tokens": 10**400}}, ["a"]),
        (None, []),
    ],
)
def test_shapes_of_replies(reply: Any, texts: list[str]) -> None:
    assert read_reply(json.dumps(reply))[0] == texts


def test_what_waits_gives_up_when_one_request_has() -> None:
    def no_choices_no_answer(handler: Handler, body: dict[str, Any]) -> None:
        handler.answer(422 if "n" in body else 500, b"")

    with serve(no_choices_no_answer) as server:
        asked = client(server.url, workers=1)
        with pytest.raises(LLMError):
            asked.ask(PROMPT, 30)
        # One for the choices, three for one of the singles, none for the others.
        assert len(server.requests) == 4


def test_nobody_is_led_elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not by a redirect, and not to a password in a file."""
    (tmp_path / "netrc").write_text("machine 127.0.0.1 login me password hunter2")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    with serve(plans) as server:
        asked = client(server.url)
        asked._session.trust_env = True
        asked.ask(PROMPT, 1)
        assert "Authorization" not in server.requests[0][1]
        with (
            serve(lambda handler, _: handler.answer(302, b"", Location=server.url)) as first,
            pytest.raises(LLMError, match="answers 302"),
        ):
            client(first.url).ask(PROMPT, 1)
        assert len(server.requests) == 1


def test_fastchats_errors_that_pass_are_tried_again_though_they_are_400() -> None:
    def error(code: int) -> Behaviour:
        content = {"object": "error", "message": "Only  allowed now", "code": code}
        return lambda handler, _: handler.answer(400, json.dumps(content).encode())

    for code in (40301, 50002):
        with serve(in_turn(error(code), plans)) as server:
            assert len(client(server.url).ask(PROMPT, 4)) == 4
            assert [body["n"] for body, _ in server.requests] == [4, 4]
    with serve(error(40303)) as server:
        with pytest.raises(LLMError, match="answers 400: Only allowed now"):
            client(server.url).ask(PROMPT, 1)
        assert len(server.requests) == 1


def test_choices_that_do_not_come_in_time_are_asked_for_singly() -> None:
    def slow_choices(handler: Handler, body: dict[str, Any]) -> None:
        hang(handler, body) if "n" in body else plans(handler, body)

    with serve(slow_choices) as server:
        asked = client(server.url, timeout=(0.5, 0.5))
        assert len(asked.ask(PROMPT, 3)) == 3
        assert len(asked.ask(PROMPT, 3)) == 3
        assert ["n" in body for body, _ in server.requests] == [True, *[False] * 6]


def test_the_most_tokens_are_asked_for_where_a_server_needs_it() -> None:
    with serve(plans) as server:
        client(server.url, max_tokens=512).ask(PROMPT, 1)
        client(server.url).ask(PROMPT, 1)
        assert [body.get("max_tokens") for body, _ in server.requests] == [512, None]
