"""Asking an LLM over HTTP: any server that speaks OpenAI's chat completions."""

import hashlib
import json
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, as_completed
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from typing import Any, NamedTuple, TypeVar
from urllib.parse import urlsplit

import requests
import urllib3
from requests.adapters import HTTPAdapter
from requests.auth import AuthBase
from tenacity import RetryCallState, Retrying, retry_if_exception_type, stop_after_attempt
from tenacity import wait_exponential_jitter as jitter

from planner.replies import read_error, read_reply, read_retry_after
from utils.config import LLM

MAX_BYTES = 4_000_000
LOCALHOST = ("localhost", "127.0.0.1", "::1")

Result = TypeVar("Result")


class Server(NamedTuple):
    """Where completions are to be had, of which model, and of how many tokens at most."""

    url: str
    model: str
    max_tokens: int | None = None


# The servers that have a name. FastChat, if it is not told the most tokens, lets a reply ramble
# to the end of the context, and drops the prompt's first token.
SERVERS: dict[LLM, Server] = {
    "vicuna": Server("http://localhost:3300/v1/chat/completions", "vicuna-33b", 512),
    "chatglm": Server("http://localhost:3301/v1/chat/completions", "glm-4.5-flash"),
    "openai": Server("https://api.openai.com/v1/chat/completions", "gpt-4o-mini"),
}
# FastChat answers 400 whatever is wrong; by these codes in its reply it will pass: no worker is
# there yet, and, from the second on, what went wrong within one.
FASTCHAT_NO_WORKER, FASTCHAT_INTERNAL = 40301, 50000
KEY_VARIABLE = "LLM_API_KEY"


class Prompt(NamedTuple):
    """What is said to the LLM."""

    system: str
    user: str

    @property
    def fingerprint(self) -> str:
        """Sixteen hexadecimal digits that tell prompts apart."""
        return hashlib.sha256(json.dumps(self).encode()).hexdigest()[:16]


class LLMError(Exception):
    """The server gave no answer; says in one line why."""


class _TransientError(LLMError):
    """Worth another try, not before `after` seconds."""

    def __init__(self, message: str, after: float = 0.0) -> None:
        super().__init__(message)
        self.after = after


class _SlowError(_TransientError):
    """No answer in time."""


class _NoChoicesError(LLMError):
    """The server does not give several choices at once."""


def in_thread(job: Callable[[], Result]) -> Future[Result]:
    """Run a job beside the program, which does not wait for it when it ends: a pool's threads
    would hold up a user who has pressed Ctrl-C for as long as a server hangs."""
    future = Future[Result]()

    def run() -> None:
        try:
            future.set_result(job())
        except BaseException as error:
            future.set_exception(error)

    threading.Thread(target=run, daemon=True).start()
    return future


@dataclass
class Usage:
    """What the asking has cost so far."""

    requests: int = 0
    failures: int = 0
    tokens: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)

    def add(self, requests: int = 0, failures: int = 0, tokens: int = 0) -> None:
        with self._lock:
            self.requests += requests
            self.failures += failures
            self.tokens += tokens


class _Bearer(AuthBase):
    """Sends a key, or none; in any case keeps `requests` from looking for one in ~/.netrc."""

    def __init__(self, key: str | None) -> None:
        self._key = key

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        if self._key:
            request.headers["Authorization"] = f"Bearer {self._key}"
        return request


