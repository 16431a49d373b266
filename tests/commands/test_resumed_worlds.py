"""Runs whose rollouts cut episodes: killed, they go on as if nothing had happened."""

import signal
import subprocess
import sys
from pathlib import Path

import pytest
import torch

import main
from algos import checkpoint
from commands.run_files import METRICS, read_lines
from tests.running import ROOT, assert_same_run

TASK = "BabyAI-GoToLocalS5N2-v0"
FLAGS = [
    *("--task", TASK, "--threads", "1", "--device", "cpu", "--num_envs", "3", "--batch_size", "8"),
    *("--rollout_steps", "7", "--num_eval", "2", "--eval_interval", "1", "--quick"),
]


def folder(logdir: Path) -> Path:
    (found,) = logdir.glob("*/*/run")
    return found


def command(logdir: Path, *flags: str) -> list[str]:
    return ["train", "--logdir", str(logdir), "--savedir", "run", *flags]


def numbers(run: Path) -> list[dict[str, float]]:
    """The lines of metrics.jsonl without what the clock says."""
    rows = read_lines(run / METRICS)
    return [{k: v for k, v in row.items() if not k.startswith("Speed/")} for row in rows]


@pytest.mark.parametrize(
    ("student", "interval", "number"),
    [
        ([], 3, signal.SIGKILL),
        (["--recurrent", "--schedule", "matched"], 1, signal.SIGKILL),
        (["--recurrent", "--gae"], 4, signal.SIGTERM),
        (["--recurrent", "--policy", "hierarchical"], 2, signal.SIGKILL),
    ],
)
def test_a_killed_run_goes_on_in_the_middle_of_its_episodes(
    tmp_path: Path, student: list[str], interval: int, number: signal.Signals
) -> None:
    flags = [*FLAGS, *student, "--n_itr", "9", "--save_interval", str(interval)]
    whole, cut = tmp_path / "whole", tmp_path / "cut"
    assert main.main(command(whole, *flags)) == 0
    arguments = [sys.executable, "main.py", *command(cut, *flags)]
    process = subprocess.Popen(arguments, cwd=ROOT, stdout=subprocess.PIPE, text=True)
    assert process.stdout
    assert any(" 5/9: " in line for line in process.stdout)
    process.send_signal(number)
    process.stdout.read()
    assert process.wait() != 0
    saved = checkpoint.load(folder(cut) / "checkpoint.pt")
    assert 0 < saved["progress"]["iteration"] < 9
    assert saved["collector"]["before/length"].any()
    method = folder(cut).parent.parent.name
    assert main.main(command(cut, "--task", TASK, "--policy", method, "--resume")) == 0
    one, other = folder(whole), folder(cut)
    assert_same_run(one, other)
    first, second = (checkpoint.load(run / "checkpoint.pt") for run in (one, other))
    torch.testing.assert_close(first["collector"], second["collector"], rtol=0, atol=0)
    assert first["evaluation_steps"] == second["evaluation_steps"]
    assert numbers(one) == numbers(other)
    # A rollout of 7 steps ends few episodes of up to 25; options need more for two minibatches.
    assert method == "hierarchical" or not all("Train/Success Rate" in row for row in numbers(one))


def test_a_number_of_episodes_does_not_go_with_a_number_of_steps(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main.main(command(tmp_path, *FLAGS, "--traj_per_itr", "3")) == 1
    error = capsys.readouterr().err
    assert f"--traj_per_itr 3: an iteration in {TASK} is --rollout_steps 7, however" in error
    assert error.count("\n") == 1
    assert not list(tmp_path.iterdir())
