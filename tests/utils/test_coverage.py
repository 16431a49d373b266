"""How often the interval of the mean over runs holds the true mean, by simulation."""

from collections.abc import Callable

import numpy as np
import pytest

from utils.statistics import SHARE, Values, mean_of_runs, share_of

EPISODES, REPEATS = 1000, 1000
Draw = Callable[[np.random.Generator, int], Values]


def near_1(draw: np.random.Generator, runs: int) -> Values:
    return draw.beta(400, 1.6, runs)


def skewed(draw: np.random.Generator, runs: int) -> Values:
    return draw.beta(8, 0.8, runs)


def one_in_three_fails(draw: np.random.Generator, runs: int) -> Values:
    fails = draw.random(runs) < 1 / 3
    return np.where(fails, draw.beta(1, 99, runs), draw.beta(98, 2, runs))


def one_in_ten_fails(draw: np.random.Generator, runs: int) -> Values:
    return np.where(draw.random(runs) < 0.1, draw.beta(1, 99, runs), near_1(draw, runs))


MEANS = {
    near_1: 400 / 401.6,
    skewed: 8 / 8.8,
    one_in_three_fails: (0.01 + 2 * 0.98) / 3,
    one_in_ten_fails: (0.01 + 9 * 400 / 401.6) / 10,
}


@pytest.mark.parametrize(
    ("shape", "runs", "coverage"),
    [
        *((near_1, 3, 0.99), (near_1, 5, 0.99), (near_1, 10, 0.99)),
        *((skewed, 3, 0.88), (skewed, 5, 0.89), (skewed, 10, 0.92)),
        *((one_in_three_fails, 3, 0.67), (one_in_three_fails, 5, 0.86)),
        (one_in_three_fails, 10, 0.88),
        *((one_in_ten_fails, 3, 0.26), (one_in_ten_fails, 5, 0.44), (one_in_ten_fails, 10, 0.64)),
        *((near_1, 2, 0.97), (skewed, 2, 0.91), (one_in_three_fails, 2, 0.44)),
    ],
)
def test_the_coverage_is_as_documented(shape: Draw, runs: int, coverage: float) -> None:
    draw = np.random.default_rng(runs)
    wilson = [share_of(count, EPISODES) for count in range(EPISODES + 1)]
    held = 0
    for _ in range(REPEATS):
        counts = draw.binomial(EPISODES, shape(draw, runs))
        found = mean_of_runs([wilson[count] for count in counts], SHARE)
        held += found.low <= MEANS[shape] <= found.high
    # Four standard errors of the simulation, and half of the last digit.
    error = 4 * np.sqrt(coverage * (1 - coverage) / REPEATS) + 0.005
    assert held / REPEATS == pytest.approx(coverage, abs=error)
