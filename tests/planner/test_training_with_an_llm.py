"""Real runs whose teacher is an LLM over HTTP, with servers that refuse, go away and hang."""

import json
import os
import signal
import subprocess
import sys
import threading
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

import main
from algos import checkpoint
from tests import small_rooms
from tests.planner.servers import Handler, in_turn, plans, serve, status
from tests.running import ROOT, SMALL, runs_of


def test_a_student_is_trained_by_an_llm_over_http(tmp_path: Path) -> None:
    os.environ["LLM_API_KEY"] = "sesame-4711"
    flags = ["train", "--logdir", str(tmp_path), *SMALL, "--n_itr", "2", "--savedir", "taught"]
    try:
        with serve(plans) as server:
            assert main.main([*flags, "--llm", "openai", "--llm_url", server.url]) == 0
            assert server.requests[0][1]["Authorization"] == "Bearer sesame-4711"
            resume = ["train", "--logdir", str(tmp_path), "--savedir", "taught", "--resume"]
            assert main.main([*resume, "--n_itr", "3"]) == 0
            texts = [body["messages"][1]["content"] for body, _ in server.requests]
            # The first reply of all comes alone, the others about its scene together.
            assert len(texts) == len(set(texts)) + 1
    finally:
        del os.environ["LLM_API_KEY"]
    assert (runs_of(tmp_path) / "taught" / "answers.jsonl").is_file()
    assert all(b"sesame" not in path.read_bytes() for path in tmp_path.rglob("*.*"))


