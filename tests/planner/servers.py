"""Real servers on loopback, each with a way to behave."""

import itertools
import json
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

Behaviour = Callable[["Handler", dict[str, Any]], None]


class Handler(BaseHTTPRequestHandler):
    """Notes each request and lets the server's behaviour answer it."""

    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.server.requests.append((body, dict(self.headers)))  # type: ignore[attr-defined]
        self.server.behaviour(self, body)  # type: ignore[attr-defined]

    def answer(self, status: int, content: bytes, **headers: str) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def choices(self, texts: list[str]) -> None:
        choices = [{"message": {"role": "assistant", "content": text}} for text in texts]
        content = {"choices": choices, "usage": {"total_tokens": 7}}
        self.answer(200, json.dumps(content).encode(), Content_Type="application/json")

    def reset(self) -> None:
        """Break the connection off hard."""
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        self.close_connection = True
        self.connection.close()

    def log_message(self, *args: object) -> None: ...


@contextmanager
def serve(behaviour: Behaviour, port: int = 0) -> Iterator[ThreadingHTTPServer]:
    """A server on a free port, or a given one; `.url`, and `.requests` as (body, headers)."""
    server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
    server.daemon_threads = True
    server.block_on_close = False
    server.behaviour = behaviour  # type: ignore[attr-defined]
    server.requests = []  # type: ignore[attr-defined]
    server.url = f"http://127.0.0.1:{server.server_port}/v1/chat/completions"  # type: ignore[attr-defined]
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()


def plans(handler: Handler, body: dict[str, Any]) -> None:
    """A good server: as many choices as are asked for."""
    handler.choices(["I think so. Action: {explore}"] * body.get("n", 1))


def in_turn(*behaviours: Behaviour) -> Behaviour:
    """Each request meets the next behaviour; the last one stays."""
    turns = itertools.chain(behaviours, itertools.repeat(behaviours[-1]))
    lock = threading.Lock()

    def behave(handler: Handler, body: dict[str, Any]) -> None:
        with lock:
            turn = next(turns)
        turn(handler, body)

    return behave


def status(code: int, **headers: str) -> Behaviour:
    return lambda handler, _: handler.answer(code, b"{}", **headers)


def text(content: bytes) -> Behaviour:
    return lambda handler, _: handler.answer(200, content)


def hang(handler: Handler, body: dict[str, Any]) -> None:
    handler.rfile.read(1)


def drip(handler: Handler, body: dict[str, Any]) -> None:
    """A byte every tenth of a second, for ever."""
    handler.send_response(200)
    handler.send_header("Content-Length", "1000000")
    handler.end_headers()
    pause = threading.Event()
    try:
        while not pause.wait(0.1):
            handler.wfile.write(b" ")
            handler.wfile.flush()
    except OSError:
        handler.close_connection = True


def drip_headers(handler: Handler, body: dict[str, Any]) -> None:
    """A header every tenth of a second, for ever."""
    handler.wfile.write(b"HTTP/1.1 200 OK\r\n")
    pause = threading.Event()
    try:
        while not pause.wait(0.1):
            handler.wfile.write(b"X-More: yes\r\n")
    except OSError:
        handler.close_connection = True


def break_off(handler: Handler, body: dict[str, Any]) -> None:
    handler.send_response(200)
    handler.send_header("Content-Length", "1000")
    handler.end_headers()
    handler.wfile.write(b'{"choices"')
    handler.wfile.flush()
    handler.reset()


class Frozen:
    """A behaviour that hangs while it is frozen, and then goes on, as a stopped process does."""

    def __init__(self, behaviour: Behaviour = plans) -> None:
        self.behaviour = behaviour
        self.awake = threading.Event()
        self.awake.set()

    def __call__(self, handler: Handler, body: dict[str, Any]) -> None:
        self.awake.wait()
        self.behaviour(handler, body)
