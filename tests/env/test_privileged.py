"""The map that only a teacher gets: all cells as they are."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from env.symbols import BOX, UNSEEN
from env.worlds import make_world
from tests.env.pairs import make, make_minigrid, same, stacked
from tests.env.test_worlds import moves, played, seeds
from tests.recordings import TASKS

IDS = ("MiniGrid-DoorKey-6x6-v0", "BabyAI-GoToLocal-v0", "MiniGrid-KeyCorridorS3R2-v0")


def agrees(image: Tensor | np.ndarray, whole: Tensor | np.ndarray) -> bool:
    """Whether a map shows all cells, and those that the agent remembers as it does."""
    seen = image[..., 0] != UNSEEN
    return bool((whole[..., 0] != UNSEEN).all() and (image[seen] == whole[seen]).all())


@pytest.mark.parametrize("name", TASKS)
def test_rooms_in_tensors_and_minigrid_s_give_the_same(name: str) -> None:
    minigrid = make_minigrid(name, 6, privileged=True)
    tensors = make(name, 6, privileged=True)
    assert tensors.single_observation_space == minigrid.single_observation_space
    obs, _ = minigrid.reset(seed=0)
    assert same(tensors.load(minigrid.envs), obs)
    draws = torch.Generator().manual_seed(0)
    for _ in range(60):
        assert agrees(obs["image"], obs["privileged"])
        actions = torch.randint(7, (6,), generator=draws)
        obs, found = minigrid.step(actions)[0], tensors.step(actions)[0]
        assert same(found, obs)


@given(st.sampled_from(IDS), seeds, moves)
def test_it_shows_all_that_the_agent_remembers_and_the_rest(
    env_id: str, seed: int, actions: list[int]
) -> None:
    with make_world(env_id, privileged=True) as world:
        for seen in played(world, seed, actions):
            assert world.observation_space.contains(seen)
            # Without boxes, only the agent changes cells, and it sees what it changes.
            if not (seen["privileged"][..., 0] == BOX).any():
                assert agrees(seen["image"], seen["privileged"])


def test_earlier_frames_stand_beside_it() -> None:
    rooms = stacked(make("SimpleDoorKey", 2, privileged=True), 3)
    obs, _ = rooms.reset(seed=0)
    shapes = {name: tensor.shape[1:] for name, tensor in obs.items()}
    assert shapes == {name: space.shape for name, space in rooms.single_observation_space.items()}
    assert shapes["privileged"] == (10, 10, 4)


def test_nobody_gets_it_unasked() -> None:
    obs, _ = make("SimpleDoorKey", 2).reset(seed=0)
    assert obs.keys() == {"image"}
    with make_world(IDS[0]) as world:
        assert "privileged" not in world.reset(seed=0)[0]
