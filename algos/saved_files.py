"""The files that a run goes on from, and the version of their format."""

import json
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from utils.errors import UserError

CONFIG = "config.json"
MODEL, BEST = "acmodel.pt", "best.pt"
"""The last student, and the best one."""
CHECKPOINT = "checkpoint.pt"

FORMAT = 2
"""Of models and checkpoints. It rises when a new version cannot read the old files."""


def check_format(path: Path, content: Mapping[str, Any], *known: int) -> None:
    """UserError if the format of a file is none of the known ones. The newest one comes first.

    The error names the git commit that made the run, if config.json does.
    """
    # The first version did not write its number.
    found = content.get("format", 1)
    if found in known:
        return
    origin = content.get("provenance") or _provenance(path.parent / CONFIG)
    commit = origin.get("git_commit") if isinstance(origin, dict) else None
    advice = f"; git commit {commit}, which made the run, can read it" if commit else ""
    raise UserError(f"{path} is of version {found!r:.20} of runs' format, not {known[0]}{advice}")


def _provenance(config: Path) -> Any:
    with suppress(OSError, ValueError, RecursionError, LookupError, TypeError):
        return json.loads(config.read_text(encoding="utf-8"))["provenance"]
    return None
