"""The downloads that habitat-lab's scenes and robots need."""

from collections.abc import Iterable
from pathlib import Path

from utils.errors import UserError

DOWNLOADS = {
    "data/replica_cad": "replica_cad_dataset",
    "data/datasets/replica_cad": "rearrange_dataset_v2",
    "data/objects/ycb": "ycb",
    "data/robots/hab_fetch": "hab_fetch",
}
"""Folder -> upstream's name of its download: ReplicaCAD, its episodes, the objects, the robot."""
COMMAND = "python -m habitat_sim.utils.datasets_download --data-path data --uids"


def check_downloads(places: Iterable[str], source: object) -> None:
    """UserError if any of the `places`, paths that `source` names, is missing.

    The message has the download command for places that belong to a known download.
    """
    missing = [place for place in places if not Path(place).exists()]
    if not missing:
        return
    wanted = [
        name
        for start, name in DOWNLOADS.items()
        if any(Path(place).is_relative_to(start) for place in missing)
    ]
    advice = f"; download with: {COMMAND} {' '.join(wanted)}" if wanted else ""
    raise UserError(f"{source}: there is no {', no '.join(missing)} in {Path.cwd()}{advice}")
