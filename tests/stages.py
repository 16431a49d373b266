"""Homes as glTF meshes, for the made-up scenes of habitat-lab."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import trimesh
from trimesh.exchange.gltf import export_glb

from env.nav_pick.homes import Home
from env.nav_pick.stage import solids, to_scene


def write_stage(home: Home, folder: Path) -> Path:
    """Write all boxes of a home but the object as one mesh, with y up.

    Returns the path of a description for habitat-sim, which lies beside the mesh.
    """
    write_boxes(solids(home), folder / "stage.glb")
    # Without these habitat-sim takes z to be up, looks for more files, and keeps things 4 cm apart.
    described = {"render_asset": "stage.glb", "up": [0, 1, 0], "front": [0, 0, -1], "margin": 0}
    path = folder / "home.stage_config.json"
    path.write_text(json.dumps(described))
    return path


def write_cube(size: float, path: Path) -> None:
    """Write a cube around the origin; `size` is its side in metres."""
    write_boxes(np.array([[[-size / 2] * 3, [size / 2] * 3]]), path)


def write_boxes(boxes: np.ndarray, path: Path) -> None:
    """Write boxes (B, 2, 3) of a home as one mesh."""
    parts = [trimesh.creation.box(bounds=np.sort(to_scene(box), axis=0)) for box in boxes]
    whole = trimesh.Scene(trimesh.util.concatenate(parts))
    path.write_bytes(export_glb(whole, tree_postprocessor=leave_unlit))


def leave_unlit(tree: dict[str, Any]) -> None:
    """Switch lighting off in a glTF tree: a simulator takes seconds to prepare it."""
    unlit = "KHR_materials_unlit"
    tree["extensionsUsed"] = [unlit]
    tree["materials"] = [{"extensions": {unlit: {}}}]
    for mesh in tree["meshes"]:
        for primitive in mesh["primitives"]:
            primitive["material"] = 0
