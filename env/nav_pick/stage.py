"""A home in the axes of habitat-sim, where y is up."""

import numpy as np

from env.nav_pick.homes import Home

SLAB = 0.1
"""Metres: the thickness of floor and ceiling."""


def solids(home: Home) -> np.ndarray:
    """All boxes of a home without the object: walls, furniture, table, floor and ceiling.

    Returns (B, 2, 3) float64 in the home: the lowest and the highest corner of each box.
    """
    low = np.min([box[:2] for box in home.walls], axis=0)
    high = np.max([box[3:5] for box in home.walls], axis=0)
    floor = [*low, -SLAB, *high, 0.0]
    ceiling = [*low, home.ceiling, *high, home.ceiling + SLAB]
    boxes = [*home.walls, *home.furniture, home.table, floor, ceiling]
    return np.reshape(boxes, (-1, 2, 3))


def to_scene(place: np.ndarray) -> np.ndarray:
    """Convert points (..., 3) of a home to a scene, whose axes are the home's x, z and -y."""
    x, y, z = np.moveaxis(np.asarray(place), -1, 0)
    return np.stack([x, z, -y], -1)


def to_home(place: np.ndarray) -> np.ndarray:
    """Convert points (..., 3) of a scene to the home."""
    x, y, z = np.moveaxis(np.asarray(place), -1, 0)
    return np.stack([x, -z, y], -1)
