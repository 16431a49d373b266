"""The flags: made from the settings, and quick to answer."""

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import main
from commands.settings.config import SETTINGS
from commands.settings.flags import parse
from commands.settings.methods import load_method
from commands.settings.resolve import given_settings, resolve
from planner.task import load_task

ROOT = Path(__file__).parents[2]
HEAVY = {"torch", "gymnasium", "minigrid", "tensorboard"}


def answer(*flags: str) -> tuple[int, str, str, set[str]]:
    """Exit status, both outputs and the packages that were loaded, of a process of its own."""
    done = subprocess.run(
        [sys.executable, "-X", "importtime", "main.py", *flags],
        cwd=ROOT,
        env=os.environ | {"COLUMNS": "1000"},
        capture_output=True,
        text=True,
    )
    lines = done.stderr.splitlines()
    loaded = {line.split("|")[-1].strip() for line in lines if line.startswith("import time:")}
    said = [line for line in lines if not line.startswith("import time:")]
    packages = {module.split(".")[0] for module in loaded}
    assert "pydantic" in packages
    return done.returncode, done.stdout, "\n".join(said), packages


@pytest.mark.parametrize(
    ("flags", "code", "words"),
    [
        (["--help"], 0, ""),
        (["train", "--help"], 0, ""),
        (
            ["train", "--bathc_size", "3"],
            2,
            "error: unrecognized arguments: --bathc_size 3; do you mean --batch_size?; see ",
        ),
        (["train", "--batch_size", "x"], 2, "error: argument --batch_size: invalid int value: 'x'"),
        (["train", "--task", "NoSuchTask"], 1, "error: unknown task 'NoSuchTask'; give one of "),
        (["eval", "--task", "NoSuchTask"], 1, "error: unknown task 'NoSuchTask'; give one of "),
        (["bench", "--task", "NoSuchTask"], 1, "error: unknown task 'NoSuchTask'; give one of "),
        (
            ["train", "--policy", "sarsa"],
            1,
            "error: unknown method 'sarsa'; give one of hierarchical, ",
        ),
        (["train", "--clip", "0"], 1, "error: --clip: must be greater than 0, not 0.0"),
        (["train", "--env_seed_list", "3", "-1"], 1, "error: --env_seed_list: must be "),
        (["train", "--config", "nowhere.yaml"], 1, "error: cannot read nowhere.yaml"),
        (["train", "--seed_list", "1", "-1"], 1, "error: --seed_list: must be greater "),
        (["eval", "--seed_list", "-1"], 1, "error: --seed_list: must be greater "),
    ],
)
def test_what_needs_no_pytorch_does_not_wait_for_it(
    flags: list[str], code: int, words: str
) -> None:
    status, out, error, packages = answer(*flags)
    assert not packages & HEAVY
    assert status == code
    assert error.startswith(words)
    assert error.count("\n") == 0
    assert bool(out) == (code == 0)


@pytest.mark.parametrize("command", ["train", "eval", "watch", "record", "bench"])
def test_a_typo_names_the_help_of_its_command(
    command: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as stop:
        main.main([command, "--qqq"])
    assert stop.value.code == 2
    error = f"error: unrecognized arguments: --qqq; see main.py {command} --help\n"
    assert capsys.readouterr().err == error


def test_every_setting_of_a_run_has_a_flag_with_its_help_and_default() -> None:
    text = " ".join(answer("train", "--help")[1].split())
    own = {"task", "seed", "policy", "warm_start"}
    for name in SETTINGS.keys() - own:
        description, default = SETTINGS[name].help, SETTINGS[name].default
        told = f"; default {default}" if default not in (None, False, [0]) else ""
        assert re.search(rf" --{name} (?:{{\S+ )?[^-]*{re.escape(f'{description}{told}')}", text), (
            name
        )
    assert "--learning_rate X Adam's learning rate; default 0.001" in text
    assert "several stay as they are; none: random ones; default 0" in text


def given(*flags: str) -> dict[str, Any]:
    return given_settings(parse(["train", *flags]))


@pytest.mark.parametrize(
    ("flags", "settings"),
    [
        ([], {}),
        (["--hard"], {"hard": True}),
        (["--soft_planner"], {"hard": False}),
        (["--llm", "vicuna"], {"llm": "vicuna"}),
        (["--offline_planner"], {"llm": None}),
        (["--llm_strict"], {"llm_strict": True, "llm_optional": False}),
        (["--env_seed_list"], {"env_seed_list": []}),
        (["--env_seed_list", "3", "4"], {"env_seed_list": [3, 4]}),
        (["--anneal", "--no_gae"], {"anneal": True, "gae": False}),
        (["--learning_rate", "1e-4", "--epochs", "2"], {"learning_rate": 1e-4, "epochs": 2}),
        (["--clip", ".1", "--value_coef", "1"], {"clip": 0.1, "value_coef": 1.0}),
        (["--entropy_coef", "0", "--max_grad_norm", "1"], {"entropy_coef": 0, "max_grad_norm": 1}),
    ],
)
def test_flags_say_settings(flags: list[str], settings: dict[str, Any]) -> None:
    assert given(*flags) == settings
    # A method that leaves them open.
    assert (
        resolve(settings | {"policy": load_method("ppo-adaptive")}, {}).items() >= settings.items()
    )


@pytest.mark.parametrize(
    "flags",
    [
        ["--hard", "--soft_planner"],
        ["--llm", "vicuna", "--offline_planner"],
        ["--llm", "vicuna", "--plans", "plans.yaml"],
        ["--gae", "--no_gae"],
    ],
)
def test_flags_that_speak_against_each_other_are_refused(
    flags: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        parse(["train", *flags])
    assert "not allowed with argument" in capsys.readouterr().err


def test_a_wrong_setting_is_named_by_the_place_that_says_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    preset, task, method = (tmp_path / f"{name}.yaml" for name in ("preset", "mine", "way"))
    preset.write_text("gamma: 2")
    method.write_text("description: a way\nsettings: {lam: 3}")
    content = load_task("SimpleDoorKey").model_dump_json(exclude={"settings"})
    task.write_text(f'{content[:-1]}, "settings": {{"clip": -1}}}}')
    for flags, place in (
        (["--config", str(preset)], "--config: gamma"),
        (["--task", str(task)], "task SimpleDoorKey: settings: clip"),
        (["--policy", str(method)], "method way: settings: lam"),
        (["--config", str(preset), "--gamma", "3"], "--gamma"),
    ):
        assert main.main(["train", "--logdir", str(tmp_path), *flags]) == 1
        error = capsys.readouterr().err
        assert error.startswith(f"error: {place}: must be ")
        assert error.count("\n") == 1


def test_of_two_settings_that_exclude_each_other_both_places_are_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    preset, method = tmp_path / "preset.yaml", tmp_path / "way.yaml"
    preset.write_text("llm_strict: true")
    method.write_text("description: a way\nsettings: {llm_optional: true}")
    flags = ["--logdir", str(tmp_path), "--config", str(preset), "--policy", str(method)]
    assert main.main(["train", *flags]) == 1
    places = "--config: llm_strict and method way: settings: llm_optional"
    assert capsys.readouterr().err == f"error: {places}: give one of them\n"
