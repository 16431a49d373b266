import pytest

from algos.schedule import AdaptiveSchedule, LinearSchedule
from tests.recordings import recording


def test_the_papers_schedule() -> None:
    k = LinearSchedule(start=10, step=0.005, floor=0.1, until=3000)
    assert k.weight(0) == 10
    assert k.weight(1) == pytest.approx(float(recording("ppo_mlp")["ks_coef_after"]))
    assert k.weight(1980) == pytest.approx(0.1)
    assert k.weight(2999) == 0.1
    assert k.weight(3000) == 0


def test_a_start_below_the_floor_is_not_raised() -> None:
    for start in (0.0, 0.05):
        assert LinearSchedule(start, 0.005, floor=0.1, until=10).weight(0) == start
        assert AdaptiveSchedule(start, floor=0.1, until=10).weight(0) == start


def test_an_adaptive_weight_follows_success_both_ways() -> None:
    k = AdaptiveSchedule(start=10, floor=0.1, until=100)
    assert k.weight(0) == 10
    for _ in range(60):
        k.observe(1.0)
    assert k.weight(1) == 0.1
    again = AdaptiveSchedule(10, 0.1, 100)
    again.restore(k.state())
    for _ in range(60):
        again.observe(0.0)
    assert again.weight(2) > 9.9
    assert again.weight(100) == 0
