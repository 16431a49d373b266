import numpy as np
import pytest
import torch
from scipy import ndimage
from torch import Tensor

from env.nav_pick.homes import describe, draw_homes
from env.nav_pick.layout import DIVIDER, FREE, GAP, INNER, LOW, OUTER, REACH, STAND, TABLE, TALL
from env.nav_pick.robot import CAMERA_HEIGHT, GRASP, RADIUS
from env.nav_pick.robot_state import NEAR
from tests.env.nav_pick.pilot import clearance, make, pilot, solid
from utils.tensors import Tensors, each

HOMES = 4000
SEARCHED = 150
CELL = 0.05
DEVICES = ["cpu", *["cuda"] * torch.cuda.is_available()]


@pytest.fixture(scope="module")
def homes() -> Tensors:
    return draw_homes(torch.arange(HOMES), layouts=0)


def there(boxes: Tensor) -> Tensor:
    return boxes[..., 5] > 0


def apart(one: Tensor, other: Tensor) -> Tensor:
    """Metres between footprints (..., 6), along the axis where they are further apart."""
    low = torch.maximum(one[..., :2], other[..., :2])
    return (low - torch.minimum(one[..., 3:5], other[..., 3:5])).amax(-1)


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("layouts", [0, 10])
def test_a_home_depends_on_its_seed_alone(layouts: int, device: str) -> None:
    many = draw_homes(torch.arange(100, 164), layouts)
    few = draw_homes(torch.tensor([163, 100, 107], device=device), layouts)
    for name, values in few.items():
        assert torch.equal(values.cpu(), many[name][[63, 0, 7]]), name


def test_homes_stay_the_same() -> None:
    home = describe(draw_homes(torch.tensor([7])), 0)
    assert home.table == [5.18, 4.44, 0.0, 5.84, 5.43, 0.83]
    assert home.object == [5.66, 5.35, 0.87]
    assert home.start == [4.53, 0.61, 1.502728]


def test_nobody_reaches_through_the_wall_between_the_rooms(homes: Tensors) -> None:
    wall, thing = homes["boxes"][:, DIVIDER][:, 0], homes["object"][:, 0]
    beyond = torch.where(
        thing < wall[:, 0], wall[:, 3] + RADIUS - thing, thing - wall[:, 0] + RADIUS
    )
    two = there(wall)
    assert 0.4 < two.float().mean() < 0.6
    assert beyond[two].min() > NEAR + GRASP


def test_ten_layouts_are_ten_and_the_others_are_none_of_them(homes: Tensors) -> None:
    ten = draw_homes(torch.arange(500), layouts=10)
    kinds = ten["boxes"].flatten(1).unique(dim=0)
    assert len(kinds) == 10
    numbered = draw_homes(torch.arange(10), layouts=0)["boxes"].flatten(1)
    assert torch.equal(kinds, numbered.unique(dim=0))
    # Objects and starts differ all the same.
    assert len(ten["object"].unique(dim=0)) > 450
    assert len(ten["start"].unique(dim=0)) > 490
    unseen = draw_homes(torch.arange(500), layouts=0, first_layout=10)["boxes"].flatten(1)
    assert len(torch.cat([kinds, unseen]).unique(dim=0)) == 510
    third = draw_homes(torch.arange(20), layouts=1, first_layout=3)["boxes"].flatten(1)
    assert torch.equal(third, numbered[3].expand_as(third))


def test_homes_differ(homes: Tensors) -> None:
    boxes = homes["boxes"]
    assert 0.45 < there(boxes[:, DIVIDER.start]).float().mean() < 0.55
    assert there(boxes[:, TALL.start : LOW.stop]).sum(1).float().mean() > 2.5
    assert len(homes["boxes"].flatten(1).unique(dim=0)) == HOMES


