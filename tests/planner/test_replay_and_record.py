"""The replay server and `main.py record`: the whole way over HTTP, in real processes."""

import json
import os
import re
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import requests

import main
from commands.run_files import METRICS, read_lines
from planner.chat_server import MAX_REQUEST, ChatRequest, Message
from planner.plan_parser import parse_reply
from planner.plans import plan_shares
from planner.recorded_plans import load_plans
from planner.replay_api import Replayer
from planner.room_scene import in_words
from planner.rules import RulesPlanner
from planner.task import load_task
from planner.world_scene import WorldReader
from tests.planner.pools import ask, make_pool
from tests.planner.servers import Handler, in_turn, plans, serve, status
from tests.running import ROOT, SMALL, settings_of

NOUNS = ("door", "key")
HOLDING = "Agent sees <nothing>, holds <key>."


def request(text: str, n: int = 1) -> ChatRequest:
    return ChatRequest(messages=[Message(role="user", content=text)], n=n)


@contextmanager
def replay_server(*flags: str) -> Iterator[str]:
    """The address of a replay server, started as users start it."""
    command = [sys.executable, "-m", "planner.replay_api", "--port", "0", *flags]
    server = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
    try:
        assert server.stdout
        yield server.stdout.readline().split()[3].rstrip(";")
    finally:
        server.terminate()
        server.wait()


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with replay_server() as address:
        yield address


def test_replies_are_sentences_with_the_recorded_probabilities() -> None:
    plans = load_task("SimpleDoorKey").plans
    replayer = Replayer(plans, seed=0)
    texts = [t for _ in range(20) for t in replayer.answer(request(HOLDING, 100)).texts]
    assert len(set(texts)) > len(plans[HOLDING])
    drawn = Counter(parse_reply(text, NOUNS) for text in texts)
    expected = {
        parse_reply(f"Action: {{{words}}}", NOUNS): p for words, p in plans[HOLDING].items()
    }
    assert drawn.keys() <= expected.keys()
    for plan, p in expected.items():
        assert drawn[plan] / 2000 == pytest.approx(p, abs=5 * (p * (1 - p) / 2000) ** 0.5 + 1e-9)


def test_the_draws_about_a_scene_follow_from_the_seed_alone() -> None:
    plans = load_task("SimpleDoorKey").plans
    one, other = Replayer(plans, seed=3), Replayer(plans, seed=3)
    other.answer(request("Agent sees <key>, holds <nothing>.", 5))
    texts = one.answer(request(HOLDING, 10)).texts
    assert texts == [other.answer(request(HOLDING)).texts[0] for _ in range(10)]
    assert texts != Replayer(plans, seed=4).answer(request(HOLDING, 10)).texts


def test_an_unknown_scene_gets_a_reply_without_a_plan() -> None:
    (text,) = Replayer({}, seed=0).answer(request("Agent sees <cat>, holds <nothing>.")).texts
    assert parse_reply(text, NOUNS) is None


def test_rules_answer_about_missions() -> None:
    scene = "Mission: go to the object. Agent sees <object>, holds <nothing>."
    replayer = Replayer(load_task("BabyAI-GoTo-v0").plans, seed=0)
    (text,) = replayer.answer(request(f"You advise an agent. {scene}")).texts
    assert scene in text
    (rules,) = RulesPlanner().answers([scene])
    assert rules
    assert parse_reply(text, WorldReader().nouns()) == rules[0][1]
    (text,) = replayer.answer(request("Agent sees <key>, holds <nothing>.")).texts
    assert parse_reply(text, NOUNS) is None


def test_the_server_speaks_both_shapes_and_refuses_what_it_must(url: str) -> None:
    assert len(ask(make_pool(url), 5, HOLDING)) == 5
    chat = url.replace("/v1/chat/completions", "/chat")
    assert len(ask(make_pool(chat), 3, HOLDING)) == 3
    assert requests.post(chat, data=b"x" * (MAX_REQUEST + 1)).status_code == 413
    assert requests.post(chat, json={"messages": "?"}).status_code == 422


