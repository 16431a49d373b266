import numpy as np
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from env.symbols import DONE, DOOR, EMPTY, GOAL, HEADINGS, KEY, LAVA, NO_AGENT, OPEN, WALL
from planner import plans
from teacher.room_options import Maps, RoomOptions, explore, go_to, options_of
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


@settings(max_examples=300)
@given(obs=maps(), data=st.data())
def test_what_is_possible_agrees_with_the_plain_reading_of_its_rules(
    obs: np.ndarray, data: st.DataObject
) -> None:
    width, height = obs.shape[:2]
    cells = [data.draw(st.integers(-1, width * height - 1)) for _ in range(2)]
    options, rules = options_of({"key": KEY, "door": DOOR}), RoomOptions({"key": 0, "door": 1}, 3)
    seen, memory = {"image": torch.tensor(obs)[None]}, {"cells": torch.tensor([cells])}
    used = torch.ones(1, len(options), dtype=torch.bool)
    proposal, _ = rules.propose(seen, memory, options, used, {})
    possible = rules.possible(seen, memory, options, proposal)[0].tolist()
    # Behind the options stands no plan, which is to wait and has nothing left to do.
    assert proposal.actions[0, -1] == DONE
    assert proposal.finished[0, -1]

    ((x, y),) = np.argwhere(obs[..., 3] != NO_AGENT).tolist()
    front = (x + HEADINGS[obs[x, y, 3]][0], y + HEADINGS[obs[x, y, 3]][1])
    inside = 0 <= front[0] < width and 0 <= front[1] < height
    full = obs[x, y, 0] == KEY
    for number, option in enumerate(options):
        if option.thing is None:
            assert possible[number]
            continue
        cell = cells[option.thing == "door"]
        place = divmod(cell, height)
        bare = place == (x, y) or obs[place][0] == EMPTY
        in_hand = full and bare
        expected = {
            plans.GO_TO: proposal.actions[0, number] != DONE and not in_hand,
            plans.PICK_UP: place == front and not full,
            plans.DROP: in_hand and inside and obs[front][0] == EMPTY,
            plans.OPEN: place == front and obs[place][2] != OPEN,
        }[option.verb]
        assert possible[number] == (cell >= 0 and expected), option