def test_a_wrong_key_ends_a_run_at_once_unless_the_llm_is_optional(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with serve(status(401)) as server:
        llm = ["--llm", "vicuna", "--llm_url", server.url]
        flags = ["train", "--logdir", str(tmp_path), *SMALL, "--n_itr", "1", *llm]
        assert main.main(flags) == 1
        error = capsys.readouterr().err
        assert "error: the LLM does not answer" in error
        assert "LLM_API_KEY" in error
        assert error.count("\n") == 1
        assert len(server.requests) == 1
        assert not (runs_of(tmp_path) / "run1").exists()
        assert main.main([*flags, "--seed_list", "0", "1", "--llm_strict"]) == 1
        assert not [*runs_of(tmp_path).iterdir()]
        capsys.readouterr()
        assert main.main([*flags, "--llm_optional", "--llm_strict"]) == 1
        assert "give one of them" in capsys.readouterr().err
        assert main.main([*flags, "--llm_optional"]) == 0
        assert "going on without the LLM" in capsys.readouterr().out
        # A run that is resumed may become stricter.
        resume = ["train", "--logdir", str(tmp_path), "--resume", "--n_itr", "2"]
        assert main.main([*resume, "--llm_strict"]) == 1
        assert "the LLM does not answer" in capsys.readouterr().err


def test_replies_stay_when_a_new_run_fails_before_its_first_save(tmp_path: Path) -> None:
    with serve(in_turn(plans, status(401))) as server:
        llm = ["--llm", "vicuna", "--llm_strict", "--llm_url", server.url]
        assert main.main(["train", "--logdir", str(tmp_path), *SMALL, *llm]) == 1
    assert (runs_of(tmp_path) / "run1" / "answers.jsonl").stat().st_size > 0


def test_a_trial_without_answers_does_not_send_the_teacher_away(tmp_path: Path) -> None:
    """A schedule that compares with the teacher would else find it matched from the start."""
    flags = ["--schedule", "matched", "--llm", "vicuna", "--llm_optional", "--n_itr", "0"]
    with serve(status(401)) as server:
        where = ["--logdir", str(tmp_path), "--savedir", "run", "--llm_url", server.url]
        assert main.main(["train", *SMALL, *flags, *where]) == 0
    content = checkpoint.load(runs_of(tmp_path) / "run" / "checkpoint.pt")
    assert content["teacher_alone"]["unanswered_steps"] > 0
    assert content["schedule"]["lacking"] == 1


def test_what_a_trial_has_cost_is_kept_with_the_first_checkpoint(tmp_path: Path) -> None:
    where = ["--logdir", str(tmp_path), "--savedir", "run"]
    with serve(plans) as server:
        llm = ["--llm", "openai", "--llm_url", server.url]
        assert main.main(["train", *SMALL, "--n_itr", "0", *where, *llm]) == 0
        file = runs_of(tmp_path) / "run" / "checkpoint.pt"
        cost = checkpoint.load(file)["progress"]["teacher"]
        assert cost["Replies"] > 0
        assert main.main(["train", *where, "--resume", "--n_itr", "1"]) == 0
    assert checkpoint.load(file)["progress"]["teacher"]["Replies"] >= cost["Replies"]


def test_an_llm_that_has_no_plan_for_a_scene_is_doubted_all_the_same(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """No plan will ever come for it: that is no reason to trust the others."""

    def reply(handler: Handler, body: dict[str, Any]) -> None:
        sees_key = "sees <key>" in body["messages"][1]["content"]
        planless(handler, body) if sees_key else plans(handler, body)

    flags = ["--schedule", "matched", "--uniform_share", "auto", "--n_itr", "0"]
    with serve(reply) as server:
        where = ["--logdir", str(tmp_path), "--savedir", "run", "--llm_url", server.url]
        small = ["--n_ask", "1", "--llm_retries", "0", "--llm", "vicuna"]
        assert main.main(["train", *SMALL, *flags, *small, *where]) == 0
    said = capsys.readouterr().out
    assert "answers were missing" not in said
    assert "alone it is stuck in 100% of the episodes" in said


def planless(handler: Handler, body: dict[str, Any]) -> None:
    """Answers in words without a plan, and tries to paint the terminal."""
    handler.choices(["Hm.\x1b[31m"] * body.get("n", 1))


def test_an_llm_whose_replies_hold_no_plan_is_an_error_of_training(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    flags = ["train", "--logdir", str(tmp_path), *SMALL, "--n_itr", "2", "--savedir", "untaught"]
    with serve(planless) as server:
        llm = ["--llm", "openai", "--llm_url", server.url, "--n_ask", "2", "--llm_retries", "1"]
        assert main.main([*flags, *llm]) == 1
        said = capsys.readouterr()
        assert main.main([*flags, *llm, "--llm_optional", "--overwrite"]) == 0
        optional = capsys.readouterr()
    folder = runs_of(tmp_path) / "untaught"
    assert checkpoint.load(folder / "checkpoint.pt")["progress"]["iteration"] == 2
    assert said.err.startswith(f"error: {folder} is saved, but its teacher never had a plan: ")
    assert 'replies hold no plan; the first: "Hm.\\x1b[31m"; --llm_mode score or' in said.err
    assert said.err.count("\n") == 1
    assert f"{folder} is saved, but its teacher never had a plan: " in optional.out
    # It is known while the run goes on, and told once.
    warning, end = "replies hold no plan", f"{folder}: 2 iterations"
    assert said.out.count(warning) == 1
    assert said.out.index(warning) < said.out.index(end)
    assert "\x1b[31m" not in said.out + said.err


def test_an_evaluation_of_an_llm_without_plans_tells_what_it_replies(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    where = ["--task", small_rooms.TASK, "--threads", "1", "--num_eval", "1"]
    flags = ["eval", "--eval_teacher", *where, "--llm", "openai"]
    with serve(planless) as server:
        llm = ["--llm_url", server.url]
        assert main.main([*flags, *llm, "--logdir", str(tmp_path / "planless")]) == 1
    error = capsys.readouterr().err
    assert error.startswith("error: there is nothing to evaluate: 11 of 11 replies hold no plan")
    assert error.count("\n") == 1
    with serve(status(401)) as server:
        llm = ["--llm_url", server.url, "--llm_optional"]
        assert main.main([*flags, *llm, "--logdir", str(tmp_path / "refused")]) == 1
    assert "nothing to evaluate: the LLM does not answer" in capsys.readouterr().err


def start_training(tmp_path: Path, url: str, *flags: str) -> subprocess.Popen[str]:
    """A real process that learns from a server; its output can be read line by line."""
    command = ["train", "--logdir", str(tmp_path), *SMALL, "--savedir", "taught"]
    return subprocess.Popen(
        [sys.executable, "-u", "main.py", *command, "--llm", "openai", "--llm_url", url, *flags],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def until(process: subprocess.Popen[str], words: str) -> None:
    """Read a process's output up to a line with these words; fails if there is none."""
    assert process.stdout
    seen = []
    for line in process.stdout:
        seen.append(line)
        if words in line:
            return
    raise AssertionError("".join(seen))


def stored(folder: Path) -> list[dict[str, Any]]:
    lines = (runs_of(folder) / "taught" / "answers.jsonl").read_text().splitlines()
    return [json.loads(line) for line in lines]


def test_a_server_may_go_away_and_come_back_during_training(tmp_path: Path) -> None:
    # One reply, the nine others about its scene, and then nothing more.
    with serve(in_turn(plans, plans, lambda handler, _: handler.reset())) as server:
        port = server.server_port
        training = start_training(tmp_path, server.url, "--n_itr", "1000", "--llm_workers", "1")
        try:
            until(training, "going on without the LLM")
            server.shutdown()
            server.server_close()
            kept = stored(tmp_path)
            assert len(kept) == 10
            with serve(plans, port) as again:
                until(training, "the LLM answers again")
                training.send_signal(signal.SIGINT)
                until(training, "continue with")
                assert training.wait() == 130
                texts = [body["messages"][1]["content"] for body, _ in again.requests]
        finally:
            training.kill()
            training.wait()
    assert stored(tmp_path)[: len(kept)] == kept
    assert not {entry["scene"] for entry in kept} & set(texts)


def test_a_kill_while_asking_loses_at_most_the_reply_under_way(tmp_path: Path) -> None:
    """And two Ctrl-C end a run whose server hangs."""
    hanging = threading.Event()
    lock = threading.Lock()
    answered = []

    def singles_then_silence(handler: Handler, body: dict[str, Any]) -> None:
        if "n" in body:
            handler.answer(400, b"")
            return
        with lock:
            if len(answered) < 7:
                answered.append(body)
                plans(handler, body)
                return
        hanging.set()
        handler.rfile.read(1)

    with serve(singles_then_silence) as server:
        training = start_training(tmp_path, server.url, "--n_itr", "3", "--llm_workers", "1")
        try:
            assert hanging.wait(60)
            training.kill()
            training.wait()
            # The client asks again only after it has the reply before, and stores that at once.
            assert len(stored(tmp_path)) in (6, 7)
            training = start_training(tmp_path, server.url, "--n_itr", "3", "--resume")
            until(training, "asking")
            training.send_signal(signal.SIGINT)
            until(training, "once more")
            training.send_signal(signal.SIGINT)
            assert training.wait(30) == 130
        finally:
            training.kill()
            training.wait()
    with serve(plans) as server:
        resume = ["--resume", "--llm_url", server.url]
        assert main.main(["train", "--logdir", str(tmp_path), "--savedir", "taught", *resume]) == 0
    done = checkpoint.load(runs_of(tmp_path) / "taught" / "checkpoint.pt")
    assert done["progress"]["iteration"] == 3
    entries = stored(tmp_path)
    scenes = Counter(entry["scene"] for entry in entries)
    assert set(scenes.values()) == {10}


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_what_waits_for_an_llm_that_never_answered_stops_at_once(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], number: signal.Signals
) -> None:
    with serve(plans) as server:
        nobody = ["--llm", "vicuna", "--llm_url", server.url]
    flags = ["train", "--logdir", str(tmp_path), *SMALL, *nobody]
    command = [sys.executable, "-u", "main.py", *flags]
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
    assert process.stdout
    assert any("no answer yet, asking again" in line for line in process.stdout)
    process.send_signal(number)
    rest = process.stdout.read()
    assert process.wait(60) == 128 + number
    assert "stopped before the first iteration; begin again with: python main.py train" in rest
    # Nothing was saved, so there is nothing to evaluate either.
    assert main.main(["eval", "--logdir", str(tmp_path)]) == 1
    assert "train one first" in capsys.readouterr().err
