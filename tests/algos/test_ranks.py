"""Several processes that train one student: real ones, under torchrun, over gloo."""

import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import psutil
import pytest
import torch

from tests.test_main import ROOT, SMALL, runs_of, scalars
from utils import checkpoint

TORCHRUN = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc_per_node=2"]


def results(out: Path, launcher: list[str], module: str, *words: object) -> list[dict[str, Any]]:
    """What each rank has written."""
    out.mkdir()
    command = [*launcher, "-m", f"tests.algos.{module}", str(out), *map(str, words)]
    subprocess.run(command, cwd=ROOT, check=True)
    return [torch.load(path) for path in sorted(out.iterdir())]


def update(out: Path, launcher: list[str], batch: int, *steps: int) -> list[dict[str, Any]]:
    """What each rank has after an update on episodes of so many steps."""
    return results(out, launcher, "split_update", batch, *steps)


def test_two_ranks_update_as_one_process_does_on_the_whole(tmp_path: Path) -> None:
    (alone,) = update(tmp_path / "alone", [sys.executable], 128, 40, 24, 30, 34)
    first, second = update(tmp_path / "both", TORCHRUN, 128, 40, 24, 30, 34)
    for name, weights in alone["weights"].items():
        assert torch.equal(first["weights"][name], second["weights"][name])
        torch.testing.assert_close(first["weights"][name], weights, rtol=0, atol=2e-5)
    assert first["means"] == second["means"]
    assert first["means"] == pytest.approx(alone["means"], rel=1e-3, abs=1e-4)


def test_ranks_with_rollouts_of_different_length_finish_together(tmp_path: Path) -> None:
    first, second = update(tmp_path / "both", TORCHRUN, 20, 90, 33)
    for name, weights in first["weights"].items():
        assert torch.equal(weights, second["weights"][name])


def test_ranks_play_in_rooms_of_their_own_and_count_them_together(tmp_path: Path) -> None:
    (alone,) = results(tmp_path / "alone", [sys.executable], "split_rollout")
    first, second = results(tmp_path / "both", TORCHRUN, "split_rollout")
    for whole, one, other in zip(alone["rooms"], first["rooms"], second["rooms"], strict=True):
        assert len(one) == 1
        assert torch.equal(torch.cat([one, other]), whole)
    for one, other in zip(first["draws"], second["draws"], strict=True):
        assert not torch.equal(one, other)
    assert first["episodes"] == second["episodes"] == alone["episodes"] == 6
    assert first["scalars"] == second["scalars"]
    assert first["schedule"] == second["schedule"]
    assert 0.3 < first["schedule"]["teacher"] < 6 / 9


def start(logdir: Path, *flags: str) -> subprocess.Popen[str]:
    command = [*TORCHRUN, "main.py", "train", "--logdir", str(logdir), *SMALL, "--savedir", "two"]
    return subprocess.Popen(
        [*command, *flags],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def test_a_run_of_two_ranks_has_one_log_and_goes_on_alone_when_one_dies(tmp_path: Path) -> None:
    flags = ["--eval_interval", "2", "--save_interval", "2", "--network", "egocentric"]
    job = start(tmp_path, "--n_itr", "1000", *flags, "--schedule", "matched")
    assert job.stdout
    for line in job.stdout:
        if " 4/1000: " in line:
            break
    ranks = [p for p in psutil.Process(job.pid).children(recursive=True) if rank_of(p)]
    (other,) = [process for process in ranks if rank_of(process) == "1"]
    other.send_signal(signal.SIGKILL)
    rest = job.stdout.read()
    assert job.wait() != 0
    assert "error: another rank has died, or cannot be reached" in rest
    folder = runs_of(tmp_path) / "two"
    done = checkpoint.load(folder / "checkpoint.pt")["progress"]["iteration"]
    assert done >= 2
    resume = ["--savedir", "two", "--resume", "--n_itr", str(done + 2)]
    alone = [sys.executable, "main.py", "train", "--logdir", str(tmp_path), *resume]
    subprocess.run(alone, cwd=ROOT, check=True)
    shown = scalars(folder)
    assert shown["Train/Loss"] == [*range(1, done + 3)]
    assert shown["Test/Return"] == [*range(2, done + 3, 2)]

    job = start(tmp_path, "--resume", "--n_itr", str(done + 3))
    assert "continuing" in job.communicate()[0]
    assert job.returncode == 0
    assert checkpoint.load(folder / "checkpoint.pt")["progress"]["iteration"] == done + 3


def rank_of(process: psutil.Process) -> str | None:
    return process.environ().get("RANK")


def test_ctrl_c_stops_two_ranks_after_an_iteration(tmp_path: Path) -> None:
    job = start(tmp_path, "--n_itr", "1000")
    assert job.stdout
    for line in job.stdout:
        if " 2/1000: " in line:
            break
    # As a terminal does: to all processes at once; torchrun then passes it on.
    for process in [psutil.Process(job.pid), *psutil.Process(job.pid).children(recursive=True)]:
        os.kill(process.pid, signal.SIGINT)
    assert "stopped; continue with: python main.py train" in job.stdout.read()
    assert job.wait() != 0


def test_what_cannot_be_split_is_said_in_one_line(tmp_path: Path) -> None:
    for flags, words in (
        (["--batch_size", "127"], "--batch_size 127 cannot be split over 2 ranks"),
        (["--num_envs", "1"], "--num_envs: 1 rooms are not enough for 2 ranks"),
    ):
        job = start(tmp_path / flags[0], *flags)
        out = job.communicate()[0]
        assert job.returncode != 0
        assert f"error: {words}" in out
        assert "Error:" not in out.replace("ChildFailedError:", "")
