"""Which run a command looks at: by path, by name in the whole log tree, or the newest."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from tests import small_homes
from tests.pages import read_page, watch
from tests.running import evaluate, runs_of, train

ONE = ["--num_eval", "1"]


@pytest.fixture
def homes(tmp_path: Path) -> Path:
    """A log tree with one run, in homes."""
    assert small_homes.train(tmp_path, "--savedir", "mine", "--n_itr", "0") == 0
    return tmp_path


def test_a_run_of_any_task_is_found_by_its_name(
    homes: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = small_homes.runs_of(homes) / "mine"
    for run in ("mine", str(folder)):
        assert watch(homes, run, *ONE, "--simulator", "tensor") == 0
        assert evaluate(homes, "--loaddir", run, *ONE, "--simulator", "tensor") == 0
    assert read_page(folder / "watch.html")["task"] == "NavPick"
    assert (folder / "eval-tensor" / "eval.json").is_file()
    capsys.readouterr()
    # A name that begins like another is not that name.
    assert watch(homes, "min", *ONE) == 1
    assert f"there are {folder}\n" in capsys.readouterr().err


def test_runs_of_one_name_and_one_a_seed_are_found_together(
    homes: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = small_homes.runs_of(homes) / "mine"
    for seed in (3, 4):
        shutil.copytree(folder, folder.with_name(f"each-{seed}"))
    assert evaluate(homes, "--loaddir", "each", *ONE) == 0
    for seed in (3, 4):
        assert (folder.with_name(f"each-{seed}") / "eval" / "eval.json").is_file()


@pytest.mark.parametrize("look", [watch, evaluate])
def test_a_name_that_several_tasks_have_needs_one(
    homes: Path, capsys: pytest.CaptureFixture[str], look: Callable[..., int]
) -> None:
    assert train(homes, "--savedir", "mine", "--n_itr", "0") == 0
    capsys.readouterr()
    assert look(homes, "--loaddir", "mine", *ONE) == 1
    error = capsys.readouterr().err
    for folder in (runs_of(homes), small_homes.runs_of(homes)):
        assert str(folder / "mine") in error
    assert error.count("\n") == 1
    assert look(homes, "--loaddir", "mine", *ONE, "--task", "simpledoorkey") == 0
    assert look(homes, "--loaddir", "mine", *ONE, "--policy", "ppo-alone") == 1
    assert f"there is no run {homes / 'ppo-alone' / '*' / 'mine'}; " in capsys.readouterr().err


def test_of_two_methods_with_a_run_of_a_name_the_default_one_counts(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for method in ("ppo", "ppo-alone"):
        assert train(tmp_path, "--savedir", "mine", "--n_itr", "0", "--policy", method) == 0
    capsys.readouterr()
    named = ["--loaddir", "mine", *ONE]
    assert evaluate(tmp_path, *named) == 1
    assert "give a path, --task or --policy" in capsys.readouterr().err
    assert evaluate(tmp_path, *named, "--task", "simpledoorkey") == 0
    assert (runs_of(tmp_path) / "mine" / "eval").is_dir()
    shutil.rmtree(runs_of(tmp_path))
    # Without a name too, runs of other methods are told.
    assert evaluate(tmp_path, *ONE, "--task", "simpledoorkey") == 1
    assert str(runs_of(tmp_path, "ppo-alone")) in capsys.readouterr().err


@pytest.mark.parametrize("look", [watch, evaluate])
def test_a_flag_of_homes_means_the_newest_run_in_homes(
    homes: Path, capsys: pytest.CaptureFixture[str], look: Callable[..., int]
) -> None:
    assert train(homes, "--savedir", "room", "--n_itr", "0") == 0
    assert look(homes, *ONE, "--simulator", "tensor") == 0
    found = f"the newest run of NavPick is {small_homes.runs_of(homes) / 'mine'}"
    assert found in capsys.readouterr().out


@pytest.mark.parametrize("look", [watch, evaluate])
def test_where_other_tasks_have_runs_is_said(
    homes: Path, capsys: pytest.CaptureFixture[str], look: Callable[..., int]
) -> None:
    assert look(homes, *ONE) == 1
    error = capsys.readouterr().err
    assert f"there is no run under {runs_of(homes)}; " in error
    assert str(small_homes.runs_of(homes)) in error
    assert error.count("\n") == 1


@pytest.mark.parametrize("look", [watch, evaluate])
def test_a_teacher_warns_of_its_plans_once(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], look: Callable[..., int]
) -> None:
    plans = tmp_path / "plans.yaml"
    text = Path("configs/plans/simpledoorkey.yaml").read_text()
    plans.write_text(text.replace("pick up", "pikc up"))
    flags = ["--eval_teacher", "--plans", str(plans), *ONE]
    flags += ["--videos", "1"] if look is evaluate else []
    assert look(tmp_path, *flags) == 0
    assert capsys.readouterr().out.count("warning: plans of SimpleDoorKey") == 1
