"""What may be sent to the page and how much of it: bodies are counted as they arrive, broken uploads leave nothing.

``BodyGuard`` stands before Gradio's routes. Every upload gets a folder of its own with a name that nobody can guess;
if it breaks off, grows too large or no longer fits the disk, the folder goes at once and the sender gets a sentence.
All other bodies are small, and are read and measured before any other code sees them. ``Uploads`` knows what lies
where and whose it is; what no visit claims within minutes is swept away.
"""

from __future__ import annotations

import asyncio
import errno
import json
import logging
import os
import re
import secrets
import shutil
import threading
import time
from collections.abc import Iterable
from contextlib import suppress
from contextvars import ContextVar
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from hff.errors import InputError
from hff.locale import texts

if TYPE_CHECKING:
    from hff.page.session.sessions import Sessions

log = logging.getLogger(__name__)

MB, GB = 1 << 20, 1 << 30
MAX_FILE = 1 * GB  # bytes of one upload, unless ``--max-file-size`` says otherwise
VISITOR_FILES, SERVER_FILES = 4, 8  # the largest uploads' worth that one address, and all together, may have here
RESERVE = GB // 2  # bytes of the disk that stay free for everything else
MAX_BODY = 2 * MB  # bytes of anything that is not an upload; a Live message has 0.3 MB, with the best microphones 1.1
MAX_PARTS = 8  # files in one upload
AT_ONCE_VISITOR, AT_ONCE_SERVER = 32, 96  # uploads under way
KEPT_VISITOR = 256  # uploads that one address may have here
STALL_SECONDS = 60.0  # without a byte, after which a sender counts as gone
UPLOAD_SECONDS = 3600.0  # for one upload as a whole
LOOK_EVERY = 8 * MB  # bytes between two looks at the free space
UNCLAIMED_SECONDS = 180.0  # for an upload that nobody has asked to be read
WAITING_SECONDS = 900.0  # for one whose call waits for its turn
_OVERHEAD = 128 * 1024  # bytes of part headers and boundaries in a body
_DISCARD = 1 * GB  # bytes of a refused body that are read to its end, so that the sender sees why
_NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)

_PREFIX = "up-"
_NAMED = re.compile(rb"\bup-[0-9a-f]{32}\b")
_HEARTBEAT = re.compile(r"/gradio_api/heartbeat/([^/]+)/?$")
_UPLOAD = re.compile(r"/gradio_api/upload/?$")
_FORM = re.compile(r"/login/?$")  # the only other place for a form
_folder: ContextVar[Path | None] = ContextVar("folder of the upload that is being received", default=None)


