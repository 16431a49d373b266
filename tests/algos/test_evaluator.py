"""What evaluations cost in steps, and how that is limited."""

import torch
from hypothesis import given
from hypothesis import strategies as st

from algos.evaluator import VERDICT_SEEDS, Evaluator, trial_episodes
from algos.play import Uniform
from tests.point import MAX_STEPS, Points


@given(st.integers(1, 10_000))
def test_trials_of_long_episodes_have_fewer_of_them(max_steps: int) -> None:
    count = trial_episodes(max_steps)
    assert 30 <= count <= len(VERDICT_SEEDS) == 100
    assert count == 30 or count * max_steps <= 30_000
    assert count == 100 or (count + 1) * max_steps > 30_000
    assert count >= trial_episodes(max_steps + 1)


def test_an_evaluation_takes_no_more_steps_than_are_expected_of_the_longest_episodes() -> None:
    actor, points, seeds = Uniform(2, continuous=True), Points(3), [1, 2, 3, 4, 5]
    cpu = torch.device("cpu")
    evaluator = Evaluator(actor, actor, actor, points, seeds, points, seeds, 0, cpu)
    assert evaluator.expected_steps(7.5) == 2 * 5 * 7.5
    assert evaluator.expected_steps(1000) == 2 * 5 * MAX_STEPS
    taken = sum(sum(outcome.lengths) for outcome in evaluator.evaluate_student(1))
    assert 0 < taken <= evaluator.expected_steps(1000)
