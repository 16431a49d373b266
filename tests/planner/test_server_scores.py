"""Scores of plans over HTTP, from servers that tell probabilities in different ways, or not at all.

The servers know how likely they find each reply, and answer as vLLM, llama.cpp and OpenAI do.
"""

import json
import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from math import exp, log
from typing import Any

import pytest

from planner.llm import ChatClient, Prompt
from planner.llm_errors import LLMError, PassingError, RefusedError
from planner.server_scores import ServerScorer
from planner.wordings import answer_with
from tests.planner.servers import Behaviour, Handler, serve
from utils.errors import UserError

PROMPT = Prompt("You advise.", "Agent sees <key>.", (("Agent sees <door>.", "Action: {explore}"),))
SHARES = {"explore": 0.2, "go to <key>, pick up <key>": 0.7, "go to <door>": 0.1}
PLANS = list(SHARES)
REPLIES = {answer_with(plan): share for plan, share in SHARES.items()}


def tokens(reply: str) -> list[tuple[str, float]]:
    """A reply in tokens of four characters; its log-likelihood is spread over them evenly."""
    pieces = re.findall(r".{1,4}", reply)
    return [(piece, log(REPLIES[reply]) / len(pieces)) for piece in pieces]


def answer(handler: Handler, **content: Any) -> None:
    choice = {"message": {"role": "assistant", "content": "Hello"}, **content.pop("choice", {})}
    usage = {"total_tokens": 11}
    whole = {"choices": [choice], "usage": usage, **content}
    handler.answer(200, json.dumps(whole).encode(), Content_Type="application/json")


def vllm(
    handler: Handler, body: dict[str, Any], decode: Callable[[str], str] = lambda text: text
) -> None:
    if "prompt_logprobs" not in body:
        return answer(handler)
    last = body["messages"][-1]
    assert last["role"] == "assistant"
    assert body["continue_final_message"] is True
    assert body["add_generation_prompt"] is False
    before: list[Any] = [None, {"5": {"logprob": -7.0, "rank": 9, "decoded_token": "Agent"}}]
    reply = [
        {str(number): {"logprob": logprob, "rank": 1, "decoded_token": decode(text)}}
        for number, (text, logprob) in enumerate(tokens(last["content"]))
    ]
    return answer(handler, prompt_logprobs=before + reply)


def vllm_of_llama_2(handler: Handler, body: dict[str, Any]) -> None:
    """Its tokenizer drops the spaces around a token that is decoded alone."""
    vllm(handler, body, str.strip)


def llama_cpp(
    handler: Handler, body: dict[str, Any], end: Sequence[tuple[str, float]] = ()
) -> None:
    if not body.get("logprobs") or "grammar" not in body:
        return answer(handler)
    reply = json.loads(body["grammar"].removeprefix("root ::= "))
    content = [{"token": text, "logprob": logprob} for text, logprob in [*tokens(reply), *end]]
    message = {"role": "assistant", "content": reply}
    return answer(handler, choice={"message": message, "logprobs": {"content": content}})


def llama_server(handler: Handler, body: dict[str, Any]) -> None:
    """Adds the end of the reply, and how likely it was."""
    llama_cpp(handler, body, [("", -9.0 if "explore" in str(body.get("grammar")) else -1.0)])


def openai(handler: Handler, body: dict[str, Any]) -> None:
    """Refuses what it does not know, and prefers the first letters to the last."""
    if {"prompt_logprobs", "grammar"} & body.keys():
        error = {"error": {"message": "Unrecognized request argument supplied"}}
        return handler.answer(400, json.dumps(error).encode())
    listed = re.findall(r"^([A-Z])\. (.*)$", body["messages"][-1]["content"], re.MULTILINE)
    assert body["top_logprobs"] <= 20
    top = [
        {"token": f" {letter}" if letter == "B" else letter, "logprob": log(SHARES[plan]) - place}
        for place, (letter, plan) in enumerate(listed)
    ]
    content = [{**top[0], "top_logprobs": top}]
    return answer(handler, choice={"logprobs": {"content": content}})


def silent(handler: Handler, body: dict[str, Any]) -> None:
    """Ignores what it does not know."""
    answer(handler, choice={"logprobs": None})


def strict(handler: Handler, body: dict[str, Any]) -> None:
    """Refuses what it does not know."""
    handler.answer(422, b'{"detail": "extra fields"}')


@contextmanager
def scorer(behaviour: Behaviour) -> Iterator[tuple[ServerScorer, list[Any]]]:
    with serve(behaviour) as server:
        client = ChatClient(server.url, "some-model", 0.7)  # type: ignore[attr-defined]
        try:
            yield ServerScorer(client), server.requests  # type: ignore[attr-defined]
        finally:
            client.close()


@pytest.mark.parametrize("behaviour", [vllm, vllm_of_llama_2, llama_cpp, llama_server])
def test_scores_are_log_likelihoods_of_replies(behaviour: Behaviour) -> None:
    with scorer(behaviour) as (of_server, _):
        expected = [log(share) for share in SHARES.values()]
        assert of_server.scores(PROMPT, PLANS) == pytest.approx(expected)


