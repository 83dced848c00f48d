"""What may be sent to the page: bodies are counted as they arrive, and what breaks off leaves nothing.

``BodyGuard`` stands before Gradio's routes. If an upload breaks off, grows too large or no longer fits the disk, its
folder goes at once and the sender gets a sentence. All other bodies are small, and are read and measured before any
other code sees them.
"""

from __future__ import annotations

import asyncio
import errno
import json
import logging
import math
import os
import re
import time
from collections import Counter
from contextlib import suppress
from contextvars import ContextVar
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from starlette.exceptions import HTTPException

from hff.locale import texts
from hff.page.door.message_shape import check_shape
from hff.page.door.queue_share import check_share, is_known
from hff.page.door.uploads import GB, MB, Refused, Uploads, no_room, size_text

if TYPE_CHECKING:
    from hff.page.session.sessions import Sessions

log = logging.getLogger(__name__)

MAX_BODY = 2 * MB  # bytes of anything that is not an upload; a Live message has 0.3 MB, with the best microphones 1.1
MAX_PARTS = 8  # files in one upload
BODY_SECONDS = 60.0  # for all of it
MAX_BODIES = 128 * MB  # of all that are on their way; of one address half
STALL_SECONDS = 60.0  # without a byte, after which a sender counts as gone
_DISCARD = 1 * GB  # bytes of a refused body that are read to its end, so that the sender sees why
_NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)

_HEARTBEAT = re.compile(r"/gradio_api/heartbeat/([^/]+)/?$")
_ANSWER = re.compile(r"/gradio_api/call/[^/]+/([^/]+)/?$")
_UPLOAD = re.compile(r"/gradio_api/upload/?$")
_FORM = re.compile(r"/login/?$")  # the only other place for a form
_LARGE = re.compile(rb"[eE]\+?\d{3}")  # a power of ten that a float may not hold
_folder: ContextVar[Path | None] = ContextVar("folder of the upload that is being received", default=None)


