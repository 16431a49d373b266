"""The store of answers: torn, shared, or something else."""

from functools import partial
from pathlib import Path

import pytest

from planner.answers import AnswerStore, Question
from planner.request_pool import in_thread
from tests.planner.planners import SCENES, planner
from tests.planner.servers import plans, serve
from utils.errors import UserError

QUESTION = Question("Agent sees <key>, holds <nothing>.", "0" * 16, "model", 1.0)


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
