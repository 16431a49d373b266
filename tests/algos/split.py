"""One rank of all that is split in tests: what it has in the end, by the name of each part.

torchrun --nproc_per_node=2 -m tests.algos.split OUT
"""

import atexit
import io
import os
import sys
from contextlib import redirect_stderr
from pathlib import Path
from typing import Any
from unittest.mock import patch

import torch

import main
from commands.settings.methods import load_method
from tests.accelerator import NAME, accelerator
from tests.algos.split_rollout import go_on, iterate
from tests.algos.split_update import update
from utils import devices
from utils.ranks import Ranks

UNSPLIT = {"batch_size": 127, "num_envs": 1}


def parts(ranks: Ranks) -> dict[str, dict[str, Any]]:
    torch.set_num_threads(1)
    return {"update": update(ranks, 128, 40, 24, 30, 34), "rollout": iterate(ranks)}


def on_an_accelerator(ranks: Ranks) -> tuple[dict[str, Any], dict[str, Any]]:
    """Two iterations on the pretend accelerator, and the same course on the CPU."""
    with accelerator(), patch.object(devices, "asynchronous", lambda device: True):
        return iterate(ranks, device=NAME), iterate(ranks)


def refusal(out: Path, flag: str, value: int) -> tuple[int, str]:
    """The exit code and the error of a run that cannot be split."""
    with redirect_stderr(io.StringIO()) as error:
        code = main.main(["train", "--logdir", str(out), f"--{flag}", str(value)])
    return code, error.getvalue()


def note_threads(name: str) -> None:
    """Add a line with the names of this process's threads to a file."""
    names = sorted(task.read_text().strip() for task in Path("/proc/self/task").glob("*/comm"))
    with Path(name).open("a") as file:
        print(*names, file=file)


def run() -> None:
    """Meetings cost little; processes that meet cost much."""
    out = Path(sys.argv[1])
    threads = str(out / f"{os.environ['RANK']}.threads")
    atexit.register(note_threads, threads)
    ranks = Ranks()
    note_threads(threads)
    content = parts(ranks)
    content["uneven"] = update(ranks, 20, 90, 33)
    content["choices"] = iterate(ranks, policy=load_method("hierarchical"))
    doubt = {"advisor_alpha": 8.0, "teacher_sees": "everything"}
    content["doubted"] = iterate(ranks, with_memory=0, **doubt)
    content["narrowed"] = iterate(ranks, **doubt)
    content["mixed"] = iterate(ranks, uniform_share="auto")
    content["segments"] = go_on(ranks)
    content["accelerator"] = on_an_accelerator(ranks)
    content["refusals"] = {flag: refusal(out, flag, value) for flag, value in UNSPLIT.items()}
    torch.save(content, out / f"{ranks.number}.pt")


if __name__ == "__main__":
    run()
