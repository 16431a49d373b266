"""The origin of a run or a figure: versions, commit and command."""

import hashlib
import json
import platform
import re
import subprocess
import sys
from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from commands.settings.config import DEFAULTS, SETTINGS
from planner.mixture import describe_share, share_alone
from planner.servers import asks
from planner.task import RULES, Task
from planner.wrong_plans import WORST, describe_wrong

PROJECT = Path(__file__).parent.parent
PACKAGES = ("torch", "numpy", "gymnasium", "minigrid", "tensorboard")
CHANGED = "+changes"
"""Stands behind a commit if files differ from it."""
SUFFIXES = {
    "llm": "",
    "llm_model": "",
    "llm_mode": "",
    "llm_temperature": "temperature-",
    "score_temperature": "softmax-",
    "wrong_plans": "wrong-",
    "uniform_share": "mixed-",
    "teacher_sees": "",
    "options": "",
    "navigate_noise": "navigate-",
    "pick_noise": "pick-",
    "max_contacts": "contacts-",
}
"""What evaluations of unusual teachers are named after: a setting -> the word before its value."""


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


def teacher_traits(task: Task, settings: Mapping[str, Any]) -> dict[str, Any]:
    """What distinguishes a teacher from others, and its task from others of the same name, in an
    eval.json: settings, and digests of the task's file."""
    names = [name for name, setting in SETTINGS.items() if setting.recorded]
    told = task.model_dump(include={"env_id", "domain", "plans"})
    traits = alone({name: settings[name] for name in names})
    traits |= {"plans": plans_digest(told.pop("plans")), "environment": digest(told)}
    return traits | ({"instructions": digest(task.instructions)} if asks_llm(settings) else {})


def alone(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Settings of a run as those of its teacher alone."""
    return {**settings, "uniform_share": share_alone(settings.get("uniform_share", 0.0))}


def beside_source(settings: Mapping[str, Any]) -> str:
    """What is unusual about a teacher, to stand behind the source of its answers; empty if nothing
    is."""
    everything = settings.get("teacher_sees") == "everything"
    wrong = describe_wrong(settings.get("wrong_plans", 0.0))
    mixed = describe_share(settings.get("uniform_share", 0.0))
    return wrong + mixed + ", seeing everything" * everything


def teacher_suffix(settings: Mapping[str, Any]) -> str:
    """The end of the name of an evaluation of a teacher, by what is unusual about it; empty if
    nothing is."""
    found = alone(settings)
    suffix = ""
    for name, word in SUFFIXES.items():
        if (value := found[name]) != DEFAULTS[name]:
            # A model may be a path.
            suffix += "-" + re.sub(r"[^\w.+-]", "_", f"{word}{value}".rpartition("/")[2])
    seed = settings["seed"]
    return suffix + (f"-seed-{seed}" if seed and differs_by_seed(settings) else "")


def differs_by_seed(settings: Mapping[str, Any]) -> bool:
    """Whether the seed decides which scenes the teacher is wrong in."""
    return settings.get("wrong_plans") not in (None, 0, WORST)


def asks_llm(settings: Mapping[str, Any]) -> bool:
    """Whether an LLM is asked. Without one, the instructions for an LLM tell no two runs apart."""
    return asks(settings.get("llm"))


def git_commit() -> str | None:
    """The commit that is checked out, with `CHANGED` if files differ; None outside git."""
    try:
        git = ["git", "-C", str(PROJECT)]
        head = subprocess.run([*git, "rev-parse", "HEAD"], capture_output=True, text=True)
        status = subprocess.run([*git, "status", "--porcelain"], capture_output=True, text=True)
    except OSError:
        return None
    if head.returncode:
        return None
    return head.stdout.strip() + (CHANGED if status.stdout.strip() else "")


def short_commit(commit: str) -> str:
    """A commit in twelve letters, and whether files differed from it."""
    return commit[:12] + (CHANGED if commit.endswith(CHANGED) else "")
