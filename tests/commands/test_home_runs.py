"""Homes from the command line: students are trained, stopped, judged and filmed in them."""

import json
import os
from collections.abc import Iterable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import imageio.v3 as iio
import pytest
import torch

import main
from algos import checkpoint
from commands.build import Parts
from commands.run_files import METRICS, read_lines
from commands.settings.config import make_config
from commands.settings.resolve import fresh_settings
from planner.task import load_task
from tests import running
from tests.running import TESTS, assert_same_run, scalars, settings_of
from tests.small_homes import TASK, evaluate, resume, runs_of, train
from utils import seeding
from utils.ranks import Ranks

MEASURES = {"collisions", "path_length", "spl", "clean_success"}


def result(folder: Path, name: str = "eval") -> dict[str, Any]:
    content: dict[str, Any] = json.loads((folder / name / "eval.json").read_text())
    return content


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A log tree with one finished run of three iterations."""
    logdir = tmp_path_factory.mktemp("homes")
    assert train(logdir, "--n_itr", "3", "--savedir", "whole") == 0
    return logdir


def test_a_run_measures_what_homes_measure(trained: Path) -> None:
    folder = runs_of(trained) / "whole"
    shown = scalars(folder)
    assert all(shown[name] == [1, 2, 3] for name in TESTS)
    verdict = json.loads((folder / "verdict.json").read_text())
    assert verdict["teacher"]["measures"].keys() == verdict["last"]["measures"].keys() == MEASURES
    assert verdict["teacher"]["return"]["low"] > verdict["last"]["return"]["high"]


def test_a_stopped_run_goes_on_as_if_nothing_had_happened(trained: Path, tmp_path: Path) -> None:
    assert train(tmp_path, "--n_itr", "1", "--savedir", "split") == 0
    assert resume(tmp_path, "--n_itr", "3") == 0
    assert_same_run(runs_of(trained) / "whole", runs_of(tmp_path) / "split")


def test_a_student_that_remembers_is_trained_stopped_and_evaluated(tmp_path: Path) -> None:
    whole, split = (runs_of(tmp_path) / name for name in ("whole", "split"))
    for folder, iterations in ((whole, "2"), (split, "1")):
        flags = ["--recurrent", "--n_itr", iterations, "--savedir", folder.name]
        assert train(tmp_path, *flags) == 0
    assert resume(tmp_path, "--savedir", "split", "--n_itr", "2") == 0
    assert_same_run(whole, split)
    assert evaluate(tmp_path, "--loaddir", "split", "--num_eval", "2") == 0
    assert len(result(split)["episodes"]) == 2


def test_a_student_sees_with_resnet18(tmp_path: Path) -> None:
    assert train(tmp_path, "--network", "resnet18", "--n_itr", "1", "--savedir", "deep") == 0
    folder = runs_of(tmp_path) / "deep"
    model = checkpoint.load(folder / "acmodel.pt")
    assert model["network"]["network"] == "resnet18"
    assert sum(tensor.numel() for tensor in model["weights"].values()) > 2_800_000
    assert evaluate(tmp_path, "--num_eval", "2", "--deterministic") == 0
    assert len(result(folder)["episodes"]) == 2


def test_an_evaluation_holds_success_and_measures(
    trained: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert evaluate(trained, "--num_eval", "3", "--videos", "1", "--gif") == 0
    folder = runs_of(trained) / "whole"
    found = result(folder)
    assert 0 <= found["success"]["mean"] <= 1
    assert found["measures"].keys() == MEASURES
    for episode in found["episodes"]:
        assert episode["measures"].keys() == MEASURES
        assert episode["length"] <= 12
    lengths = [episode["measures"]["path_length"] for episode in found["episodes"]]
    assert found["measures"]["path_length"]["mean"] == pytest.approx(sum(lengths) / 3)
    assert sum(lengths) > 0
    assert {line.split()[0] for line in capsys.readouterr().out.splitlines()} > MEASURES
    frames = iio.imread(folder / "eval" / "episode-0.gif")
    assert len(frames) == found["episodes"][0]["length"] + 1
    assert any((frame != frames[0]).any() for frame in frames)


def test_noise_in_an_option_is_a_handicap_of_the_teacher(tmp_path: Path) -> None:
    flags = ["--task", "NavPick", "--eval_teacher", "--depth_size", "8", "--num_eval", "10"]
    assert running.evaluate(tmp_path, *flags, "--savedir", "able") == 0
    assert running.evaluate(tmp_path, *flags, "--savedir", "noisy", "--navigate_noise", "3") == 0
    able, noisy = (result(runs_of(tmp_path) / "teacher", name) for name in ("able", "noisy"))
    assert able["success"]["mean"] >= 0.9
    assert noisy["success"]["mean"] <= 0.7
    assert noisy["measures"]["spl"]["mean"] < 0.5 < able["measures"]["spl"]["mean"]


def test_a_sparse_reward_is_for_success_alone(tmp_path: Path) -> None:
    flags = ["--reward", "sparse", "--train_option", "pick"]
    assert train(tmp_path, "--n_itr", "1", *flags) == 0
    folder = runs_of(tmp_path) / "pick"
    verdict = json.loads((folder / "verdict.json").read_text())
    for who in ("teacher", "last"):
        for episode in verdict[who]["episodes"]:
            assert episode["return"] == float(episode["success"])
    assert 0 < verdict["teacher"]["success"]["mean"] < 1
    (row,) = read_lines(folder / METRICS)
    assert row["Train/Return Mean"] == row["Train/Success Rate"]


def test_homes_without_end_can_be_trained_in(trained: Path, tmp_path: Path) -> None:
    assert train(tmp_path, "--n_itr", "1", "--layouts", "0", "--savedir", "endless") == 0
    folder = runs_of(tmp_path) / "endless"
    assert settings_of(folder)["layouts"] == 0
    endless, ten = (read_lines(run / METRICS)[0] for run in (folder, runs_of(trained) / "whole"))
    assert endless["Train/Return Mean"] != ten["Train/Return Mean"]


def shapes(homes: Any, seeds: Iterable[int]) -> set[bytes]:
    """What stands in the homes that come of seeds."""
    found = set()
    for seed in seeds:
        homes.reset(seed=[seed] * homes.num_envs)
        found.add(homes._home["boxes"][0].numpy().tobytes())
    return found


@pytest.mark.parametrize("layouts", [0, 10, 200])
def test_students_are_judged_in_layouts_that_training_does_not_have(layouts: int) -> None:
    given = {"task": load_task(TASK), "device": "cpu", "num_eval": 3, "layouts": layouts}
    settings = fresh_settings(given)
    place = torch.device("cpu")
    with ExitStack() as owned:
        parts = Parts(make_config(settings, "settings"), owned)
        teacher = parts.teacher(Path(os.devnull))
        evaluator = parts.evaluator(parts.trainer(Path(), teacher, Ranks()), teacher)
        training = parts.domain.environments(2, place)
        filmed = parts.domain.single_environments(1, render=True)
        judged = [evaluator.environments, evaluator.unseen, parts.domain.unseen(2, place), filmed]
        seen = shapes(training, seeding.numbered(seeding.FIRST_VERDICT_SEED, 60))
        assert not layouts or len(seen) <= layouts
        for homes in judged:
            assert not seen & shapes(homes, seeding.evaluation_seeds([0], 60))


def test_another_view_than_the_student_has_learned_with_is_refused(
    trained: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert evaluate(trained, "--loaddir", "whole", "--depth_size", "9", "--savedir", "nine") == 1
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert "depth 8x8x1" in error
    assert "depth 9x9x1" in error
    assert not (runs_of(trained) / "whole" / "nine").exists()


def test_a_run_goes_on_in_the_homes_that_it_began_in(
    trained: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = runs_of(trained) / "whole" / "checkpoint.pt"
    before = checkpoint.load(path)["progress"]
    for flags in (["--layouts", "3"], ["--reward", "sparse"], ["--pick_noise", "1"]):
        assert resume(trained, "--savedir", "whole", "--n_itr", "4", *flags) == 1
        error = capsys.readouterr().err
        assert error.startswith(f"error: {' '.join(flags)}")
        assert "a run goes on as it began" in error
        assert error.count("\n") == 1
    assert checkpoint.load(path)["progress"] == before


def test_a_run_that_a_path_names_is_evaluated_by_its_own_tasks_settings(
    trained: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = str(runs_of(trained) / "whole")
    told = ["--loaddir", path, "--num_eval", "2", "--logdir", str(trained)]
    assert running.evaluate(trained, "--loaddir", path, "--num_eval", "2", "--pick_noise", "3") == 0
    capsys.readouterr()
    assert main.main(["eval", *told, "--frame_stack", "2"]) == 1
    assert "--frame_stack 2: NavPick has no such setting" in capsys.readouterr().err
