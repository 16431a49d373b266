"""The records of `main.py report`: what later reports read instead of the runs."""

import json
import re
from pathlib import Path

import pytest

from tests.running import ROOT
from tests.trees import RISING, numbers, report, table, write_evaluation, write_run

TASK = "SimpleDoorKey"
KEPT: list[tuple[dict[str, str], dict[str, list[float]]]] = [
    (
        {"table_name": "final", "task": "LavaDoorKey", "group": "ppo"},
        {
            "final success": [0.996, 0.9794720132318029, 1.0],
            "final return": [0.8613279997905096, 0.8349879340162628, 0.8876680655647563],
        },
    ),
    (
        {"table_name": "thresholds", "task": "LavaDoorKey", "group": "ppo", "success": "0.95"},
        {"steps": [71059.33333333333, 27515.299369403787, 114603.36729726287]},
    ),
    (
        {"table_name": "budget", "task": "LavaDoorKey", "group": "ppo"},
        {"success": [0.9986666666666667, 0.9284177585155197, 1.0]},
    ),
    (
        {"table_name": "teacher", "task": "LavaDoorKey", "group": "ppo"},
        {"success difference": [0.384, 0.33914026845174755, 0.42759571502634947]},
    ),
]


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A report on two methods, an ablation, a run that is under way, and a teacher."""
    logdir = tmp_path_factory.mktemp("tree") / "log"
    run = write_run(logdir, "a-0", RISING, seed=0, final=[1, 1, 1, 1])
    write_run(logdir, "a-1", RISING, seed=1, every=200, n_itr=20)
    write_run(logdir, "b-0", RISING[:8], seed=0, method="ppo-alone", final=[1, 0, 0, 0])
    write_run(logdir, "c", RISING, gae=True, final=[0])
    write_evaluation(run.parent / "teacher", "unseen", [1, 0] * 5, actor="teacher")
    assert report(logdir) == 0
    return logdir / "report"


def test_a_report_on_records_equals_the_report_on_their_runs(written: Path, tmp_path: Path) -> None:
    kept = tmp_path / "log"
    kept.write_bytes((written / "records.jsonl").read_bytes())
    assert report(kept) == 0
    for name in sorted(path.name for path in written.iterdir() if path.is_file()):
        assert (tmp_path / "log-report" / name).read_bytes() == (written / name).read_bytes()
    # Joined with those of another tree, and compared with that.
    other = tmp_path / "other"
    write_run(other, "run", RISING, task="LavaDoorKey", final=[1, 0])
    assert report(other) == 0
    joined = tmp_path / "joined.jsonl"
    joined.write_text(kept.read_text() + (other / "report" / "records.jsonl").read_text())
    assert report(joined, "--out", tmp_path / "both") == 0
    assert {line["task"] for line in table(tmp_path / "both", "runs.csv")} == {
        *("SimpleDoorKey", "LavaDoorKey")
    }
    assert report(other, joined, "--out", tmp_path / "against") == 0
    found = numbers(tmp_path / "against", "trees", task="LavaDoorKey", measure="success")
    assert found["other minus joined.jsonl"] == [0, None, None]
    assert not (tmp_path / "against" / "records.jsonl").exists()
    # The overview of both tasks, but not if one of them was never evaluated while training.
    assert (tmp_path / "both" / "figures" / "overview.png").exists()
    lines = [json.loads(line) for line in joined.read_text().splitlines()]
    for run in (line["run"] for line in lines if "run" in line and line["run"]["task"] != TASK):
        run["evaluations"] = {key: [] for key in run["evaluations"]}
    joined.write_text("".join(json.dumps(line) + "\n" for line in lines))
    assert report(joined, "--out", tmp_path / "both") == 0
    assert not (tmp_path / "both" / "figures" / "overview.png").exists()


@pytest.mark.parametrize(
    ("there", "instead"),
    [
        (r".*", ""),
        (r".*", "[]"),
        (r'"run": .*', '"run": {}}'),
        (r'"format": 2', '"format": 1'),
        (r'"seed": 0', '"seed": 1e999'),
        (r'"success": \[0.0', '"success": [null'),
        (r'"success": \[0.0, ', '"success": ['),
    ],
)
def test_damaged_records_are_one_clear_error(
    written: Path, tmp_path: Path, there: str, instead: str, capsys: pytest.CaptureFixture[str]
) -> None:
    kept = tmp_path / "kept.jsonl"
    first = (written / "records.jsonl").read_text().splitlines()[0]
    changed = re.sub(there, instead, first, count=1)
    assert changed != first
    kept.write_text(changed)
    assert report(kept) == 1
    assert re.fullmatch(f"error: {kept}.*\\n", capsys.readouterr().err)


def test_of_two_records_of_a_run_the_longer_one_counts(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    joined = tmp_path / "joined.jsonl"
    with joined.open("w") as file:
        for place, evaluations in (("early", 6), ("late", 11), ("late again", 11)):
            write_run(tmp_path / place, "run", RISING[:evaluations], n_itr=11)
            assert report(tmp_path / place) == 0
            file.write((tmp_path / place / "report" / "records.jsonl").read_text())
    capsys.readouterr()
    assert report(joined) == 0
    (run,) = table(tmp_path / "joined-report", "runs.csv")
    assert (run["iterations"], run["planned"]) == ("11", "11")
    said = capsys.readouterr().out
    twice = "ppo/simpledoorkey/run, ppo/simpledoorkey/run"
    assert f"left out: {twice}: it has the settings and the seed of" in said
    # What was noted of it when it was under way holds no more.
    assert "unfinished" not in said
    kept = (tmp_path / "joined-report" / "records.jsonl").read_text()
    assert kept == (tmp_path / "late" / "report" / "records.jsonl").read_text()


def test_old_records_give_the_same_numbers_as_before(tmp_path: Path) -> None:
    """Records of format 2; the means are those of the time when they were written."""
    records = ROOT / "tests" / "data" / "records_of_format_2.jsonl"
    assert report(records, "--out", tmp_path / "out") == 0
    for of, expected in KEPT:
        found = numbers(tmp_path / "out", **of)
        for name, number in expected.items():
            assert found[name] == pytest.approx(number)
