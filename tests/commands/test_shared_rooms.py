"""The count of rooms that two ranges of seeds share."""

import pytest
import torch

from commands.shared_rooms import EVALUATE, TRAIN, TRY, drawer
from planner.task import load_task

TASKS = ("SimpleDoorKey", "TwoDoor", "NavPick", "BabyAI-GoToObj-v0")


@pytest.mark.parametrize("name", TASKS)
def test_a_seed_draws_the_same_room_again_and_other_seeds_draw_others(name: str) -> None:
    draw, seeds = drawer(load_task(name)), torch.arange(20)
    for use in (EVALUATE, TRY):
        rooms = draw(seeds, use)
        assert rooms == draw(seeds, use)
        assert len(set(rooms)) > 15


def test_a_room_as_a_tensor_equals_minigrids() -> None:
    draw = drawer(load_task("SimpleDoorKey"))
    # So many rooms that chance alone makes some of them equal.
    tensors, singles = (set(draw(torch.arange(3000), use)) for use in (TRAIN, EVALUATE))
    assert tensors & singles
    assert len(tensors) > 2900
