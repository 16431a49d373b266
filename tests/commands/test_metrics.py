"""metrics.jsonl: what is written, taken back and read."""

import json
import math
from pathlib import Path

import pytest

from commands.observers.metrics import Metrics
from commands.run_files import read_lines
from utils.errors import UserError


def test_lines_beyond_what_is_resumed_are_taken_back(tmp_path: Path) -> None:
    path = tmp_path / "metrics.jsonl"
    log = Metrics(path)
    for iteration in range(1, 6):
        log.write(iteration, {"Train/Loss": iteration / 2, "Test/Return": math.nan})
    log.ended()
    path.write_text(path.read_text() + '{"iteration": 6, "Tra')
    assert [row["iteration"] for row in read_lines(path)] == [1, 2, 3, 4, 5]
    log = Metrics(path, after=3)
    log.write(4, {"Train/Loss": 9.0})
    log.saving()
    log.ended()
    rows = [json.loads(line) for line in path.read_text().splitlines()]
    assert [row["iteration"] for row in rows] == [1, 2, 3, 4]
    assert rows[0] == {"iteration": 1, "Train/Loss": 0.5, "Test/Return": None}
    assert rows[-1]["Train/Loss"] == 9


def test_lines_that_do_not_fit_on_the_disk_are_named() -> None:
    with pytest.raises(UserError, match="cannot write /dev/full"):
        Metrics.write(full_disk(), 1, {"Train/Loss": 1.0})


def full_disk() -> Metrics:
    log = Metrics.__new__(Metrics)
    log.path = Path("/dev/full")
    log.file = log.path.open("a", buffering=1)
    return log
