"""Evaluations as a table in the terminal."""

import pytest

from commands.evaluation_table import print_evaluations
from tests.trees import evaluation

NAMES = ("last student", "best, of iteration 120", "teacher alone", "another")


@pytest.mark.parametrize("count", [1, 3])
def test_a_verdict_fits_80_columns(capsys: pytest.CaptureFixture[str], count: int) -> None:
    print_evaluations("verdict", [(name, evaluation([1, 1, 0] * 10)) for name in NAMES[:count]])
    _, actors, *lines = (line.rstrip() for line in capsys.readouterr().out.splitlines())
    assert actors.split()[:3] == ["actor", "last", "student"]
    measures = ["n", "success", "return", "length", "timed", "failed", "unanswered"]
    assert [line.split()[0] for line in lines] == measures
    assert lines[1].count("0.667 [0.488, 0.808]") == count
    assert max(map(len, lines)) <= 80


def test_many_evaluations_are_rows_and_a_missing_one_has_dashes(
    capsys: pytest.CaptureFixture[str],
) -> None:
    evaluations = [(name, evaluation([1, 0])) for name in NAMES[:3]]
    print_evaluations("four", [*evaluations, ("another", None)])
    _, heading, *rows = capsys.readouterr().out.splitlines()
    assert heading.split()[:3] == ["actor", "n", "success"]
    assert [row[:12].rstrip() for row in rows] == [name[:12] for name in NAMES]
    assert rows[-1].split() == ["another", *"–" * 7]
