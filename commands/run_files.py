"""The files of a run folder that commands and observers write."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from algos.saved_files import check_format

METRICS = "metrics.jsonl"
VERDICT = "verdict.json"
ANSWERS = "answers.jsonl"
OPTIONS = "options"
"""The folder with a run's learned options: one folder for the model of each."""
SKILLS = {"navigate": "nav.pth", "pick": "pick.pth"}
"""Option -> the file of habitat-baselines' own checkpoint, which a folder of options may hold
instead of a model of ours."""
WANDB = "wandb.json"

CONFIG_FORMAT = 3
"""The format of config.json, with settings in groups. Format 2, without groups, is read too."""


def check_config_format(path: Path, content: Mapping[str, Any]) -> None:
    """UserError if a config.json is of a format that cannot be read."""
    check_format(path, content, CONFIG_FORMAT, 2)
