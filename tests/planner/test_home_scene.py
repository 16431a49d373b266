"""What a robot's numbers say in words."""

import math

import torch
from hypothesis import given
from hypothesis import strategies as st

from env.nav_pick.robot_state import CONTACT, FACING, HOLDING, NEAR, OBJECT, STATE_SIZE
from planner.home_scene import THING, HomeReader, in_words
from planner.recorded_plans import RecordedPlanner
from planner.task import load_task


@given(
    st.floats(0, 8, width=32),
    st.floats(-3.125, 3.125, width=32),
    st.booleans(),
    st.booleans(),
)
def test_distance_heading_contact_and_hand_are_told(
    apart: float, angle: float, bumped: bool, held: bool
) -> None:
    state = torch.zeros(1, STATE_SIZE)
    state[0, OBJECT] = torch.tensor([apart * math.cos(angle), apart * math.sin(angle), 0.7])
    state[0, CONTACT], state[0, HOLDING] = float(bumped), float(held)
    (text,) = HomeReader().read({"state": state}, {}).distinct
    if abs(apart - NEAR) > 1e-3:
        assert ("is within reach of <object>" in text) == (apart < NEAR)
    if apart > 1e-3 and abs(abs(angle) - FACING) > 1e-3:
        assert ("does not face it" in text) == (abs(angle) > FACING)
    assert ("bumped" in text) == bumped
    assert text.endswith(f"holds <{THING if held else 'nothing'}>.")


def test_each_robot_has_its_own_text() -> None:
    state = torch.zeros(3, STATE_SIZE)
    state[:, OBJECT] = torch.tensor([[3.0, 0, 0.7], [0.5, 0, 0.7], [3.0, 0, 0.7]])
    scenes = HomeReader().read_episodes({"state": state}, torch.tensor([True, False, True]))
    texts = [scenes.distinct[i] for i in scenes.index]
    far, near = in_words(False, True, False, False), in_words(True, True, False, False)
    assert texts == [far, near, far]
    assert len(scenes.distinct) == 2


def test_the_prior_speaks_of_every_scene() -> None:
    plans = load_task("NavPick").plans
    flags = (False, True)
    every = {in_words(a, b, c, d) for a in flags for b in flags for c in flags for d in flags}
    assert plans.keys() == every
    planner = RecordedPlanner(plans, (THING,))
    assert None not in planner.answers(sorted(every))
