"""Client of LLM servers that speak OpenAI's chat completions over HTTP."""

import hashlib
import json
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple, Protocol
from urllib.parse import urlsplit

import requests
import urllib3
from requests.adapters import HTTPAdapter
from requests.auth import AuthBase

from planner.llm_errors import LLMError, PassingError, error_of_status, full_path
from planner.replies import read_reply, read_retry_after

MAX_BYTES = 4_000_000
"""Bytes of a reply; longer ones are errors."""
SEEDS = 1000
"""Seeds of a request: servers count on for several choices."""
LOCALHOST = ("localhost", "127.0.0.1", "::1")


PLAN = "plan"
"""The name of the plan in a reply in JSON."""


class Prompt(NamedTuple):
    """What the LLM gets: instructions, earlier `turns` of the dialogue, and a message. A turn is a
    message and the reply to it. With `plans`, the reply is JSON with one of these."""

    system: str
    user: str
    turns: tuple[tuple[str, str], ...] = ()
    plans: tuple[str, ...] = ()

    @property
    def messages(self) -> list[dict[str, str]]:
        """As chat completions take it."""
        said = [("system", self.system)]
        for user, assistant in self.turns:
            said += [("user", user), ("assistant", assistant)]
        return [{"role": role, "content": text} for role, text in (*said, ("user", self.user))]

    @property
    def fingerprint(self) -> str:
        """A hash of 16 hexadecimal digits."""
        plans = [self.plans] if self.plans else []
        text = json.dumps([self.system, self.user, *self.turns, *plans])
        return hashlib.sha256(text.encode()).hexdigest()[:16]


def plan_schema(plans: tuple[str, ...]) -> dict[str, Any]:
    """The `response_format` of a reply that is JSON with one of some plans."""
    schema = {
        "type": "object",
        "properties": {PLAN: {"type": "string", "enum": plans}},
        "required": [PLAN],
        "additionalProperties": False,
    }
    named = {"name": PLAN, "strict": True, "schema": schema}
    return {"type": "json_schema", "json_schema": named}


@dataclass
class Usage:
    """What a client has used so far. Several threads may call `add`."""

    requests: int = 0
    failures: int = 0
    tokens: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)

    def add(self, requests: int = 0, failures: int = 0, tokens: int = 0) -> None:
        with self._lock:
            self.requests += requests
            self.failures += failures
            self.tokens += tokens


class Client(Protocol):
    """A language model that writes replies. `url` stands for it in messages."""

    model: str
    url: str
    temperature: float
    usage: Usage

    def request(self, prompt: Prompt, n: int, seconds: float, number: int = 0) -> list[str]:
        """Between one and n replies to a prompt. LLMError if there is none. Requests about one
        prompt have different numbers, so that a seed does not give equal replies."""


class _Bearer(AuthBase):
    """Sends a key, if there is one, and keeps `requests` from sending a password of ~/.netrc."""

    def __init__(self, key: str | None) -> None:
        self.key = key

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        if self.key:
            request.headers["Authorization"] = f"Bearer {self.key}"
        return request


class ChatClient:
    """Sends single requests to a chat-completions server. Several threads may use it.

    `url` is the full path of the completions. `key`, if any, is sent as a bearer token and never
    shown. `connect` is the timeout of a connection in seconds; `workers` connections are kept.
    What is None is left to the server.
    """

    def __init__(
        self,
        url: str,
        model: str,
        temperature: float,
        key: str | None = None,
        max_tokens: int | None = None,
        workers: int = 8,
        connect: float = 5.0,
        top_p: float | None = None,
        seed: int | None = None,
    ) -> None:
        self.url = url
        self.model = model
        self.temperature = temperature
        self.max_tokens = max_tokens
        self.connect = connect
        self.top_p = top_p
        self.seed = seed
        self.usage = Usage()
        self._bearer = _Bearer(key)
        self._session = requests.Session()
        for scheme in ("http://", "https://"):
            self._session.mount(scheme, HTTPAdapter(pool_maxsize=workers))
        # No proxy of the environment leads to this machine.
        self._session.trust_env = urlsplit(url).hostname not in LOCALHOST

    def close(self) -> None:
        """Close its connections."""
        self._session.close()

    def request(self, prompt: Prompt, n: int, seconds: float, number: int = 0) -> list[str]:
        """Between one and n replies to a prompt. LLMError if there is none, or if the body is not
        complete after `seconds`."""
        body: dict[str, Any] = {
            "model": self.model,
            "messages": prompt.messages,
            "temperature": self.temperature,
        }
        if self.max_tokens:
            body["max_tokens"] = self.max_tokens
        if self.top_p is not None:
            body["top_p"] = self.top_p
        if self.seed is not None:
            body["seed"] = self.seed + number * SEEDS
        if prompt.plans:
            body["response_format"] = plan_schema(prompt.plans)
        if n > 1:
            body["n"] = n
        content = self.post(body, seconds, n)
        texts, tokens = read_reply(content)
        self.usage.add(tokens=tokens)
        if not texts:
            hint = full_path(self.url)
            raise PassingError(f"{self.url} sends no reply that can be read{hint}", 200)
        return texts[:n]

    def post(self, body: Mapping[str, Any], seconds: float, n: int = 1) -> str:
        """The body of the server's answer to a request for n choices. LLMError if its status is not
        200, or if the body is not complete after `seconds`."""
        self.usage.add(requests=1)
        try:
            with self._session.post(
                self.url,
                json=body,
                auth=self._bearer,
                timeout=(self.connect, seconds),
                allow_redirects=False,
                stream=True,
            ) as response:
                status, content = response.status_code, self._read(response, seconds)
                after = read_retry_after(response.headers.get("Retry-After"))
        except requests.ConnectTimeout:
            raise PassingError(f"{self.url}: no connection") from None
        except (requests.Timeout, urllib3.exceptions.TimeoutError):
            raise PassingError(f"{self.url}: no answer in time") from None
        except (requests.ConnectionError, urllib3.exceptions.HTTPError):
            raise PassingError(f"{self.url}: no connection, or it broke off") from None
        except requests.RequestException as error:
            raise PassingError(f"{self.url}: {type(error).__name__}") from None
        if status != 200:
            raise error_of_status(self.url, status, content, after, n, self._bearer.key)
        return content

    def _read(self, response: requests.Response, seconds: float) -> str:
        """The whole body. Raises LLMError if it is too long, or not complete in time."""
        deadline = time.monotonic() + seconds
        content = bytearray()
        # What has arrived so far: a slow server might never fill a block.
        while chunk := response.raw.read1(65536, decode_content=True):
            content += chunk
            if len(content) > MAX_BYTES:
                raise LLMError(f"{self.url} sends more than {MAX_BYTES} bytes", 200)
            if time.monotonic() > deadline:
                raise PassingError(f"{self.url} needs more than {seconds:g} s")
        return content.decode("utf-8", "replace")
