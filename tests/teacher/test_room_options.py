import numpy as np
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from env.symbols import DOOR, EMPTY, GOAL, KEY, LAVA, NO_AGENT, WALL
from teacher.room_options import Maps, explore, go_to
from tests.teacher import reference

KINDS = [0, EMPTY, EMPTY, EMPTY, EMPTY, WALL, DOOR, KEY, GOAL, LAVA]


@st.composite
def maps(draw: st.DrawFn) -> np.ndarray:
    shape = draw(st.integers(3, 9)), draw(st.integers(3, 34))
    obs = np.zeros((*shape, 4), np.uint8)
    obs[..., 0] = draw(arrays(np.uint8, shape, elements=st.sampled_from(KINDS)))
    obs[..., 2] = draw(arrays(np.uint8, shape, elements=st.integers(0, 2)))
    obs[..., 3] = NO_AGENT
    agent = draw(st.integers(0, shape[0] - 1)), draw(st.integers(0, shape[1] - 1))
    obs[agent] = (draw(st.sampled_from([EMPTY, KEY])), 0, 0, draw(st.integers(0, 3)))
    return obs


@settings(max_examples=300)
@given(obs=maps(), data=st.data())
def test_going_there_begins_a_shortest_path_straight_on_first(
    obs: np.ndarray, data: st.DataObject
) -> None:
    width, height = obs.shape[:2]
    cell = data.draw(st.integers(0, width * height - 1))
    batch = torch.tensor(obs)[None]
    action = go_to(Maps.of(batch), torch.tensor([0]), torch.tensor([cell])).item()
    allowed = reference.first_actions(obs, divmod(cell, height))
    assert action == next(a for a in (2, 0, 1, 6, reference.FINISHED) if a in allowed)


@settings(max_examples=300)
@given(maps())
def test_exploring_agrees_with_the_plain_reading_of_its_rules(obs: np.ndarray) -> None:
    action = explore(Maps.of(torch.tensor(obs)[None]), torch.tensor([0]), view_size=3).item()
    assert action == reference.explore(obs)
