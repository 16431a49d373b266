"""Evaluations: what they cost in steps, how that is limited, and what they tell of a teacher."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from algos.evaluation import Evaluation
from algos.evaluator import MOST_TRIALS, Evaluator, trial_episodes
from algos.play import Uniform
from commands.experiments.table import FIRST_REPORTED_SEED
from commands.settings.config import DEFAULTS
from tests.point import MAX_STEPS, Points
from utils import seeding


def test_trial_evaluations_verdict_and_training_have_seeds_of_their_own() -> None:
    trial = seeding.numbered(seeding.FIRST_TRIAL_SEED, MOST_TRIALS)
    verdict = seeding.numbered(seeding.FIRST_VERDICT_SEED, MOST_TRIALS)
    reported = seeding.numbered(FIRST_REPORTED_SEED, 1000)
    evaluations = seeding.evaluation_seeds([DEFAULTS["env_seed_list"][0]], 1000)
    ranges = [evaluations, reported, trial, verdict]
    assert len({seed for each in ranges for seed in each}) == sum(map(len, ranges))
    training = seeding.training_seeds(0, 0, 0, 1000).tolist()
    assert max(reported) < min(training) <= max(training) < min(trial)
    # Environments take seeds of 64 bits.
    assert max(verdict) < 2**63


def test_a_trial_and_a_verdict_play_other_episodes() -> None:
    actor, points, cpu = Uniform(2, continuous=True), Points(3), torch.device("cpu")
    evaluator = Evaluator(actor, actor, actor, points, [1], points, 5, 0, cpu)
    tried, judged = evaluator.try_teacher().outcome, evaluator.judge(actor)
    assert tried.seeds == seeding.numbered(seeding.FIRST_TRIAL_SEED, 5)
    assert judged.seeds == seeding.numbered(seeding.FIRST_VERDICT_SEED, 5)


@given(st.integers(1, 10_000))
def test_trials_of_long_episodes_have_fewer_of_them(max_steps: int) -> None:
    count = trial_episodes(max_steps)
    assert 30 <= count <= MOST_TRIALS == 100
    assert count == 30 or count * max_steps <= 30_000
    assert count == 100 or (count + 1) * max_steps > 30_000
    assert count >= trial_episodes(max_steps + 1)


def test_an_evaluation_takes_no_more_steps_than_are_expected_of_the_longest_episodes() -> None:
    actor, points, seeds = Uniform(2, continuous=True), Points(3), [1, 2, 3, 4, 5]
    cpu = torch.device("cpu")
    evaluator = Evaluator(actor, actor, actor, points, seeds, points, 5, 0, cpu)
    assert evaluator.expected_steps(7.5) == 2 * 5 * 7.5
    assert evaluator.expected_steps(1000) == 2 * 5 * MAX_STEPS
    taken = sum(sum(outcome.lengths) for outcome in evaluator.evaluate_student(1))
    assert 0 < taken <= evaluator.expected_steps(1000)


@pytest.mark.parametrize(
    ("succeeded", "cut_off", "failed", "stuck"),
    [(4, 0, 0, 0), (3, 1, 4, 0.25), (2, 0, 6, 0), (0, 1, 3, 1), (0, 0, 4, 1)],
)
def test_a_teacher_is_stuck_as_often_as_it_is_cut_off_where_it_does_not_fail_before(
    succeeded: int, cut_off: int, failed: int, stuck: float
) -> None:
    success = [True] * succeeded + [False] * (cut_off + failed)
    timed_out = [False] * succeeded + [True] * cut_off + [False] * failed
    count = len(success)
    outcome = Evaluation([*range(count)], success, timed_out, [0.0] * count, [1] * count)
    assert outcome.stuck == stuck
