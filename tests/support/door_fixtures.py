"""What the door's tests share: a page with options, a gate alone, and one request to it."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Iterator
from contextlib import contextmanager

from starlette.responses import PlainTextResponse

from hff.page.door.gate import Gate
from hff.page.door.host_names import Names
from hff.page.serve import Options, Server
from hff.page.session.background_model import Engine
from tests.support.page_browser import (
    FakeModel,
)

EVIL = "http://evil.example"
NOTHING = {"video": None, "audio": None, "image": None, "text": "", "transcribe": True}


@contextmanager
def serving_with(model: type = FakeModel, **options) -> Iterator[Server]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    with Server(Options(port=port, **options), Engine(model)) as running:
        yield running


def ask(gate, method: str = "GET", path: str = "/", own: str = "127.0.0.1", kind: str = "http", **headers: str):
    """Status and headers of one request's answer, without a network."""
    sent = []

    async def send(message) -> None:
        sent.append(message)

    async def receive():
        return {"type": "http.request", "body": b"", "more_body": False}

    headers = {"host": "localhost:7860"} | {name.replace("_", "-"): value for name, value in headers.items()}
    scope = {
        "type": kind,
        "method": method,
        "path": path,
        "raw_path": path.encode(),
        "query_string": b"",
        "root_path": "",
        "scheme": "http",
        "server": (own, 7860),
        "client": ("192.168.1.77", 5555),
        "http_version": "1.1",
        "headers": [(name.encode(), value.encode()) for name, value in headers.items()],
    }
    asyncio.run(gate(scope, receive, send))
    if kind == "websocket":
        return sent
    return sent[0]["status"], {name.decode(): value.decode() for name, value in sent[0].get("headers", [])}


def gate(host: str = "127.0.0.1", *origins: str, seen: list | None = None) -> Gate:
    async def inner(scope, receive, send) -> None:
        if seen is not None:
            seen.append(scope)
        await PlainTextResponse("inside", headers={"Access-Control-Allow-Origin": EVIL})(scope, receive, send)

    return Gate(inner, Names.of(host, origins))
