"""What lies here of visitors' uploads and whose it is: limits in bytes and numbers, one folder an upload.

Every upload gets a folder of its own with a name that nobody can guess. What no visit claims within minutes is swept
away. How uploads arrive is the ``body_guard``'s part.
"""

from __future__ import annotations

import logging
import os
import re
import secrets
import shutil
import threading
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from hff.errors import InputError
from hff.locale import language, number_format, sentence, texts

if TYPE_CHECKING:
    pass

log = logging.getLogger(__name__)

MB, GB = 1 << 20, 1 << 30
MAX_FILE = 1 * GB  # bytes of one upload, unless ``--max-file-size`` says otherwise
VISITOR_FILES, SERVER_FILES = 4, 8  # the largest uploads' worth that one address, and all together, may have here
RESERVE = GB // 2  # bytes of the disk that stay free for everything else
AT_ONCE_VISITOR, AT_ONCE_SERVER = 32, 96  # uploads under way
KEPT_VISITOR = 256  # uploads that one address may have here
UPLOAD_SECONDS = 3600.0  # for one upload as a whole
LEAST_RATE, RATE_SECONDS = 1024, 60.0  # bytes a second on average, once an upload has come for as long
LOOK_EVERY = 8 * MB  # bytes between two looks at the free space
UNCLAIMED_SECONDS = 180.0  # for an upload that nobody has asked to be read
WAITING_SECONDS = 900.0  # for one whose call waits for its turn
_OVERHEAD = 128 * 1024  # bytes of part headers and boundaries in a body

_PREFIX = "up-"
_NAMED = re.compile(rb"\bup-[0-9a-f]{32}\b")


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
            raise self.too_large()
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
        age = time.monotonic() - upload.begun
        if age > UPLOAD_SECONDS or (age > RATE_SECONDS and upload.size < age * LEAST_RATE):
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

    def sweep(self, claimed: Callable[[], Iterable[Path]]) -> None:
        """Remove uploads that nobody has asked for in time and of which no file is among ``claimed``.

        It is called after the time is looked at, so that what is claimed in between stays.
        """
        self._forget_missing()
        now = time.monotonic()
        with self._lock:
            here = [(upload, upload.done) for upload in self._all.values() if upload.done is not None]
        late = []
        for upload, done in here:
            age, limit = now - done, UNCLAIMED_SECONDS
            if upload.waits is not None:
                age, limit = now - upload.waits, WAITING_SECONDS
            if age > limit:
                late.append(upload)
        folders = {folder for path in claimed() for folder in path.parents}
        for upload in late:
            if upload.folder not in folders:
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

    def too_large(self) -> Refused:
        return Refused(413, texts.UPLOAD_TOO_LARGE.format(limit=size_text(self.limits.file)))

    def _check_shares(self, upload: Upload, more: int = 0) -> None:
        if upload.size + more > self.limits.file + _OVERHEAD:
            raise self.too_large()
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
    """Bytes for people in the language of the moment: 1 GB, 1.5 GB, 300 MB, 20 bytes."""
    for unit, name in ((GB, "GB"), (MB, "MB"), (1024, "kB")):
        if size >= unit:
            return f"{number_format.localised(f'{size / unit:.4g}', language())} {name}"
    return sentence("SIZE_IN_BYTES", count=size)
