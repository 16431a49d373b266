"""Runs that are stopped and go on as if nothing had happened."""

import json
import shlex
import signal
import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path

import pytest
import torch

import main
from algos import checkpoint
from commands.planned_runs import planned_runs, resume_command
from commands.run_files import METRICS, read_lines
from commands.settings.flags import parse
from tests import small_homes
from tests.running import (
    ROOT,
    SCALARS,
    SMALL,
    TESTS,
    assert_same_run,
    done,
    evaluate,
    runs_of,
    scalars,
    settings_of,
    train,
)
from utils.ranks import Ranks

EGOCENTRIC = ["--network", "egocentric"]


def test_a_verdict_that_a_kill_has_cost_is_given_when_the_run_is_resumed(tmp_path: Path) -> None:
    assert train(tmp_path, "--n_itr", "5", "--savedir", "run") == 0
    folder = runs_of(tmp_path) / "run"
    names = "acmodel.pt", "best.pt"
    before = [checkpoint.load(folder / name) for name in names]
    verdict = (folder / "verdict.json").read_text()
    for name in (*names, "verdict.json"):
        (folder / name).unlink()
    assert main.main(["train", "--logdir", str(tmp_path), "--savedir", "run", "--resume"]) == 0
    assert (folder / "verdict.json").read_text() == verdict
    for name, kept in zip(names, before, strict=True):
        made = checkpoint.load(folder / name)
        assert made["iteration"] == kept["iteration"]
        torch.testing.assert_close(made["weights"], kept["weights"], rtol=0, atol=0)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_a_stopped_run_goes_on_as_if_nothing_had_happened(
    trained: Path, tmp_path: Path, number: signal.Signals, capsys: pytest.CaptureFixture[str]
) -> None:
    command = [sys.executable, "main.py", "train", "--logdir", str(tmp_path), *SMALL]
    flags = ["--n_itr", "8", "--savedir", "cut", "--save_interval", "3"]
    process = subprocess.Popen([*command, *flags], cwd=ROOT, stdout=subprocess.PIPE, text=True)
    assert process.stdout
    for line in process.stdout:
        if " 4/8: " in line:
            process.send_signal(number)
            break
    rest = process.stdout.read()
    code = process.wait()
    folder = runs_of(tmp_path) / "cut"
    done = checkpoint.load(folder / "checkpoint.pt")["progress"]["iteration"]
    if number == signal.SIGKILL:
        assert (code, done) in ((-number, 3), (-number, 6))
    else:
        assert code == 128 + number
        assert "--resume" in rest
        assert 4 <= done < 8
    resume = ["--savedir", "cut", "--resume"]
    logged = read_lines(folder / METRICS)[-1]["iteration"]
    assert main.main(["train", "--logdir", str(tmp_path), *resume]) == 0
    lost = {0: "", 1: " (1 later one not saved)", 2: " (2 later ones not saved)"}[logged - done]
    assert f"continuing {folder} from iteration {done}{lost} on cpu; " in capsys.readouterr().out
    assert_same_run(runs_of(trained) / "whole", folder)
    shown = scalars(folder)
    assert all(shown[name] == [*range(1, 9)] for name in SCALARS)
    assert all(shown[name] == [*range(1, 9)] for name in TESTS)
    assert [row["iteration"] for row in read_lines(folder / METRICS)] == [*range(1, 9)]


@pytest.mark.parametrize(
    ("method", "flags"),
    [
        ("ppo", ["--recurrent"]),
        ("ppo-hard", ["--schedule", "adaptive", "--gae"]),
        ("ppo", ["--frame_stack", "2", "--kl_until", "3"]),
        ("ppo", [*EGOCENTRIC, "--schedule", "matched", "--recurrent", "--frame_stack", "2"]),
    ],
)
def test_every_kind_of_run_can_be_split(tmp_path: Path, method: str, flags: list[str]) -> None:
    policy = ["--policy", method]
    assert train(tmp_path, *policy, "--savedir", "whole", "--n_itr", "4", *flags) == 0
    assert train(tmp_path, *policy, "--savedir", "split", "--n_itr", "1", *flags) == 0
    on = ["train", "--logdir", str(tmp_path), *policy, "--resume", "--n_itr", "4"]
    assert main.main(on) == 0
    runs = runs_of(tmp_path, method)
    assert_same_run(runs / "whole", runs / "split")
    told = [*policy, "--loaddir", "split", *(flag for flag in flags if flag == "--recurrent")]
    assert evaluate(tmp_path, *told) == 0


