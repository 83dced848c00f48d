"""The page's named actions as tools of the Model Context Protocol (MCP), for assistants that may call programs.

Gradio has a server for that too. It fetches every address that a call names, lets all callers share one visit, so that
the end of one takes the files of another, and asks itself over the network without the password. So the protocol's own
library answers here, at Gradio's address for it, and a tool is a question to the page's HTTP interface that is asked
within the process: behind the gate, and through every other layer of the door as if its caller had sent it.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import inspect
import json
import logging
import mimetypes
import re
import secrets
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from typing import Any
from urllib.parse import unquote, unquote_to_bytes

import gradio as gr
from gradio.utils import get_function_description
from starlette.types import ASGIApp, Message, Receive, Scope, Send

import hff
from hff.config import MODALITIES
from hff.errors import InputError
from hff.lab.sweep_points import POINTS
from hff.locale import DEFAULT, texts, using
from hff.page.door.body_guard import MAX_BODY
from hff.page.door.gate import API, API_NAMES, TOOLS
from hff.page.door.hidden_paths import FILE_ROUTE
from hff.page.door.uploads import size_text
from hff.page.tool_messages import NoQuestion, readable

_FILES = ("video", "audio", "image")
_LEFT_OUT = ("attention",)  # 50 times as long as all the rest; who wants it asks over HTTP
_ASK = "hff.ask"  # in a request's scope: how to ask the page on its behalf
_FILE_WORDS = "The name with which an upload was answered, or the content as a data: address."
_INPUTS: dict[str, dict[str, Any]] = {
    **{name: {"type": ["string", "null"], "default": None} for name in _FILES},
    "text": {"type": "string", "default": ""},
    "transcribe": {"type": "boolean", "default": True},
    "state": {"type": "object", "default": {}},
    "modality": {"type": "string", "enum": list(MODALITIES)},
    "points": {"type": "integer", "default": POINTS},
}


class Tools:
    """The tools of ``page``, whose events with names they are."""

    def __init__(self, page: gr.Blocks) -> None:
        from mcp.server.lowlevel import Server
        from mcp.server.streamable_http_manager import StreamableHTTPSessionManager

        events = {event.api_name: event.fn for event in page.fns.values()}
        self._functions = {name: events[name] for name in API_NAMES}
        self._server: Server = Server("hff", version=hff.__version__)
        logging.getLogger("mcp.server.lowlevel.server").setLevel(logging.ERROR)  # a caller's slip is told to the caller
        self._server.list_tools()(self._list)
        self._server.call_tool()(self._call)
        # Each question stands for itself and has one answer: no streams that stay open, nothing kept between two.
        self._manager = StreamableHTTPSessionManager(self._server, json_response=True, stateless=True)
        self._page: ASGIApp | None = None
        self._cookies: dict[str, str] = {}

    @asynccontextmanager
    async def at(self, page: ASGIApp, cookies: Mapping[str, str]) -> AsyncIterator[None]:
        """Work, by asking ``page``, which lies behind the gate, with ``cookies`` that open it."""
        self._page, self._cookies = page, dict(cookies)
        async with self._manager.run():
            yield

    async def answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request of the protocol, which the gate has let in and of which the body was measured."""
        if scope["method"] != "POST":  # a stream that would tell of changes: there are none
            await send({"type": "http.response.start", "status": 405, "headers": [(b"allow", b"POST")]})
            await send({"type": "http.response.body", "body": b""})
            return
        question = _Question(self._page, scope, self._cookies)
        try:
            body = readable((await receive()).get("body", b""))
        except NoQuestion as error:
            await error.reply(scope, receive, send)
            return
        watching = asyncio.create_task(question.watch(receive))
        sent: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

        async def again() -> Message:
            if sent:
                return sent.pop()
            await question.gone.wait()
            return {"type": "http.disconnect"}

        try:
            await self._manager.handle_request({**scope, _ASK: question.ask}, again, send)
        finally:
            watching.cancel()

    async def _list(self) -> list[Any]:
        from mcp.types import Tool, ToolAnnotations

        found = []
        for name, function in self._functions.items():
            description, inputs, returns = get_function_description(function)
            known = {given: _INPUTS[given] for given in inspect.signature(function).parameters if given in _INPUTS}
            inputs |= {given: f"{inputs[given]} {_FILE_WORDS}" for given in _FILES if given in known}
            found.append(
                Tool(
                    name=name,
                    description=" ".join([description, *returns]),
                    inputSchema={
                        "type": "object",
                        "properties": {
                            given: {**schema, "description": inputs[given]} for given, schema in known.items()
                        },
                        "required": [given for given, schema in known.items() if "default" not in schema],
                        "additionalProperties": False,
                    },
                    annotations=ToolAnnotations(readOnlyHint=True, openWorldHint=False),
                )
            )
        return found

    async def _call(self, name: str, given: dict[str, Any]) -> dict[str, Any]:
        """The answer of the action ``name``. Raises ``InputError``, which the protocol hands on as a sentence."""
        request: Any = self._server.request_context.request
        ask = request.scope[_ASK]
        with using(DEFAULT):
            if name not in self._functions:
                raise InputError(texts.TOOL_UNKNOWN.format(name=name, names=", ".join(self._functions)))
            wanted = [part for part in inspect.signature(self._functions[name]).parameters if part in _INPUTS]
            values: dict[str, Any] = {part: given.get(part, _INPUTS[part].get("default")) for part in wanted}
            for part in _FILES:
                if values.get(part):
                    values[part] = {"path": await _named(ask, values[part]), "meta": {"_type": "gradio.FileData"}}
            body = json.dumps({"data": [values[part] for part in wanted]}).encode()
            begun = json.loads(await ask("POST", f"{API}/call/{name}", body))
            events = await ask("GET", f"{API}/call/{name}/{begun['event_id']}")
            answer = _last(events.decode())
            return {part: value for part, value in answer.items() if part not in _LEFT_OUT}


