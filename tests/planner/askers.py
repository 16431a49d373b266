"""Askers with time limits in tenths of seconds."""

from collections.abc import Callable
from typing import Any

from planner.backoff import Patience
from planner.llm import ChatClient, Prompt
from planner.request_pool import Asker, Want

PROMPT = Prompt("Advise.", "Agent sees <key>, holds <nothing>.")
SCENES = [f"scene {number}" for number in range(6)]


def asker(url: str, key: str | None = None, attempts: int = 3, **patience: Any) -> Asker:
    """Waits three seconds for a first reply, and gives a server no time to start."""
    quick: dict[str, Any] = {"first": 3.0, "least": 1.5, "strict": True} | patience
    client = ChatClient(url, "a-model", 0.5, key, connect=1.0)
    return Asker(client, Patience(**quick), attempts, pause=0.001)


def want(n: int, arrived: Callable[[str], None] = lambda _: None, about: str = "") -> Want:
    """n replies, whatever they say."""
    replies: list[str] = []

    def note(reply: str) -> None:
        replies.append(reply)
        arrived(reply)

    return Want(PROMPT._replace(user=about or PROMPT.user), lambda: n - len(replies), note)


def ask(asked: Asker, n: int, about: str = "") -> list[str]:
    """n replies about one thing; raises what stood against it."""
    replies: list[str] = []
    wanted = want(n, replies.append, about)
    asked.ask([wanted])
    if failure := asked.patience.away or wanted.failure:
        raise failure
    return replies


def warm(asked: Asker) -> None:
    """Let it know how long a reply takes."""
    ask(asked, 1, "warm up")