def test_several_seeds_train_and_are_evaluated(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert train(tmp_path, "--seed_list", "0", "1", "--savedir", "train", "--n_itr", "1") == 0
    folders = [runs_of(tmp_path) / f"train-{seed}" for seed in (0, 1)]
    weights = [checkpoint.load(folder / "acmodel.pt")["weights"] for folder in folders]
    assert not torch.equal(weights[0]["actor.0.bias"], weights[1]["actor.0.bias"])
    assert evaluate(tmp_path, "--loaddir", "train") == 0
    assert all((folder / "eval" / "eval.json").is_file() for folder in folders)
    assert "train-1" in capsys.readouterr().out
    resume = ["train", "--logdir", str(tmp_path), "--resume", "--n_itr", "2", "--savedir", "train"]
    assert main.main([*resume, "--seed_list", "1"]) == 0
    assert done(folders) == [1, 2]
    assert main.main(resume) == 0
    assert done(folders) == [2, 2]


def test_what_was_stopped_before_its_turn_is_resumed_too(tmp_path: Path) -> None:
    flags = ["--seed_list", "4", "5", "--savedir", "two", "--n_itr", "1", "--recurrent"]
    folders = [runs_of(tmp_path) / f"two-{seed}" for seed in (4, 5)]
    args = parse(["train", "--logdir", str(tmp_path), *SMALL, *flags])
    with ExitStack() as owned:
        planned = planned_runs(args, Ranks(), owned)
    assert [folder for folder, _ in planned] == folders
    assert main.main(["train", "--logdir", str(tmp_path), "--savedir", "two", "--resume"]) == 0
    assert done(folders) == [1, 1]
    assert checkpoint.load(folders[1] / "acmodel.pt")["network"]["recurrent"]


def test_resuming_a_finished_run_changes_nothing(tmp_path: Path) -> None:
    assert train(tmp_path, "--n_itr", "2", "--savedir", "run") == 0
    path = runs_of(tmp_path) / "run" / "config.json"
    before = path.read_bytes()
    resume = ["train", "--logdir", str(tmp_path), "--savedir", "run", "--resume", "--n_itr"]
    assert main.main([*resume, "1"]) == 0
    assert path.read_bytes() == before
    assert main.main([*resume, "3"]) == 0
    config = settings_of(path.parent)
    assert config["n_itr"] == 3
    assert len(config["provenance"]["resumed"]) == 1
    assert config["provenance"]["command"] == json.loads(before)["provenance"]["command"]


def test_without_a_name_the_newest_run_of_all_goes_on(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    place = ["train", "--logdir", str(tmp_path)]
    for policy in ("ppo-alone", "ppo"):
        assert train(tmp_path, "--savedir", "room", "--policy", policy, "--n_itr", "0") == 0
    assert small_homes.train(tmp_path, "--savedir", "home", "--n_itr", "0") == 0
    for flags, folder in (
        ([], small_homes.runs_of(tmp_path) / "home"),
        (["--task", "SimpleDoorKey"], runs_of(tmp_path) / "room"),
        (["--policy", "ppo-alone"], runs_of(tmp_path, "ppo-alone") / "room"),
        (["--savedir", "home"], small_homes.runs_of(tmp_path) / "home"),
    ):
        capsys.readouterr()
        assert main.main([*place, *flags, "--resume"]) == 0
        said = capsys.readouterr().out
        assert ("no --savedir: the newest run is" in said) == ("--savedir" not in flags)
        assert f"{folder} has its 0 iterations" in said
    assert main.main([*place, "--savedir", "room", "--resume"]) == 1
    assert "give a path, --task or --policy" in capsys.readouterr().err


@pytest.mark.parametrize(
    "flags",
    [
        ["--rooms", "gym"],
        ["--precision", "bf16"],
        ["--advisor_alpha", "8", "--teacher_sees", "everything"],
    ],
)
def test_other_rooms_arithmetic_and_losses_train_and_resume(
    tmp_path: Path, flags: list[str]
) -> None:
    assert train(tmp_path, "--savedir", "whole", "--n_itr", "2", *flags) == 0
    assert train(tmp_path, "--savedir", "split", "--n_itr", "1", *flags) == 0
    assert main.main(["train", "--logdir", str(tmp_path), "--resume", "--n_itr", "2"]) == 0
    assert_same_run(runs_of(tmp_path) / "whole", runs_of(tmp_path) / "split")


def test_a_run_of_one_seed_is_none_of_several(
    trained: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    flags = ["--logdir", str(trained), "--seed_list", "0", "1"]
    assert main.main(["train", *flags, "--savedir", "whole", "--resume"]) == 1
    assert main.main(["eval", *flags, "--loaddir", "whole"]) == 1
    for line in capsys.readouterr().err.splitlines():
        assert "whole is a run of one seed; leave --seed_list out" in line


def test_of_a_seed_beside_a_run_of_the_same_name_the_whole_name_is_said(tmp_path: Path) -> None:
    for seeds in ([], ["--seed_list", "0", "1"]):
        assert train(tmp_path, "--n_itr", "0", "--savedir", "a", *seeds) == 0
    flags = ["--logdir", str(tmp_path), *SMALL, "--savedir", "a", "--seed_list", "0", "1"]
    folder = runs_of(tmp_path) / "a-1"
    command = resume_command(parse(["train", *flags]), folder, 1, several=True)
    assert f"--savedir {folder} --resume" in command


@pytest.mark.parametrize("preset", [[], ["--config", "configs/best.yaml"]])
def test_the_command_that_continues_a_run_finds_it(tmp_path: Path, preset: list[str]) -> None:
    flags = ["--logdir", str(tmp_path), *SMALL, *preset, "--hard", "--savedir", "a"]
    assert main.main(["train", *flags, "--n_itr", "0"]) == 0
    folder = runs_of(tmp_path, "ppo-hard") / "a"
    command = resume_command(parse(["train", *flags]), folder, 0, several=False)
    assert main.main([*shlex.split(command)[2:], "--n_itr", "0"]) == 0
