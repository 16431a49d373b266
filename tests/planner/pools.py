"""Request pools with timeouts in tenths of seconds."""

from collections.abc import Callable
from typing import Any

from planner.backoff import Backoff
from planner.llm import ChatClient, Prompt
from planner.request_pool import Request, RequestPool

PROMPT = Prompt("Advise.", "Agent sees <key>, holds <nothing>.")
SCENES = [f"scene {number}" for number in range(6)]


def make_pool(url: str, key: str | None = None, attempts: int = 3, **backoff: Any) -> RequestPool:
    """Waits three seconds for a first reply, and gives a server no time to start."""
    quick: dict[str, Any] = {"first_timeout": 3.0, "least_timeout": 1.5, "strict": True} | backoff
    client = ChatClient(url, "a-model", 0.5, key, connect=1.0)
    return RequestPool(client, Backoff(**quick), attempts, pause=0.001)


def need(n: int, on_reply: Callable[[str], None] = lambda _: None, about: str = "") -> Request:
    """A request for n replies, whatever they hold."""
    replies: list[str] = []

    def note(reply: str) -> None:
        replies.append(reply)
        on_reply(reply)

    return Request(PROMPT._replace(user=about or PROMPT.user), lambda: n - len(replies), note)


def ask(pool: RequestPool, n: int, about: str = "") -> list[str]:
    """n replies to one prompt. Raises the error of the server or the request."""
    replies: list[str] = []
    request = need(n, replies.append, about)
    pool.send([request])
    if error := pool.backoff.away or request.error:
        raise error
    return replies


def warm(pool: RequestPool) -> None:
    """Let a pool find out how long a reply takes."""
    ask(pool, 1, "warm up")
