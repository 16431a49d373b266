"""Plans for homes over HTTP: a server of recorded ones teaches, and is recorded anew."""

import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

import main
from commands.run_files import METRICS, read_lines
from planner.chat_server import MAX_REQUEST, ChatRequest, Message
from planner.home_scene import in_words
from planner.recorded_plans import load_plans
from planner.replay_api import UNKNOWN, Replayer
from planner.task import load_task
from tests.running import ROOT, settings_of
from tests.small_homes import TASK, runs_of, train

PLANS = load_task("NavPick").plans


def answer(text: str, plans: dict[str, dict[str, float]] = PLANS) -> str:
    request = ChatRequest(messages=[Message(role="user", content=text)])
    return Replayer(plans, seed=0).answer(request).texts[0]


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    """A replay server, started as users start it."""
    command = [sys.executable, "-m", "planner.replay_api", "--task", "NavPick", "--port", "0"]
    server = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
    try:
        assert server.stdout
        yield server.stdout.readline().split()[3].rstrip(";")
    finally:
        server.terminate()
        server.wait()


@pytest.mark.parametrize("task", ["NavPick", "ColoredDoorKey", "TwoDoor"])
def test_every_scene_that_has_plans_is_found_in_a_text(task: str) -> None:
    plans = load_task(task).plans
    for scene in plans:
        said = answer(f"You are asked about this: {scene} What next?", plans)
        assert scene in said
        assert "Action" in said


def test_the_last_scene_of_a_text_counts() -> None:
    near, far = in_words(True, True, False, False), in_words(False, False, True, False)
    assert far in answer(f"{near} {far}")
    assert answer(f"{far} {near}") == answer(near)
    other = in_words(True, True, False, True).replace("object", "cat")
    assert answer(f"{near} {other}") == UNKNOWN


@pytest.mark.parametrize("words", ["Agent is ", "Agent sees , holds <"])
def test_a_long_text_is_searched_in_no_time(words: str) -> None:
    """A tenth of a second; where each beginning is followed to the end of the text, ten."""
    begun = time.process_time()
    assert answer(words * (MAX_REQUEST // len(words))) == UNKNOWN
    assert time.process_time() - begun < 2


def test_a_server_of_recorded_plans_teaches(url: str, tmp_path: Path) -> None:
    llm = ["--llm", "vicuna", "--llm_url", url, "--n_ask", "2", "--savedir", "taught"]
    assert train(tmp_path, "--n_itr", "1", *llm) == 0
    folder = runs_of(tmp_path) / "taught"
    (row,) = read_lines(folder / METRICS)
    assert row["Train/Unanswered Steps"] == 0
    assert row["Train/Kickstarting Loss"] != 0


def test_recording_finds_the_scenes_of_homes_and_teaches_from_its_file(
    url: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "plans.yaml"
    command = ["record", "--task", TASK, "--episodes", "10"]
    assert main.main([*command, "--dry_run"]) == 0
    listed = capsys.readouterr().out
    assert "Pick the object up." in listed
    llm = ["--llm", "vicuna", "--llm_url", url, "--n_ask", "3"]
    assert main.main([*command, *llm, "--out", str(out)]) == 0
    recorded = load_plans(out)
    assert in_words(False, False, False, False) in recorded
    assert len(recorded) >= 2
    assert recorded.keys() <= PLANS.keys()
    assert {scene for scene in PLANS if scene in listed} == recorded.keys()
    for scene, plans in recorded.items():
        assert plans.keys() <= PLANS[scene].keys()
    # A task's file may spoil and doubt answers; a recording holds what the LLM means.
    doubts, content = tmp_path / "doubts.yaml", Path(TASK).read_text()
    content = content.replace("../configs", str(ROOT / "configs"))
    doubts.write_text(
        content.replace("settings: {", "settings: {wrong_plans: worst, uniform_share: 0.5, ")
    )
    again = ["record", "--task", str(doubts), *llm, "--out", str(out), "--overwrite"]
    assert main.main([*again, "--episodes", "10"]) == 0
    assert load_plans(out) == recorded
    assert train(tmp_path, "--n_itr", "0", "--plans", str(out), "--savedir", "planned") == 0
    config = settings_of(runs_of(tmp_path) / "planned")
    assert config["task"]["plans"] == recorded
