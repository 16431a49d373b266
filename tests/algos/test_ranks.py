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

import main
from algos import checkpoint
from algos.segments import Segments
from tests.algos.split import parts
from tests.algos.split_rollout import make_trainer
from tests.running import ROOT, SMALL, runs_of, scalars
from utils.ranks import Ranks

TORCHRUN = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc_per_node=2"]


@pytest.fixture(scope="module")
def left(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder with the files of two ranks of `tests.algos.split`."""
    out = tmp_path_factory.mktemp("both")
    subprocess.run([*TORCHRUN, "-m", "tests.algos.split", str(out)], cwd=ROOT, check=True)
    return out


@pytest.fixture(scope="module")
def both(left: Path) -> list[dict[str, Any]]:
    """What each of two ranks has in the end, by the parts of `tests.algos.split`."""
    return [torch.load(left / f"{number}.pt") for number in range(2)]


@pytest.fixture(scope="module")
def alone() -> dict[str, Any]:
    """The same of this process on the whole."""
    return parts(Ranks())


def test_two_ranks_update_as_one_process_does_on_the_whole(
    alone: dict[str, Any], both: list[dict[str, Any]]
) -> None:
    whole, first, second = (rank["update"] for rank in (alone, *both))
    for name, weights in whole["weights"].items():
        assert torch.equal(first["weights"][name], second["weights"][name])
        torch.testing.assert_close(first["weights"][name], weights, rtol=0, atol=2e-5)
    assert first["means"] == second["means"]
    assert first["means"] == pytest.approx(whole["means"], rel=1e-3, abs=1e-4)


def test_ranks_with_rollouts_of_different_length_finish_together(
    both: list[dict[str, Any]],
) -> None:
    first, second = (rank["uneven"] for rank in both)
    for name, weights in first["weights"].items():
        assert torch.equal(weights, second["weights"][name])


def test_ranks_play_in_rooms_of_their_own_and_count_them_together(
    alone: dict[str, Any], both: list[dict[str, Any]]
) -> None:
    everything, first, second = (rank["rollout"] for rank in (alone, *both))
    for whole, one, other in zip(everything["rooms"], first["rooms"], second["rooms"], strict=True):
        assert len(one) == 1
        assert torch.equal(torch.cat([one, other]), whole)
    for one, other in zip(first["draws"], second["draws"], strict=True):
        assert not torch.equal(one, other)
    assert first["episodes"] == second["episodes"] == everything["episodes"] == 6
    assert first["scalars"] == second["scalars"]
    assert first["schedule"] == second["schedule"]
    assert 0.3 < first["schedule"]["teacher"] < 6 / 9


def test_ranks_that_choose_options_learn_one_student(both: list[dict[str, Any]]) -> None:
    first, second = (rank["choices"] for rank in both)
    for name, weights in first["weights"].items():
        assert torch.equal(weights, second["weights"][name])
    assert first["scalars"] == second["scalars"]
    assert first["scalars"]["Train/Steps a Choice"] > 1
    # They may play different numbers of batches, until each has choices enough; none plays twice.
    rooms = torch.cat([*first["rooms"], *second["rooms"]]).tolist()
    assert first["episodes"] == second["episodes"] == len(rooms) == len(set(rooms))


@pytest.mark.parametrize("case", ["doubted", "narrowed", "mixed"])
def test_ranks_that_doubt_their_teacher_learn_one_student(
    case: str, both: list[dict[str, Any]]
) -> None:
    first, second = (rank[case] for rank in both)
    for name, weights in first["weights"].items():
        assert torch.equal(weights, second["weights"][name])
    assert first["scalars"] == second["scalars"]
    doubt = {"share": 0.1 if case == "mixed" else 0.0, "narrowed": case == "narrowed"}
    assert first["doubt"] == second["doubt"] == doubt
    if case == "narrowed":
        # As with a teacher that has its student's sight from the start.
        usual = both[0]["rollout"]["weights"]
        assert all(torch.equal(each, usual[name]) for name, each in first["weights"].items())
    elif case == "doubted":
        assert 0 < first["scalars"]["Train/Advice Followed"] < 1


def test_ranks_on_accelerators_average_their_gradients(both: list[dict[str, Any]]) -> None:
    for there, here in (rank["accelerator"] for rank in both):
        assert there["scalars"] == here["scalars"]
        assert there["schedule"] == here["schedule"]
        for name, weights in here["weights"].items():
            assert torch.equal(there["weights"][name], weights)
    (first, _), (second, _) = (rank["accelerator"] for rank in both)
    for name, weights in first["weights"].items():
        assert torch.equal(weights, second["weights"][name])


def test_ranks_keep_the_episodes_of_all_in_one_state(both: list[dict[str, Any]]) -> None:
    first, second = (rank["segments"] for rank in both)
    assert first["same"]
    assert second["same"]
    assert first["success"] == second["success"]
    torch.testing.assert_close(first["state"], second["state"], rtol=0, atol=0)
    # One process can go on with the episodes of both.
    alone = make_trainer(Ranks(), 16, recurrent=True).collector
    assert isinstance(alone, Segments)
    alone.restore(first["state"])
    for name, seen in alone.obs.items():
        assert torch.equal(seen, torch.cat([first["obs"][name], second["obs"][name]]))
    torch.testing.assert_close(alone.state(), first["state"], rtol=0, atol=0)


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
    assert main.main(["train", "--logdir", str(tmp_path), *resume]) == 0
    shown = scalars(folder)
    assert shown["Train/Loss"] == [*range(1, done + 3)]
    assert shown["Test/Return"] == [*range(2, done + 3, 2)]

    job = start(tmp_path, "--resume", "--n_itr", str(done + 3))
    out = job.communicate()[0]
    assert job.returncode == 0, out
    assert "continuing" in out
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


def test_no_thread_of_a_rank_lives_until_python_ends(left: Path) -> None:
    for number in range(2):
        before, after = (left / f"{number}.threads").read_text().splitlines()
        assert "gloo" in before
        assert "gloo" not in after


def test_what_cannot_be_split_is_said_in_one_line(
    both: list[dict[str, Any]], tmp_path: Path
) -> None:
    words = {
        "batch_size": "--batch_size 127 cannot be split over 2 ranks",
        "num_envs": "--num_envs: 2 ranks need as many environments at least, not 1",
    }
    lead, other = (rank["refusals"] for rank in both)
    assert lead == {flag: (1, f"error: {said}\n") for flag, said in words.items()}
    assert all(error == "" for _, error in other.values())
    job = start(tmp_path, "--batch_size", "127")
    out = job.communicate()[0]
    assert job.returncode != 0, out
    assert f"error: {words['batch_size']}" in out
    assert "Error:" not in out.replace("ChildFailedError:", "")
