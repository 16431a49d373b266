"""The ChatGLM server in a real process, in front of a fake of Zhipu's service."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from planner.llm_errors import LLMError
from tests.planner.pools import PROMPT, ask, make_pool
from tests.planner.servers import Behaviour, Handler, plans, serve
from tests.running import ROOT

COMMAND = [sys.executable, "-m", "planner.chatglm_server"]


@contextmanager
def proxy(behaviour: Behaviour, variable: str = "ZHIPUAI_API_KEY") -> Iterator[tuple[str, list]]:
    """The server before a service that behaves so; its URL, and the service's requests."""
    with serve(behaviour) as service:
        base = service.url.removesuffix("/chat/completions")
        environment = {**os.environ, variable: "sesame.4711", "ZAI_BASE_URL": base}
        server = subprocess.Popen(
            [*COMMAND, "--port", "0"],
            cwd=ROOT,
            env={**environment, "NO_PROXY": "127.0.0.1"},
            stdout=subprocess.PIPE,
            text=True,
        )
        try:
            assert server.stdout
            yield server.stdout.readline().split()[2].rstrip(";"), service.requests
        finally:
            server.terminate()
            server.wait()


@pytest.mark.parametrize("variable", ["ZHIPUAI_API_KEY", "ZAI_API_KEY"])
def test_a_conversation_goes_to_the_service_and_its_reply_comes_back(variable: str) -> None:
    with proxy(plans, variable) as (url, received):
        pool = make_pool(url)
        assert ask(pool, 3) == ["I think so. Action: {explore}"] * 3
        assert pool.client.usage.tokens == 21
        assert len(received) == 3
        body, headers = received[0]
        assert (body["model"], body["temperature"]) == ("a-model", 0.5)
        assert [m["content"] for m in body["messages"]] == [PROMPT.system, PROMPT.user]
        assert headers["Authorization"].startswith("Bearer ")
        bare = make_pool(url.replace("/v1/chat/completions", "/chat"))
        assert ask(bare, 1) == ["I think so. Action: {explore}"]


@pytest.mark.parametrize("code", [400, 404, 429, 500, 503])
def test_the_services_errors_become_status_codes_without_its_words(code: int) -> None:
    def fail(handler: Handler, body: dict) -> None:
        handler.answer(code, b'{"error": "secret sesame.4711"}', Retry_After="0")

    with proxy(fail) as (url, received):
        with pytest.raises(LLMError, match=f"answers {code}") as caught:
            ask(make_pool(url, attempts=2), 1)
        assert "sesame" not in str(caught.value)
        # What passes is asked again by the client alone, not by the service's library as well.
        assert len(received) == (2 if code in (429, 500, 503) else 1)


@pytest.mark.parametrize(
    "reply",
    [
        b"<html>",
        b'{"choices": []}',
        b"[]",
        b'{"choices": [{}]}',
        b'{"choices": "x"}',
        b'{"choices": [{"message": {"content": ["a"]}}], "usage": "y"}',
    ],
)
def test_what_the_service_should_not_say_is_a_bad_gateway(reply: bytes) -> None:
    with (
        proxy(lambda handler, _: handler.answer(200, reply, Content_Type="application/json")) as (
            url,
            _,
        ),
        pytest.raises(LLMError, match="answers 502"),
    ):
        ask(make_pool(url, attempts=2), 1)


def test_a_bad_key_an_unreachable_service_and_nonsense_are_told_apart() -> None:
    with proxy(lambda handler, _: handler.answer(401, b'{"error": "sesame.4711"}')) as (url, _):
        with pytest.raises(LLMError, match="refuses the key in ZHIPUAI_API_KEY") as caught:
            ask(make_pool(url), 5)
        assert "sesame" not in str(caught.value)
    with (
        proxy(lambda handler, _: handler.reset()) as (url, _),
        pytest.raises(LLMError, match="answers 502: the service cannot be reached"),
    ):
        ask(make_pool(url), 1)
    with (
        proxy(lambda handler, _: handler.answer(200, b"{", Content_Type="application/json")) as (
            url,
            _,
        ),
        pytest.raises(LLMError, match="answers 502: the service's answer cannot be understood"),
    ):
        ask(make_pool(url), 1)


@pytest.mark.parametrize("key", ["sesame4711", "sesame.47.11", "sesame.", "ses ame.4711"])
def test_a_key_of_another_shape_is_refused_at_the_start(key: str) -> None:
    environment = {**os.environ, "ZHIPUAI_API_KEY": key}
    done = subprocess.run(COMMAND, cwd=ROOT, env=environment, capture_output=True, text=True)
    assert done.returncode == 1
    assert done.stderr.startswith("error: ZHIPUAI_API_KEY in the environment is not a key")
    assert done.stderr.count("\n") == 1
    assert "4711" not in done.stderr + done.stdout


def test_without_a_key_it_says_so_at_once(tmp_path: Path) -> None:
    keys = ("ZHIPUAI_API_KEY", "ZAI_API_KEY")
    environment = {name: value for name, value in os.environ.items() if name not in keys}
    done = subprocess.run(COMMAND, cwd=ROOT, env=environment, capture_output=True, text=True)
    assert done.returncode == 1
    assert done.stderr == "error: no key: set ZHIPUAI_API_KEY or ZAI_API_KEY in the environment\n"


def test_a_port_that_is_taken_is_an_error_in_one_line() -> None:
    with serve(plans) as other:
        port = str(other.server_port)
        done = subprocess.run(
            [sys.executable, "-m", "planner.replay_api", "--port", port],
            cwd=ROOT,
            capture_output=True,
            text=True,
        )
    assert done.returncode == 1
    assert done.stderr.startswith(f"error: cannot listen on 127.0.0.1, port {port}")
    assert done.stderr.count("\n") == 1


def test_the_command_of_the_original_still_starts_it() -> None:
    command = [sys.executable, "-m", "utils.chatglm_api", "--host", "127.0.0.1", "--port", "0"]
    environment = {**os.environ, "ZHIPUAI_API_KEY": "sesame.4711"}
    server = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True)
    try:
        assert server.stdout
        assert server.stdout.readline().startswith("ChatGLM at http://127.0.0.1:")
    finally:
        server.terminate()
        server.wait()


@pytest.mark.parametrize("module", ["planner.chatglm_server", "planner.replay_api"])
def test_a_missing_package_is_one_line_that_names_the_requirement_file(
    module: str, tmp_path: Path
) -> None:
    (tmp_path / "fastapi.py").write_text("raise ModuleNotFoundError(\"No module named 'fastapi'\")")
    environment = {**os.environ, "PYTHONPATH": str(tmp_path)}
    command = [sys.executable, "-m", module]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True)
    assert done.returncode == 1
    assert done.stderr == (
        "error: No module named 'fastapi': install it with: "
        "pip install -r requirements-servers.txt\n"
    )
