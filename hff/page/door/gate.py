"""The page's door: which requests reach Gradio at all.

Gradio serves many routes that our page has no use for, some of which run programs on uploads, fetch addresses or write
to disk. ``ADMITTED`` is the whole list of what exists here; everything else is 404 before any of Gradio's code runs.
Likewise nobody gets in under a name that is not ours (``host_names``), or from another site's page (its ``Origin``,
or what the browser says of where a request comes from).

Everything here is plain ASGI, so that answers stream through it as they come.
"""

from __future__ import annotations

import json
import time
from collections import deque
from collections.abc import Callable

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import cookie_parser
from starlette.routing import compile_path
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from hff.locale import DEFAULT, language, languages, sentence, using
from hff.page.door.host_names import Names
from hff.page.door.wanted_language import wanted

API_NAMES = ("analyze", "lab_rerun", "lab_sweep")  # what other programs may call by name
API = "/gradio_api"
PAGE_ROUTE = "/"
TOOLS = f"{API}/mcp"  # ``hff.page.tools``, in Gradio's place for such

# Gradio's own route templates -> methods. By what uses them; ``_VALUES`` narrows their parameters.
ADMITTED: dict[str, tuple[str, ...]] = {
    # the page itself and its parts, the same for everybody
    PAGE_ROUTE: ("GET", "HEAD"),
    "/assets/{path:path}": ("GET",),
    "/static/{path:path}": ("GET",),
    "/svelte/{path:path}": ("GET",),
    "/theme.css": ("GET",),
    "/favicon.ico": ("GET",),
    "/robots.txt": ("GET",),
    # what a visit does: the page and gradio_client alike
    "/config": ("GET",),
    f"{API}/info": ("GET",),
    f"{API}/upload": ("POST",),
    f"{API}/upload_progress": ("GET",),
    f"{API}/file={{path_or_url:path}}": ("GET", "HEAD"),
    f"{API}/queue/join": ("POST",),
    f"{API}/queue/data": ("GET",),
    f"{API}/run/{{api_name}}": ("POST",),  # the few events that do not wait in the queue
    f"{API}/component_server/": ("POST",),  # the Live view's messages
    f"{API}/cancel": ("POST",),
    f"{API}/reset": ("POST",),  # follows upon cancel, and does nothing
    f"{API}/app_id": ("GET",),  # asked after a lost connection: is it still the same server?
    f"{API}/heartbeat/{{session_hash}}": ("GET",),
    # the named endpoints without a client
    f"{API}/call/{{api_name}}": ("POST",),
    f"{API}/call/{{api_name}}/{{event_id}}": ("GET",),
    # asked once by the server itself, when it starts
    f"{API}/startup-events": ("GET",),
}
# Only with a password.
LOGIN = "/login"
# Only with ``--mcp``. By the protocol a client may ask for a stream, and is told that there is none.
TOOL_ROUTES = {TOOLS: ("GET", "POST", "DELETE"), f"{TOOLS}/": ("GET", "POST", "DELETE")}
# What may be had before the password is given: the page then shows where to give it. /config says 401 by itself.
OPEN = frozenset(
    (
        PAGE_ROUTE,
        "/assets/{path:path}",
        "/static/{path:path}",
        "/svelte/{path:path}",
        "/theme.css",
        "/favicon.ico",
        "/robots.txt",
        "/config",
        f"{API}/startup-events",
        LOGIN,
    )
)
_VALUES: dict[tuple[str, str], frozenset[str]] = {
    (f"{API}/run/{{api_name}}", "api_name"): frozenset({"predict"}),
    (f"{API}/call/{{api_name}}", "api_name"): frozenset(API_NAMES),
    (f"{API}/call/{{api_name}}/{{event_id}}", "api_name"): frozenset(API_NAMES),
}
_PATTERNS = {template: compile_path(template)[0] for template in (*ADMITTED, *TOOL_ROUTES, LOGIN)}

_JSON_ONLY = frozenset({f"{API}/component_server/"})  # it would take files too, and leave them

LONGEST_NAME = 255  # bytes of one part of a path, as in file systems

_PREFLIGHT_SECONDS = "600"

WRONG_PASSWORDS = 10  # from one address within ``FORGET_SECONDS``; then it has to wait
FORGET_SECONDS = 60.0
GUESSERS = 1000  # addresses remembered


