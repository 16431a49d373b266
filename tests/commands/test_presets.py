"""Presets: files of settings, which flags and a run's own config outweigh."""

from pathlib import Path

import pytest

import main
from tests import small_rooms
from tests.running import ROOT, evaluate, settings_of


def test_a_preset_gives_way_to_flags(tmp_path: Path) -> None:
    preset = tmp_path / "preset.yaml"
    preset.write_text("task: TwoDoor\nnum_envs: 3\ngamma: 0.5\n")
    flags = ["--logdir", str(tmp_path), "--config", str(preset), "--gamma", "0.7", "--n_itr", "0"]
    assert main.main(["train", *flags, "--device", "cpu"]) == 0
    config = settings_of(tmp_path / "ppo/twodoor/run1")
    assert (config["num_envs"], config["gamma"], config["traj_per_itr"]) == (3, 0.7, 10)


def test_a_preset_says_more_for_single_tasks(tmp_path: Path) -> None:
    preset = tmp_path / "preset.yaml"
    preset.write_text("gamma: 0.5\nlam: 0.5\ntasks: {twodoor: {gamma: 0.6, lam: 0.6}}\n")
    flags = ["--logdir", str(tmp_path), "--config", str(preset), "--n_itr", "0", "--device", "cpu"]
    for task, expected in (("TwoDoor", (0.6, 0.7)), ("LavaDoorKey", (0.5, 0.7))):
        assert main.main(["train", "--task", task, "--lam", "0.7", *flags]) == 0
        config = settings_of(tmp_path / "ppo" / task.lower() / "run1")
        assert (config["gamma"], config["lam"]) == expected


def test_the_papers_setting_is_named_where_no_preset_is(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    flags = ["train", "--logdir", str(tmp_path), "--n_itr", "0", "--savedir", "run"]
    assert main.main(flags) == 0
    assert (
        "settings that no flag and no task sets are the paper's; see configs/best"
        in capsys.readouterr().out
    )
    assert main.main([*flags, "--overwrite", "--config", "configs/best.yaml"]) == 0
    assert main.main([*flags, "--resume"]) == 0
    assert "that no flag and no task sets" not in capsys.readouterr().out


def test_what_a_preset_gets_wrong_is_told_in_a_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    preset = tmp_path / "preset.yaml"
    flags = ["--logdir", str(tmp_path / "log"), "--config", str(preset)]
    for content, words in (
        ("gama: 0.5", "there is no setting 'gama'"),
        ("tasks: {TwoDoor: {gama: 0.5}}", "tasks: TwoDoor: there is no setting 'gama'"),
        ("tasks: {TwoDoor: 7}", "tasks: TwoDoor must hold settings"),
        ("tasks: {TwoDoor: {task: LavaDoorKey}}", "tasks: TwoDoor must hold settings, and no task"),
        ("tasks: {TwoDor: {gamma: 0.5}}", "tasks: TwoDor is not one of Colored"),
        ("domains: {minigird: {gamma: 0.5}}", "domains: minigird is not one of minigrid, nav_pick"),
        ("domains: {nav_pick: {gamma: 2}, minigrid: {gama: 1}}", "there is no setting 'gama'"),
        ("tasks: [TwoDoor]", "tasks must hold settings by name"),
        ("1: 2\ngama: 3", "there is no setting '1'"),
        ("batch_size: big", "batch_size: must be a valid integer"),
        ("batch_size: null", "batch_size: must be a valid integer"),
        ("policy: 3", "unknown method '3'; give one of hierarchical, "),
        ("device: [1]", "device: must be a valid string"),
        ("seed: 9223372036854775808", "seed: must be less than"),
        ("num_envs: 1000000000000", "num_envs: must be less than"),
    ):
        preset.write_text(content)
        assert main.main(["train", *flags]) == 1
        error = capsys.readouterr().err
        assert words in error
        assert error.count("\n") == 1
    assert not (tmp_path / "log").exists()


def test_the_preset_that_comes_along_can_be_trained_with(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    preset = ROOT / "configs" / "best.yaml"
    flags = ["--logdir", str(tmp_path), "--device", "cpu", "--num_envs", "2", "--num_eval", "1"]
    new = ["--config", str(preset), "--task", small_rooms.TASK, *flags, "--n_itr", "1"]
    assert main.main(["train", *new]) == 0
    config = settings_of(tmp_path / "ppo/simpledoorkey/run1")
    assert (config["schedule"], config["network"]) == ("matched", "egocentric")
    capsys.readouterr()
    assert evaluate(tmp_path, "--num_eval", "1") == 0
    assert "run1/acmodel.pt, of iteration 1" in capsys.readouterr().out
    # A run goes on with what stands in its folder, whatever the preset says.
    more = ["--config", str(preset), "--logdir", str(tmp_path), "--savedir", "run1", "--resume"]
    assert main.main(["train", *more, "--n_itr", "2"]) == 0
    resumed = settings_of(tmp_path / "ppo/simpledoorkey/run1")
    assert (resumed["num_envs"], resumed["n_itr"]) == (2, 2)