class FolderOfRequest(os.PathLike):
    """Where Gradio puts uploads: the folder of the upload that the current request is, or else ``root``."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def __fspath__(self) -> str:
        return str(_folder.get() or self._root)

    __str__ = __fspath__


class Parts:
    """Reads along with Gradio's parser: only files, not too many, none too large. ``feed`` raises ``Refused``.

    Gradio collects parts that are not files in memory, whatever their size, and limits nothing but files.
    """

    def __init__(self, content_type: bytes, uploads: Uploads) -> None:
        from python_multipart.exceptions import FormParserError
        from python_multipart.multipart import MultipartParser, parse_options_header

        self._limit, self._too_large = uploads.limits.file, uploads.too_large
        self._options, self._fault = parse_options_header, FormParserError
        self._count = self._size = 0
        self._name = self._value_so_far = self._disposition = b""
        boundary = parse_options_header(content_type)[1].get(b"boundary")
        if not boundary:
            raise Refused(400, texts.UPLOAD_BROKEN)
        try:
            self._parser = MultipartParser(
                boundary,
                {
                    "on_part_begin": self._begin,
                    "on_part_data": self._data,
                    "on_header_field": self._field,
                    "on_header_value": self._value,
                    "on_header_end": self._header,
                    "on_headers_finished": self._headers,
                },
            )
        except FormParserError as error:
            raise Refused(400, texts.UPLOAD_BROKEN) from error

    def feed(self, data: bytes) -> None:
        try:
            self._parser.write(data)
        except self._fault as error:
            raise Refused(400, texts.UPLOAD_BROKEN) from error

    def _begin(self) -> None:
        self._count += 1
        self._size, self._disposition = 0, b""
        if self._count > MAX_PARTS:
            raise Refused(413, texts.UPLOAD_PARTS.format(count=MAX_PARTS))

    def _field(self, data: bytes, start: int, end: int) -> None:
        self._name += data[start:end]

    def _value(self, data: bytes, start: int, end: int) -> None:
        self._value_so_far += data[start:end]

    def _header(self) -> None:
        if self._name.lower() == b"content-disposition":
            self._disposition = self._value_so_far
        self._name = self._value_so_far = b""

    def _headers(self) -> None:
        options = self._options(self._disposition)[1]
        if b"filename" not in options or options.get(b"name") != b"files":
            raise Refused(400, texts.UPLOAD_NO_FILE)

    def _data(self, data: bytes, start: int, end: int) -> None:
        self._size += end - start
        if self._size > self._limit:
            raise self._too_large()


def _check_numbers(body: bytes) -> None:
    """Raise ``Refused`` for NaN, infinity and what is read as it: Python takes them, and no answer could hold them."""
    if b"NaN" not in body and b"Infinity" not in body and not _LARGE.search(body):
        return

    def refuse(_: str) -> NoReturn:
        raise Refused(400, texts.BODY_NOT_FINITE)

    def finite(text: str) -> float:
        number = float(text)
        return number if math.isfinite(number) else refuse(text)

    with suppress(ValueError, RecursionError):  # what is no JSON at all is the route's to refuse
        json.loads(body, parse_constant=refuse, parse_float=finite)


class BodyGuard:
    """ASGI middleware that measures every body as it arrives and clears away what does not come to a good end.

    It also notes which visits have an open page: each page holds one request, its heartbeat, as long as it is there.
    """

    def __init__(self, app, uploads: Uploads, sessions: Sessions) -> None:
        self.app, self.uploads, self.sessions = app, uploads, sessions
        self._arriving: Counter[str] = Counter()  # bytes of bodies that are on their way, by address
        self._place = FolderOfRequest(uploads.root)

    async def __call__(self, scope, receive, send) -> None:
        # When reading was paused meanwhile, a connection hands the context of one request to the next: an upload's
        # folder must not be taken for that of what follows.
        _folder.set(None)
        if scope["type"] != "http":
            await self.app(scope, receive, send)
        elif scope["method"] in ("GET", "HEAD", "OPTIONS"):
            await self._look(scope, receive, send)
        else:
            sent = _Sent(send)
            try:
                if _UPLOAD.search(scope["path"]):
                    await self._upload(scope, receive, sent)
                else:
                    await self._small(scope, receive, sent)
            except Refused as refused:
                await _refuse(scope, sent, refused)

    async def _look(self, scope, receive, send) -> None:
        page, asked = _HEARTBEAT.search(scope["path"]), _ANSWER.search(scope["path"])
        if asked is not None and not is_known(asked[1], scope["app"].get_blocks()):
            await _refuse(scope, _Sent(send), Refused(404, texts.QUESTION_UNKNOWN))
            return
        if page is None:
            try:
                await self.app(scope, receive, send)
            except RuntimeError as error:  # a stream of a visit that is over; Gradio has told so in it, and breaks off
                if not isinstance(error.__cause__, HTTPException):
                    raise
                await send({"type": "http.response.body", "body": b""})
            return
        self.sessions.arrive(page[1])
        try:
            await self.app(scope, receive, send)
        finally:
            self.sessions.leave(page[1])

    async def _upload(self, scope, receive, sent: _Sent) -> None:
        """Let Gradio's own route write the files, in a folder that goes unless all is well."""
        if not _is_multipart(scope):
            raise Refused(415, texts.UPLOAD_NO_FILE)
        parts = Parts(_header(scope, b"content-type"), self.uploads)
        upload = self.uploads.begin(_address(scope), _length(scope))
        scope["app"].uploaded_file_dir = self._place
        place = _folder.set(upload.folder)
        complete = False

        async def counted() -> dict:
            nonlocal complete
            if complete:
                return await receive()
            message = await _next(receive)
            if message["type"] == "http.request":
                body = message.get("body", b"")
                self.uploads.grow(upload, len(body))
                parts.feed(body)
                complete = not message.get("more_body", False)
            return message

        try:
            await self.app(scope, counted, sent)
            if sent.status == 200 and complete:
                self.uploads.finish(upload)
        except OSError as error:
            log.warning("an upload could not be kept: %s", error.strerror)
            raise (no_room() if error.errno in _NO_ROOM else Refused(500, texts.UPLOAD_FAILED)) from error
        except Exception as error:
            if not _is_disconnect(error):
                raise
        finally:
            _folder.reset(place)
            if upload.done is None:
                self.uploads.drop(upload)

    async def _small(self, scope, receive, sent: _Sent) -> None:
        """Read the whole body, which is small, before the route does."""
        if _is_multipart(scope) and not _FORM.search(scope["path"]):
            raise Refused(415, texts.BODY_NO_FILE)
        if (_length(scope) or 0) > MAX_BODY:
            raise _body_too_large()
        body = await self._whole_body(receive, _address(scope))
        if body is None:
            return  # the sender is gone
        _check_numbers(bytes(body))
        self._claim(bytes(body))
        blocks = scope["app"].get_blocks()
        check_shape(scope["path"], bytes(body), blocks)
        check_share(scope["path"], _address(scope), blocks)
        whole: list[dict] = [{"type": "http.request", "body": bytes(body), "more_body": False}]

        async def again() -> dict:
            return whole.pop() if whole else await receive()

        await self.app(scope, again, sent)

    async def _whole_body(self, receive, address: str) -> bytearray | None:
        body, until, more = bytearray(), time.monotonic() + BODY_SECONDS, True
        try:
            while more:
                message = await _next(receive, until)
                if message["type"] != "http.request":
                    return None
                part = message.get("body", b"")
                body += part
                self._arriving[address] += len(part)
                if len(body) > MAX_BODY:
                    raise _body_too_large()
                if self._arriving[address] > MAX_BODIES // 2 or sum(self._arriving.values()) > MAX_BODIES:
                    raise Refused(503, texts.DOOR_FULL)
                more = message.get("more_body", False)
        finally:
            self._arriving[address] -= len(body)
            if not self._arriving[address]:
                del self._arriving[address]
        return body

    def _claim(self, body: bytes) -> None:
        """What a message names is that visit's from now on, though its turn may come much later."""
        named = self.uploads.named_in(body)
        if not named:
            return
        try:
            message = json.loads(body)
        except ValueError:
            return
        visit = message.get("session_hash") if isinstance(message, dict) else None
        for upload in named:
            if isinstance(visit, str) and self.sessions.has_page(visit):
                self.sessions.track(visit, map(str, upload.files))
            elif upload.waits is None:
                upload.waits = time.monotonic()


