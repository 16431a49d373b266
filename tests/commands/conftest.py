"""Runs that tests of the command line share, and a cluster without Slurm."""

import os
import shutil
from pathlib import Path

import pytest

from tests.reproduction import TABLE, reproduced
from tests.running import train


@pytest.fixture(scope="session")
def trained_once(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A log tree with one finished run of eight iterations."""
    logdir = tmp_path_factory.mktemp("trained")
    assert train(logdir, "--n_itr", "8", "--savedir", "whole") == 0
    return logdir


@pytest.fixture
def trained(trained_once: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy for one test alone."""
    logdir = tmp_path_factory.mktemp("trained")
    return shutil.copytree(trained_once, logdir, dirs_exist_ok=True)


@pytest.fixture(scope="session")
def table(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("table") / "tiny.yaml"
    path.write_text(TABLE)
    return path


@pytest.fixture(scope="session")
def whole_once(table: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The log tree of a table that was reproduced without a stop."""
    out = tmp_path_factory.mktemp("whole")
    code, said = reproduced(table, out)
    assert code == 0
    assert "3 of 3 experiments finished, 0 running" in said
    assert f"python main.py report {out}" in said
    return out


@pytest.fixture
def whole(whole_once: Path, tmp_path: Path) -> Path:
    """A copy for one test alone."""
    return shutil.copytree(whole_once, tmp_path / "whole")


SBATCH = """#!/bin/bash
cp "$1" "$(dirname "$0")/script"
echo Submitted batch job 42
"""
# What stands between its own flags and the command is the command's.
SRUN = """#!/bin/bash
while [[ $1 == --* ]]; do
  case $1 in --unbuffered) shift ;; *) shift 2 ;; esac
done
exec "$@"
"""
SQUEUE = """#!/bin/bash
cat "$(dirname "$0")/queue"
"""
SCONTROL = """#!/bin/bash
echo "$@" >> "$(dirname "$0")/requeued"
"""


@pytest.fixture
def cluster(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with stand-ins for Slurm's programs. They keep the `script` that is submitted, list
    the tasks that stand in a file `queue`, and note in `requeued` what is queued again."""
    folder = tmp_path / "cluster"
    folder.mkdir()
    (folder / "queue").touch()
    programs = {"sbatch": SBATCH, "srun": SRUN, "squeue": SQUEUE, "scontrol": SCONTROL}
    for name, text in programs.items():
        (folder / name).write_text(text)
        (folder / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")
    return folder
