import itertools
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections import Counter, defaultdict
from functools import partial
from pathlib import Path
from typing import Any

import pytest

import main
from planner.answers import AnswerStore, Question
from planner.asking import AskingPlanner
from planner.llm import ChatClient
from planner.patience import Patience
from planner.plans import describe, parse_plan
from planner.scene import Scene
from planner.together import Asker, in_thread
from tests.planner.servers import Frozen, Handler, hang, in_turn, plans, serve, status
from tests.test_main import ROOT, SMALL, runs_of
from utils import checkpoint
from utils.errors import UserError
from utils.log import waiting

SCENES = [Scene((), None), Scene(("key",), None), Scene(("key", "door"), None)]
QUESTION = Question("Task", "Agent sees <key>, holds <nothing>.", "0" * 16, "model", 1.0)


def planner(url: str, folder: Path, told: list[str], **options: Any) -> AskingPlanner:
    """One whose server has a second to start, and is tried again every twentieth of one."""
    given: dict[str, Any] = {"n": 4, "retries": 1, "strict": False, "optional": False} | options
    quick = {"first": 1.0, "least": 1.0, "shortest": 0.05, "longest": 0.05}
    patience = Patience(strict=given["strict"], **(quick | given.pop("patience", {})))
    store = AnswerStore(folder / "answers.jsonl", told.append)
    return AskingPlanner(
        Asker(ChatClient(url, "model", 1.0, connect=1.0), patience, attempts=2, pause=0.001),
        store,
        "Task",
        "Advise.",
        ("door", "key"),
        tell=told.append,
        progress=waiting,
        **given,
    )


def test_equal_plans_are_counted_and_no_scene_is_asked_about_twice(tmp_path: Path) -> None:
    texts = ["Action: {explore}", "Action: explore", "Action: {go to key}", "Action: {EXPLORE}"]

    def mixed(handler: Handler, body: dict[str, Any]) -> None:
        with lock:
            turn = turns[body["messages"][1]["content"]]
            handler.choices([next(turn) for _ in range(body.get("n", 1))])

    lock, turns = threading.Lock(), defaultdict(partial(itertools.cycle, texts))
    told: list[str] = []
    with serve(mixed) as server:
        asking = planner(server.url, tmp_path, told)
        answers = asking.answers([*SCENES, SCENES[0]])
        assert [[(p, describe(plan)) for p, plan in answer or ()] for answer in answers] == [
            [(0.75, "explore"), (0.25, "go to <key>")]
        ] * 4
        assert len(server.requests) == 1 + 3
        assert asking.answers(SCENES) == answers[:3]
        again = planner(server.url, tmp_path, told)
        assert again.answers(SCENES) == answers[:3]
        assert len(server.requests) == 1 + 3
        assert asking.counts()["Requests"] == 1 + 3
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


def test_what_is_not_plain_is_a_wait_and_is_counted(tmp_path: Path) -> None:
    reply = "Action: {go to <window>, dance, explore <the room>, open}"
    with serve(lambda handler, body: handler.choices([reply] * body.get("n", 1))) as server:
        asking = planner(server.url, tmp_path, [])
        assert asking.answers(SCENES[:1]) == [((1.0, parse_plan("wait, wait, explore, wait", ())),)]
    counts = asking.counts()
    assert (counts["Replies"], counts["Unclear Options"]) == (4, 12)
    assert asking.news() == {SCENES[0].text: {"wait, wait, explore, wait": 1.0}}
    assert asking.news() == {}


def test_empty_replies_count_as_no_advice_among_the_others(tmp_path: Path) -> None:
    def mixed(handler: Handler, body: dict[str, Any]) -> None:
        handler.choices(["", "Action: {explore}", "", "Action: {explore}"][: body.get("n", 1)])

    with serve(mixed) as server:
        asking = planner(server.url, tmp_path, [])
        ((answer,),) = asking.answers(SCENES[:1])
    assert (answer[0], describe(answer[1])) == (1.0, "explore")
    assert asking.counts()["Replies Without Plan"] == 4


def until_it_answers(asking: AskingPlanner, scenes: list[Scene] = SCENES) -> None:
    """As a run does: ask again and again."""
    limit = time.monotonic() + 10
    while None in asking.answers(scenes):
        assert time.monotonic() < limit


def test_without_its_server_it_goes_on_and_says_so_once(tmp_path: Path) -> None:
    told: list[str] = []
    with serve(in_turn(plans, lambda handler, _: handler.reset())) as server:
        url, port = server.url, server.server_port
        asking = planner(url, tmp_path, told, n=1)
        assert None not in asking.answers(SCENES[:1])
        assert asking.answers(SCENES[1:]) == [None] * 2
        requests = asking.counts()["Requests"]
        began, wanted = time.monotonic(), 0
        while asking.counts()["Requests"] - requests < 5:
            assert asking.answers(SCENES[1:]) == [None] * 2
            wanted += 1
        # It is tried by the clock, not by the scene, nor each time that it is wanted.
        assert time.monotonic() - began >= 3 * 0.05
        assert wanted > 20
    assert sum("going on without" in line for line in told) == 1
    with serve(plans, port):
        until_it_answers(asking)
    assert told[-1] == "the LLM answers again"


