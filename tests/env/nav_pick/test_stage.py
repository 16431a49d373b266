"""A home in the axes of habitat-sim, and the cube of its boxes."""

import json
from pathlib import Path

import numpy as np
import pytest
import trimesh
from hypothesis import given
from hypothesis import strategies as st

from env.nav_pick.stage import SLAB, solids, to_home, to_scene
from tests.env.nav_pick.pilot import make, solid

CUBE = Path("env/nav_pick/cube.gltf")
NUMBERS = st.floats(-1e3, 1e3, width=32)


@pytest.mark.parametrize("seed", range(5))
def test_a_home_is_its_boxes_with_a_floor_and_a_ceiling(seed: int) -> None:
    homes = make()
    homes.reset(seed=seed)
    home = homes.home(0)
    boxes = solid(home)
    low, high = boxes[:, :2].min(0), boxes[:, 3:5].max(0)
    floor = [*low, -SLAB, *high, 0]
    ceiling = [*low, home.ceiling, *high, home.ceiling + SLAB]
    expected = {tuple(box) for box in np.array([*boxes, floor, ceiling]).round(6).tolist()}
    found = solids(home)
    assert found.shape == (len(expected), 2, 3)
    assert {tuple(box) for box in found.reshape(-1, 6).round(6).tolist()} == expected
    assert (found[:, 0] < found[:, 1]).all()


@given(st.lists(st.tuples(NUMBERS, NUMBERS, NUMBERS), min_size=1, max_size=4))
def test_a_scene_has_up_second_and_turns_nothing_into_its_mirror_image(
    places: list[tuple[float, float, float]],
) -> None:
    home = np.array(places)
    scene = to_scene(home)
    assert np.array_equal(scene[:, 1], home[:, 2])
    assert np.array_equal(to_home(scene), home)
    assert np.linalg.det(to_scene(np.eye(3))) == pytest.approx(1)


def test_the_cube_has_half_sides_of_one_faces_outwards_and_is_unlit() -> None:
    cube = trimesh.load_mesh(CUBE)
    assert cube.bounds.tolist() == [[-1] * 3, [1] * 3]
    assert cube.is_watertight
    assert cube.volume == pytest.approx(8)
    materials = json.loads(CUBE.read_text())["materials"]
    assert [list(material["extensions"]) for material in materials] == [["KHR_materials_unlit"]]