class _Sent:
    """``send`` that remembers the status."""

    def __init__(self, send) -> None:
        self._send, self.status = send, None

    async def __call__(self, message: dict) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
        await self._send(message)


async def _next(receive, until: float = math.inf) -> dict:
    """The next message of a body. Raises ``Refused`` if none comes, or not before ``until`` (s, monotonic)."""
    try:
        return await asyncio.wait_for(receive(), max(0.0, min(STALL_SECONDS, until - time.monotonic())))
    except asyncio.TimeoutError as error:  # another class than TimeoutError before Python 3.11
        raise Refused(408, texts.UPLOAD_SLOW) from error


async def _refuse(scope, sent: _Sent, refused: Refused) -> None:
    if sent.status is not None:
        return  # too late for words
    if _UPLOAD.search(scope["path"]):
        kind, body = b"text/plain; charset=utf-8", str(refused).encode()
    else:
        kind, body = b"application/json", json.dumps({"detail": str(refused), "error": str(refused)}).encode()
    headers = [(b"content-type", kind), (b"content-length", str(len(body)).encode())]
    length = _length(scope)
    if length is None or length > _DISCARD:
        headers.append((b"connection", b"close"))  # the server would go on reading
    await sent({"type": "http.response.start", "status": refused.status, "headers": headers})
    await sent({"type": "http.response.body", "body": body})


def _body_too_large() -> Refused:
    return Refused(413, texts.BODY_TOO_LARGE.format(limit=size_text(MAX_BODY)))


def _header(scope, name: bytes) -> bytes:
    return next((value for key, value in scope["headers"] if key == name), b"")


def _address(scope) -> str:
    return (scope.get("client") or ("?",))[0]


def _length(scope) -> int | None:
    """What the sender says; never more than a hint."""
    value = _header(scope, b"content-length")
    return int(value) if value.isdigit() else None


def _is_multipart(scope) -> bool:
    return _header(scope, b"content-type").strip().lower().startswith(b"multipart/")


def _is_disconnect(error: Exception) -> bool:
    from starlette.requests import ClientDisconnect

    return isinstance(error, ClientDisconnect)