def test_a_server_that_never_answered_ends_the_run_unless_it_is_optional(tmp_path: Path) -> None:
    with serve(plans) as server:
        url, port = server.url, server.server_port
    told: list[str] = []
    began = time.monotonic()
    with pytest.raises(UserError, match=r"the LLM does not answer.*no connection.*--llm_optional"):
        planner(url, tmp_path / "one", told).answers(SCENES)
    assert 1 <= time.monotonic() - began < 15
    assert len(told) == 1
    assert "no answer yet" in told[0]
    patient = {"first": 30.0}
    began = time.monotonic()
    with pytest.raises(UserError, match="the LLM does not answer"):
        planner(url, tmp_path / "other", told, strict=True, patience=patient).answers(SCENES)
    assert time.monotonic() - began < 15
    assert len(told) == 1
    optional = planner(url, tmp_path / "third", told, optional=True)
    assert optional.answers(SCENES) == [None] * 3
    assert "going on without" in told[-1]
    with serve(plans, port):
        until_it_answers(optional)


def test_while_a_server_starts_each_reason_to_wait_is_told_once(tmp_path: Path) -> None:
    """A model's name that the server does not know may come as a 500, as well as one that loads:
    who waits can tell them apart by the words."""
    unknown = b'{"error": {"message": "no such model: model"}}'
    wrong = (lambda handler, _: handler.answer(500, unknown),) * 3
    with serve(in_turn(*[status(503)] * 3, *wrong, plans)) as server:
        asking = planner(server.url, tmp_path, told := [], patience={"first": 30.0})
        assert None not in asking.answers(SCENES)
    assert told == [
        f"no answer yet, asking again: {server.url} answers {words}"  # type: ignore[attr-defined]
        for words in ("503", "500: no such model: model")
    ]


@pytest.mark.parametrize("optional", [False, True])
def test_a_mistake_before_any_answer_ends_the_run_at_once(tmp_path: Path, optional: bool) -> None:
    """A model that does not know its key, its path, or how long a prompt may be."""
    overflow = b'{"object": "error", "message": "context overflow", "code": 40303}'
    for fault in (
        status(401),
        status(403),
        status(404),
        lambda handler, _: handler.answer(400, overflow),
    ):
        with serve(fault) as server:
            folder, patient = tmp_path / str(server.server_port), {"first": 30.0}
            asking = planner(server.url, folder, [], optional=optional, patience=patient)
            began = time.monotonic()
            if optional:
                assert asking.answers(SCENES) == [None] * 3
            else:
                with pytest.raises(UserError, match=r"answers 40.*--llm_optional goes on without"):
                    asking.answers(SCENES)
                assert len(server.requests) == 1
            assert time.monotonic() - began < 15


def test_a_mistake_after_answers_does_not_end_the_run(tmp_path: Path) -> None:
    with serve(in_turn(plans, status(401))) as server:
        asking = planner(server.url, tmp_path, told := [], n=1)
        assert None not in asking.answers(SCENES[:1])
        assert asking.answers(SCENES)[1:] == [None] * 2
        # Answers of a run before count as well.
        again = planner(server.url, tmp_path, told, n=1)
        assert again.answers(SCENES)[1:] == [None] * 2
    assert "answers 401" in told[0]


def test_a_reason_that_changes_is_told(tmp_path: Path) -> None:
    """A server goes away, comes back, but now wants a key."""
    told: list[str] = []
    with serve(in_turn(plans, lambda handler, _: handler.reset())) as server:
        asking = planner(server.url, tmp_path, told, n=1)
        asking.answers(SCENES[:1])
        asking.answers(SCENES)
        assert "no connection" in told[-1]
        server.behaviour = status(401)  # type: ignore[attr-defined]
        limit = time.monotonic() + 10
        while len(told) < 2:
            assert None in asking.answers(SCENES)
            assert time.monotonic() < limit
        assert "answers 401" in told[1]
        server.behaviour = plans  # type: ignore[attr-defined]
        until_it_answers(asking)
    assert told[2:] == ["the LLM answers again"]