class Refused(InputError):
    """A body that is not taken. ``status`` is HTTP's word for the sentence."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


@dataclass(frozen=True)
class Limits:
    """Bytes: of one file, of all that one address has here, of all that anybody has here, of disk left free."""

    file: int
    visitor: int
    server: int
    reserve: int

    @classmethod
    def of(cls, file: int = MAX_FILE) -> Limits:
        """All limits by that of one file."""
        return cls(file, VISITOR_FILES * file, SERVER_FILES * file, RESERVE)


@dataclass(eq=False)
class Upload:
    """One upload, on its way (``done`` is None) or here since ``done`` (s, monotonic)."""

    folder: Path
    visitor: str
    size: int = 0  # bytes that came so far
    looked: int = 0  # ``size`` at the last look at the free space
    begun: float = field(default_factory=time.monotonic)
    done: float | None = None
    waits: float | None = None  # since when a call that names it waits

    @property
    def files(self) -> list[Path]:
        return [Path(folder, name) for folder, _, names in os.walk(self.folder) for name in names]


class Uploads:
    """All uploads of one server; every method may be called from any thread."""

    def __init__(self, root: Path, limits: Limits | None = None) -> None:
        self.root, self.limits = root, limits or Limits.of()
        self._all: dict[str, Upload] = {}
        self._lock = threading.Lock()
        self._closed = False

    def begin(self, visitor: str, announced: int | None = None) -> Upload:
        """Make room for an upload of ``announced`` bytes, if the sender says. Raises ``Refused``."""
        self._forget_missing()
        if announced is not None and announced > self.limits.file + _OVERHEAD:
            raise self._too_large()
        self._check_disk(announced or 0)
        with self._lock:
            if self._closed:
                raise Refused(503, texts.UPLOAD_CLOSED)
            own = [upload for upload in self._all.values() if upload.visitor == visitor]
            under_way = [upload for upload in self._all.values() if upload.done is None]
            busy = sum(upload.visitor == visitor for upload in under_way) >= AT_ONCE_VISITOR
            if busy or len(under_way) >= AT_ONCE_SERVER or len(own) >= KEPT_VISITOR:
                raise Refused(429, texts.UPLOAD_MANY.format(count=len(under_way)))
            name = _PREFIX + secrets.token_hex(16)
            upload = self._all[name] = Upload(self.root / name, visitor)
            try:
                self._check_shares(upload, announced or 0)
                upload.folder.mkdir()
            except BaseException:
                del self._all[name]
                raise
        return upload

    def grow(self, upload: Upload, count: int) -> None:
        """``count`` more bytes came. Raises ``Refused`` if they are too many."""
        with self._lock:
            upload.size += count
            if self._closed:
                raise Refused(503, texts.UPLOAD_CLOSED)
            self._check_shares(upload)
        if time.monotonic() - upload.begun > UPLOAD_SECONDS:
            raise Refused(408, texts.UPLOAD_SLOW)
        if upload.size - upload.looked >= LOOK_EVERY:
            upload.looked = upload.size
            self._check_disk()

    def finish(self, upload: Upload) -> None:
        """The upload is here."""
        upload.done = time.monotonic()

    def drop(self, upload: Upload) -> None:
        """Remove whatever came, and free its room though a reader or a writer may still have it open."""
        for path in upload.files:
            with suppress(OSError):
                os.truncate(path, 0)
        shutil.rmtree(upload.folder, ignore_errors=True)
        if not upload.folder.exists():
            with self._lock:
                self._all.pop(upload.folder.name, None)

    def named_in(self, body: bytes) -> list[Upload]:
        """The uploads that a message names."""
        names = {name.decode() for name in _NAMED.findall(body)}
        with self._lock:
            return [self._all[name] for name in names if name in self._all]

    def sweep(self, claimed: Iterable[Path]) -> None:
        """Remove uploads of which no file is among ``claimed`` and that nobody has asked for in time."""
        self._forget_missing()
        folders = {folder for path in claimed for folder in path.parents}
        now = time.monotonic()
        with self._lock:
            here = [(upload, upload.done) for upload in self._all.values() if upload.done is not None]
        for upload, done in here:
            age, limit = now - done, UNCLAIMED_SECONDS
            if upload.waits is not None:
                age, limit = now - upload.waits, WAITING_SECONDS
            if upload.folder not in folders and age > limit:
                log.info("removing an upload that nobody asked for")
                self.drop(upload)

    def close(self) -> None:
        """Take no more."""
        with self._lock:
            self._closed = True

    @property
    def kept(self) -> int:
        """Bytes that are here or on their way."""
        self._forget_missing()
        with self._lock:
            return sum(upload.size for upload in self._all.values())

    def _forget_missing(self) -> None:
        """Visits remove the files that they claimed; their uploads count no longer."""
        with self._lock:
            here = [upload for upload in self._all.values() if upload.done is not None]
        for upload in here:
            if not upload.files:
                self.drop(upload)

    def _too_large(self) -> Refused:
        return Refused(413, texts.UPLOAD_TOO_LARGE.format(limit=size_text(self.limits.file)))

    def _check_shares(self, upload: Upload, more: int = 0) -> None:
        if upload.size + more > self.limits.file + _OVERHEAD:
            raise self._too_large()
        everyone = [other.size for other in self._all.values()]
        own = [other.size for other in self._all.values() if other.visitor == upload.visitor]
        if sum(own) + more > self.limits.visitor:
            raise Refused(413, texts.UPLOAD_VISITOR_FULL.format(limit=size_text(self.limits.visitor)))
        if sum(everyone) + more > self.limits.server:
            raise Refused(507, texts.UPLOAD_SERVER_FULL.format(limit=size_text(self.limits.server)))

    def _check_disk(self, more: int = 0) -> None:
        try:
            free = shutil.disk_usage(self.root).free
        except FileNotFoundError as error:
            raise Refused(503, texts.UPLOAD_CLOSED) from error
        if free - more < self.limits.reserve:
            raise no_room()


def no_room() -> Refused:
    return Refused(507, texts.UPLOAD_NO_ROOM)


def size_text(size: int) -> str:
    """Bytes for people: 1 GB, 1.5 GB, 300 MB, 20 bytes."""
    for unit, name in ((GB, "GB"), (MB, "MB"), (1024, "kB")):
        if size >= unit:
            return f"{size / unit:.4g} {name}"
    return f"{size} bytes"


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

        self._limit, self._too_large = uploads.limits.file, uploads._too_large
        self._options, self._fault = parse_options_header, FormParserError
        self._count = self._size = 0
        self._name = self._value_so_far = self._disposition = b""
        boundary = parse_options_header(content_type)[1].get(b"boundary")
        if not boundary:
            raise Refused(400, texts.UPLOAD_BROKEN)
        try:
            self._parser = MultipartParser(boundary, {
                "on_part_begin": self._begin, "on_part_data": self._data, "on_header_field": self._field,
                "on_header_value": self._value, "on_header_end": self._header, "on_headers_finished": self._headers,
            })  # fmt: skip
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
    """Raise ``Refused`` for NaN and infinity, which are no JSON; Python reads them, and no answer could hold them."""
    if b"NaN" not in body and b"Infinity" not in body:
        return

    def refuse(_: str) -> None:
        raise Refused(400, texts.BODY_NOT_FINITE)

    with suppress(ValueError, RecursionError):  # what is no JSON at all is the route's to refuse
        json.loads(body, parse_constant=refuse)


class BodyGuard:
    """ASGI middleware that measures every body as it arrives and clears away what does not come to a good end.

    It also notes which visits have an open page: each page holds one request, its heartbeat, as long as it is there.
    """

    def __init__(self, app, uploads: Uploads, sessions: Sessions) -> None:
        self.app, self.uploads, self.sessions = app, uploads, sessions
        self._place = FolderOfRequest(uploads.root)

    async def __call__(self, scope, receive, send) -> None:
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
        page = _HEARTBEAT.search(scope["path"])
        if page is None:
            await self.app(scope, receive, send)
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
        upload = self.uploads.begin((scope.get("client") or ("?",))[0], _length(scope))
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
        body = bytearray()
        if (_length(scope) or 0) > MAX_BODY:
            raise _body_too_large()
        more = True
        while more:
            message = await _next(receive)
            if message["type"] != "http.request":
                return  # the sender is gone
            body += message.get("body", b"")
            if len(body) > MAX_BODY:
                raise _body_too_large()
            more = message.get("more_body", False)
        _check_numbers(bytes(body))
        self._claim(bytes(body))
        whole: list[dict] = [{"type": "http.request", "body": bytes(body), "more_body": False}]

        async def again() -> dict:
            return whole.pop() if whole else await receive()

        await self.app(scope, again, sent)

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


async def _next(receive) -> dict:
    """The next message of a body. Raises ``Refused`` if none comes."""
    try:
        return await asyncio.wait_for(receive(), STALL_SECONDS)
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


def _length(scope) -> int | None:
    """What the sender says; never more than a hint."""
    value = _header(scope, b"content-length")
    return int(value) if value.isdigit() else None


def _is_multipart(scope) -> bool:
    return _header(scope, b"content-type").strip().lower().startswith(b"multipart/")


def _is_disconnect(error: Exception) -> bool:
    from starlette.requests import ClientDisconnect

    return isinstance(error, ClientDisconnect)
