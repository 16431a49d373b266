"""What may be wrong when an LLM is asked, in words that say what to do."""

from urllib.parse import urlsplit

from planner.replies import read_error
from planner.servers import KEY_VARIABLE

COMPLETIONS = "/chat/completions"
# FastChat answers 400 whatever is wrong; by these codes in its reply it will pass: no worker is
# there yet, and, from the second on, what went wrong within one.
FASTCHAT_NO_WORKER, FASTCHAT_INTERNAL = 40301, 50000


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


def fault(url: str, status: int, content: str, after: float, n: int, has_key: bool) -> LLMError:
    """What a status other than 200 means, in answer to a request for n choices."""
    code, message = read_error(content)
    said = f"{url} answers {status}{message}{full_path(url)}"
    if status == 429 or status >= 500 or code == FASTCHAT_NO_WORKER or code >= FASTCHAT_INTERNAL:
        return PassingError(said, status, after)
    if status in (400, 422) and n > 1:
        return NoChoicesError(said, status)
    if status in (401, 403):
        # Without the server's words, which may repeat the key.
        key = "refuses the key that is set" if has_key else "wants a key, and none is set"
        said = f"{url} answers {status}: it {key} as {KEY_VARIABLE} in the environment"
        return LLMError(f"{said} (OPENAI_API_KEY is not read)", status)
    if status in (400, 413, 422):
        return RefusedError(said, status)
    return LLMError(said, status)


def full_path(url: str) -> str:
    """A hint, to be added to a sentence, for a URL that ends before the completions."""
    parts = urlsplit(url)
    path = parts.path.rstrip("/")
    if path == parts.path and path and not path.endswith("/v1"):
        return ""
    if not path.endswith(COMPLETIONS):
        path = path.removesuffix("/v1") + "/v1" + COMPLETIONS
    return f"; the full path may be {parts._replace(path=path).geturl()}"
