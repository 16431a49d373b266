"""The page of `watch` shows what was played."""

import json
import re
import shutil
import webbrowser
from collections.abc import Callable
from html.parser import HTMLParser
from math import inf, nan
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import main
from algos import checkpoint
from commands.viewer.watch_page import as_page, choose, rounded
from tests import small_homes
from tests.pages import DATA, read_page, watch
from tests.running import diverge, evaluate, runs_of, train

TRIED = ["--num_eval", "20"]


def evaluated(folder: Path) -> dict[int, dict[str, Any]]:
    """Seed -> what an evaluation says of its episode."""
    episodes = json.loads((folder / "eval" / "eval.json").read_text())["episodes"]
    return {episode["seed"]: episode for episode in episodes}


def assert_as_evaluated(content: dict[str, Any], folder: Path, timed_out: str) -> None:
    said = evaluated(folder)
    assert content["played"] == len(said)
    for episode in content["episodes"]:
        of_seed, steps = said[episode["seed"]], episode["moments"]
        assert episode["success"] == of_seed["success"]
        assert (episode["outcome"] == timed_out) == of_seed["timed_out"]
        assert episode["length"] == of_seed["length"] == len(steps) - 1
        assert episode["return"] == pytest.approx(of_seed["return"], abs=1e-4)
        assert steps[-1]["return"] == pytest.approx(of_seed["return"], abs=1e-4)
        rewards = [step["reward"] for step in steps[:-1]]
        assert sum(rewards) == pytest.approx(of_seed["return"], abs=1e-4 * len(steps))


@pytest.mark.parametrize("how", [[], ["--deterministic"]])
def test_a_page_shows_episodes_of_the_evaluation_with_the_same_seeds(
    trained: Path, how: list[str]
) -> None:
    folder = runs_of(trained) / "whole"
    assert watch(trained, "whole", "--episodes", "5", *TRIED, *how) == 0
    assert evaluate(trained, "--loaddir", "whole", *TRIED, *how) == 0
    content = read_page(folder / "watch.html")
    assert len(content["episodes"]) == 5
    assert_as_evaluated(content, folder, "timed out")
    assert content["iteration"] == 8
    assert content["deterministic"] == bool(how)
    for episode in content["episodes"]:
        for step in episode["moments"][:-1]:
            teacher, student = step["bars"]["teacher"], step["bars"]["student"]
            assert sum(student) == pytest.approx(1, abs=1e-3)
            if how:
                assert student[step["action"]] == pytest.approx(max(student), abs=1e-4)
            assert isinstance(step["value"], float)
            told = zip(step["plans"], step["advised"], step["followed"], strict=True)
            shares = dict.fromkeys(content["actions"], 0.0)
            for (p, _), advised, followed in told:
                shares[advised] += p
                assert followed == (advised == content["actions"][step["action"]])
            assert teacher == pytest.approx(list(shares.values()), abs=1e-3)
    steps = [step for episode in content["episodes"] for step in episode["moments"][:-1]]
    found = {each["scene"]: (each["steps"], each["taken"]) for each in content["scenes"]}
    for scene in {step["scene"] for step in steps if step["plans"]}:
        taken = [any(step["followed"]) for step in steps if step["scene"] == scene]
        assert found.pop(scene) == (len(taken), sum(taken))
    assert not found


def test_a_number_that_is_not_finite_is_a_gap() -> None:
    content = {"value": nan, "bars": {"student": [inf, -inf, 1 / 3]}, "action": 2, "scene": "nan"}
    bars = {"student": [None, None, 0.3333]}
    assert rounded(content) == {"value": None, "bars": bars, "action": 2, "scene": "nan"}


@pytest.mark.parametrize("look", [watch, evaluate])
def test_a_student_that_has_diverged_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], look: Callable[..., int]
) -> None:
    for rooms, train_one in (("simpledoorkey", train), (small_homes.TASK, small_homes.train)):
        assert train_one(tmp_path, "--savedir", "run", "--n_itr", "0") == 0
        (model,) = tmp_path.glob("*/*/run/acmodel.pt")
        diverge(model)
        before = sorted(tmp_path.rglob("*"))
        capsys.readouterr()
        assert look(tmp_path, "--task", rooms, "--loaddir", "run", "--num_eval", "2") == 1
        error = capsys.readouterr().err
        assert error.startswith(f"error: {model} has diverged: ")
        assert error.count("\n") == 1
        assert sorted(tmp_path.rglob("*")) == before
        shutil.rmtree(model.parent)


