"""The origin of a run or a figure: versions, commit and command."""

import hashlib
import json
import platform
import subprocess
import sys
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from planner.task import RULES

PROJECT = Path(__file__).parent.parent
PACKAGES = ("torch", "numpy", "gymnasium", "minigrid", "tensorboard")
CHANGED = "+changes"
"""Stands behind a commit if files differ from it."""


def provenance() -> dict[str, Any]:
    """Versions, git commit and command."""
    versions = {"python": platform.python_version()}
    for package in PACKAGES:
        try:
            versions[package] = version(package)
        except PackageNotFoundError:
            versions[package] = "not installed"
    return {"command": ["main.py", *sys.argv[1:]], "git_commit": git_commit(), "versions": versions}


def digest(content: Any) -> str:
    """Twelve letters and digits that differ if the content differs."""
    text = json.dumps(content, sort_keys=True, ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def plans_digest(plans: Any) -> str:
    """The digest of recorded plans, or the word for rules."""
    return RULES if plans == RULES else digest(plans)


def git_commit(folder: Path = PROJECT) -> str | None:
    """The commit that is checked out, with `CHANGED` if its files differ; None outside git."""
    commands = ["rev-parse", "HEAD"], ["status", "--porcelain", "--untracked-files=no"]
    try:
        head, status = (
            subprocess.run(["git", "-C", str(folder), *words], capture_output=True, text=True)
            for words in commands
        )
    except OSError:
        return None
    if head.returncode or status.returncode:
        return None
    return head.stdout.strip() + CHANGED * bool(status.stdout.strip())


def short_commit(commit: str) -> str:
    """A commit in twelve letters, and whether files differed from it."""
    return commit[:12] + (CHANGED if commit.endswith(CHANGED) else "")
