import math
import os
import subprocess
import sys
from pathlib import Path

import pytest

from utils.cores import physical_cores


def test_cores_are_those_that_the_process_may_use() -> None:
    one = {min(os.sched_getaffinity(0))}
    done = subprocess.run(
        [sys.executable, "-c", "from utils.cores import physical_cores; print(physical_cores())"],
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        check=True,
        preexec_fn=lambda: os.sched_setaffinity(0, one),
    )
    assert done.stdout == "1\n"


@pytest.mark.parametrize(("limit", "most"), [("50000 100000", 1), ("max 100000", math.inf)])
def test_cores_are_no_more_than_the_control_group_grants(
    tmp_path: Path, limit: str, most: float
) -> None:
    path = tmp_path / "cpu.max"
    path.write_text(limit + "\n")
    assert physical_cores(path) == min(physical_cores(tmp_path / "none"), most)
