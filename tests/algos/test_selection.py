from fractions import Fraction

from hypothesis import given
from hypothesis import strategies as st

from algos.selection import WINDOW, Selection
from utils import statistics


def select(successes: list[int], episodes: int) -> tuple[Selection, list[int]]:
    """What is judged of evaluations at iterations 1, 2, …, and which were the best in turn."""
    selection = Selection()
    chosen = [
        iteration
        for iteration, count in enumerate(successes, start=1)
        if selection.observe(iteration, count, episodes)
    ]
    return selection, chosen


@given(successes=st.lists(st.integers(0, 20), max_size=40))
def test_the_best_is_the_last_with_the_highest_mean_of_five(successes: list[int]) -> None:
    selection, chosen = select(successes, 20)
    means = {
        end: Fraction(sum(successes[end - WINDOW : end]), 20 * WINDOW)
        for end in range(WINDOW, len(successes) + 1)
    }
    if not means:
        assert not chosen
        return
    best = max(means.values())
    assert selection.iteration == max(end for end, mean in means.items() if mean == best)
    assert selection.iteration == chosen[-1]
    assert selection.best == float(best)
    assert selection.mean == float(means[len(successes)])


def test_one_lucky_evaluation_is_not_the_best() -> None:
    selection, _ = select([5, 5, 10, 5, 5, 8, 8, 8, 8, 8], 10)
    assert selection.iteration == 10


def test_five_evaluations_of_the_same_rooms_are_not_five_times_as_many_rooms() -> None:
    # 230 of 250 other rooms would be fewer than 250 of 250 for sure; 46 of 50 are not.
    selection, _ = select([50] * 5 + [46] * 20, 50)
    assert statistics.share_of(230, 250).high < statistics.share_of(250, 250).low
    assert not selection.fallen


def test_a_run_has_fallen_when_it_stays_below_its_best_by_more_than_the_intervals() -> None:
    selection, _ = select([50] * 5, 50)
    low = statistics.share_of(50, 50).low
    below = 0
    for successes in (48, 44, 40, 30, 30, 30, 30, 30):
        assert not selection.fallen
        selection.observe(0, successes, 50)
        high = statistics.share_of_repeats(selection.recent, [50] * 5).high
        below = below + 1 if high < low else 0
        assert selection.below == below
    assert below == WINDOW
    assert selection.fallen
    for _ in range(5):
        selection.observe(0, 50, 50)
    assert not selection.fallen
