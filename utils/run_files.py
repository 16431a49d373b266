"""The files of a run folder, and the versions of their formats."""

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
METRICS = "metrics.jsonl"
VERDICT = "verdict.json"
ANSWERS = "answers.jsonl"
OPTIONS = "options"
"""The folder of a run's learned options: their models, each in a folder."""
SKILLS = {"navigate": "nav.pth", "pick": "pick.pth"}
"""Options that habitat-baselines has trained, as its checkpoints are called there; in a folder of
options they may stand instead of ours."""
WANDB = "wandb.json"
OWNER = "owner.lock"

FORMAT = 2
"""Of models and checkpoints; raised when older ones cannot be read any more."""
CONFIG_FORMAT = 3
"""Of config.json: its settings stand in groups. In format 2, which can be read too, they do not."""


def check_config_format(path: Path, content: Mapping[str, Any]) -> None:
    """UserError if a config.json is of a format that cannot be read."""
    check_format(path, content, CONFIG_FORMAT, 2)


def check_format(path: Path, content: Mapping[str, Any], wanted: int = FORMAT, *older: int) -> None:
    """UserError if a file of a run folder has neither the wanted format nor one of the older ones
    that can be read. It names the git commit that made the run, if config.json does."""
    # The first version did not write its number.
    found = content.get("format", 1)
    if found in (wanted, *older):
        return
    origin = content.get("provenance") or _provenance(path.parent / CONFIG)
    commit = origin.get("git_commit") if isinstance(origin, dict) else None
    advice = f"; git commit {commit}, which made the run, can read it" if commit else ""
    raise UserError(f"{path} is of version {found!r:.20} of runs' format, not {wanted}{advice}")


def _provenance(config: Path) -> Any:
    with suppress(OSError, ValueError, RecursionError, LookupError, TypeError):
        return json.loads(config.read_text(encoding="utf-8"))["provenance"]
    return None
