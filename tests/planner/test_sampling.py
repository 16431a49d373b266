"""How an LLM is sampled: when it is asked no more, what it is sent, and replies in a schema."""

import json
from pathlib import Path
from typing import Any

from planner.asking import PLANLESS
from planner.llm import ChatClient
from planner.plan_parser import parse_plan
from planner.room_scene import in_words
from tests.planner.planners import SCENES, planner
from tests.planner.servers import Handler, in_turn, plans, serve


def test_after_ten_replies_without_any_plan_it_asks_no_more(tmp_path: Path) -> None:
    told: list[str] = []
    with serve(lambda handler, body: handler.choices(["Hm."])) as server:
        asking = planner(server.url, tmp_path, told, n=10, retries=3)
        assert asking.answers(SCENES) == [None] * 3
        asked = len(server.requests)
        assert PLANLESS <= asked < 20
        assert asking.answers([in_words(("door",), None)]) == [None]
        assert len(server.requests) == asked
    assert told == [
        f'warning: model: {asked} of {asked} replies hold no plan; the first: "Hm."; '
        "--llm_mode score or schema, or another model, may help; model is asked no more"
    ]
    assert asking.problem().endswith("--llm_mode score or schema, or another model, may help")


def test_a_scene_with_one_legal_plan_is_no_reply_with_a_plan(tmp_path: Path) -> None:
    plans = [parse_plan(words, ("key",)) for words in ("explore", "go to key")]
    legal = {SCENES[0]: (plans[0],), SCENES[1]: (*plans,), SCENES[2]: (*plans,)}
    with serve(lambda handler, body: handler.choices(["Hm."])) as server:
        asking = planner(server.url, tmp_path, [], n=10, legal_plans=legal.__getitem__)
        assert [answer is None for answer in asking.answers(SCENES)] == [False, True, True]
        assert len(server.requests) < 20


def test_a_model_that_sometimes_gives_a_plan_is_asked_on(tmp_path: Path) -> None:
    rare = in_turn(plans, lambda handler, body: handler.choices(["Hm."] * body.get("n", 1)))
    with serve(rare) as server:
        asking = planner(server.url, tmp_path, [], n=10, retries=3)
        assert [answer is None for answer in asking.answers(SCENES)].count(False) == 1
    assert asking.counts()["Replies"] > 100


def test_what_is_set_of_sampling_is_sent_and_each_request_has_its_own_seed(tmp_path: Path) -> None:
    with serve(lambda handler, body: handler.choices(["Action: {explore}"])) as server:
        client = ChatClient(server.url, "model", 1.0, max_tokens=99, top_p=0.9, seed=7)
        asking = planner(server.url, tmp_path, [], n=3)
        asking.pool.client = client
        assert None not in asking.answers(SCENES[:1])
        bodies = [body for body, _ in server.requests]
        plain = planner(server.url, tmp_path / "plain", [], n=1)
        assert None not in plain.answers(SCENES[:1])
        (last, _) = server.requests[-1]
    assert {(body["max_tokens"], body["top_p"]) for body in bodies} == {(99, 0.9)}
    assert len({body["seed"] for body in bodies}) == len(bodies) >= 3
    assert not {"max_tokens", "top_p", "seed", "response_format"} & last.keys()


def test_replies_that_were_sampled_otherwise_do_not_count(tmp_path: Path) -> None:
    with serve(plans) as server:
        for samples, requests in (("", 1), ("llm_top_p 0.5", 2), ("llm_top_p 0.5", 2), ("", 2)):
            asking = planner(server.url, tmp_path, [], n=1, samples=samples)
            assert None not in asking.answers(SCENES[:1])
            assert len(server.requests) == requests


def test_in_a_schema_the_server_gets_the_legal_plans_and_replies_in_json(tmp_path: Path) -> None:
    def obeys(handler: Handler, body: dict[str, Any]) -> None:
        (name, schema), *others = body["response_format"]["json_schema"]["schema"][
            "properties"
        ].items()
        assert not others
        assert all(f"- {plan}" in body["messages"][1]["content"] for plan in schema["enum"])
        reply = json.dumps({name: schema["enum"][-1]}, indent=2)
        handler.choices([reply] * body.get("n", 1))

    legal = {
        SCENES[0]: (parse_plan("explore", ()),),
        SCENES[1]: tuple(parse_plan(plan, ("key",)) for plan in ("explore", "go to key, take key")),
    }
    with serve(obeys) as server:
        asking = planner(server.url, tmp_path, [], legal_plans=legal.__getitem__)
        assert asking.answers(SCENES[:2]) == [((1.0, legal[scene][-1]),) for scene in SCENES[:2]]
        # A scene with one legal plan needs no reply.
        assert all(SCENES[1] in body["messages"][1]["content"] for body, _ in server.requests)
        asked = len(server.requests)
        # Other legal plans are another question.
        legal[SCENES[1]] = (*legal[SCENES[1]], parse_plan("drop key, explore", ("key",)))
        again = planner(server.url, tmp_path, [], legal_plans=legal.__getitem__)
        assert again.answers(SCENES[1:2]) == [((1.0, legal[SCENES[1]][-1]),)]
        assert len(server.requests) > asked
