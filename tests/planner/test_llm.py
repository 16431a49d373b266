import json
import time
from pathlib import Path
from typing import Any

import pytest

from planner.llm_errors import LLMError, full_path
from planner.replies import MAX_RETRY_AFTER, read_error, read_reply, read_retry_after
from tests.planner.pools import PROMPT, ask, make_pool
from tests.planner.servers import (
    Behaviour,
    Handler,
    break_off,
    in_turn,
    plans,
    serve,
    status,
    text,
)


def said(content: Any, code: int) -> Behaviour:
    return lambda handler, _: handler.answer(code, json.dumps(content).encode())


def test_a_proxy_is_not_asked_for_the_way_to_this_machine(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    monkeypatch.delenv("no_proxy", raising=False)
    with serve(plans) as server:
        assert ask(make_pool(server.url), 1)


def test_n_choices_come_in_one_request_once_it_is_known_how_long_one_takes() -> None:
    with serve(plans) as server:
        pool = make_pool(server.url, key="sesame")
        assert ask(pool, 10) == ["I think so. Action: {explore}"] * 10
        ask(pool, 10, "something else")
        (_, _), (body, headers), (other, _) = server.requests
    assert [each.get("n") for each, _ in server.requests] == [None, 9, 10]
    assert (body["model"], body["temperature"]) == ("a-model", 0.5)
    assert [message["content"] for message in body["messages"]] == [PROMPT.system, PROMPT.user]
    assert other["messages"][1] == {"role": "user", "content": "something else"}
    assert headers["Authorization"] == "Bearer sesame"
    usage = pool.client.usage
    assert (usage.requests, usage.failures, usage.tokens) == (3, 0, 21)


@pytest.mark.parametrize(
    "fault",
    [
        status(429, Retry_After="0"),
        status(500),
        status(503),
        break_off,
        lambda handler, _: handler.reset(),
        text(b"<html><body>Bad gateway</body></html>"),
        text(b'{"choices": []}'),
        text(b"[1, 2]"),
        text(b"[" * 100_000),
        status(429, Retry_After="Fri, 01 Jan 2021 00:00:00 GMT"),
        status(529),
    ],
)
def test_what_passes_is_tried_again(fault: Behaviour) -> None:
    with serve(in_turn(fault, plans)) as server:
        pool = make_pool(server.url)
        assert ask(pool, 1) == ["I think so. Action: {explore}"]
        assert (pool.client.usage.requests, pool.client.usage.failures) == (2, 1)
    with serve(fault) as server:
        with pytest.raises(LLMError, match=r"http://127\.0\.0\.1") as error:
            ask(make_pool(server.url), 1)
        assert "\n" not in str(error.value)
        assert len(server.requests) == 3


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        (status(404), "answers 404"),
        (status(400), "answers 400"),
        (text(b" " * 10_000_000), "sends more than"),
        (said({"detail": "no such model: a-model"}, 404), "answers 404: no such model: a-model"),
    ],
)
def test_what_does_not_pass_is_not_tried_again(fault: Behaviour, words: str) -> None:
    with serve(fault) as server:
        with pytest.raises(LLMError, match=words):
            ask(make_pool(server.url), 10)
        assert len(server.requests) == 1


@pytest.mark.parametrize("code", [401, 403])
def test_a_key_that_is_wanted_or_refused_is_named_by_its_variable(code: int) -> None:
    with serve(said({"error": {"message": "a key of another service"}}, code)) as server:
        with pytest.raises(LLMError) as unset:
            ask(make_pool(server.url), 10)
        with pytest.raises(LLMError) as refused:
            ask(make_pool(server.url, key="sesame-4711"), 10)
        assert len(server.requests) == 2
    for error in (unset, refused):
        # A proxy that is itself refused says so in its words alone.
        assert f"answers {code}: a key of another service; it" in str(error.value)
        assert "LLM_API_KEY" in str(error.value)
        assert "OPENAI_API_KEY is not read" in str(error.value)
    assert "wants a key, and none is set" in str(unset.value)
    assert "refuses the key that is set" in str(refused.value)


@pytest.mark.parametrize("code", [400, 401, 403, 404, 500])
@pytest.mark.parametrize("shown", ["sesame-4711", "sesa***711", "sk-...4711"])
def test_words_that_repeat_a_key_are_not_told(code: int, shown: str) -> None:
    with (
        serve(said({"error": {"message": f"no: {shown}"}}, code)) as server,
        pytest.raises(LLMError, match=f"answers {code}") as error,
    ):
        ask(make_pool(server.url, key="sesame-4711"), 10)
    assert shown not in str(error.value)


