"""A home as a mesh, for simulators that load one."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import trimesh
from trimesh.exchange.gltf import export_glb

from env.nav_pick.homes import Home

SLAB = 0.1
"""Metres: how thick floor and ceiling are."""


def write_stage(home: Home, folder: Path) -> Path:
    """Write a home's walls, furniture, table, floor and ceiling as one glTF mesh, which has y up,
    and beside it a description for habitat-sim, whose path is returned; `to_scene` says where
    points come to lie. The object is none of it."""
    low = np.min([box[:2] for box in home.walls], axis=0)
    high = np.max([box[3:5] for box in home.walls], axis=0)
    floor = [*low, -SLAB, *high, 0.0]
    ceiling = [*low, home.ceiling, *high, home.ceiling + SLAB]
    boxes = [*home.walls, *home.furniture, home.table, floor, ceiling]
    _write([np.reshape(box, (2, 3)) for box in boxes], folder / "stage.glb")
    # Without it habitat-sim takes z to be up, looks for more files, and keeps things 4 cm apart.
    described = {"render_asset": "stage.glb", "up": [0, 1, 0], "front": [0, 0, -1], "margin": 0}
    path = folder / "home.stage_config.json"
    path.write_text(json.dumps(described))
    return path


def write_cube(size: float, path: Path) -> None:
    """Write a cube around the origin, in metres."""
    _write([np.array([[-size / 2] * 3, [size / 2] * 3])], path)


def to_scene(place: np.ndarray) -> np.ndarray:
    """Points (..., 3) of a home in the axes of a scene: x, up, and backwards what is y."""
    x, y, z = np.moveaxis(np.asarray(place), -1, 0)
    return np.stack([x, z, -y], -1)


def to_home(place: np.ndarray) -> np.ndarray:
    """The other way."""
    x, y, z = np.moveaxis(np.asarray(place), -1, 0)
    return np.stack([x, -z, y], -1)


def _write(boxes: list[np.ndarray], path: Path) -> None:
    """One mesh of boxes, each its lowest and highest corner (2, 3) in a home."""
    parts = [trimesh.creation.box(bounds=np.sort(to_scene(box), axis=0)) for box in boxes]
    whole = trimesh.Scene(trimesh.util.concatenate(parts))
    path.write_bytes(export_glb(whole, tree_postprocessor=_leave_unlit))


def _leave_unlit(tree: dict[str, Any]) -> None:
    """Say in a glTF tree that no light is to be calculated, which takes a simulator seconds to
    prepare and changes no depth."""
    unlit = "KHR_materials_unlit"
    tree["extensionsUsed"] = [unlit]
    tree["materials"] = [{"extensions": {unlit: {}}}]
    for mesh in tree["meshes"]:
        for primitive in mesh["primitives"]:
            primitive["material"] = 0
