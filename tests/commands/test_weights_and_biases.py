"""Weights & Biases without a network: runs as its own files hold them."""

import json
import os
import signal
import struct
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from commands.run_files import METRICS, read_lines
from tests.running import ROOT, SMALL, runs_of, train

OFFLINE = os.environ | {"WANDB_MODE": "offline"}
TORCHRUN = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc_per_node=2"]
BLOCK, IDENT, HEADER = 32768, 7, 7
WHOLE, LAST = 1, 4


def records(path: Path) -> Iterator[Any]:
    """The records in a file of W&B: LevelDB's log format after W&B's own header."""
    # Imported here, so that environments without W&B can collect the other tests.
    from wandb.proto.wandb_internal_pb2 import Record

    data, place, parts = path.read_bytes(), IDENT, b""
    while place + HEADER <= len(data):
        if BLOCK - place % BLOCK < HEADER:
            place += BLOCK - place % BLOCK
            continue
        _, length, kind = struct.unpack("<IHB", data[place : place + HEADER])
        parts += data[place + HEADER : place + HEADER + length]
        place += HEADER + length
        if kind in (WHOLE, LAST):
            record = Record()
            record.ParseFromString(parts)
            yield record
            parts = b""


def segments(folder: Path) -> list[Path]:
    return sorted(folder.glob("wandb/offline-run-*/*.wandb"))


def history(folder: Path) -> list[dict[str, object]]:
    """The rows of a run, segment after segment, with their `_step`."""
    return [
        {item.key or item.nested_key[0]: json.loads(item.value_json) for item in r.history.item}
        for path in segments(folder)
        for r in records(path)
        if r.WhichOneof("record_type") == "history"
    ]


def start(logdir: Path, *flags: str) -> subprocess.Popen[str]:
    command = [sys.executable, "main.py", "train", "--logdir", str(logdir), *flags]
    command += ["--savedir", "run", "--wandb", "demo"]
    return subprocess.Popen(command, cwd=ROOT, env=OFFLINE, stdout=subprocess.PIPE, text=True)


def test_a_killed_and_resumed_run_is_one_run_with_each_iteration_once(tmp_path: Path) -> None:
    folder = runs_of(tmp_path) / "run"
    # Without Weights & Biases at first: what was done then is shown as well.
    assert train(tmp_path, "--n_itr", "2", "--savedir", "run") == 0
    process = start(tmp_path, "--resume", "--n_itr", "1000", "--save_interval", "2")
    assert process.stdout
    assert any(" 7/1000: " in line for line in process.stdout)
    # W&B writes in the background, and does not end at once.
    process.send_signal(signal.SIGSTOP)
    time.sleep(3)
    process.kill()
    process.communicate()
    more = start(tmp_path, "--resume", "--n_itr", "10")
    assert more.communicate()[0]
    assert more.returncode == 0
    rows = history(folder)
    assert [row["_step"] for row in rows] == [*range(1, 11)]
    written = read_lines(folder / METRICS)
    for row, line in zip(rows, written, strict=True):
        numbers = {name: v for name, v in line.items() if name != "iteration" and v is not None}
        assert {name: row[name] for name in numbers} == pytest.approx(numbers)
    assert {row["_step"] for row in rows if "Episode" in row} >= {4, 10}
    assert len({path.name for path in segments(folder)}) == 1
    assert len(segments(folder)) == 2


def test_what_is_sent_names_task_and_method_and_no_key(tmp_path: Path) -> None:
    environment = OFFLINE | {"LLM_API_KEY": "sesame-4711", "WANDB_API_KEY": "5e5a3e" * 7}
    command = [
        sys.executable,
        "main.py",
        "train",
        "--logdir",
        str(tmp_path),
        *SMALL,
        "--n_itr",
        "0",
    ]
    flags = ["--policy", "ppo-alone", "--savedir", "run", "--wandb", "demo"]
    subprocess.run([*command, *flags], cwd=ROOT, env=environment, check=True)
    folder = tmp_path / "ppo-alone" / "simpledoorkey" / "run"
    (path,) = segments(folder)
    sent = [r.run for r in records(path) if r.WhichOneof("record_type") == "run"]
    config = {item.key: json.loads(item.value_json) for item in sent[-1].config.update}
    assert (config["task"], config["policy"]) == ("SimpleDoorKey", "ppo-alone")
    assert config["learning_rate"] == 0.001
    assert sent[-1].project == "demo"
    assert sent[-1].display_name == "ppo-alone/simpledoorkey/run"
    for path in filter(Path.is_file, tmp_path.rglob("*")):
        assert b"sesame" not in path.read_bytes()
        assert b"5e5a3e5e5a3e" not in path.read_bytes()


def test_a_missing_package_is_said_in_one_line(tmp_path: Path) -> None:
    """All packages that are installed here, but for W&B."""
    import torch

    installed = Path(torch.__file__).parents[1]
    for path in installed.iterdir():
        if not path.name.startswith("wandb"):
            (tmp_path / path.name).symlink_to(path)
    done = subprocess.run(
        [sys.executable, "-S", "main.py", "train", "--wandb", "demo"],
        cwd=ROOT,
        env={"PYTHONPATH": str(tmp_path)},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 1
    assert done.stderr == "error: --wandb: its package is missing: pip install wandb\n"


def without_a_key(
    home: Path, *flags: str, python: Sequence[str] = (sys.executable,)
) -> subprocess.CompletedProcess[str]:
    command = [*python, "main.py", "train", "--logdir", str(home), *SMALL, *flags]
    environment = {k: v for k, v in os.environ.items() if not k.startswith("WANDB")}
    return subprocess.run(
        command,
        cwd=ROOT,
        env=environment | {"HOME": str(home), "WANDB_MODE": "online"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=120,
    )


def contents(folder: Path) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in folder.iterdir() if path.is_file()}


@pytest.mark.parametrize("more", ["--overwrite", "--resume"])
@pytest.mark.parametrize(
    ("project", "words"), [("demo", "No API key"), ("a/b", "Invalid project name 'a/b'")]
)
def test_what_cannot_be_shown_is_said_in_one_line_and_costs_no_run(
    tmp_path: Path, more: str, project: str, words: str
) -> None:
    run = ["--savedir", "run", "--n_itr"]
    assert train(tmp_path, *run, "0") == 0
    before = contents(runs_of(tmp_path) / "run")
    done = without_a_key(tmp_path, *run, "1", more, "--wandb", project)
    assert done.returncode == 1
    assert done.stderr.startswith(f"error: --wandb: {words}")
    assert done.stderr.count("\n") == 1
    assert contents(runs_of(tmp_path) / "run") == before


def test_ranks_end_where_the_lead_has_no_key(tmp_path: Path) -> None:
    done = without_a_key(tmp_path, "--savedir", "two", "--wandb", "demo", python=TORCHRUN)
    assert done.returncode == 1
    assert done.stderr.count("error: --wandb: No API key") == 1
    assert not (runs_of(tmp_path) / "two").exists()