def test_a_page_says_the_last_k_up_to_its_model(trained: Path) -> None:
    folder = runs_of(trained) / "whole"
    lines = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    by_iteration = {line["iteration"]: line["Train/Kickstarting Coef"] for line in lines}
    for model in ("acmodel", "best"):
        page = folder / f"{model}.html"
        flags = ["--loadmodel", model, "--num_eval", "1", "--out", str(page)]
        assert watch(trained, "--loaddir", "whole", *flags) == 0
        iteration = checkpoint.load(folder / f"{model}.pt")["iteration"]
        said = {"value": by_iteration[iteration], "iteration": iteration}
        assert read_page(page)["k"] == said


def test_a_torn_line_is_passed_over_and_without_metrics_there_is_no_k(trained: Path) -> None:
    folder = runs_of(trained) / "whole"
    path = folder / "metrics.jsonl"
    lines = path.read_text().splitlines(keepends=True)
    path.write_text("".join([lines[0], '{"iteration": 2\n', *lines[2:]]))
    assert watch(trained, "whole", "--num_eval", "1") == 0
    assert read_page(folder / "watch.html")["k"]["iteration"] == 8
    path.write_text('{"iteration": 1')
    assert watch(trained, "whole", "--num_eval", "1") == 0
    assert read_page(folder / "watch.html")["k"] is None


def test_the_teacher_needs_no_run_and_its_failures_come_first(tmp_path: Path) -> None:
    flags = ["--task", "lavadoorkey", "--eval_teacher", *TRIED]
    assert watch(tmp_path, *flags) == 0
    assert evaluate(tmp_path, *flags) == 0
    folder = tmp_path / "ppo" / "lavadoorkey" / "teacher"
    content = read_page(folder / "watch.html")
    assert_as_evaluated(content, folder, "timed out")
    assert [episode["success"] for episode in content["episodes"]] == [False] * 4 + [True] * 4
    assert content["run"] is content["k"] is None
    for episode in content["episodes"]:
        for step in episode["moments"][:-1]:
            assert step["bars"].keys() == {"teacher"}
            assert step["value"] is None
            # It does what one of its plans says.
            assert any(step["followed"])
    assert (folder / "watch.html").stat().st_size < 1_000_000


def test_the_option_under_way_is_the_first_that_is_not_finished(tmp_path: Path) -> None:
    assert watch(tmp_path, "--eval_teacher", "--num_eval", "8") == 0
    seen = set()
    for episode in read_page(runs_of(tmp_path) / "teacher" / "watch.html")["episodes"]:
        for step in episode["moments"][:-1]:
            told = zip(step["plans"], step["under_way"], step["advised"], strict=True)
            for (_, options), number, advised in told:
                if options == ["go to <key>", "pick up <key>"]:
                    seen.add((number, advised == "pick up"))
    assert seen == {(0, False), (1, True)}


def test_a_home_is_drawn_from_its_boxes(tmp_path: Path) -> None:
    flags = ["--task", small_homes.TASK, "--eval_teacher", "--num_eval", "3"]
    assert watch(tmp_path, *flags) == 0
    assert evaluate(tmp_path, *flags) == 0
    folder = small_homes.runs_of(tmp_path) / "teacher"
    content = read_page(folder / "watch.html")
    assert_as_evaluated(content, folder, "timed out")
    for episode in content["episodes"]:
        assert episode["kind"] == "home"
        assert episode["moments"][0]["robot"] == [
            round(number, 3) for number in episode["place"]["start"]
        ]
        assert episode["sheets"]["depth"]["src"].startswith("data:image/png;base64,")
        assert len(episode["moments"][0]["action"]) == len(content["actions"]) == 6