def test_boxes_are_what_their_places_say(homes: Tensors) -> None:
    boxes = homes["boxes"]
    assert there(boxes[:, OUTER]).all()
    assert there(boxes[:, TABLE]).all()
    present = boxes[there(boxes)]
    assert (present[:, :3] < present[:, 3:]).all()
    tall, low = boxes[:, : TALL.stop], boxes[:, LOW.start :]
    assert (tall[there(tall)][:, 5] == 2.5).all()
    assert (low[there(low)][:, 5] < CAMERA_HEIGHT).all()
    absent = boxes[~there(boxes)]
    assert (absent[:, 3:] <= 0).all()
    # All but the outer walls lie between them.
    inner = boxes[:, INNER]
    inside = (inner[..., 0] >= 0) & (inner[..., 1] >= 0)
    inside &= inner[..., 3] <= boxes[:, 1, None, 0]
    inside &= inner[..., 4] <= boxes[:, 3, None, 1]
    assert (inside | ~there(inner)).all()


def test_no_way_between_boxes_is_closed(homes: Tensors) -> None:
    boxes = homes["boxes"]
    things = boxes[:, TALL.start :]
    for i in range(things.shape[1]):
        for j in range(i):
            both = there(things[:, i]) & there(things[:, j])
            assert (apart(things[:, i], things[:, j])[both] > GAP / 100 - 1e-5).all()
    # To a wall of their room there is no gap, or one that is wide enough.
    for wall in range(things.shape[1]):
        gap = apart(things[:, wall, None], boxes[:, : DIVIDER.stop])
        flush = gap.abs() < 1e-5
        assert (flush | (gap > GAP / 100 - 1e-5))[there(things[:, wall])].all()


def test_the_object_can_be_reached_from_every_goal(homes: Tensors) -> None:
    goals, thing, boxes = homes["goals"], homes["object"], homes["boxes"]
    real = goals[..., 0] > 0
    assert real.any(1).all()
    away = (goals - thing[:, None, :2]).norm(dim=2)
    assert (away[real] < REACH / 100 + 1e-5).all()
    near = (boxes[:, None, :, :2] - goals[:, :, None]).maximum(
        goals[:, :, None] - boxes[:, None, :, 3:5]
    )
    assert (near.amax(3).amin(2)[real] > STAND / 100 - 1e-5).all()
    table = boxes[:, TABLE]
    assert (thing[:, :2] > table[:, :2] + 0.03).all()
    assert (thing[:, :2] < table[:, 3:5] - 0.03).all()
    assert torch.allclose(thing[:, 2], table[:, 5] + 0.04)


def test_starts_are_free_and_far_from_the_object(homes: Tensors) -> None:
    start = homes["start"]
    for i in range(0, HOMES, 20):
        home = describe(homes, i)
        assert clearance(solid(home), np.array(home.start[:2])) > FREE / 100 - 1e-5
    assert ((start[:, :2] - homes["object"][:, :2]).norm(dim=1) > 1.49).float().mean() > 0.999
    assert (start[:, 2].abs() <= torch.pi + 1e-5).all()
    assert start[:, 2].sort().values.diff().max() < 0.02


def test_a_search_finds_a_way_in_every_home(homes: Tensors) -> None:
    """On a grid of places where the disc fits, steps between neighbours."""
    for i in range(SEARCHED):
        home = describe(homes, i)
        boxes = solid(home)
        x, y = np.meshgrid(
            np.arange(0, boxes[:, 3].max(), CELL), np.arange(0, boxes[:, 4].max(), CELL)
        )
        gap_x = np.maximum(boxes[:, 0, None, None] - x, x - boxes[:, 3, None, None]).clip(min=0)
        gap_y = np.maximum(boxes[:, 1, None, None] - y, y - boxes[:, 4, None, None]).clip(min=0)
        labels, _ = ndimage.label(np.hypot(gap_x, gap_y).min(0) > RADIUS + 0.02)

        def at(place: list[float], labels: np.ndarray = labels) -> int:
            return int(labels[round(place[1] / CELL), round(place[0] / CELL)])

        assert at(home.start)
        assert all(at(goal) == at(home.start) for goal in home.goals)


def test_every_home_is_solved_by_a_script_without_a_contact() -> None:
    count = 300
    homes = make(count, first_layout=10)
    obs, _ = homes.reset(seed=0)
    success = torch.zeros(count, dtype=torch.bool)
    for _ in range(homes.max_steps):
        obs, *_, info = homes.step(pilot(obs))
        success |= info["success"]
    assert success.all()
    measures = each(torch.max, info["measures"])
    assert measures["collisions"] == 0
    assert info["measures"]["spl"].min() > 0.9
