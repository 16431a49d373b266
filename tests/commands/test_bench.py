"""The benchmark: what it measures, draws and records."""

import json
from pathlib import Path

import imageio.v3 as iio
import pytest

import main
from commands import speeds
from tests import small_rooms


def test_bench_measures_draws_and_records(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(speeds, "REPEATS", 1)
    monkeypatch.setattr(speeds, "EPISODE", 30)
    monkeypatch.setattr(speeds, "SIZES", (10, 12))
    files = ["--json", str(tmp_path / "speeds.json"), "--plot", str(tmp_path / "speeds.png")]
    flags = ["--task", "simpledoorkey", "--num_envs", "1", "40", "--threads", "1"]
    assert main.main(["bench", *flags, *files]) == 0
    out = capsys.readouterr().out
    for word in ("environment + labels", "Gymnasium's vector", "training, update"):
        assert f"SimpleDoorKey  {word}" in out
    said = [line for line in out.splitlines() if line.startswith("measuring SimpleDoorKey, ")]
    assert [line.removeprefix("measuring SimpleDoorKey, ") for line in said] == [
        *("1 environment", "1 environment: training"),
        *("40 environments", "40 environments: training"),
    ]
    measured = json.loads((tmp_path / "speeds.json").read_text())["speeds"]
    assert all(s["steps_per_second"] * s["seconds"] == pytest.approx(s["steps"]) for s in measured)
    for size, rooms, room_bytes in ((10, 1, 825), (12, 40, 8 * (144 + 1) + 17)):
        alone, labels, both = (
            next(s for s in measured if (s["what"], s["size"], s["environments"]) == each)
            for each in (
                (what, size, rooms) for what in ("environment", "labels", "environment + labels")
            )
        )
        cost = 1 / alone["steps_per_second"] + 1 / labels["steps_per_second"]
        assert 1 / both["steps_per_second"] == pytest.approx(cost)
        assert alone["room_bytes"] == room_bytes
    assert {(s["environments"], s["size"]) for s in measured if s["what"] == "labels"} == {
        (rooms, size) for rooms in (1, 40) for size in (10, 12)
    }
    assert iio.imread(tmp_path / "speeds.png").std() > 0
    assert main.main(["bench", "--num_envs", "0"]) == 1
    assert main.main(["bench", "--plot", str(tmp_path / "speeds.jpgg")]) == 1


def test_bench_measures_a_task_of_minigrid(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(speeds, "REPEATS", 1)
    monkeypatch.setattr(speeds, "EPISODE", 10)
    task = "MiniGrid-DoorKey-6x6-v0"
    assert main.main(["bench", "--task", task, "--num_envs", "2", "--threads", "1"]) == 0
    rows = [row.split("  ") for row in capsys.readouterr().out.splitlines() if row.startswith(task)]
    found = {what.strip(): [cell.strip() for cell in more if cell] for _, what, *more in rows}
    for what in ("environment", "labels", "Gymnasium's vector", "training, teacher"):
        assert found[what][:2] == ["6", "2"]
    rate = float(found["training, total"][3].replace(",", ""))
    assert rate * float(found["training, total"][2].replace(",", "")) == pytest.approx(1e6, 0.02)


def test_bench_measures_a_room_of_a_users_own_module(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(speeds, "REPEATS", 1)
    monkeypatch.setattr(speeds, "EPISODE", 10)
    assert (
        main.main(["bench", "--task", small_rooms.TASK, "--num_envs", "2", "--threads", "1"]) == 0
    )
    rows = [row for row in capsys.readouterr().out.splitlines() if row.startswith("SimpleDoorKey")]
    # Rooms in one batch know the memory that each takes.
    assert rows[0].split()[-1].isdigit()