class Scripts(HTMLParser):
    """How many there are, and the text of each."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.texts: list[str] = []
        self.inside = False
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: Any) -> None:
        if tag == "script":
            self.inside = True
            self.texts.append("")

    def handle_endtag(self, tag: str) -> None:
        self.inside = self.inside and tag != "script"

    def handle_data(self, data: str) -> None:
        if self.inside:
            self.texts[-1] += data


@settings(max_examples=25)
@given(
    text=st.text(st.characters())
    | st.just("</script><script>alert(1)</script>")
    | st.just("<!--<script>")
)
def test_no_text_leaves_its_place(text: str) -> None:
    page = as_page({"scene": text, text: [text]})
    data, script = Scripts(page).texts
    assert json.loads(data) == {"scene": text, text: [text]}
    assert script == Scripts(as_page({})).texts[1]


def test_the_page_asks_nobody_for_anything(tmp_path: Path) -> None:
    assert watch(tmp_path, "--eval_teacher", "--num_eval", "1") == 0
    page = DATA.sub("", (runs_of(tmp_path) / "teacher" / "watch.html").read_text())
    assert re.findall(r"""(?:src|href)=["']([^"']*)""", page) == ["data:,"]
    assert set(re.findall(r"https?://[^\"']*", page)) == {"http://www.w3.org/2000/svg"}


@given(success=st.lists(st.booleans()), count=st.integers(1, 12))
def test_failures_come_first_and_leave_room_for_successes(success: list[bool], count: int) -> None:
    chosen = choose(success, count)
    assert len(set(chosen)) == len(chosen) == min(count, len(success))
    outcomes = [success[i] for i in chosen]
    assert outcomes == sorted(outcomes)
    if chosen:
        assert outcomes[0] == all(success)
    if any(success) and count > 1:
        assert outcomes[-1]


def test_it_is_shown_in_the_browser(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A browser that writes down what it is to show, and one that is not there."""
    shown, page = tmp_path / "shown", tmp_path / "my page.html"
    opener = tmp_path / "opener"
    opener.write_text(f'#!/bin/sh\nprintf %s "$1" > {shown}\n')
    opener.chmod(0o755)
    flags = ["--eval_teacher", "--num_eval", "1", "--out", str(page), "--open"]
    for browsers, said in ((f"{opener} %s", ""), ("", "there is no browser")):
        monkeypatch.setattr(webbrowser, "_tryorder", [])
        monkeypatch.setattr(webbrowser, "_browsers", {})
        if browsers:
            webbrowser.register("mine", None, webbrowser.GenericBrowser(browsers.split()))
        assert watch(tmp_path, *flags) == 0
        assert said in capsys.readouterr().out
    assert shown.read_text() == page.as_uri()


@pytest.mark.parametrize(
    ("flags", "says"),
    [
        ([], "there is no run under"),
        (["mine"], "there is no run"),
        (["mine", "--loaddir", "yours"], "mine and --loaddir yours: give one run"),
        (["mine", "--eval_teacher"], "--eval_teacher needs no run; leave mine out"),
        (["--loaddir", "mine", "--eval_teacher"], "--eval_teacher needs no run; leave mine out"),
        (["--eval_teacher", "--episodes", "0"], "--episodes: 0 cannot be shown"),
        (["--eval_teacher", "--num_eval", "0"], "--num_eval: must be"),
        (["--plans", "configs/plans/twodoor.yaml"], "--plans: a student needs none"),
        (["--eval_teacher", "--navigate_noise", "1"], "SimpleDoorKey has no such setting"),
    ],
)
def test_what_cannot_be_shown_is_said_in_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], flags: list[str], says: str
) -> None:
    assert watch(tmp_path, *flags) == 1
    error = capsys.readouterr().err
    assert says in error
    assert error.count("\n") == 1
    assert not [*tmp_path.iterdir()]


def test_a_page_is_of_one_run(trained: Path, capsys: pytest.CaptureFixture[str]) -> None:
    runs = runs_of(trained)
    (runs / "whole").rename(runs / "many-0")
    (runs / "many-1").symlink_to(runs / "many-0")
    assert watch(trained, "many") == 1
    assert "a page shows one run: name" in capsys.readouterr().err
    assert watch(trained, "many", "--seed_list", "1", "--num_eval", "1") == 0
    assert main.main(["watch", str(runs / "many-0"), "--threads", "1", "--num_eval", "1"]) == 0