class ToolsDoor:
    """Right before Gradio's own code, behind all that measures a request: those to the tools go to them."""

    def __init__(self, app: ASGIApp, tools: Tools) -> None:
        self.app, self.tools = app, tools

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["path"].rstrip("/") == TOOLS:
            await self.tools.answer(scope, receive, send)
        else:
            await self.app(scope, receive, send)


class _Question:
    """A request of the protocol: what it asks of the page, in its caller's name and only as long as that waits."""

    def __init__(self, page: ASGIApp | None, scope: Scope, cookies: Mapping[str, str]) -> None:
        assert page is not None, "the page runs before anybody asks"
        self._page, self._scope = page, scope
        self._cookie = "; ".join(f"{name}={value}" for name, value in cookies.items()).encode()
        self.gone = asyncio.Event()

    async def watch(self, receive: Receive) -> None:
        """Notice that the caller has left."""
        while (await receive())["type"] != "http.disconnect":
            pass
        self.gone.set()

    async def ask(self, method: str, path: str, body: bytes = b"", kind: str = "application/json") -> bytes:
        """The page's reply to what the caller could have sent itself. Raises ``InputError`` with its refusal."""
        own = [(name, value) for name, value in self._scope["headers"] if name == b"host"]
        headers = [*own, (b"content-type", kind.encode()), (b"content-length", str(len(body)).encode())]
        if self._cookie:
            headers.append((b"cookie", self._cookie))
        asked = {"method": method, "path": path, "raw_path": path.encode(), "query_string": b"", "headers": headers}
        waiting, parts, statuses = [body], [], []

        async def receive() -> Message:
            if waiting:
                return {"type": "http.request", "body": waiting.pop(), "more_body": False}
            await self.gone.wait()
            return {"type": "http.disconnect"}

        async def send(message: Message) -> None:
            if message["type"] == "http.response.start":
                statuses.append(message["status"])
            else:
                parts.append(message.get("body", b""))

        await self._page({**self._scope, **asked}, receive, send)
        reply = b"".join(parts)
        if statuses != [200]:
            raise InputError(_sentence(reply.decode(errors="replace")))
        return reply


async def _named(ask: Any, given: str) -> str:
    """The name of a file here: of an upload, or of what a ``data:`` address holds, once that is uploaded."""
    if FILE_ROUTE in given:
        return unquote(given.split(FILE_ROUTE, 1)[1])
    if not given.startswith("data:"):
        if "://" in given:
            raise InputError(texts.TOOL_ADDRESS.format(address=given[:80]))
        return given
    head, comma, content = given.removeprefix("data:").partition(",")
    kind = head.split(";")[0].strip().lower()
    try:
        data = base64.b64decode(content, validate=True) if head.endswith(";base64") else unquote_to_bytes(content)
    except binascii.Error:
        comma = ""
    if not comma:
        raise InputError(texts.TOOL_DATA.format(limit=size_text(MAX_BODY)))
    mark = secrets.token_hex(16)
    name = f"file{mimetypes.guess_extension(kind) or ''}"
    start = f'--{mark}\r\nContent-Disposition: form-data; name="files"; filename="{name}"\r\n\r\n'
    body = start.encode() + data + f"\r\n--{mark}--\r\n".encode()
    return json.loads(await ask("POST", f"{API}/upload", body, f"multipart/form-data; boundary={mark}"))[0]


def _last(events: str) -> dict[str, Any]:
    """The last value of a stream of events. Raises ``InputError`` with the sentence of an error."""
    found = re.findall(r"^event: (\w+)\r?\ndata: (.*?)\r?$", events, re.MULTILINE)
    for kind, data in reversed(found):
        if kind == "error":
            raise InputError(_sentence(data))
        value = json.loads(data)
        if kind in ("complete", "generating") and value and value[0] is not None:
            return value[0]
    raise InputError(texts.TOOL_LEFT)


def _sentence(reply: str) -> str:
    """What a refusal says to people, whether it is JSON or not."""
    with suppress(ValueError):
        told = json.loads(reply)
        told = told.get("error") or told.get("detail") if isinstance(told, dict) else told
        return str(told or texts.TOOL_LEFT)
    return reply or texts.TOOL_LEFT