class ChatClient:
    """Asks a chat-completions server; safe to use from several threads.

    `url` is that of the completions themselves. `key`, if any, is sent as a bearer token and
    never shown. `timeout` seconds are given to connect, and to a reply as a whole. Errors that
    pass (no connection, 429, 5xx, a reply that breaks off) are tried `attempts` times, with
    growing random pauses, at least as long as the server asks for; others are raised at once. At
    most `workers` requests are under way at a time; when one has used up its attempts, those
    that were waiting by then give up as well.
    """

    def __init__(
        self,
        url: str,
        model: str,
        temperature: float,
        key: str | None = None,
        max_tokens: int | None = None,
        workers: int = 8,
        timeout: tuple[float, float] = (5.0, 120.0),
        attempts: int = 4,
        pause: float = 1.0,
    ) -> None:
        self.url = url
        self.model = model
        self.temperature = temperature
        self.max_tokens = max_tokens
        self.timeout = timeout
        self.usage = Usage()
        self._bearer = _Bearer(key)
        self._given_up = 0.0
        self._slots = threading.BoundedSemaphore(workers)
        self._one_at_a_time = False
        self._session = requests.Session()
        for scheme in ("http://", "https://"):
            self._session.mount(scheme, HTTPAdapter(pool_maxsize=workers))
        # A proxy, if the environment names one, does not lead to this machine.
        self._session.trust_env = urlsplit(url).hostname not in LOCALHOST
        wait = jitter(multiplier=pause, max=20 * pause, jitter=pause)

        def at_least_what_is_asked(state: RetryCallState) -> float:
            error = state.outcome.exception() if state.outcome else None
            return max(wait(state), getattr(error, "after", 0.0))

        self._retrying = Retrying(
            retry=retry_if_exception_type(_TransientError),
            stop=stop_after_attempt(attempts),
            wait=at_least_what_is_asked,
            reraise=True,
        )

    def ask(
        self,
        prompt: Prompt,
        n: int,
        arrived: Callable[[str], None] = lambda _: None,
        attempts: int | None = None,
    ) -> list[str]:
        """n replies to a prompt; each is handed to `arrived` as soon as it is there.

        `attempts`, if given, takes the place of the client's own. Raises LLMError when the server
        fails; what had arrived by then was handed over.
        """
        replies: list[str] = []
        retrying = self._retrying
        if attempts is not None:
            retrying = retrying.copy(stop=stop_after_attempt(attempts))
        began = time.monotonic()

        def request(count: int) -> None:
            # Its place is kept in the pauses, too: who waits is to learn that it is hopeless.
            with self._slots:
                if self._given_up > began:
                    raise LLMError(f"{self.url} does not answer")
                try:
                    texts = retrying(self._request, prompt, count)[:count]
                except _TransientError:
                    self._given_up = time.monotonic()
                    raise
            for text in texts:
                replies.append(text)
                arrived(text)

        if n > 1 and not self._one_at_a_time:
            with suppress(_NoChoicesError):
                request(n)
        failure: LLMError | None = None
        singles = n - len(replies)
        for job in as_completed([in_thread(partial(request, 1)) for _ in range(singles)]):
            try:
                job.result()
                self._one_at_a_time = self._one_at_a_time or n > 1
            except LLMError as error:
                failure = error
        if failure:
            raise failure
        return replies

    def _request(self, prompt: Prompt, n: int) -> list[str]:
        self.usage.add(requests=1)
        reply = in_thread(partial(self._post, prompt, n))
        try:
            # Whatever the server does, it has so long: there are many ways to drip.
            return reply.result(sum(self.timeout))
        except _NoChoicesError:
            raise
        except (TimeoutError, _SlowError):
            self.usage.add(failures=1)
            if n > 1:
                # A server that makes its choices one after another gets them done singly.
                raise _NoChoicesError(f"{self.url} gives no {n} choices in time") from None
            raise _SlowError(f"{self.url}: no answer in time") from None
        except LLMError:
            self.usage.add(failures=1)
            raise

    def _post(self, prompt: Prompt, n: int) -> list[str]:
        messages = [
            {"role": "system", "content": prompt.system},
            {"role": "user", "content": prompt.user},
        ]
        body: dict[str, Any] = {
            "model": self.model,
            "messages": messages,
            "temperature": self.temperature,
        }
        if self.max_tokens:
            body["max_tokens"] = self.max_tokens
        if n > 1:
            body["n"] = n
        try:
            with self._session.post(
                self.url,
                json=body,
                auth=self._bearer,
                timeout=self.timeout,
                allow_redirects=False,
                stream=True,
            ) as response:
                status, content = response.status_code, self._read(response)
                after = read_retry_after(response.headers.get("Retry-After"))
        except (requests.Timeout, urllib3.exceptions.TimeoutError):
            raise _SlowError(f"{self.url}: no answer in time") from None
        except (requests.ConnectionError, urllib3.exceptions.HTTPError):
            raise _TransientError(f"{self.url}: no connection, or it broke off") from None
        except requests.RequestException as error:
            raise _TransientError(f"{self.url}: {type(error).__name__}") from None
        code, message = read_error(content)
        passes = code == FASTCHAT_NO_WORKER or code >= FASTCHAT_INTERNAL
        if status == 429 or status >= 500 or passes:
            raise _TransientError(f"{self.url} answers {status}{message}", after)
        if status in (400, 422) and n > 1:
            raise _NoChoicesError(f"{self.url} gives no {n} choices at once")
        if status in (401, 403):
            # Without the message, which may repeat the key.
            raise LLMError(f"{self.url} answers {status}; is the key in the environment right?")
        if status != 200:
            raise LLMError(f"{self.url} answers {status}{message}")
        texts, tokens = read_reply(content)
        self.usage.add(tokens=tokens)
        if not texts:
            raise _TransientError(f"{self.url} sends no reply that can be read")
        return texts

    def _read(self, response: requests.Response) -> str:
        """The whole body; a drip that outlasts the time-out, or a flood, is an error."""
        deadline = time.monotonic() + self.timeout[1]
        content = bytearray()
        # As much as is there: a full block could take for ever to fill.
        while chunk := response.raw.read1(65536, decode_content=True):
            content += chunk
            if len(content) > MAX_BYTES:
                raise LLMError(f"{self.url} sends more than {MAX_BYTES} bytes")
            if time.monotonic() > deadline:
                raise _SlowError(f"{self.url} needs more than {self.timeout[1]:g} s")
        return content.decode("utf-8", "replace")