def test_a_server_that_hangs_holds_nobody_up_and_is_used_when_it_wakes(tmp_path: Path) -> None:
    frozen = Frozen()
    with serve(frozen) as server:
        quick = {"least": 0.3}
        asking = planner(server.url, tmp_path, told := [], n=3, patience=quick)
        assert None not in asking.answers(SCENES[:1])
        frozen.awake.clear()
        began = time.monotonic()
        for _ in range(200):
            assert asking.answers(SCENES[1:]) == [None] * 2
        # The patience once, not each time.
        assert 0.3 <= time.monotonic() - began < 15
        assert [line for line in told if "no answer within" in line]
        kept = (tmp_path / "answers.jsonl").read_text()
        frozen.awake.set()
        until_it_answers(asking)
        assert told[-1] == "the LLM answers again"
    assert (tmp_path / "answers.jsonl").read_text().startswith(kept)


def test_what_is_known_needs_no_server(tmp_path: Path) -> None:
    with serve(plans) as server:
        asking = planner(server.url, tmp_path, [], n=2)
        answers = asking.answers(SCENES)
        lines = (tmp_path / "answers.jsonl").read_text()
    with serve(hang) as server:
        assert planner(server.url, tmp_path, [], n=2, strict=True).answers(SCENES) == answers
        # One that asks nobody answers what it can, and leaves out the rest.
        knowing = planner(server.url, tmp_path, [], n=2, strict=True, asks=False)
        assert knowing.answers([*SCENES, Scene(("door",), None)]) == [*answers, None]
        assert not server.requests
    assert (tmp_path / "answers.jsonl").read_text() == lines


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


def test_two_runs_that_share_a_store_do_not_ask_the_same(tmp_path: Path) -> None:
    with serve(plans) as server:
        both = [planner(server.url, tmp_path, []) for _ in range(2)]
        jobs = [in_thread(partial(one.answers, SCENES)) for one in both]
        assert jobs[0].result() == jobs[1].result()
        assert sum(body.get("n", 1) for body, _ in server.requests) == 4 * len(SCENES)


def test_one_scene_that_is_refused_does_not_keep_the_others_from_their_answers(
    tmp_path: Path,
) -> None:
    def refuse_one(handler: Handler, body: dict[str, Any]) -> None:
        refused = body["messages"][1]["content"] == SCENES[0].text
        (status(400) if refused else plans)(handler, body)

    with serve(refuse_one) as server:
        asking = planner(server.url, tmp_path, told := [], patience={"longest": 0.3})
        assert None not in asking.answers(SCENES[1:2])
        answers = asking.answers(SCENES)
        assert answers[0] is None
        assert None not in answers[1:]
        requests = len(server.requests)
        for _ in range(20):
            assert asking.answers(SCENES) == answers
        assert len(server.requests) == requests
        limit = time.monotonic() + 10
        while len(server.requests) == requests:
            assert asking.answers(SCENES) == answers
            assert time.monotonic() < limit
    assert [SCENES[0].text in line for line in told] == [True]


def test_who_needs_nothing_does_not_wait_for_who_asks(tmp_path: Path) -> None:
    with serve(plans) as server:
        one, other = (planner(server.url, tmp_path, told := []) for _ in range(2))
        answers = one.answers(SCENES[:1])
        with one.store.locked():
            assert other.answers(SCENES[:1]) == answers
            waiting_one = in_thread(partial(other.answers, SCENES))
            while not any("waiting for another run" in line for line in told):
                assert not waiting_one.done()
        assert None not in waiting_one.result()


def test_a_file_of_something_else_is_no_store(tmp_path: Path) -> None:
    path = tmp_path / "notes.md"
    path.write_text("# Notes\nNothing.\n")
    with pytest.raises(UserError, match="holds no answers"):
        AnswerStore(path, print)
    assert path.read_text() == "# Notes\nNothing.\n"


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
        assert main.main([*flags, "--llm_optional", "--llm_strict"]) == 1
        assert "give one of them" in capsys.readouterr().err
        assert main.main([*flags, "--llm_optional"]) == 0
        assert "going on without the LLM" in capsys.readouterr().out
        # A run that is resumed may become stricter.
        resume = ["train", "--logdir", str(tmp_path), "--resume", "--n_itr", "2"]
        assert main.main([*resume, "--llm_strict"]) == 1
        assert "the LLM does not answer" in capsys.readouterr().err


def test_a_trial_without_answers_does_not_send_the_teacher_away(tmp_path: Path) -> None:
    """A schedule that compares with the teacher would else find it matched from the start."""
    flags = ["--schedule", "matched", "--llm", "vicuna", "--llm_optional", "--n_itr", "0"]
    with serve(status(401)) as server:
        where = ["--logdir", str(tmp_path), "--savedir", "run", "--llm_url", server.url]
        assert main.main(["train", *SMALL, *flags, *where]) == 0
    content = checkpoint.load(runs_of(tmp_path) / "run" / "checkpoint.pt")
    assert content["teacher_alone"]["unanswered_steps"] > 0
    assert content["schedule"]["lacking"] == 1


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
