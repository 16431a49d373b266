"""Evaluations as a table in the terminal."""

from collections.abc import Sequence
from math import isfinite

from algos.evaluation import Evaluation
from utils.statistics import Estimate
from utils.terminal import table

COLUMNS = ["actor", "n", "success", "return", "length", "timed out", "failed early", "unanswered"]
"""Name, number of episodes, three means with intervals, two shares of failures, and the share of
steps without an answer."""
BESIDE = 3
"""Evaluations that fit beside each other in a narrow terminal."""


def print_evaluations(title: str, evaluations: Sequence[tuple[str, Evaluation | None]]) -> None:
    """A column for each name and its evaluation, or a row if there are many. There are dashes where
    there is no evaluation."""
    measures = dict.fromkeys(name for _, each in evaluations if each for name in each.measures)
    columns = [*COLUMNS, *measures]
    nothing = ["–"] * (len(columns) - 1)
    rows = [[name, *(cells(each) if each else nothing)] for name, each in evaluations]
    if len(rows) <= BESIDE:
        columns, *rows = map(list, zip(columns, *rows, strict=True))
    table(title, columns, rows)


def cells(evaluation: Evaluation) -> list[str]:
    """Everything but the name."""
    summary = evaluation.summary()
    return [
        str(len(evaluation.seeds)),
        *(mean_in_words(summary[name], 1 if name == "length" else 3) for name in summary),
        *(f"{share:.3f}" for share in evaluation.failures().values()),
        f"{evaluation.unanswered:.3f}",
        *(mean_in_words(number) for number in evaluation.measured().values()),
    ]


def mean_in_words(number: Estimate, digits: int = 3) -> str:
    """A mean with its interval, such as "0.900 [0.862, 0.931]"."""
    mean, low, high = (f"{part:.{digits}f}" if isfinite(part) else "–" for part in number)
    return f"{mean} [{low}, {high}]"
