"""Evaluations: which model and rooms they use, and what they write."""

import json
from pathlib import Path

import imageio.v3 as iio
import pytest

import main
from algos import checkpoint
from commands.viewer.film import FRAMES_PER_SECOND, OUTCOME_SECONDS
from tests.running import ROOT, evaluate, runs_of, train


@pytest.mark.parametrize("model", ["best", "acmodel"])
def test_an_evaluation_says_which_model_it_is_of(
    trained: Path, capsys: pytest.CaptureFixture[str], model: str
) -> None:
    folder = runs_of(trained) / "whole"
    name = ["--savedir", f"of-{model}"]
    assert evaluate(trained, "--loaddir", "whole", "--loadmodel", model, *name) == 0
    iteration = checkpoint.load(folder / f"{model}.pt")["iteration"]
    said = f"evaluating {folder / f'{model}.pt'}, of iteration {iteration}"
    assert said in capsys.readouterr().out
    content = json.loads((folder / f"of-{model}" / "eval.json").read_text())
    assert (content["model"], content["iteration"]) == (f"{model}.pt", iteration)


def test_the_newest_run_is_the_one_trained_last(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("a", "b"):
        assert train(tmp_path, "--n_itr", "0", "--savedir", name) == 0
    assert evaluate(tmp_path, "--loaddir", "a", "--num_eval", "1") == 0
    capsys.readouterr()
    assert evaluate(tmp_path, "--num_eval", "1") == 0
    assert f"is {runs_of(tmp_path) / 'b'}" in capsys.readouterr().out


def test_an_evaluation_says_what_it_replaces_and_how_actions_were_chosen(
    trained: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    flags = ["--loaddir", "whole", "--num_eval", "1"]
    assert evaluate(trained, *flags) == 0
    first = capsys.readouterr().out
    assert "replaces" not in first
    assert "likeliest" not in first
    assert evaluate(trained, *flags, "--deterministic") == 0
    again = capsys.readouterr().out
    assert "held an evaluation, which this one replaces; --savedir gives another name" in again
    title = "means of n episodes, each step's likeliest action, with 95% intervals"
    assert title in again, "The table's own width does not fold its title."


def test_several_evaluation_seeds_are_taken_as_they_are(trained: Path) -> None:
    seeds = [str(seed) for seed in range(20, 32)]
    flags = ["--loaddir", "whole", "--savedir", "many", "--env_seed_list", *seeds]
    assert evaluate(trained, *flags) == 0
    content = json.loads((runs_of(trained) / "whole" / "many" / "eval.json").read_text())
    assert [str(episode["seed"]) for episode in content["episodes"]] == seeds


def test_a_single_episode_has_no_interval(tmp_path: Path) -> None:
    assert evaluate(tmp_path, "--eval_teacher", "--num_eval", "1") == 0
    content = json.loads((runs_of(tmp_path) / "teacher" / "eval" / "eval.json").read_text())
    assert content["return"]["low"] is None


def test_evaluation_is_repeatable_and_seed_0_is_a_seed(trained: Path) -> None:
    results = []
    for name in ("one", "two"):
        flags = ["--loaddir", "whole", "--savedir", name, "--num_eval", "3"]
        assert evaluate(trained, *flags) == 0
        results.append(json.loads((runs_of(trained) / "whole" / name / "eval.json").read_text()))
    assert results[0]["episodes"] == results[1]["episodes"]
    assert [episode["seed"] for episode in results[0]["episodes"]] == [0, 1, 2]
    interval = results[0]["length"]
    assert interval["low"] <= interval["mean"] <= interval["high"]


def test_evaluation_takes_the_newest_run_and_films_it(
    trained: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    flags = ["--videos", "1", "--num_eval", "1", "--env_seed_list", "7", "--deterministic"]
    assert evaluate(trained, *flags) == 0
    assert f"the newest run of SimpleDoorKey is {runs_of(trained) / 'whole'}" in " ".join(
        capsys.readouterr().out.split()
    )
    film = runs_of(trained) / "whole" / "eval" / "episode-7.mp4"
    meta = iio.immeta(film, plugin="FFMPEG")
    assert meta["codec"] == "h264"
    assert meta["pix_fmt"].startswith("yuv420p")
    episode = json.loads((film.parent / "eval.json").read_text())["episodes"][0]
    assert len(iio.imread(film, plugin="FFMPEG")) > 1
    assert episode["seed"] == 7


def test_a_film_is_of_the_episode_that_was_counted(tmp_path: Path) -> None:
    """A student that draws its actions and sooner or later steps into lava: with other draws its
    films would have other lengths."""
    flags = ["--task", "lavadoorkey", "--threads", "1", "--logdir", str(tmp_path)]
    assert main.main(["train", *flags, "--n_itr", "0", "--savedir", "new"]) == 0
    assert main.main(["eval", *flags, "--loaddir", "new", "--num_eval", "4", "--videos", "4"]) == 0
    folder = tmp_path / "ppo" / "lavadoorkey" / "new" / "eval"
    episodes = json.loads((folder / "eval.json").read_text())["episodes"]
    assert len({episode["length"] for episode in episodes}) > 1
    for episode in episodes:
        meta = iio.immeta(folder / f"episode-{episode['seed']}.mp4", plugin="FFMPEG")
        ending = OUTCOME_SECONDS * FRAMES_PER_SECOND
        assert round(meta["duration"] * meta["fps"]) == episode["length"] + ending


def test_the_teacher_is_evaluated_without_a_run(tmp_path: Path) -> None:
    flags = ["--eval_teacher", "--num_eval", "20", "--videos", "1", "--task", "simpleDOORkey"]
    assert evaluate(tmp_path, *flags) == 0
    folder = runs_of(tmp_path) / "teacher" / "eval"
    assert json.loads((folder / "eval.json").read_text())["success"]["mean"] == 1
    assert (folder / "episode-0.mp4").is_file()


def test_evaluations_of_different_teachers_have_different_names(tmp_path: Path) -> None:
    alone = ["--eval_teacher", "--num_eval", "1", "--task", "SimpleDoorKey"]
    plans = tmp_path / "mine.yaml"
    plans.write_text((ROOT / "configs/plans/simpledoorkey.yaml").read_text())
    wrong = ["--wrong_plans", "0.5"]
    own = ["--plans", str(plans)]
    for flags in ([], ["--llm", "uniform"], wrong, [*wrong, "--seed_list", "3"], own):
        assert evaluate(tmp_path, *alone, *flags) == 0
    found = {path.parent.name for path in tmp_path.glob("*/*/teacher/*/eval.json")}
    wrong_ones = {"eval-wrong-0.5", "eval-wrong-0.5-seed-3"}
    assert found == {"eval", "eval-uniform", *wrong_ones, "eval-mine"}


def test_the_original_commands(trained: Path, tmp_path: Path) -> None:
    flags = ["--task", "SimpleDoorKey", "--savedir", "train", "--offline_planner"]
    assert train(tmp_path, "--n_itr", "1", "--batch_size", "128", "--soft_planner", *flags) == 0
    flags = ["--task", "SimpleDoorKey", "--loaddir", "train", "--savedir", "eval"]
    assert evaluate(tmp_path, *flags) == 0
    assert evaluate(tmp_path, *flags, "--eval_teacher") == 0
    assert (runs_of(tmp_path) / "train" / "eval" / "eval.json").is_file()
