"""Flags about an LLM that mean nothing together, and how teachers that were asked differ."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

import main
from commands.reports.log_tree import read_tree
from commands.reports.run_groups import groups_of
from planner.recorded_plans import load_plans
from planner.scoring import read_scores
from tests.planner.servers import Handler, plans, serve
from tests.running import SMALL, evaluate, runs_of, settings_of, train
from tests.trees import RISING, write_evaluation, write_run

SCORING = ["--llm", "local", "--llm_mode", "score"]


@pytest.mark.parametrize(
    ("flags", "why"),
    [
        (["--llm_mode", "score"], "--llm_mode: there is no LLM to ask"),
        (["--llm_mode", "score", "--llm", "uniform"], "--llm_mode: --llm uniform asks no LLM"),
        ([*SCORING, "--n_ask", "3"], "--n_ask: --llm_mode score asks for no replies"),
        ([*SCORING, "--llm_top_p", "0.5"], "--llm_top_p: --llm_mode score asks for no"),
        ([*SCORING, "--llm_temperature", "2"], "--llm_temperature: --llm_mode score asks for no"),
        ([*SCORING, "--llm_workers", "2"], "--llm_workers: --llm local asks no server"),
        (
            ["--llm", "openai", *SCORING[2:], "--llm_workers", "2"],
            "--llm_workers: --llm_mode score sends one request at a time",
        ),
        ([*SCORING, "--llm_url", "http://localhost:1/v1"], "--llm_url: --llm local asks no server"),
        (["--llm", "openai", "--score_temperature", "2"], "--score_temperature: only --llm_mode"),
        (
            ["--llm", "local", "--llm_mode", "schema", "--llm_top_p", "0.9"],
            "--llm_top_p: --llm local --llm_mode schema chooses among plans",
        ),
        ([*SCORING, "--score_temperature", "0"], "--score_temperature: must be greater"),
        ([*SCORING, "--llm_model", "nowhere/model"], "--llm_model: there is no nowhere/model"),
    ],
)
@pytest.mark.parametrize("command", [["train"], ["eval", "--eval_teacher"]])
def test_flags_that_mean_nothing_together_are_refused(
    command: list[str],
    flags: list[str],
    why: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main.main([*command, "--logdir", str(tmp_path / "log"), *flags]) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(f"error: {why}")
    assert not [*(tmp_path / "log").glob("*/*/run*")]


def letters(handler: Handler, body: dict[str, Any]) -> None:
    """Tells probabilities of the first token alone, and finds long plans likelier."""
    if {"prompt_logprobs", "grammar"} & body.keys():
        return handler.answer(400, b'{"error": {"message": "unknown argument"}}')
    listed = re.findall(r"^([A-Z])\. (.*)$", body["messages"][-1]["content"], re.MULTILINE)
    top = [{"token": letter, "logprob": len(plan) / 20 - 5} for letter, plan in listed]
    token = {**top[0], "top_logprobs": top}
    choice = {"message": {"content": "A"}, "logprobs": {"content": [token]}}
    content = {"choices": [choice], "usage": {"total_tokens": 7}}
    return handler.answer(200, json.dumps(content).encode(), Content_Type="application/json")


def test_a_server_that_scores_teaches_a_run(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with serve(letters) as server:
        llm = ["--llm", "openai", "--llm_mode", "score", "--llm_url", server.url]
        assert train(tmp_path, "--n_itr", "1", "--savedir", "run", *llm) == 0
        assert "teacher: gpt-4o-mini, scored" in capsys.readouterr().out
        run = runs_of(tmp_path) / "run"
        assert settings_of(run)["llm_mode"] == "score"
        stored = [json.loads(line) for line in (run / "answers.jsonl").read_text().splitlines()]
        assert stored
        assert all(read_scores(entry["reply"]) for entry in stored)
        asked = len(server.requests)
        assert train(tmp_path, "--n_itr", "1", "--savedir", "again", *llm, *shared(run)) == 0
        assert len(server.requests) == asked
        out = tmp_path / "plans.yaml"
        assert main.main(["record", *SMALL[:2], *llm, "--out", str(out), *shared(run)]) == 0
    answer = load_plans(out)["Agent sees <key>, holds <nothing>."]
    assert answer["go to <key>, pick up <key>"] > answer["explore"] > 0


def test_replies_with_a_seed_of_zero_are_not_those_without_a_seed(tmp_path: Path) -> None:
    with serve(plans) as server:
        llm = ["--llm", "openai", "--llm_url", server.url, "--n_ask", "1"]
        answers = ["--answers", str(tmp_path / "answers.jsonl")]
        for number, seed in enumerate(([], ["--llm_seed", "0"])):
            out = ["--out", str(tmp_path / f"{number}.yaml")]
            before = len(server.requests)
            assert main.main(["record", *SMALL[:2], *llm, *answers, *seed, *out]) == 0
            assert len(server.requests) > before
            assert ("seed" in server.requests[-1][0]) == bool(seed)


def shared(run: Path) -> list[str]:
    return ["--answers", str(run / "answers.jsonl")]


def test_a_server_without_probabilities_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with serve(plans) as server:
        llm = ["--llm", "openai", "--llm_mode", "score", "--llm_url", server.url]
        assert train(tmp_path, "--n_itr", "1", *llm) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(f"error: --llm_mode score: {server.url} tells no log-probabilities")
    assert not [*tmp_path.glob("*/*/*")]


def test_a_model_in_this_process_teaches_a_run(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for package in ("transformers", "gguf"):
        pytest.importorskip(package, reason="needs pip install -r requirements-local.txt")
    from tests.planner.tiny_llm import write_tiny_llm

    llm = [*SCORING, "--llm_model", str(write_tiny_llm(tmp_path / "tiny.gguf"))]
    assert train(tmp_path, "--n_itr", "1", "--savedir", "run", *llm) == 0
    assert "tiny.gguf, scored" in capsys.readouterr().out
    stored = (runs_of(tmp_path) / "run" / "answers.jsonl").read_text().splitlines()
    assert stored
    (model,) = {json.loads(line)["model"] for line in stored}
    assert model.startswith("tiny.gguf@")


def test_record_refuses_them_too(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "plans.yaml"
    assert main.main(["record", "--llm", "uniform", "--n_ask", "3", "--out", str(out)]) == 1
    assert "--n_ask: --llm uniform asks no LLM" in capsys.readouterr().err
    assert not out.exists()


def test_an_evaluation_says_how_its_llm_was_asked(tmp_path: Path) -> None:
    with serve(plans) as server:
        asked = ["--eval_teacher", "--llm", "openai", "--llm_url", server.url, "--n_ask", "2"]
        assert evaluate(tmp_path, *asked, "--num_eval", "2") == 0
    (path,) = tmp_path.rglob("eval.json")
    content = json.loads(path.read_text())
    assert content["teacher"] == "gpt-4o-mini, sampled --n_ask 2"
    assert path.parent.name == "eval-openai-replies-2"
    assert (content["llm"]["llm_mode"], content["llm"]["n_ask"]) == ("sample", 2)


def test_a_teacher_that_scores_is_another_one_than_its_model_sampled(tmp_path: Path) -> None:
    run = write_run(tmp_path, "run", RISING, llm="local", llm_mode="score", score_temperature=2.0)
    for name, mode, temperature in (
        ("sampled", "sample", 1.0),
        ("cold", "score", 0.5),
        ("right", "score", 2.0),
    ):
        llm = {"name": "local", "model": None}
        llm |= {"llm_mode": mode, "score_temperature": temperature}
        success = [1, 1, 1, 0] if name == "right" else [0] * 9
        write_evaluation(run.parent / "teacher", name, success, actor="teacher", llm=llm)
    (group,) = groups_of(read_tree(tmp_path, "log"))
    assert group.teacher
    assert group.teacher.source == "teacher/right/eval.json"
