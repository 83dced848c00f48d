"""One page in several languages under one roof: which one an address, a choice or a browser asks for.

The page in its first language lies at ``/``; each other one is a Gradio application of its own at ``/de/`` or the
like. ``Addresses`` takes that beginning off before any other layer looks at a request, so that all of them see the
same routes; ``Tongue``, right before Gradio's own code, puts it back and makes the page say which language it speaks.
"""

from __future__ import annotations

from collections.abc import Mapping
from http.cookies import SimpleCookie
from urllib.parse import parse_qsl, quote, urlencode

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from hff.locale import using
from hff.page.door.gate import PAGE_ROUTE
from hff.page.door.hidden_paths import Rewriter
from hff.page.door.wanted_language import COOKIE, wanted

LANGUAGE_PARAMETER = "language"  # of the page's address: the switch's links have it
_REMEMBERED = 365 * 24 * 3600  # s that a choice is remembered


class Addresses:
    """The outermost of all: hands a request under ``/de/`` to that language's application, the others to ``app``."""

    def __init__(self, app: ASGIApp, first: str, others: Mapping[str, ASGIApp]) -> None:
        self.app, self.first, self.others = app, first, others

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        name, slash, rest = scope.get("path", "").lstrip("/").partition("/")
        if scope["type"] != "http" or name not in self.others or not scope["path"].startswith(f"/{name}"):
            with using(self.first):
                await self.app(scope, receive, send)
        elif not slash:
            await lead(send, f"{name}/", scope["query_string"])
        else:
            with using(name):
                await self.others[name](moved(scope, f"/{rest}", ""), receive, send)


class LanguageChoice:
    """Behind the gate: leads whoever chose a language, or whose browser prefers one, to the page in it.

    ``here``: this page's language; ``first``: that of the page at ``/``; ``all_names``: every one there is. ``root``:
    the path under which a proxy has put all of them, where a choice is remembered.
    """

    def __init__(self, app: ASGIApp, here: str, first: str, all_names: tuple[str, ...], root: str = "") -> None:
        self.app, self.here, self.first, self.all_names, self.root = app, here, first, all_names, root

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"] != PAGE_ROUTE or scope["method"] not in ("GET", "HEAD"):
            await self.app(scope, receive, send)
            return
        query = parse_qsl(scope["query_string"].decode("latin-1"), keep_blank_values=True)
        chosen = dict(query).get(LANGUAGE_PARAMETER)
        if chosen in self.all_names:
            rest = urlencode([(name, value) for name, value in query if name != LANGUAGE_PARAMETER])
            await lead(send, self._way(chosen), rest.encode(), self._cookie(chosen))
            return
        asked = self.here
        if self.here == self.first:
            asked = wanted(Headers(scope=scope), self.all_names, self.first)
        if asked != self.here:
            await lead(send, self._way(asked), scope["query_string"])
        else:
            await self.app(scope, receive, send)

    def _cookie(self, chosen: str) -> str:
        cookie = SimpleCookie({COOKIE: chosen})
        cookie[COOKIE].update({"path": f"{self.root}/", "max-age": str(_REMEMBERED), "samesite": "Lax"})
        return cookie[COOKIE].OutputString()

    def _way(self, name: str) -> str:
        """From this page to the one in another language; relative, since a proxy may have put all under a path."""
        up = "./" if self.here == self.first else "../"
        return up if name == self.first else f"{up}{name}/"


class Tongue:
    """Right before Gradio's own code: the page's ``lang`` is true, and the addresses it writes begin with its own.

    Gradio's components speak the browser's language, whatever the page's; so the browser is said to have the page's.
    """

    def __init__(self, app: ASGIApp, name: str, prefix: str) -> None:
        self.app, self.prefix = app, prefix
        told = f"Object.defineProperty(navigator, 'language', {{ get: () => '{name}' }});"
        self._changes = {'lang="en"': f'lang="{name}"', "<head>": f"<head><script>{told}</script>"}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        if scope["path"] == PAGE_ROUTE:
            send = Rewriter(send, self._say)
        await self.app(moved(scope, self.prefix + scope["path"], self.prefix), receive, send)

    def _say(self, page: bytes) -> bytes:
        for old, new in self._changes.items():
            page = page.replace(old.encode(), new.encode(), 1)
        return page


def moved(scope: Scope, path: str, root: str) -> Scope:
    """The same request for ``path``, the beginning ``root`` of which is where the application lies."""
    return {**scope, "path": path, "raw_path": quote(path).encode(), "root_path": root}


async def lead(send: Send, where: str, query: bytes, cookie: str | None = None) -> None:
    """Lead on to another address, by one that is relative to this."""
    address = where.encode() + (b"?" + query if query else b"")
    headers = [
        (b"location", address),
        (b"content-length", b"0"),
        (b"vary", b"Accept-Language, Cookie"),
        (b"cache-control", b"no-store"),
    ]
    if cookie is not None:
        headers.append((b"set-cookie", cookie.encode()))
    await send({"type": "http.response.start", "status": 302, "headers": headers})
    await send({"type": "http.response.body", "body": b""})
