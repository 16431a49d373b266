"""Runs of students that choose options: trained, killed, resumed, judged and filmed."""

import itertools
import json
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import imageio.v3 as iio
import pytest

import main
from algos import checkpoint
from algos.student import AVAILABLE
from commands.run_files import METRICS, read_lines
from tests import running, small_homes
from tests.pages import read_page, watch
from tests.running import ROOT, SMALL, assert_same_run

POLICY = ["--policy", "hierarchical"]


def train(logdir: Path, *flags: str) -> int:
    return running.train(logdir, *POLICY, "--num_envs", "4", *flags)


def resume(logdir: Path, *flags: str) -> int:
    return main.main(["train", "--logdir", str(logdir), *POLICY, "--resume", *flags])


def runs_of(logdir: Path, task: str = "simpledoorkey") -> Path:
    return logdir / "hierarchical" / task


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A log tree with one finished run of six iterations."""
    logdir = tmp_path_factory.mktemp("hierarchical")
    assert train(logdir, "--n_itr", "6", "--savedir", "whole") == 0
    return logdir


def test_a_run_says_what_others_say_and_how_long_a_choice_lasts(trained: Path) -> None:
    folder = runs_of(trained) / "whole"
    rows = read_lines(folder / METRICS)
    steps = 0
    for row in rows:
        choices = row["Train/Eplen"] / row["Train/Steps a Choice"]
        # Episodes and budget are in primitive steps.
        assert 1 <= choices <= row["Train/Eplen"] <= 16
        assert row["Train/Kickstarting Coef"] == 0
        assert row["Train/Steps"] > steps
        steps = row["Train/Steps"]
    assert any(row["Train/Steps a Choice"] > 1 for row in rows)
    verdict = json.loads((folder / "verdict.json").read_text())
    assert [len(verdict[who]["episodes"]) for who in ("last", "best", "teacher")] == [100] * 3
    network = checkpoint.load(folder / "best.pt")["network"]
    assert (network["actions"], network["obs"][AVAILABLE]) == (7, (7,))


def test_a_killed_run_goes_on_as_if_nothing_had_happened(trained: Path, tmp_path: Path) -> None:
    command = [sys.executable, "main.py", "train", "--logdir", str(tmp_path), *SMALL, *POLICY]
    flags = ["--num_envs", "4", "--n_itr", "6", "--savedir", "cut", "--save_interval", "2"]
    process = subprocess.Popen([*command, *flags], cwd=ROOT, stdout=subprocess.PIPE, text=True)
    assert process.stdout
    for line in process.stdout:
        if " 3/6: " in line:
            process.send_signal(signal.SIGKILL)
            break
    process.stdout.read()
    assert process.wait() == -signal.SIGKILL
    folder = runs_of(tmp_path) / "cut"
    assert checkpoint.load(folder / "checkpoint.pt")["progress"]["iteration"] in (2, 4)
    assert resume(tmp_path, "--savedir", "cut") == 0
    assert_same_run(runs_of(trained) / "whole", folder)


def test_a_student_that_remembers_and_sees_from_where_it_stands_can_be_split(
    tmp_path: Path,
) -> None:
    flags = ["--recurrent", "--network", "egocentric", "--frame_stack", "2", "--gae"]
    assert train(tmp_path, "--savedir", "whole", "--n_itr", "2", *flags) == 0
    assert train(tmp_path, "--savedir", "split", "--n_itr", "1", *flags) == 0
    assert resume(tmp_path, "--savedir", "split", "--n_itr", "2") == 0
    assert_same_run(runs_of(tmp_path) / "whole", runs_of(tmp_path) / "split")


def test_it_is_evaluated_alone_and_filmed(trained: Path) -> None:
    told = [*POLICY, "--loaddir", "whole", "--num_eval", "3", "--videos", "1", "--gif"]
    assert running.evaluate(trained, *told, "--deterministic") == 0
    folder = runs_of(trained) / "whole"
    (found,) = (json.loads((folder / "eval" / "eval.json").read_text()),)
    assert found["deterministic"] is True
    assert len(found["episodes"]) == 3
    assert len(iio.imread(folder / "eval" / "episode-0.gif")) == found["episodes"][0]["length"] + 1
    assert running.evaluate(trained, *told, "--loadmodel", "best", "--savedir", "best") == 0
    assert running.evaluate(trained, *POLICY, "--eval_teacher", "--num_eval", "1") == 0


def test_its_page_has_the_value_of_each_last_choice(trained: Path) -> None:
    page = runs_of(trained) / "whole" / "watch.html"
    assert watch(trained, *POLICY, "whole", "--num_eval", "4") == 0
    stays = 0
    for episode in read_page(page)["episodes"]:
        steps = episode["moments"][:-1]
        assert all(isinstance(step["value"], float) for step in steps)
        for before, after in itertools.pairwise(steps):
            same = after["value"] == before["value"]
            # An option that changes nothing, such as "open" without a key, ends at once.
            idle = all(after[name] == before[name] for name in ("memory", "agent", "carries"))
            assert not same or idle or after["held"] == before["held"]
            stays += same
    assert stays


def test_one_that_has_diverged_is_refused_in_a_line(
    trained: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.copytree(trained, tmp_path, dirs_exist_ok=True)
    running.diverge(runs_of(tmp_path) / "whole" / "acmodel.pt")
    for command in (running.evaluate, watch):
        assert command(tmp_path, *POLICY, "--loaddir", "whole", "--num_eval", "1") == 1
        error = capsys.readouterr().err
        assert "acmodel.pt has diverged: some of its weights are not finite numbers" in error
        assert error.count("\n") == 1


def test_rooms_one_by_one_give_the_same_run_whole_or_resumed(tmp_path: Path) -> None:
    one_by_one = ["--rooms", "gym", "--num_eval", "1", "--n_itr"]
    assert train(tmp_path, "--savedir", "whole", *one_by_one, "2") == 0
    assert train(tmp_path, "--savedir", "split", *one_by_one, "1") == 0
    assert resume(tmp_path, "--savedir", "split", "--n_itr", "2") == 0
    assert_same_run(*(runs_of(tmp_path) / name for name in ("whole", "split")))


def test_in_homes_it_is_trained_stopped_and_evaluated(tmp_path: Path) -> None:
    whole, split = (runs_of(tmp_path, "navpick") / name for name in ("whole", "split"))
    for folder, iterations in ((whole, "2"), (split, "1")):
        flags = ["--n_itr", iterations, "--savedir", folder.name]
        assert small_homes.train(tmp_path, *POLICY, *flags) == 0
    assert small_homes.resume(tmp_path, *POLICY, "--savedir", "split", "--n_itr", "2") == 0
    assert_same_run(whole, split)
    told = [*POLICY, "--loaddir", "split", "--num_eval", "2", "--videos", "1", "--gif"]
    assert small_homes.evaluate(tmp_path, *told) == 0
    assert (split / "eval" / "episode-0.gif").is_file()


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        ([*POLICY, "--kl_start", "1"], "the method hierarchical is defined by --kl_start 0"),
        ([*POLICY, "--no_hierarchical"], "the method hierarchical is defined by --hierarchical"),
        (
            [*POLICY, "--task", small_homes.TASK, "--train_option", "pick"],
            "a student that trains one option has none to choose",
        ),
    ],
)
def test_what_does_not_go_together_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], flags: list[str], words: str
) -> None:
    assert running.train(tmp_path, *flags) == 1
    error = capsys.readouterr().err
    assert words in error
    assert error.count("\n") == 1
