import csv
import subprocess
import sys
from pathlib import Path

from commands.worlds_table import COLUMNS, at_most, main


def test_the_table_has_a_line_for_each_id_and_says_what_went_wrong() -> None:
    ids = ["BabyAI-GoToObjS4-v0", "MiniGrid-Empty-5x5-v0", "MiniGrid-Nowhere-v0"]
    command = [sys.executable, "-m", "commands.worlds_table", "--episodes", "3", *ids]
    printed = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert printed.splitlines()[0] == ",".join(COLUMNS)
    rows = list(csv.DictReader(printed.splitlines()))
    assert [row["id"] for row in rows] == ids
    assert [row["success"] for row in rows] == ["1.0", "1.0", ""]
    assert [bool(row["bot_success"]) for row in rows] == [True, False, False]
    assert "MiniGrid-Nowhere-v0" in rows[2]["remark"]


def test_an_interrupted_table_goes_on(tmp_path: Path) -> None:
    out, ids = tmp_path / "worlds.csv", ["MiniGrid-Empty-5x5-v0", "MiniGrid-Empty-6x6-v0"]
    for these in (ids[:1], ids):
        assert main(["--episodes", "2", "--out", str(out), *these]) == 0
    assert [row["id"] for row in csv.DictReader(out.read_text().splitlines())] == ids


def test_a_search_without_end_is_left() -> None:
    with at_most(0.1):
        while True:
            pass
