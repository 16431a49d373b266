"""Reading the bodies and headers that a chat-completions server sends, whatever they hold."""

import json
import time
from email.utils import parsedate_to_datetime
from typing import Any

MAX_RETRY_AFTER = 60.0
MAX_TOKENS = 10**9
MAX_SHOWN = 200
"""Characters of a server's text that are shown."""


def shown(text: str) -> str:
    """A server's text for the terminal: one line, cut short, with control characters escaped."""
    line = "".join(
        char if char.isprintable() else char.encode("unicode_escape").decode()
        for char in " ".join(text.split())
    )
    return line[:MAX_SHOWN]


def read_reply(content: str) -> tuple[list[str], int]:
    """The texts in a server's reply, and how many tokens they cost.

    Known shapes are OpenAI's object, FastChat's older `text`, and a bare JSON string. A choice
    without content is an empty text: some models send that at their limit of tokens.
    """
    try:
        reply = json.loads(content)
    except (ValueError, RecursionError):
        return [], 0
    if isinstance(reply, str):
        return [reply], 0
    if not isinstance(reply, dict):
        return [], 0
    choices = reply.get("choices")
    if isinstance(choices, list):
        texts = [_choice(choice) for choice in choices]
    else:
        texts = [reply.get("text"), reply.get("response")]
    usage = reply.get("usage")
    tokens = usage.get("total_tokens", 0) if isinstance(usage, dict) else 0
    return [text for text in texts if isinstance(text, str)], _whole(tokens)


def read_error(content: str) -> tuple[int, str]:
    """The code of a server's error, or 0, and its message, to append to a sentence.

    Known shapes are FastChat's object, OpenAI's with the same under `error`, and FastAPI's
    `detail`.
    """
    try:
        error = json.loads(content)
    except (ValueError, RecursionError):
        return 0, ""
    if not isinstance(error, dict):
        return 0, ""
    inner = error.get("error")
    error = inner if isinstance(inner, dict) else error
    messages = (error.get("message"), inner, _detail(error.get("detail")))
    message = next((each for each in messages if isinstance(each, str)), "")
    return _whole(error.get("code")), f": {shown(message)}" if message else ""


def read_retry_after(value: str | None) -> float:
    """Seconds of a Retry-After header, which holds a number or a date; a minute at most, 0 if
    there is none."""
    if not value:
        return 0.0
    try:
        seconds = float(value)
    except ValueError:
        try:
            seconds = parsedate_to_datetime(value).timestamp() - time.time()
        except (ValueError, OverflowError):
            return 0.0
    return min(seconds, MAX_RETRY_AFTER) if seconds > 0 else 0.0


def _choice(choice: Any) -> Any:
    if not isinstance(choice, dict):
        return None
    message = choice.get("message")
    return message.get("content") or "" if isinstance(message, dict) else choice.get("text")


def _detail(detail: Any) -> Any:
    """FastAPI's detail as a text: it is one, or a list of errors with their places."""
    if not isinstance(detail, list):
        return detail
    errors = [error for error in detail if isinstance(error, dict) and "msg" in error]
    return "; ".join(f"{_place(error.get('loc'))}{error['msg']}" for error in errors)


def _place(loc: Any) -> str:
    return f"{'.'.join(map(str, loc))}: " if isinstance(loc, list) else ""


def _whole(number: Any) -> int:
    return number if isinstance(number, int) and 0 <= number <= MAX_TOKENS else 0
