"""What may be wrong when an LLM is asked, in words that say what to do."""

from urllib.parse import urlsplit

from planner.replies import read_error
from planner.servers import KEY_VARIABLE

COMPLETIONS = "/chat/completions"
# FastChat answers 400 whatever is wrong; by these codes in its reply it will pass: no worker is
# there yet, and, from the second on, what went wrong within one.
FASTCHAT_NO_WORKER, FASTCHAT_INTERNAL = 40301, 50000
# So many characters of a key in a row are too many to show.
PIECE = 4


class LLMError(Exception):
    """The server gives no answer, whatever it is asked; says in one line why. `status` is HTTP's,
    or 0 if nothing came."""

    def __init__(self, message: str, status: int = 0) -> None:
        super().__init__(message)
        self.status = status


class PassingError(LLMError):
    """Worth another try, not before `after` seconds."""

    def __init__(self, message: str, status: int = 0, after: float = 0.0) -> None:
        super().__init__(message, status)
        self.after = after


class RefusedError(LLMError):
    """The server does not answer this question; it may answer others."""


class NoChoicesError(LLMError):
    """The server does not give several choices at once."""


def first_reason(known: LLMError | None, later: LLMError) -> LLMError:
    """Of two faults the first, unless it was a silence and the later one says more."""
    return later if known is None or (later.status and not known.status) else known


def fault(url: str, status: int, content: str, after: float, n: int, key: str | None) -> LLMError:
    """What a status other than 200 means, in answer to a request for n choices with a key, if any.
    The server's words are told unless they hold a piece of the key."""
    code, message = read_error(content)
    if key and _repeats(message, key):
        message = ""
    said = f"{url} answers {status}{message}{full_path(url)}"
    if status == 429 or status >= 500 or code == FASTCHAT_NO_WORKER or code >= FASTCHAT_INTERNAL:
        return PassingError(said, status, after)
    if status in (400, 422) and n > 1:
        return NoChoicesError(said, status)
    if status in (401, 403):
        does = "refuses the key that is set" if key else "wants a key, and none is set"
        said = f"{url} answers {status}{message}; it {does} as {KEY_VARIABLE} in the environment"
        return LLMError(f"{said} (OPENAI_API_KEY is not read)", status)
    if status in (400, 413, 422):
        return RefusedError(said, status)
    return LLMError(said, status)


def _repeats(words: str, key: str) -> bool:
    """Whether words hold a piece of a key: some servers show its ends, with stars in between."""
    starts = range(max(len(key) - PIECE, 0) + 1)
    return any(key[start : start + PIECE] in words for start in starts)


def full_path(url: str) -> str:
    """A hint, to be added to a sentence, for a URL that ends before the completions."""
    parts = urlsplit(url)
    path = parts.path.rstrip("/")
    if path == parts.path and path and not path.endswith("/v1"):
        return ""
    if not path.endswith(COMPLETIONS):
        path = path.removesuffix("/v1") + "/v1" + COMPLETIONS
    return f"; the full path may be {parts._replace(path=path).geturl()}"