def admitted(method: str, path: str, password: bool = False, tools: bool = False) -> str | None:
    """The template of ``ADMITTED`` that lets this request in; ``None`` if there is no such thing here.

    ``password``: whether one is asked for, so that there is a place to give it. ``tools``: whether there are any.
    """
    there = ADMITTED | (TOOL_ROUTES if tools else {}) | ({LOGIN: ("POST",)} if password else {})
    if any(len(name.encode("utf-8", "replace")) > LONGEST_NAME for name in path.split("/")):
        return None  # to look for such a file fails
    for template, pattern in _PATTERNS.items():
        found = pattern.match(path) if method in there.get(template, ()) else None
        if found and all(value in _VALUES.get((template, name), (value,)) for name, value in found.groupdict().items()):
            return template
    return None


class Gate:
    """The outermost of all: what is refused here reaches neither Gradio nor any layer of ours.

    ``signed_in`` says of a request's cookies whether the password was given; ``None`` if there is no password.
    ``wrong``: times of wrong passwords by client, where several gates count them together. ``first``: the language of
    the page that may lead a visitor on to another, and so refuses in the language that the visitor prefers. ``tools``:
    whether there are any; programs that call them have no cookies and may send the password, which ``right`` knows.
    """

    def __init__(
        self,
        app: ASGIApp,
        names: Names,
        signed_in: Callable[[dict[str, str]], bool] | None = None,
        wrong: dict[str, deque[float]] | None = None,
        first: str = DEFAULT,
        tools: bool = False,
        right: Callable[[str], bool] | None = None,
    ) -> None:
        self.app = app
        self.names = names
        self.signed_in = signed_in
        self.first, self.tools, self.right = first, tools, right
        self._wrong = {} if wrong is None else wrong

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self.app(scope, receive, send)
        elif scope["type"] == "websocket":  # the page has none
            await send({"type": "websocket.close", "code": 1008})
        else:
            await self._http(scope, receive, send)

    async def _http(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = Headers(scope=scope)
        host, origin = headers.get("host", ""), headers.get("origin")
        own_address = (scope.get("server") or (None,))[0]
        guest = origin is not None and origin.lower() in self.names.origins

        async def reply(message: Message) -> None:
            if message["type"] == "http.response.start":
                self._mark(MutableHeaders(scope=message), origin if guest else None)
            await send(message)

        async def refuse(status: int, key: str, **params: object) -> None:
            await self._refuse(reply, headers, status, key, **params)

        if len(headers.getlist("host")) != 1 or not self.names.know(host, own_address):
            return await refuse(403, "DOOR_NAME", name=host) if host else await refuse(403, "DOOR_NO_NAME")
        scope = {**scope, "headers": self._honest(scope["headers"], own_address)}
        if origin is not None and not self.names.trust(origin, host, _schemes(scope)):
            return await refuse(403, "DOOR_ORIGIN")
        if scope["method"] == "OPTIONS" and guest:
            return await _say(reply, 204, "")
        template = admitted(scope["method"], scope["path"], self.signed_in is not None, self.tools)
        if template is None:
            return await refuse(404, "DOOR_NOTHING")
        opened = template == PAGE_ROUTE and headers.get("sec-fetch-mode") == "navigate" and scope["method"] == "GET"
        if not guest and not opened and headers.get("sec-fetch-site", "none") in ("cross-site", "same-site"):
            return await refuse(403, "DOOR_OTHER_SITE")
        if self.signed_in is not None:
            if template == LOGIN:
                return await self._sign_in(scope, receive, reply)
            if template in TOOL_ROUTES and "authorization" in headers:
                return await self._use_tools(scope, receive, reply, headers["authorization"])
            if template not in OPEN and not self.signed_in(cookie_parser(headers.get("cookie", ""))):
                return await self._unknown(reply)
        if template in _JSON_ONLY and headers.get("content-type") != "application/json":
            return await refuse(404, "DOOR_NOTHING")
        return await self.app(scope, receive, reply)

    async def _refuse(self, send: Send, headers: Headers, status: int, key: str, **params: object) -> None:
        """Say why not, in the page's language or, where that has not been chosen yet, in the visitor's."""
        here = language()
        with using(wanted(headers, languages(), here) if here == self.first else here):
            why = sentence(key, **params)
        await _say(send, status, why)

    def _honest(self, headers: list[tuple[bytes, bytes]], own_address: str | None) -> list[tuple[bytes, bytes]]:
        """Without what would make Gradio believe that it is served under a name that is not ours."""

        def lies(name: bytes, value: bytes) -> bool:
            name, known = name.lower(), value.split(b",")[0].strip().decode("latin-1")
            return name == b"x-gradio-server" or (
                name == b"x-forwarded-host" and not self.names.know(known, own_address)
            )

        return [(name, value) for name, value in headers if not lies(name, value)]

    def _mark(self, headers: MutableHeaders, guest: str | None) -> None:
        """What every reply says to browsers: who may frame it, use it, and that it is what it says it is."""
        for name in [name for name in headers if name.startswith("access-control-")]:
            del headers[name]  # Gradio would let any site in, if the page has a name of its own
        frames = " ".join(["'self'", *sorted(self.names.origins | self.names.frames)])
        headers["Content-Security-Policy"] = f"frame-ancestors {frames}; object-src 'none'; base-uri 'self'"
        if not self.names.origins | self.names.frames:
            headers["X-Frame-Options"] = "SAMEORIGIN"
            headers["Cross-Origin-Resource-Policy"] = "same-origin"
        headers["X-Content-Type-Options"] = "nosniff"
        headers["Referrer-Policy"] = "same-origin"
        if guest is not None:
            headers["Access-Control-Allow-Origin"] = guest
            headers["Access-Control-Allow-Methods"] = "GET, HEAD, POST"
            headers["Access-Control-Allow-Headers"] = "Content-Type"
            headers["Access-Control-Max-Age"] = _PREFLIGHT_SECONDS
            headers.add_vary_header("Origin")

    async def _sign_in(self, scope: Scope, receive: Receive, reply: Send) -> None:
        """Pass a password on, but not from an address that has guessed too often."""
        if (guesses := await self._guess(scope, reply)) is None:
            return

        async def noting(message: Message) -> None:
            if message["type"] == "http.response.start" and message["status"] == 200:
                guesses.clear()
            await reply(message)

        await self.app(scope, receive, noting)

    async def _use_tools(self, scope: Scope, receive: Receive, reply: Send, authorization: str) -> None:
        """Let a program in that sends the password along; to guess it so is as slow."""
        if (guesses := await self._guess(scope, reply)) is None:
            return
        kind, _, password = authorization.partition(" ")
        # HTTP's own letters are Latin-1; most programs send UTF-8.
        told = password.strip().encode("latin-1").decode("utf-8", "replace")
        if kind.lower() != "bearer" or self.right is None or not self.right(told):
            await self._unknown(reply)
            return
        guesses.clear()
        await self.app(scope, receive, reply)

    async def _guess(self, scope: Scope, reply: Send) -> deque[float] | None:
        """Count a password as wrong until it is known to be right, since many may guess at the same time.

        The times of this address' wrong ones; ``None`` if they are too many, which then is told.
        """
        client = (scope.get("client") or ("",))[0]
        wrong = self._wrong.setdefault(client, deque())
        while wrong and time.monotonic() - wrong[0] > FORGET_SECONDS:
            wrong.popleft()
        if len(wrong) >= WRONG_PASSWORDS:
            await self._refuse(reply, Headers(scope=scope), 429, "DOOR_PASSWORDS", seconds=round(FORGET_SECONDS))
            return None
        wrong.append(time.monotonic())
        if len(self._wrong) > GUESSERS:
            self._wrong.pop(next(iter(self._wrong)))
        return wrong

    async def _unknown(self, reply: Send) -> None:
        await _say(reply, 401, json.dumps({"detail": {"error": "Not authenticated"}}))


def _schemes(scope: Scope) -> set[str]:
    """http or https as the visitor sees it; a tunnel or proxy in front says so in a header."""
    return {scope["scheme"], Headers(scope=scope).get("x-forwarded-proto", "").split(",")[0].strip()}


async def _say(send: Send, status: int, sentence: str) -> None:
    kind = "application/json" if sentence.startswith("{") else "text/plain; charset=utf-8"
    headers = [(b"content-type", kind.encode()), (b"content-length", str(len(sentence.encode())).encode())]
    await send({"type": "http.response.start", "status": status, "headers": headers if status != 204 else []})
    await send({"type": "http.response.body", "body": sentence.encode()})
