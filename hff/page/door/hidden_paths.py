"""No reply shows a path of this machine, and no request names one.

Gradio names files by where they lie: the answer to an upload, a report's download and an example all hold an absolute
path, which tells strangers the user's name and how the machine is laid out; and what they send back names the file by
it. ``HiddenPaths`` has a word for each folder from which files are served: visitors see "visit-3f9a.../clip.mp4", and
Gradio sees the path. It sits right before Gradio, inside its compression, and lets everything else stream through.
"""

from __future__ import annotations

import json
import os
import re
import secrets
from collections.abc import Callable, Iterable
from pathlib import Path
from urllib.parse import quote

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from hff.locale import texts
from hff.page.door.gate import API
from hff.page.door.uploads import size_text

FILE_ROUTE = f"{API}/file="
MAX_MESSAGE = 16 * 2**20  # bytes of a JSON message; files are not sent in one
_READABLE = ("application/json", "text/event-stream", "text/html", "text/plain")
_FORMS = ("multipart/form-data", "application/x-www-form-urlencoded")  # uploads, and the password
_MAY_NAME_FILES = (b"path", b"\\u", b"\0")  # the word as it is, escaped, or in UTF-16
_SECRET = b"(this computer)"
_LEAST_PARTS = 2  # a path like /app is a word that people may say
_END_OF_EVENT = b"\n\n"


class HiddenPaths:
    """``folders``: name -> folder from which files are served. All other paths are no files here (404).

    ``secret``: folders of which none is served, but which an error may name.
    """

    def __init__(
        self, app: ASGIApp, folders: dict[str, Path], secret: Iterable[Path] = (), mark: str | None = None
    ) -> None:
        self.app = app
        mark = mark or secrets.token_hex(8)  # one for all languages of a page, which show each other's files
        # A word that nobody types and nobody guesses, so that it is a folder wherever it stands as a path.
        self._folders = {f"{name}-{mark}": folder for name, folder in folders.items()}
        words = {form: word.encode() for word, folder in self._folders.items() for form in _written(folder)}
        for folder in secret:
            if len(folder.parts) > _LEAST_PARTS:
                words |= dict.fromkeys(_written(folder) - words.keys(), _SECRET)
        self._words = words
        longest_first = b"|".join(re.escape(form) for form in sorted(words, key=len, reverse=True))
        self._paths = re.compile(b"(?:" + longest_first + b")(?![\\w-])")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
        elif scope["path"].startswith(FILE_ROUTE):
            path = self._served(scope["path"].removeprefix(FILE_ROUTE))
            if path is None:
                await _refuse(send, 404, texts.FILE_NOT_HERE)
            else:
                real = FILE_ROUTE + path
                await self.app({**scope, "path": real, "raw_path": quote(real).encode()}, receive, send)
        else:
            if scope["method"] == "POST" and not Headers(scope=scope).get("content-type", "").startswith(_FORMS):
                body = await _whole(receive)
                if body is None:
                    await _refuse(send, 413, texts.BODY_TOO_LARGE.format(limit=size_text(MAX_MESSAGE)))
                    return
                try:
                    scope, receive = self._opened(scope, body, receive)
                except FileNotFoundError:
                    await _refuse(send, 400, texts.FILE_NOT_UPLOADED)
                    return
                except (ValueError, RecursionError):
                    await _refuse(send, 400, texts.MESSAGE_NO_JSON)
                    return
            await self.app(scope, receive, Rewriter(send, self._hide))

    def _served(self, named: str) -> str | None:
        """The real path of a file that is served under ``named``; ``None`` if there is no such file."""
        path = self._real(named)
        return path if path is not None and os.path.isfile(path) else None

    def _real(self, named: str) -> str | None:
        """The path under ``named``; ``None`` if it leads out of our folders, be it by a link."""
        word, *rest = re.split(r"[/\\]", named, maxsplit=1)
        if word not in self._folders or not rest:
            return None
        folder = self._folders[word]
        try:
            inside = folder.resolve() in (folder / rest[0]).resolve().parents
        except (OSError, ValueError):  # a NUL, a name too long
            return None
        return str(folder / rest[0]) if inside else None

    def _hide(self, text: bytes) -> bytes:
        return self._paths.sub(lambda found: self._words[found[0]], text)

    def _opened(self, scope: Scope, body: bytes, receive: Receive) -> tuple[Scope, Receive]:
        """The request with real paths in its files, and nowhere else: words in a text stay words.

        Raises ``ValueError`` for what is not JSON, ``FileNotFoundError`` for a file that is none of ours.
        """
        if any(sign in body for sign in _MAY_NAME_FILES):
            message = json.loads(body)  # as Gradio will: what another parser took differently could slip through
            self._open(message)
            body = json.dumps(message).encode()
        headers = MutableHeaders(raw=list(scope["headers"]))
        headers["content-length"] = str(len(body))
        if "transfer-encoding" in headers:
            del headers["transfer-encoding"]
        sent = False

        async def again() -> Message:
            nonlocal sent
            if sent:
                return await receive()
            sent = True
            return {"type": "http.request", "body": body, "more_body": False}

        return {**scope, "headers": headers.raw}, again

    def _open(self, message: object) -> None:
        """Give every file its real path. Gradio fetches addresses, wherever in a message a file has one, and takes a
        picture by its path alone, wherever on this machine it lies.
        """
        waiting = [message]
        while waiting:
            part = waiting.pop()
            if isinstance(part, dict):
                if isinstance(part.get("path"), str):  # Gradio's sign of a file
                    part["path"] = self._real(part["path"])
                    if part["path"] is None:
                        raise FileNotFoundError
                waiting += part.values()
            elif isinstance(part, list):
                waiting += part


