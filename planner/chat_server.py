"""A chat server: OpenAI-style completions over HTTP, answered by one function."""

import argparse
import socket
from collections.abc import Callable
from typing import Any, NamedTuple

from pydantic import BaseModel, Field

from utils.command_line import packages_of
from utils.errors import UserError

PACKAGES = "requirements-servers.txt"
"""The requirement file of the packages that chat servers need."""

with packages_of(PACKAGES):
    import uvicorn
    from fastapi import FastAPI, HTTPException, Request
    from fastapi.exceptions import RequestValidationError
    from fastapi.responses import JSONResponse
    from starlette.middleware.body_limit import RequestBodyLimitMiddleware

MAX_REQUEST = 200_000
"""Bytes of a request."""
LOCALHOST = "127.0.0.1"


class Message(BaseModel):
    """One message of a conversation."""

    role: str
    content: str


class ChatRequest(BaseModel):
    """A request for `n` replies to a conversation."""

    messages: list[Message] = Field(min_length=1)
    model: str = ""
    temperature: float = Field(default=1, ge=0, allow_inf_nan=False)
    n: int = Field(default=1, ge=1, le=100)


class Replies(NamedTuple):
    """The texts of the choices, and how many tokens they cost."""

    texts: list[str]
    tokens: int = 0


class ChatError(Exception):
    """The server cannot answer. The client gets the status code and the headers."""

    def __init__(self, status: int, message: str, headers: dict[str, str] | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.headers = headers


def chat_app(title: str, answer: Callable[[ChatRequest], Replies]) -> FastAPI:
    """An app with two routes: `/v1/chat/completions` answers in OpenAI's shape, `/chat` with the
    first reply as a bare string. Requests of more than `MAX_REQUEST` bytes are refused."""
    app = FastAPI(title=title, docs_url=None, redoc_url=None)
    app.add_middleware(RequestBodyLimitMiddleware, max_body_size=MAX_REQUEST)

    def answered(request: ChatRequest) -> Replies:
        try:
            return answer(request)
        except ChatError as error:
            raise HTTPException(error.status, str(error), error.headers) from error

    @app.exception_handler(RequestValidationError)
    def refuse(_: Request, error: RequestValidationError) -> JSONResponse:
        place = ".".join(map(str, error.errors()[0]["loc"]))
        return JSONResponse({"detail": f"{place}: {error.errors()[0]['msg']}"}, 422)

    @app.post("/v1/chat/completions")
    def completions(request: ChatRequest) -> dict[str, Any]:
        replies = answered(request)
        return {
            "object": "chat.completion",
            "model": request.model,
            "choices": [
                {
                    "index": index,
                    "message": {"role": "assistant", "content": text},
                    "finish_reason": "stop",
                }
                for index, text in enumerate(replies.texts)
            ],
            "usage": {"total_tokens": replies.tokens},
        }

    @app.post("/chat")
    def chat(request: ChatRequest) -> str:
        return answered(request).texts[0]

    return app


def add_address_flags(parser: argparse.ArgumentParser, port: int) -> None:
    """Add `--host` and `--port`. By default only this machine can reach the server."""
    parser.add_argument("--host", default=LOCALHOST, help=f"default {LOCALHOST}: this machine only")
    parser.add_argument("--port", type=int, default=port, help=f"default {port}; 0: any free one")


def serve(app: FastAPI, host: str, port: int) -> int:
    """Serve until somebody stops it; returns the exit code.

    Raises UserError if the address is not available.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        listener = socket.create_server((host, port), family=family)
    except (OSError, OverflowError) as error:
        reason = getattr(error, "strerror", None) or error
        raise UserError(f"cannot listen on {host}, port {port}: {reason}") from error
    where = f"[{host}]" if ":" in host else host
    url = f"http://{where}:{listener.getsockname()[1]}/v1/chat/completions"
    print(f"{app.title} at {url}; stop with Ctrl-C", flush=True)
    uvicorn.Server(uvicorn.Config(app, log_level="warning")).run([listener])
    return 0
