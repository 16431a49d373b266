"""A home as a mesh: what a simulator loads is what the home's boxes say."""

import json
from pathlib import Path

import numpy as np
import pytest
import trimesh
from hypothesis import given
from hypothesis import strategies as st

from env.nav_pick.stage import SLAB, to_home, to_scene, write_cube, write_stage
from tests.env.nav_pick.pilot import make, solid

NUMBERS = st.floats(-1e3, 1e3, width=32)


def corners(mesh: trimesh.Trimesh) -> set[tuple[float, ...]]:
    """In the home."""
    return {tuple(point) for point in to_home(mesh.vertices).round(3).tolist()}


@pytest.mark.parametrize("seed", range(5))
def test_a_stage_holds_all_boxes_of_its_home_and_a_floor_and_a_ceiling(
    seed: int, tmp_path: Path
) -> None:
    homes = make()
    homes.reset(seed=seed)
    home = homes.home(0)
    described = json.loads(write_stage(home, tmp_path).read_text())
    assert (described["up"], described["front"]) == ([0, 1, 0], [0, 0, -1])
    mesh = trimesh.load(tmp_path / described["render_asset"], force="mesh")
    boxes = solid(home)
    low, high = boxes[:, :2].min(0), boxes[:, 3:5].max(0)
    floor = [*low, -SLAB, *high, 0]
    ceiling = [*low, home.ceiling, *high, home.ceiling + SLAB]
    boxes = np.array([*boxes, floor, ceiling])
    expected = {
        (round(box[x], 3), round(box[y], 3), round(box[z], 3))
        for box in boxes
        for x in (0, 3)
        for y in (1, 4)
        for z in (2, 5)
    }
    assert corners(mesh) == expected
    # Closed, and the right side out.
    sides = boxes[:, 3:] - boxes[:, :3]
    assert mesh.volume == pytest.approx(sides.prod(1).sum(), rel=1e-5)
    assert sorted(part.volume for part in mesh.split()) == pytest.approx(
        sorted(sides.prod(1)), rel=1e-4
    )


def test_a_cube_lies_around_the_origin(tmp_path: Path) -> None:
    path = tmp_path / "cube.glb"
    write_cube(0.08, path)
    mesh = trimesh.load(path, force="mesh")
    assert mesh.bounds.tolist() == [pytest.approx([-0.04] * 3), pytest.approx([0.04] * 3)]
    assert mesh.volume == pytest.approx(0.08**3, rel=1e-5)


@given(st.lists(st.tuples(NUMBERS, NUMBERS, NUMBERS), min_size=1, max_size=4))
def test_a_scene_has_up_second_and_turns_nothing_into_its_mirror_image(
    places: list[tuple[float, float, float]],
) -> None:
    home = np.array(places)
    scene = to_scene(home)
    assert np.array_equal(scene[:, 1], home[:, 2])
    assert np.array_equal(to_home(scene), home)
    assert np.linalg.det(to_scene(np.eye(3))) == pytest.approx(1)
