"""A planner that asks a server and waits for it but shortly, and what it is asked about."""

import time
from pathlib import Path
from typing import Any

from planner.answers import AnswerStore
from planner.asking import AskingPlanner
from planner.backoff import Patience
from planner.llm import ChatClient
from planner.request_pool import Asker
from planner.room_scene import in_words
from utils.terminal import waiting

SCENES = [in_words((), None), in_words(("key",), None), in_words(("key", "door"), None)]


def planner(url: str, folder: Path, told: list[str], **options: Any) -> AskingPlanner:
    """One whose server has a second to start, and is tried again every twentieth of one."""
    given: dict[str, Any] = {"n": 4, "retries": 1, "strict": False, "optional": False} | options
    quick = {"first": 1.0, "least": 1.0, "shortest": 0.05, "longest": 0.05}
    patience = Patience(strict=given["strict"], **(quick | given.pop("patience", {})))
    store = AnswerStore(folder / "answers.jsonl", told.append)
    return AskingPlanner(
        Asker(ChatClient(url, "model", 1.0, connect=1.0), patience, attempts=2, pause=0.001),
        store,
        "Task",
        "Advise.",
        ("door", "key"),
        tell=told.append,
        progress=waiting,
        **given,
    )


def until_it_answers(asking: AskingPlanner, scenes: list[str] = SCENES) -> None:
    """As a run does: ask again and again."""
    limit = time.monotonic() + 10
    while None in asking.answers(scenes):
        assert time.monotonic() < limit