@pytest.mark.parametrize("path", ["", "/", "/v1", "/v1/", "/v1/chat/completions/"])
def test_a_url_that_ends_early_gets_the_full_path_as_a_hint(path: str) -> None:
    def only_there(handler: Handler, body: dict[str, Any]) -> None:
        (plans if handler.path == "/v1/chat/completions" else status(404))(handler, body)

    with serve(only_there) as server:
        base = server.url.removesuffix("/v1/chat/completions")
        with pytest.raises(LLMError, match="answers 404") as error:
            ask(make_pool(base + path), 1)
        hint = str(error.value).rpartition(" ")[2]
        assert ask(make_pool(hint), 1)
    assert full_path(server.url) == ""
    assert full_path("http://localhost/generate") == ""


def test_a_refused_connection_is_an_error_in_one_line() -> None:
    with serve(plans) as server:
        url = server.url
    with pytest.raises(LLMError, match="no connection"):
        ask(make_pool(url), 2)


def test_retry_after_is_waited_for() -> None:
    arrived: list[float] = []

    def note(behaviour: Behaviour) -> Behaviour:
        def behave(handler: Handler, body: dict[str, Any]) -> None:
            arrived.append(time.monotonic())
            behaviour(handler, body)

        return behave

    with serve(in_turn(note(status(429, Retry_After="0.3")), note(plans))) as server:
        ask(make_pool(server.url), 1)
    assert 0.3 <= arrived[1] - arrived[0] < 3


@pytest.mark.parametrize(
    ("value", "seconds"),
    [("7", 7), ("9e9", MAX_RETRY_AFTER), ("-1", 0), ("nan", 0), ("soon", 0), ("", 0), (None, 0)],
)
def test_whatever_a_server_asks_for_is_a_time_to_wait(value: str | None, seconds: float) -> None:
    assert read_retry_after(value) == seconds


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


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ({"detail": "Not  Found"}, ": Not Found"),
        (
            {
                "detail": [
                    {"loc": ["body", "messages"], "msg": "Field required", "input": "sesame"},
                    {"loc": ["body", "n"], "msg": "must be 1"},
                ]
            },
            ": body.messages: Field required; body.n: must be 1",
        ),
        ({"error": {"message": "too long", "code": None}}, ": too long"),
        ({"error": "model not found"}, ": model not found"),
        ({"message": "busy", "code": 3}, ": busy"),
        ({"error": "\x1b[2J\x1b]0;owned\x07 \x9b31m"}, r": \x1b[2J\x1b]0;owned\x07 \x9b31m"),
        ({"error": "read \u202ebackwards"}, r": read \u202ebackwards"),
        ({"error": "Schlüssel fehlt"}, ": Schlüssel fehlt"),
        ({"detail": []}, ""),
        ({"detail": [1, {}]}, ""),
        ({"detail": {"why": 1}}, ""),
        ([], ""),
    ],
)
def test_shapes_of_errors(content: Any, words: str) -> None:
    assert read_error(json.dumps(content))[1] == words


def test_nobody_is_led_elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not by a redirect, and not to a password in a file."""
    (tmp_path / "netrc").write_text("machine 127.0.0.1 login me password hunter2")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    with serve(plans) as server:
        pool = make_pool(server.url)
        pool.client._session.trust_env = True
        ask(pool, 1)
        assert "Authorization" not in server.requests[0][1]
        with (
            serve(lambda handler, _: handler.answer(302, b"", Location=server.url)) as first,
            pytest.raises(LLMError, match="answers 302"),
        ):
            ask(make_pool(first.url), 1)
        assert len(server.requests) == 1


def test_fastchats_errors_that_pass_are_tried_again_though_they_are_400() -> None:
    def error(code: int) -> Behaviour:
        return said({"object": "error", "message": "Only  allowed now", "code": code}, 400)

    for code in (40301, 50002):
        with serve(in_turn(plans, error(code), plans)) as server:
            assert len(ask(make_pool(server.url), 5)) == 5
            assert [body.get("n") for body, _ in server.requests] == [None, 4, 4]
    with serve(error(40303)) as server:
        with pytest.raises(LLMError, match="answers 400: Only allowed now"):
            ask(make_pool(server.url), 1)
        assert len(server.requests) == 1


def test_the_most_tokens_are_asked_for_where_a_server_needs_it() -> None:
    with serve(plans) as server:
        pool = make_pool(server.url)
        ask(pool, 1)
        pool.client.max_tokens = 512
        ask(pool, 1)
        assert [body.get("max_tokens") for body, _ in server.requests] == [None, 512]
