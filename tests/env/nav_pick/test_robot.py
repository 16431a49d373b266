import math

import numpy as np
import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from env.nav_pick.robot import (
    LONGEST,
    RADIUS,
    SHORTEST,
    SHOULDER,
    SKIN,
    slide,
    to_base,
    to_world,
    within_reach,
)
from tests.env.nav_pick.pilot import clearance, make, solid

place = st.floats(-2, 2, width=32)
side = st.floats(0.0625, 1, width=32)
BOX = st.tuples(place, place, side, side)
CORNER = torch.tensor([[[1.0, -1.0], [-1.0, 1.0]]]), torch.tensor([[[2.0, 1.0], [1.0, 2.0]]])
"""Two boxes that make an inner corner: x from 1 on, y from 1 on."""


@given(st.lists(BOX, min_size=1, max_size=6), place, place, st.floats(0, 0.5), st.floats(-4, 4))
def test_a_move_ends_outside_of_boxes_and_is_no_longer_than_its_command(
    boxes: list[tuple[float, ...]], x: float, y: float, length: float, angle: float
) -> None:
    footprints = torch.tensor(boxes)
    low, high = footprints[:, :2], footprints[:, :2] + footprints[:, 2:]
    flat = torch.cat([low, torch.zeros(len(low), 1), high], 1).double().numpy()
    assume(clearance(flat, np.array([x, y])) >= RADIUS)
    position = torch.tensor([[x, y]])
    command = length * torch.tensor([[math.cos(angle), math.sin(angle)]])
    made, touches = slide(position, command, low[None], high[None])
    assert made.norm() <= command.norm() * (1 + 1e-5) + 1e-7
    end = (position + made)[0].double().numpy()
    assert clearance(flat, end) >= RADIUS - 1e-6
    if not touches:
        assert torch.allclose(made, command, atol=2e-4)


def drive(position: list[float], move: list[float]) -> tuple[list[float], bool]:
    made, touches = slide(torch.tensor([position]), torch.tensor([move]), *CORNER)
    return made[0].tolist(), bool(touches)


@pytest.mark.parametrize(
    ("position", "move", "made", "touches"),
    [
        ((0, 0), (0.05, 0.02), (0.05, 0.02), False),
        ((0.7 - SKIN, 0), (0.05, 0.02), (0, 0.02), True),
        ((0.7 - SKIN, 0), (-0.05, 0.02), (-0.05, 0.02), False),
        ((0.7 - SKIN, 0), (0, 0.05), (0, 0.05), False),
        ((0.68 - SKIN, 0), (0.05, 0.02), (0.02, 0.02), True),
        ((0.68 - SKIN, 0.69 - SKIN), (0.05, 0.05), (0.02, 0.01), True),
        ((0.7 - SKIN, 0.7 - SKIN), (0.05, 0.05), (0, 0), True),
    ],
)
def test_a_base_slides_along_walls(
    position: list[float], move: list[float], made: list[float], touches: bool
) -> None:
    found, touched = drive(position, move)
    assert found == pytest.approx(made, abs=1e-6)
    assert touched == touches


def test_a_base_comes_around_a_corner() -> None:
    """Driven against a face near its end, it slides off and passes."""
    low, high = torch.tensor([[[1.0, -1.0]]]), torch.tensor([[[2.0, 0.0]]])
    position = torch.tensor([[0.0, -0.1]])
    for _ in range(100):
        made, _ = slide(position, torch.tensor([[0.045, 0.02]]), low, high)
        position = position + made
    assert position[0, 0] > 2.3


@settings(max_examples=25)
@given(st.integers(0, 2**63 - 1))
def test_a_robot_is_never_in_a_wall(seed: int) -> None:
    homes = make(4, max_collisions=10**6)
    homes.reset(seed=seed // 4 * 4)
    solids = [solid(homes.home(i)) for i in range(4)]
    generator = torch.Generator().manual_seed(seed % 2**31)
    drift = torch.randn(4, 6, generator=generator)
    last = homes._now["position"].clone()
    for _ in range(40):
        homes.step(drift + torch.randn(4, 6, generator=generator))
        position = homes._now["position"]
        assert (position - last).norm(dim=1).max() <= 0.05 * (1 + 1e-4)
        for boxes, where in zip(solids, position.double().numpy(), strict=True):
            assert clearance(boxes, where) >= RADIUS - 1e-6
        last = position.clone()


@given(st.lists(st.floats(-3, 3, width=32), min_size=3, max_size=3))
def test_a_hand_stays_within_reach(hand: list[float]) -> None:
    shoulder = torch.tensor(SHOULDER)
    told = torch.tensor([hand])
    found = within_reach(told, shoulder)
    away = (found - shoulder).norm()
    assert found[0, 0] >= SHOULDER[0] - 1e-6
    assert away <= LONGEST + 1e-5
    assume((told - shoulder)[0].clamp(min=torch.tensor([0, -9, -9])).norm() > 1e-3)
    assert away >= SHORTEST - 1e-5
    if SHORTEST <= (told - shoulder).norm() <= LONGEST and told[0, 0] >= SHOULDER[0]:
        assert torch.allclose(found, told, atol=1e-5)


def test_frames_turn_as_documented() -> None:
    heading = torch.tensor([math.pi / 2])
    assert to_world(torch.tensor([[1.0, 0.5, 3.0]]), heading)[0].tolist() == pytest.approx(
        [-0.5, 1, 3], abs=1e-6
    )
    back = to_base(to_world(torch.tensor([[1.0, 2.0]]), heading), heading)
    assert back[0].tolist() == pytest.approx([1, 2], abs=1e-6)
