"""Runs that tests of the command line share."""

import shutil
from pathlib import Path

import pytest

from tests.running import train


@pytest.fixture(scope="session")
def trained_once(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A log tree with one finished run of eight iterations."""
    logdir = tmp_path_factory.mktemp("trained")
    assert train(logdir, "--n_itr", "8", "--savedir", "whole") == 0
    return logdir


@pytest.fixture
def trained(trained_once: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same, for one test alone."""
    logdir = tmp_path_factory.mktemp("trained")
    return shutil.copytree(trained_once, logdir, dirs_exist_ok=True)
