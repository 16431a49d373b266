"""A planner with short timeouts, and scenes to ask it about."""

import time
from pathlib import Path
from typing import Any

from planner.answers import AnswerStore
from planner.asking import AskingPlanner
from planner.backoff import Backoff
from planner.llm import ChatClient
from planner.request_pool import RequestPool
from planner.room_scene import in_words
from utils.terminal import waiting

SCENES = [in_words((), None), in_words(("key",), None), in_words(("key", "door"), None)]


def planner(url: str, folder: Path, told: list[str], **options: Any) -> AskingPlanner:
    """Its server has a second to start, and is tried again every twentieth of a second."""
    given: dict[str, Any] = {"n": 4, "retries": 1, "strict": False, "optional": False} | options
    timeouts = {"first_timeout": 1.0, "least_timeout": 1.0}
    pauses = {"shortest_pause": 0.05, "longest_pause": 0.05}
    backoff = Backoff(strict=given["strict"], **(timeouts | pauses | given.pop("backoff", {})))
    store = AnswerStore(folder / "answers.jsonl", told.append)
    return AskingPlanner(
        RequestPool(ChatClient(url, "model", 1.0, connect=1.0), backoff, attempts=2, pause=0.001),
        ("door", "key"),
        backoff=backoff,
        instructions="Advise.",
        store=store,
        tell=told.append,
        progress=waiting,
        **given,
    )


def until_it_answers(asking: AskingPlanner, scenes: list[str] = SCENES) -> None:
    """Ask again and again, as a run does."""
    limit = time.monotonic() + 10
    while None in asking.answers(scenes):
        assert time.monotonic() < limit
