"""Reading what a server of chat completions sends, whatever it is."""

import json
import time
from email.utils import parsedate_to_datetime
from typing import Any

MAX_RETRY_AFTER = 60.0
MAX_TOKENS = 10**9


def read_reply(content: str) -> tuple[list[str], int]:
    """The texts in a server's reply, and the tokens that they cost.

    Understood are OpenAI's object, FastChat's older `text`, and a bare JSON string. A choice
    without words, as some models give at their limit of tokens, is an empty text.
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
    """The code, or 0, and the message, to be added to a sentence, in a server's error: FastChat's
    object, OpenAI's, which holds it under `error`, or FastAPI's, which has a `detail`."""
    try:
        error = json.loads(content)
    except (ValueError, RecursionError):
        return 0, ""
    if not isinstance(error, dict):
        return 0, ""
    inner = error.get("error")
    error = inner if isinstance(inner, dict) else error
    said = (error.get("message"), inner, _detail(error.get("detail")))
    message = next((words for words in said if isinstance(words, str)), "")
    words = f": {' '.join(message.split()):.200}" if message else ""
    return _whole(error.get("code")), words


def read_retry_after(value: str | None) -> float:
    """A Retry-After header, a number or a date, in seconds, not more than a minute; 0 if it says
    nothing."""
    if not value:
        return 0.0
    try:
        seconds = float(value)
    except ValueError:
        try:
            seconds = parsedate_to_datetime(value).timestamp() - time.time()
        except (ValueError, OverflowError):
            return 0.0
    return min(max(seconds, 0.0), MAX_RETRY_AFTER)


def _choice(choice: Any) -> Any:
    if not isinstance(choice, dict):
        return None
    message = choice.get("message")
    return message.get("content") or "" if isinstance(message, dict) else choice.get("text")


def _detail(detail: Any) -> Any:
    """FastAPI's words: a text, or a list of what is wrong where."""
    if not isinstance(detail, list):
        return detail
    faults = [fault for fault in detail if isinstance(fault, dict) and "msg" in fault]
    return "; ".join(f"{_place(fault.get('loc'))}{fault['msg']}" for fault in faults)


def _place(loc: Any) -> str:
    return f"{'.'.join(map(str, loc))}: " if isinstance(loc, list) else ""


def _whole(number: Any) -> int:
    return number if isinstance(number, int) and 0 <= number <= MAX_TOKENS else 0
