"""Settings of homes and of rooms: each in its place, or refused in a line that names it."""

import re
from pathlib import Path

import pytest

import main
from commands.settings.flags import parse
from commands.settings.resolve import check
from tests.commands.test_flags import HEAVY, answer
from utils.errors import UserError

HOMES, ROOMS = ["--task", "NavPick"], ["--task", "SimpleDoorKey"]
TOGETHER = "--options learned and --option_dir go together: give both, or none"


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        (["train", *HOMES, "--rooms", "gym"], "--rooms gym: NavPick has no such setting"),
        (
            ["train", *HOMES, "--network", "egocentric"],
            "--network: must be small or resnet18 in NavPick",
        ),
    ],
)
def test_what_another_world_has_is_refused_before_pytorch_is_loaded(
    flags: list[str], words: str
) -> None:
    status, out, error, packages = answer(*flags)
    assert status == 1
    assert not packages & HEAVY
    assert words in error
    assert error.startswith("error: ")
    assert error.count("\n") == 0
    assert not out


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        ([*HOMES, "--frame_stack", "2"], "--frame_stack 2: NavPick has no such setting"),
        ([*HOMES, "--network", "paper"], "--network: must be small or resnet18 in NavPick"),
        ([*ROOMS, "--depth_size", "9"], "--depth_size 9: SimpleDoorKey has no such setting"),
        ([*ROOMS, "--train_option", "pick"], "--train_option pick: SimpleDoorKey has no such"),
        ([*ROOMS, "--network", "small"], "--network: must be paper or egocentric in Simple"),
        ([*HOMES, "--options", "learned"], TOGETHER),
        ([*HOMES, "--options", "learned", "--option_dir", ""], "--option_dir is empty"),
        ([*HOMES, "--option_dir", "log"], TOGETHER),
        ([*HOMES, "--options", "scripted", "--option_dir", "log"], TOGETHER),
        (
            [*HOMES, "--options", "learned", "--option_dir", "log", "--pick_noise", "1"],
            "navigate_noise and pick_noise: scripted options alone have them",
        ),
        ([*HOMES, "--depth_size", "7"], "--depth_size: must be greater than or equal to 8"),
        (
            [*HOMES, "--navigate_noise", "-1"],
            "--navigate_noise: must be greater than or",
        ),
        ([*HOMES, "--pick_noise", "-1"], "--pick_noise: must be greater than or equal to"),
    ],
)
@pytest.mark.parametrize("command", ["train", "eval"])
def test_settings_that_are_none_of_the_tasks_are_refused_in_a_line(
    command: str, flags: list[str], words: str
) -> None:
    """By what is done before a command, and PyTorch, is loaded."""
    with pytest.raises(UserError, match=re.escape(words)) as refusal:
        check(parse([command, *flags]))
    assert "\n" not in str(refusal.value)


def test_a_method_of_rooms_is_none_of_homes(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    method = tmp_path / "two_maps.yaml"
    method.write_text("description: Looks at two maps\nfixed: {frame_stack: 2}\n")
    flags = ["--logdir", str(tmp_path / "log"), "--policy", str(method)]
    assert main.main(["train", *HOMES, *flags]) == 1
    error = capsys.readouterr().err
    assert error == (
        "error: method two_maps: fixed: --frame_stack 2: NavPick has no such setting\n"
    )


def test_what_a_preset_says_for_rooms_is_refused_in_homes(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    preset = tmp_path / "preset.yaml"
    preset.write_text("network: egocentric\ntasks: {NavPick: {max_grad_norm: 1}}\n")
    flags = ["train", *HOMES, "--logdir", str(tmp_path / "log"), "--config", str(preset)]
    assert main.main(flags) == 1
    assert "--config: network: must be small or resnet18 in NavPick" in capsys.readouterr().err
    preset.write_text("network: egocentric\ntasks: {NavPick: {network: resnet18}}\n")
    assert main.main([*flags, "--n_itr", "-1"]) == 1
    assert "--n_itr" in capsys.readouterr().err


def test_bf16_needs_a_view_of_some_size() -> None:
    flags = [*HOMES, "--precision", "bf16", "--depth_size"]
    check(parse(["train", *flags, "32"]))
    with pytest.raises(UserError, match="precision: bf16 needs a depth_size of at least 32"):
        check(parse(["train", *flags, "31"]))
