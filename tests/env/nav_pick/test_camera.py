import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from env.nav_pick import camera
from env.nav_pick.homes import Home
from env.nav_pick.tensor_homes import NavPickHomes
from tests.env.nav_pick.pilot import clearance, put, solid

NUDGE = 1e-6
"""A ray at an edge may see either side of it."""


def rays(size: int, heading: float, nudge: tuple[float, float]) -> np.ndarray:
    """(size, size, 3): the directions of pixels, one metre along the optical axis, in the home."""
    tilt = math.radians(30)
    forward = np.array([math.cos(heading), math.sin(heading), 0])
    left = np.array([-math.sin(heading), math.cos(heading), 0])
    up = np.array([0.0, 0, 1])
    axis = math.cos(tilt) * forward - math.sin(tilt) * up
    above = math.sin(tilt) * forward + math.cos(tilt) * up
    places = (np.arange(size) + 0.5) / size * 2 - 1
    rows, columns = np.meshgrid(places + nudge[0], places + nudge[1], indexing="ij")
    return axis - rows[..., None] * above - columns[..., None] * left


def cast(home: Home, eye: np.ndarray, ways: np.ndarray) -> np.ndarray:
    """Where rays first meet a box, the floor or the ceiling, in float64; nothing is shared."""
    middle, half = np.array(home.object), home.object_size / 2
    boxes = np.vstack([solid(home), np.concatenate([middle - half, middle + half])])
    with np.errstate(divide="ignore", invalid="ignore"):
        flat = np.where(ways[..., 2] < 0, -eye[2], home.ceiling - eye[2]) / ways[..., 2]
        found = np.where(np.isfinite(flat), flat, np.inf)
        for box in boxes:
            one, other = (box[:3] - eye) / ways, (box[3:] - eye) / ways
            enter = np.minimum(one, other).max(-1)
            leave = np.maximum(one, other).min(-1)
            found = np.where((enter <= leave) & (enter > 0), np.minimum(found, enter), found)
    return found.clip(max=10)


def check(homes: NavPickHomes, obs: torch.Tensor, i: int = 0) -> None:
    home = homes.home(i)
    now = {name: tensor[i].double().numpy() for name, tensor in homes._now.items()}
    home.object[:] = now["object"].tolist()
    eye, size = np.array([*now["position"], 1.1]), obs.shape[1]
    seen = obs[i, ..., 0].double().numpy() * 10
    nudges = [(a, b) for a in (-NUDGE, 0, NUDGE) for b in (-NUDGE, 0, NUDGE)]
    casts = [cast(home, eye, rays(size, float(now["heading"]), nudge)) for nudge in nudges]
    low, high = np.min(casts, 0), np.max(casts, 0)
    assert (seen >= low - 1e-4).all()
    assert (seen <= high + 1e-4).all()
    # And hardly any ray is at an edge.
    assert (np.abs(seen - casts[4]) < 1e-4).mean() > 0.98


@settings(max_examples=60)
@given(
    st.integers(0, 10**9),
    st.sampled_from([5, 16, 33]),
    st.floats(0, 1),
    st.floats(0, 1),
    st.one_of(st.floats(-4, 4), st.sampled_from([0.0, math.pi / 2, -math.pi / 2, math.pi])),
)
def test_depth_is_that_of_rays_cast_in_float64(
    seed: int, size: int, x: float, y: float, heading: float
) -> None:
    homes = NavPickHomes(2, layouts=0, depth_size=size)
    obs, _ = homes.reset(seed=seed)
    check(homes, obs["depth"])
    boxes = solid(homes.home(0))
    place = np.array([x, y]) * boxes[:, 3:5].max(0)
    if clearance(boxes, place) >= 0.3:
        put(homes, position=np.stack([place] * 2), heading=[heading] * 2)
        check(homes, homes._observation()["depth"])


@pytest.mark.parametrize("hand", [(0.5, 0, 1.0), (0.1, 0, 1.15), (0.4, 0.4, 0.5), (0.6, 0, 1.4)])
def test_a_held_object_is_seen_from_all_sides(hand: tuple[float, float, float]) -> None:
    homes = NavPickHomes(8, layouts=0, depth_size=48)
    homes.reset(seed=3)
    put(homes, hand=torch.tensor([hand] * 8))
    empty = homes._observation()["depth"]
    put(homes, object=homes._hand_place(), holding=torch.ones(8, dtype=torch.bool))
    full = homes._observation()["depth"]
    for i in range(8):
        check(homes, full, i)
    assert (full < empty).flatten(1).any(1).all() == (hand[2] < 1.3)


def test_straight_down_the_image_the_floor_is_where_it_should_be() -> None:
    homes = NavPickHomes(1, depth_size=64)
    homes.reset(seed=0)
    home = homes._home["boxes"]
    home[:, 4:] = -10
    wall = torch.tensor([0.0, 0, 0, 9, 9, 0])
    home[:, 1, 0], home[:, 3, 1] = wall[3], wall[4]
    put(homes, position=torch.tensor([[1.0, 4.5]]), heading=[0.0], object=torch.full((1, 3), -10.0))
    depth = homes._observation()["depth"][0, ..., 0] * 10
    # The lowest row looks 30 + atan(63/64) degrees down: at its depth d, 1.1 m below the camera.
    drop = math.sin(math.radians(30)) + 63 / 64 * math.cos(math.radians(30))
    assert depth[-1].tolist() == pytest.approx([1.1 / drop] * 64, abs=1e-4)
    # Left and right are the same here; the wall 8 m ahead is in the middle of the upper rows.
    assert torch.allclose(depth, depth.flip(1), atol=1e-4)
    ahead = math.cos(math.radians(30)) + 31 / 64 * math.sin(math.radians(30))
    assert float(depth[16, 32]) == pytest.approx(8 / ahead, abs=1e-4)


def test_left_in_the_image_is_left_of_the_robot() -> None:
    homes = NavPickHomes(1, layouts=0, depth_size=64)
    homes.reset(seed=3)
    put(homes, hand=torch.tensor([[0.5, 0.3, 0.9]]))
    empty = homes._observation()["depth"]
    put(homes, object=homes._hand_place())
    changed = (homes._observation()["depth"] != empty)[0, ..., 0].nonzero()
    assert (changed[:, 1] < 32).all()
    assert len(changed) > 10


def test_the_chunks_of_a_picture_do_not_matter(monkeypatch: pytest.MonkeyPatch) -> None:
    homes = NavPickHomes(5, layouts=0, depth_size=16)
    whole = homes.reset(seed=0)[0]["depth"]
    monkeypatch.setattr(camera, "CHUNK", 2 * 16**2)
    assert torch.equal(homes._observation()["depth"], whole)