def test_turned_letters_cancel_a_liking_for_some_letters() -> None:
    with scorer(openai) as (of_server, _):
        scores = of_server.scores(PROMPT, PLANS)
        # Each plan has each letter once: the mean over the turns of share · e^-place, normalized.
        expected = [0.0] * len(PLANS)
        for turn in range(len(PLANS)):
            turned = PLANS[turn:] + PLANS[:turn]
            weights = {plan: SHARES[plan] * exp(-place) for place, plan in enumerate(turned)}
            for number, plan in enumerate(PLANS):
                expected[number] += weights[plan] / sum(weights.values()) / len(PLANS)
        assert [exp(score) for score in scores] == pytest.approx(expected)
        assert sum(expected) == pytest.approx(1)


@pytest.mark.parametrize(("behaviour", "requests"), [(vllm, 3), (llama_cpp, 3), (openai, 3)])
def test_the_way_that_works_is_kept(behaviour: Behaviour, requests: int) -> None:
    with scorer(behaviour) as (of_server, received):
        of_server.scores(PROMPT, PLANS)
        tried = len(received)
        of_server.scores(PROMPT, PLANS)
        assert len(received) - tried == requests
        assert of_server.usage.requests == len(received)
        assert of_server.usage.tokens > 0


@pytest.mark.parametrize("behaviour", [silent, strict])
def test_a_server_without_probabilities_gets_one_clear_line(behaviour: Behaviour) -> None:
    with scorer(behaviour) as (of_server, received):
        with pytest.raises(UserError, match="tells no log-probabilities of some-model") as caught:
            of_server.scores(PROMPT, PLANS)
        assert "\n" not in str(caught.value)
        assert "--llm_mode sample" in str(caught.value)
        # One request for each way was enough to find out.
        assert len(received) == 3


def test_a_prompt_that_is_refused_from_the_start_is_told() -> None:
    """The server may tell log-probabilities, but not of so long a prompt."""

    def full(handler: Handler, body: dict[str, Any]) -> None:
        handler.answer(400, b'{"error": {"message": "the context holds 512 tokens"}}')

    with (
        scorer(full) as (of_server, _),
        pytest.raises(UserError, match=r"answers 400: the context holds 512 tokens\); take a"),
    ):
        of_server.scores(PROMPT, PLANS)


@pytest.mark.parametrize(("status", "error"), [(503, PassingError), (401, LLMError)])
def test_other_errors_are_not_taken_for_a_missing_feature(
    status: int, error: type[LLMError]
) -> None:
    def failing(handler: Handler, body: dict[str, Any]) -> None:
        handler.answer(status, b"{}")

    with scorer(failing) as (of_server, received):
        with pytest.raises(error):
            of_server.scores(PROMPT, PLANS)
        assert len(received) == 1


def test_a_prompt_that_is_refused_later_is_no_missing_feature() -> None:
    """It may be too long for the model."""

    def answers_twice(handler: Handler, body: dict[str, Any]) -> None:
        if body["messages"][3]["content"] == PROMPT.user:
            return vllm(handler, body)
        return handler.answer(400, b'{"error": {"message": "too long"}}')

    with scorer(answers_twice) as (of_server, _):
        first = of_server.scores(PROMPT, PLANS)
        with pytest.raises(RefusedError, match="too long"):
            of_server.scores(PROMPT._replace(user="Agent sees <key>. " * 9), PLANS)
        assert of_server.scores(PROMPT, PLANS) == first


def test_a_server_that_tells_no_more_probabilities_is_away() -> None:
    behaviour = [vllm]
    with scorer(lambda handler, body: behaviour[0](handler, body)) as (of_server, _):
        of_server.scores(PROMPT, PLANS)
        behaviour[0] = silent
        with pytest.raises(LLMError, match="tells no log-probabilities any more"):
            of_server.scores(PROMPT, PLANS)


def test_a_model_that_begins_with_no_letter_has_not_chosen() -> None:
    """It may think first."""

    def thinks(handler: Handler, body: dict[str, Any]) -> None:
        top = [{"token": "<think>", "logprob": 0.0}, {"token": "Well", "logprob": -9.0}]
        answer(handler, choice={"logprobs": {"content": [{**top[0], "top_logprobs": top}]}})

    with (
        scorer(thinks) as (of_server, _),
        pytest.raises(UserError, match="tells no log-probabilities"),
    ):
        of_server.scores(PROMPT, PLANS)


def _broken(content: Callable[[], Any]) -> Behaviour:
    def behaviour(handler: Handler, body: dict[str, Any]) -> None:
        handler.answer(200, json.dumps(content()).encode())

    return behaviour


@pytest.mark.parametrize(
    "content",
    [
        [],
        {"prompt_logprobs": 3},
        {"prompt_logprobs": [None, {"1": {"logprob": -1.0, "decoded_token": "wrong"}}]},
        {"prompt_logprobs": [{"1": {"logprob": "x", "decoded_token": "}"}}]},
        {"choices": [{"logprobs": {"content": [{"token": "A", "logprob": "x"}]}}]},
        {"choices": [{"logprobs": {"content": [{"token": "A"}]}}]},
        {
            "choices": [
                {"logprobs": {"content": [{"token": "A", "logprob": -1, "top_logprobs": 3}]}}
            ]
        },
        {"choices": [{"logprobs": {"content": [{"logprob": -1, "top_logprobs": [{}]}]}}]},
    ],
)
def test_malformed_probabilities_are_none(content: Any) -> None:
    with (
        scorer(_broken(lambda: content)) as (of_server, _),
        pytest.raises(UserError, match="tells no log-probabilities"),
    ):
        of_server.scores(PROMPT, PLANS)
