"""Errors of an LLM's server, with messages that say what to do."""

from urllib.parse import urlsplit

from planner.replies import read_error
from planner.servers import KEY_VARIABLE

COMPLETIONS = "/chat/completions"
# FastChat answers 400 to everything. These codes in its body may pass. The first means that no
# worker is there yet. The second and all above it are errors within a worker.
FASTCHAT_NO_WORKER, FASTCHAT_INTERNAL = 40301, 50000
PIECE = 4
"""A message must not show this many characters of a key in a row."""


class LLMError(Exception):
    """The server answers nothing, whatever the prompt. The message is one line; `status` is HTTP's,
    or 0 if no answer came."""

    def __init__(self, message: str, status: int = 0) -> None:
        super().__init__(message)
        self.status = status


class PassingError(LLMError):
    """An error that may pass: worth another try after `after` seconds."""

    def __init__(self, message: str, status: int = 0, after: float = 0.0) -> None:
        super().__init__(message, status)
        self.after = after


class RefusedError(LLMError):
    """The server refuses this prompt. It may answer others."""


class NoChoicesError(LLMError):
    """The server does not give several choices at once."""


def clearer_error(first: LLMError | None, later: LLMError) -> LLMError:
    """The first of two errors, or the later one if only that has a status."""
    return later if first is None or (later.status and not first.status) else first


def error_of_status(
    url: str, status: int, content: str, after: float, n: int, key: str | None
) -> LLMError:
    """The meaning of a status other than 200, in answer to a request for n choices.

    The server's message is part of the error, unless it holds a piece of the key.
    """
    code, message = read_error(content)
    if key and _repeats(message, key):
        message = ""
    words = f"{url} answers {status}{message}{full_path(url)}"
    if status == 429 or status >= 500 or code == FASTCHAT_NO_WORKER or code >= FASTCHAT_INTERNAL:
        return PassingError(words, status, after)
    if status in (400, 422) and n > 1:
        return NoChoicesError(words, status)
    if status in (401, 403):
        reason = "refuses the key that is set" if key else "wants a key, and none is set"
        words = f"{url} answers {status}{message}; it {reason} as {KEY_VARIABLE} in the environment"
        return LLMError(f"{words} (OPENAI_API_KEY is not read)", status)
    if status in (400, 413, 422):
        return RefusedError(words, status)
    return LLMError(words, status)


def _repeats(words: str, key: str) -> bool:
    """Whether words hold a piece of a key: some servers show its ends with stars in between."""
    starts = range(max(len(key) - PIECE, 0) + 1)
    return any(key[start : start + PIECE] in words for start in starts)


def full_path(url: str) -> str:
    """A hint, to append to a sentence, for a URL that ends before the completions; else empty."""
    parts = urlsplit(url)
    path = parts.path.rstrip("/")
    if path == parts.path and path and not path.endswith("/v1"):
        return ""
    if not path.endswith(COMPLETIONS):
        path = path.removesuffix("/v1") + "/v1" + COMPLETIONS
    return f"; the full path may be {parts._replace(path=path).geturl()}"