def _written(folder: Path) -> set[bytes]:
    """Every way in which Gradio writes a folder's path: as it is, in JSON, in JSON within HTML."""
    forms = set()
    for path in {str(folder), str(folder.resolve())}:
        plain, ascii_only = (json.dumps(path, ensure_ascii=ascii)[1:-1] for ascii in (False, True))
        for text in (path, plain, ascii_only):
            forms |= {text, text.replace("&", "\\u0026").replace("'", "\\u0027"), quote(text)}
    return {form.encode() for form in forms}


class Rewriter:
    """Passes a reply on with its text changed; events go out one by one, other text as a whole, the rest untouched."""

    def __init__(self, send: Send, change: Callable[[bytes], bytes]) -> None:
        self.send = send
        self.change = change
        self.start: Message | None = None  # of a text whose length is not known yet
        self.readable = self.events = False
        self.kept = b""

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = Headers(raw=message["headers"])
            kind = headers.get("content-type", "").split(";")[0].strip()
            self.readable = kind in _READABLE and "content-encoding" not in headers
            self.events = kind == "text/event-stream"
            if self.readable and not self.events:
                self.start = message
                return
        elif message["type"] == "http.response.body" and self.readable:
            self.kept += message.get("body", b"")
            more = message.get("more_body", False)
            if self.events:
                ready, end, rest = self.kept.rpartition(_END_OF_EVENT) if more else (self.kept, b"", b"")
                self.kept = rest
                message = {**message, "body": self.change(ready + end)}
            elif more:
                return
            else:
                assert self.start is not None, "a response begins before its body"
                body = self.change(self.kept)
                headers = MutableHeaders(raw=self.start["headers"])
                if "content-length" in headers and self.kept:
                    headers["content-length"] = str(len(body))
                await self.send({**self.start, "headers": headers.raw})
                message = {**message, "body": body}
        await self.send(message)


async def _whole(receive: Receive) -> bytes | None:
    """The request's body; ``None`` if it is longer than a message may be. Ends early if the asker leaves."""
    parts, length, more = [], 0, True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            break
        parts.append(message.get("body", b""))
        length += len(parts[-1])
        more = message.get("more_body", False)
        if length > MAX_MESSAGE:
            return None
    return b"".join(parts)


async def _refuse(send: Send, status: int, sentence: str) -> None:
    body = json.dumps({"detail": sentence, "error": sentence}, ensure_ascii=False).encode()
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