def test_record_finds_the_scenes_asks_once_and_teaches_from_its_file(
    url: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "plans.yaml"
    command = ["record", "--llm", "openai", "--llm_url", url, "--out", str(out)]
    command += ["--episodes", "20", "--n_ask", "4"]
    assert main.main(command) == 0
    shown = capsys.readouterr().out
    plans = load_plans(out)
    assert len(plans) >= 5
    assert plans.keys() <= load_task("SimpleDoorKey").plans.keys()
    assert all(scene in shown for scene in plans)
    answers = out.with_suffix(".answers.jsonl").read_text()
    assert answers.count("\n") == 4 * len(plans)

    assert main.main(command) == 1
    assert "give another --out, or --overwrite" in capsys.readouterr().err
    assert main.main([*command, "--overwrite"]) == 0
    assert "requests 0" in capsys.readouterr().out
    assert out.with_suffix(".answers.jsonl").read_text() == answers

    assert main.main(["record", "--show", str(out)]) == 0
    assert all(scene in capsys.readouterr().out for scene in [next(iter(plans))])
    flags = ["train", "--logdir", str(tmp_path), *SMALL, "--n_itr", "1", "--savedir", "planned"]
    assert main.main([*flags, "--plans", str(out)]) == 0
    config = settings_of(tmp_path / "ppo/simpledoorkey/planned")
    assert config["task"]["plans"] == plans
    assert config["llm"] is None


def test_in_a_task_of_missions_a_server_is_recorded_and_teaches(tmp_path: Path) -> None:
    task = ["--task", "BabyAI-PutNextLocalS5N3-v0"]
    logs = ["--logdir", str(tmp_path)]
    little = ["--num_envs", "2", "--rollout_steps", "32", "--batch_size", "8", "--quick"]
    recorded, own = tmp_path / "plans.yaml", tmp_path / "ppo/babyai-putnextlocals5n3-v0"
    with replay_server(*task) as address:
        llm = ["--llm", "openai", "--llm_url", address, "--n_ask", "2"]
        asked = ["record", *task, *llm, "--episodes", "2", "--out", str(recorded)]
        assert main.main(asked) == 0
        flags = ["train", *task, *logs, *little, *llm, "--n_itr", "2", "--savedir", "asked"]
        assert main.main(flags) == 0
        assert main.main(["eval", "--eval_teacher", *task, *logs, *llm, "--num_eval", "3"]) == 0
    plans = load_plans(recorded)
    answers = RulesPlanner().answers(list(plans))
    assert plans == {scene: plan_shares(own) for scene, own in zip(plans, answers, strict=True)}
    assert any(scene.startswith("Mission: put the object next to") for scene in plans)
    stored = (own / "asked" / "answers.jsonl").read_text().splitlines()
    assert all(json.loads(line)["scene"].startswith("Mission: ") for line in stored)
    rows = read_lines(own / "asked" / METRICS)
    assert [row["Train/Unanswered Steps"] for row in rows] == [0, 0]
    (path,) = tmp_path.rglob("eval.json")
    assert all(each["success"] for each in json.loads(path.read_text())["episodes"])


def test_record_without_its_server_says_so_and_writes_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    gone = "http://127.0.0.1:9/v1/chat/completions"
    flags = ["record", "--episodes", "1", "--out", str(tmp_path / "plans.yaml")]
    assert main.main([*flags, "--llm", "openai", "--llm_url", gone]) == 1
    assert "error: the LLM does not answer" in capsys.readouterr().err
    assert main.main(flags) == 1
    assert "--dry_run" in capsys.readouterr().err
    assert main.main([*flags, "--dry_run", "--episodes", "5"]) == 0
    shown = capsys.readouterr().out
    assert "Agent sees <nothing>, holds <nothing>." in shown
    assert "five things" in shown
    assert "legal plan" not in shown
    assert not os.path.exists(tmp_path / "plans.yaml")


def test_prompts_can_be_seen_with_their_legal_plans_before_any_is_scored(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    flags = ["record", "--dry_run", "--episodes", "5", "--out", str(tmp_path / "plans.yaml")]
    assert main.main([*flags, "--llm", "local", "--llm_mode", "score"]) == 0
    shown = capsys.readouterr().out
    assert re.search(r"holds <nothing>\. +go to <key>, pick up <key>", shown)
    assert '"Give the plan."' in shown


def test_plans_in_words_keep_their_probabilities() -> None:
    plan = parse_reply("Action: {go to key}", NOUNS)
    assert plan
    assert plan_shares(((0.25, plan), (0.75, plan))) == {"go to <key>": 1.0}
    assert in_words((), "key") == HOLDING


def record(url: str, out: Path, *flags: str) -> int:
    short = ["--episodes", "2", "--n_ask", "2", "--llm_retries", "0"]
    llm = ["--llm", "openai", "--llm_url", url]
    return main.main(["record", *llm, *short, "--out", str(out), *flags])


def test_a_recording_that_asked_nothing_says_which_file_to_delete(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "plans.yaml"
    shared = tmp_path / "shared.jsonl"
    with serve(plans) as server:
        for flags, stored in (
            ([], out.with_suffix(".answers.jsonl")),
            (["--answers", str(shared)], shared),
        ):
            assert record(server.url, out, "--overwrite", *flags) == 0
            assert "nothing was asked" not in capsys.readouterr().out
            asked = len(server.requests)
            assert record(server.url, out, "--overwrite", *flags) == 0
            said = capsys.readouterr().out
            assert "nothing was asked" in said
            assert f"delete {stored}" in said
            assert len(server.requests) == asked
            stored.unlink()
            assert record(server.url, out, "--overwrite", *flags) == 0
            assert len(server.requests) == 2 * asked
            stored.unlink()
            server.requests.clear()


def test_a_recording_says_how_many_scenes_have_no_advice(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def of_keys_alone(handler: Handler, body: dict[str, Any]) -> None:
        knows = "sees <key>, holds" in body["messages"][1]["content"]
        handler.choices(["Action: {explore}" if knows else "Hm."] * body.get("n", 1))

    with serve(of_keys_alone) as server:
        assert record(server.url, tmp_path / "plans.yaml") == 0
    said = capsys.readouterr().out
    asked = len({json.loads(line)["scene"] for line in (tmp_path / "plans.answers.jsonl").open()})
    assert len(load_plans(tmp_path / "plans.yaml")) == 1
    assert f"{asked - 1} of {asked} scenes without advice: the teacher waits there" in said


def test_a_model_that_never_gives_a_plan_is_an_error_and_writes_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "plans.yaml"
    with serve(lambda handler, body: handler.choices(["Hm."] * body.get("n", 1))) as server:
        assert record(server.url, out) == 1
    error = capsys.readouterr().err
    assert "error: no scene has a plan of gpt-4o-mini, sampled" in error
    assert str(out.with_suffix(".answers.jsonl")) in error
    assert error.count("\n") == 1
    assert not out.exists()


@pytest.mark.parametrize("content", ["", "{}\n", "# nothing\n"])
def test_plans_from_an_empty_file_are_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], content: str
) -> None:
    path = tmp_path / "plans.yaml"
    path.write_text(content)
    flags = ["train", "--logdir", str(tmp_path), *SMALL, "--n_itr", "1", "--plans", str(path)]
    assert main.main(flags) == 1
    error = capsys.readouterr().err
    assert str(path) in error
    assert error.count("\n") == 1
    assert not (tmp_path / "ppo").exists()


def evaluate(url: str, folder: Path, *flags: str) -> int:
    short = ["--threads", "1", "--num_eval", "2", "--n_ask", "1"]
    llm = ["--llm", "openai", "--llm_url", url, "--llm_workers", "1"]
    return main.main(["eval", "--eval_teacher", "--logdir", str(folder), *llm, *short, *flags])


@pytest.mark.parametrize("flags", [[], ["--llm_optional"], ["--llm_strict"]])
def test_an_evaluation_of_an_llm_that_did_not_answer_is_an_error(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], flags: list[str]
) -> None:
    with serve(status(401)) as server:
        assert evaluate(server.url, tmp_path, *flags) == 1
    error = capsys.readouterr().err
    assert error.startswith("error: ")
    assert "the LLM does not answer: " in error
    assert error.count("\n") == 1
    assert not list(tmp_path.rglob("eval.json"))


def test_an_evaluation_that_was_answered_in_part_says_so_beside_the_number(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with serve(in_turn(plans, plans, status(401))) as server:
        assert evaluate(server.url, tmp_path) == 0
    (path,) = tmp_path.rglob("eval.json")
    result = json.loads(path.read_text())
    steps = sum(episode["length"] for episode in result["episodes"])
    share = result["unanswered_steps"] / steps
    assert 0 < share < 1
    assert capsys.readouterr().out.splitlines()[-1].split() == ["unanswered", f"{share:.3f}"]
