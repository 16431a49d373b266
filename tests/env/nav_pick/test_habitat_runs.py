"""Runs in habitat-sim: killed, resumed, evaluated, and with a simulator that fails.

`make test-habitat HABITAT_PYTHON=…` runs this with a Python that has habitat-sim.
"""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from tests import running, small_homes

pytestmark = [pytest.mark.habitat, pytest.mark.timeout(1200)]

FLAGS = ["--simulator", "habitat", "--num_envs", "2", "--savedir"]


def test_a_run_in_the_simulator_is_killed_resumed_evaluated_and_filmed(tmp_path: Path) -> None:
    assert small_homes.train(tmp_path, *FLAGS, "whole", "--n_itr", "2") == 0
    command = [sys.executable, "main.py", "train", "--logdir", str(tmp_path), *running.SMALL]
    task = ["--task", small_homes.TASK, "--save_interval", "1"]
    flags = [*command, *task, *FLAGS, "cut", "--n_itr", "2"]
    (tmp_path / "tmp").mkdir()
    process = subprocess.Popen(
        flags,
        cwd=running.ROOT,
        env=os.environ | {"TMPDIR": str(tmp_path / "tmp")},
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout
    for line in process.stdout:
        if " 1/2: " in line:
            children = psutil.Process(process.pid).children(recursive=True)
            process.send_signal(signal.SIGKILL)
            break
    process.wait()
    assert children
    assert not psutil.wait_procs(children, timeout=60)[1]
    # PyTorch may leave an empty folder of its own.
    left = [path for path in (tmp_path / "tmp").rglob("*") if path.is_file()]
    assert not left
    cut = small_homes.runs_of(tmp_path) / "cut"
    assert running.done([cut])[0] < 2
    assert small_homes.resume(tmp_path, "--savedir", "cut") == 0
    running.assert_same_run(small_homes.runs_of(tmp_path) / "whole", cut)
    assert json.loads((cut / "verdict.json").read_text())["teacher"]["measures"]
    judged = ["--loaddir", "cut", "--num_eval", "5", "--videos", "1", "--gif"]
    assert small_homes.evaluate(tmp_path, *judged) == 0
    found = json.loads((cut / "eval/eval.json").read_text())
    assert found["simulator"] == "habitat"
    assert len(found["episodes"]) == 5
    assert len(list((cut / "eval").glob("*.gif"))) == 1


def launch(tmp_path: Path, **environment: str) -> subprocess.Popen[str]:
    command = [sys.executable, "main.py", "train", "--logdir", str(tmp_path), *running.SMALL]
    flags = ["--task", small_homes.TASK, *FLAGS, "run", "--n_itr", "1000"]
    return subprocess.Popen(
        [*command, *flags],
        cwd=running.ROOT,
        env=os.environ | environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def simulators(process: subprocess.Popen[str]) -> list[psutil.Process]:
    """The processes of homes, oldest first."""
    children = psutil.Process(process.pid).children()
    homes = [child for child in children if "spawn_main" in " ".join(child.cmdline())]
    return sorted(homes, key=psutil.Process.create_time)


@pytest.mark.parametrize("which", ["first", "last"])
def test_a_simulator_that_is_killed_ends_its_run_at_once_in_one_line(
    tmp_path: Path, which: str
) -> None:
    """Also one that waits for the verdict while the others train."""
    process = launch(tmp_path)
    assert process.stdout
    for line in process.stdout:
        if " 1/1000: " in line:
            homes = simulators(process)
            victim = homes[0 if which == "first" else -1]
            victim.kill()
            break
    told, error = process.communicate()
    assert process.returncode == 1
    assert error.splitlines() == [
        f"error: the environment process {victim.pid} was killed by SIGKILL; "
        "if memory ran out, use fewer --num_envs"
    ]
    assert told.count("/1000: ") <= 2
    assert not psutil.wait_procs(homes, timeout=60)[1]


def test_without_opengl_the_last_line_says_so(tmp_path: Path) -> None:
    process = launch(tmp_path, __EGL_VENDOR_LIBRARY_DIRS=str(tmp_path))
    _, error = process.communicate()
    assert process.returncode == 1
    last = error.splitlines()[-1]
    assert last.startswith("error: the environment process")
    assert "exited with code 1; habitat-sim needs OpenGL" in last
    assert "Traceback" not in error
