"""`main.py report`: what its terminal output and its page show of names and notes."""

import os
from pathlib import Path

import pytest

from tests.trees import RISING, report, write_run


def test_names_are_shown_as_they_are(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    trees = [tmp_path / name for name in ('[red]$y^$<b>&"', "plain")]
    for place in trees:
        write_run(place, "a", RISING, final=[1, 0])
    Path(os.fsdecode(os.fsencode(trees[0]) + b"/no text\xff")).mkdir()
    assert report(*trees, "--out", tmp_path / "out") == 0
    title = '[red]$y^$<b>&" against plain'
    assert title in capsys.readouterr().out
    assert title in (tmp_path / "out" / "report.md").read_text()
    page = (tmp_path / "out" / "index.html").read_text()
    assert "[red]$y^$&lt;b&gt;&amp;&#34; against plain" in page
    assert "no text\N{REPLACEMENT CHARACTER}</code>: it is empty" in page
    assert "<b>" not in page


def test_a_note_on_many_runs_is_there_once(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for seed in range(7):
        write_run(tmp_path, f"run-{seed}", [0.5] * 6, seed=seed, n_itr=10 + seed, quick=True)
    assert report(tmp_path) == 0
    notes = [line for line in capsys.readouterr().out.splitlines() if line.startswith("note: ")]
    place, quick = (
        "ppo/simpledoorkey/run-",
        "a --quick run: its evaluations have a few episodes each",
    )
    assert len(notes) == 2
    assert notes[0] == (
        f"note: {', '.join(f'{place}{seed}' for seed in range(5))} and 2 more: {quick}"
    )
    assert notes[1].startswith(
        f"note: {place}0 (6 of 10 iterations), {place}1 (6 of 11 iterations)"
    )
    for name in ("index.html", "report.md"):
        written = (tmp_path / "report" / name).read_text()
        assert written.count("a --quick run") == written.count(": unfinished") == 1
        assert f"{place}6 (6 of 16 iterations)" in written


def test_the_tables_fit_a_narrow_terminal(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for seed in (0, 1):
        write_run(tmp_path, f"{seed}", [*RISING] * 200, seed=seed, task="ColoredDoorKey")
    assert report(tmp_path) == 0
    lines = capsys.readouterr().out.splitlines()
    end = next(number for number, line in enumerate(lines) if line.startswith("[low, high]"))
    assert "Steps and seconds to a success" in lines[3]
    assert max(map(len, lines[:end])) <= 100
