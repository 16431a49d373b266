import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import main
from planner.answers import AnswerStore, Question
from planner.asking import AskingPlanner
from planner.llm import ChatClient
from planner.plans import describe
from planner.scene import Scene
from tests.planner.servers import Handler, plans, serve
from tests.test_main import SMALL, runs_of
from utils.errors import UserError

SCENES = [Scene((), None), Scene(("key",), None), Scene(("key", "door"), None)]
QUESTION = Question("Task", "Agent sees <key>, holds <nothing>.", "0" * 16, "model", 1.0)


def planner(url: str, folder: Path, told: list[str], **options: Any) -> AskingPlanner:
    client = ChatClient(url, "model", 1.0, timeout=(1.0, 5.0), attempts=1)
    store = AnswerStore(folder / "answers.jsonl", told.append)
    given: dict[str, Any] = {"n": 4, "retries": 1, "strict": False} | options
    return AskingPlanner(
        client, store, "Task", "Advise.", ("door", "key"), tell=told.append, **given
    )


def in_order(*replies: str) -> Iterator[str]:
    yield from replies


def test_equal_plans_are_counted_and_no_scene_is_asked_about_twice(tmp_path: Path) -> None:
    def mixed(handler: Handler, body: dict[str, Any]) -> None:
        texts = ["Action: {explore}", "Action: explore", "Action: {go to key}", "Action: {EXPLORE}"]
        handler.choices(texts[: body["n"]])

    told: list[str] = []
    with serve(mixed) as server:
        asking = planner(server.url, tmp_path, told)
        answers = asking.answers([*SCENES, SCENES[0]])
        assert [[(p, describe(plan)) for p, plan in answer or ()] for answer in answers] == [
            [(0.75, "explore"), (0.25, "go to <key>")]
        ] * 4
        assert len(server.requests) == 3
        assert asking.answers(SCENES) == answers[:3]
        again = planner(server.url, tmp_path, told)
        assert again.answers(SCENES) == answers[:3]
        assert len(server.requests) == 3
        assert asking.counts()["Requests"] == 3
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


def test_without_its_server_it_goes_on_and_says_so_once(tmp_path: Path) -> None:
    told: list[str] = []
    with serve(plans) as server:
        url = server.url
    asking = planner(url, tmp_path, told)
    for _ in range(3):
        assert asking.answers(SCENES) == [None] * 3
    assert sum("going on without" in line for line in told) == 1
    with serve(plans) as server:
        asking.client.url = server.url
        assert None not in asking.answers(SCENES)
    with pytest.raises(UserError, match="the LLM does not answer"):
        planner(url, tmp_path / "other", told, strict=True).answers(SCENES)


def test_a_torn_line_costs_itself_alone(tmp_path: Path) -> None:
    told: list[str] = []
    path = tmp_path / "answers.jsonl"
    store = AnswerStore(path, told.append)
    store.add(QUESTION, "one")
    store.add(QUESTION, "two\nlines")
    whole = path.read_bytes()
    for cut in range(len(whole)):
        path.write_bytes(whole[:cut])
        again = AnswerStore(path, told.append)
        kept = whole[:cut].count(b"\n")
        assert again.replies(QUESTION) == ["one", "two\nlines"][:kept]
        again.add(QUESTION, "three")
        assert AnswerStore(path, told.append).replies(QUESTION)[-1] == "three"
        again.close()
    assert any("torn" in line for line in told)


def test_two_runs_share_a_store(tmp_path: Path) -> None:
    first, second = (AnswerStore(tmp_path / "shared.jsonl", print) for _ in range(2))
    first.add(QUESTION, "one")
    second.add(QUESTION, "two")
    first.refresh()
    assert first.replies(QUESTION) == second.replies(QUESTION) == ["one", "two"]
    other = QUESTION._replace(temperature=0.5)
    assert first.replies(other) == []


def test_a_student_is_trained_by_an_llm_over_http(tmp_path: Path) -> None:
    os.environ["LLM_API_KEY"] = "sesame-4711"
    flags = ["train", "--logdir", str(tmp_path), *SMALL, "--n_itr", "2", "--savedir", "taught"]
    try:
        with serve(plans) as server:
            assert main.main([*flags, "--llm", "openai", "--llm_url", server.url]) == 0
            assert server.requests[0][1]["Authorization"] == "Bearer sesame-4711"
            asked = len(server.requests)
            resume = ["train", "--logdir", str(tmp_path), "--savedir", "taught", "--resume"]
            assert main.main([*resume, "--n_itr", "3"]) == 0
            texts = [body["messages"][1]["content"] for body, _ in server.requests]
            assert len(texts) == len(set(texts))
            assert len(texts) >= asked
    finally:
        del os.environ["LLM_API_KEY"]
    assert (runs_of(tmp_path) / "taught" / "answers.jsonl").is_file()
    assert all(b"sesame" not in path.read_bytes() for path in tmp_path.rglob("*.*"))


def test_a_run_goes_on_when_its_server_is_away_unless_it_is_strict(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with serve(plans) as server:
        url = server.url
    llm = ["--llm", "vicuna", "--llm_url", url.replace("/v1", "/gone")]
    with serve(lambda handler, _: handler.answer(404, b"")) as server:
        llm = ["--llm", "vicuna", "--llm_url", server.url]
        flags = ["train", "--logdir", str(tmp_path), *SMALL, "--n_itr", "2", *llm]
        assert main.main(flags) == 0
        assert "going on without the LLM" in capsys.readouterr().out
        assert main.main([*flags, "--llm_strict"]) == 1
        assert "error: the LLM does not answer" in capsys.readouterr().err
