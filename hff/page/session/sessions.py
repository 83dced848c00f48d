"""Nothing a person gives outlives the visit: one private folder for the server, one shelf per open page.

Uploads lie in a folder of our own (Gradio is told to use it), which is removed when the server stops. Each page
has a ``Session`` that knows the files it uploaded, the files made for it and its last result; when the page is
closed or cleared, they are deleted at once. A program that calls without holding a page open has a session for as
long as its call is being answered. A folder left behind by a crash is removed at the next start.
"""

from __future__ import annotations

import logging
import secrets
import shutil
import socket
import threading
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import is_dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from weakref import ref

import numpy as np

from hff.errors import HFFError
from hff.locale import texts
from hff.result import Result

if TYPE_CHECKING:
    from hff.page.door.uploads import Uploads
    from hff.pipeline.recording import Recording

log = logging.getLogger(__name__)
KEPT_BYTES = 1 << 30  # of recordings and readings that all pages keep; ten seconds of film have 1 MB, two hours 0.5 GB
SWEEP_SECONDS = 15.0  # between two looks for what nobody holds any more
IDLE_SECONDS = 300.0  # for a session without an open page, of which nothing was heard
# s until a connection counts as lost whose other end does not answer any more: without, the system takes hours.
_SILENT, _PROBE_EVERY, _PROBES = 30, 10, 3


class Session:
    """What one open page has given and got."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.files: set[Path] = set()
        self.inputs: dict[str, str | None] = {}
        self.asked: dict[str, object] | None = None  # what the clip's report, or the one on its way, depends on
        self.recording: Recording | None = None  # the raw material of ``result``
        self.result: Result | None = None
        self.ear = ""  # the speech encoder that is to hear the clip
        self.clip_turn: object = None  # the newest analysis asked for; what was asked before it is stale
        self.kept: Result | None = None  # to be compared with what is read next
        self.kept_of: ref[Result] | None = None  # the whole reading that it is of, while that one is here
        self.walked: object = None  # the ``clip_turn`` whose numbers the Model view has shown last ...
        self.moment = 0  # ... and at which step
        # bytes, as they were when they were put here
        self.sizes = {"recording": 0, "result": 0, "snapshot": 0, "kept": 0}
        self.snapshot: Recording | None = None  # what was sent from the live view
        self.lab_explains = False  # the lab shows where the network looked and which words counted
        self.lab_refused = False  # the address asked for what there is not: what is said of that stays on the tab
        self.lab_waits = False  # a lesson is on whose guess was not made yet
        self.lab_lesson: tuple[str, str] | None = None  # the lesson that is on, and what it is on
        self.lab_turn: object = None  # the newest thing asked of the lab; what was asked before it is stale
        self.lab_arrival: object = None  # the turn that came with the opening of the lab's tab
        self.calls = 0  # of another program that are going on
        self.touched = time.monotonic()  # s; when it was last asked for
        self._ended = False
        self._writing = threading.Lock()  # what is made just now must not outlive the end

    def make_file(self, name: str, content: str | bytes) -> str:
        """Write a file for download and give its path. Raises ``HFFError`` if the visit is over or the disk full."""
        path = self.folder / name
        with self._writing:
            if self._ended:
                raise HFFError(texts.VISIT_ENDED)
            try:
                self.folder.mkdir(exist_ok=True)
                path.write_bytes(content.encode() if isinstance(content, str) else content)
            except OSError as error:
                path.unlink(missing_ok=True)
                raise HFFError(texts.FILE_NOT_KEPT) from error
        return str(path)

    def forget(self) -> None:
        """Let go of everything, and remove the files that were made."""
        with self._writing:
            self._ended = True
            shutil.rmtree(self.folder, ignore_errors=True)
        self.files.clear()
        self.inputs.clear()
        self.recording = self.result = self.snapshot = self.kept = None


class Sessions:
    """The open pages of one server, by Gradio's session hash."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self._open: dict[str | None, Session] = {}
        # Heartbeats that are going on. They outlast a session: a page that was cleared is still open.
        self._pages: Counter[str | None] = Counter()
        # When a page was closed (s, monotonic): what it asked last may be answered later, and begins a session anew.
        self._left: dict[str | None, float] = {}
        self._lock = threading.Lock()

    def of(self, key: str | None) -> Session:
        """The page's session, begun if it is new."""
        with self._lock:
            if key not in self._open:
                # The name cannot be guessed: whoever knows a file's address may fetch it.
                self._open[key] = Session(self.root / f"made-{secrets.token_hex(12)}")
            self._open[key].touched = time.monotonic()
            return self._open[key]

    def result_of(self, key: str | None) -> Result | None:
        """The page's last result; ``None`` if there is none, or the page was closed."""
        with self._lock:
            session = self._open.get(key)
        return session.result if session is not None else None

    def keep(
        self, session: Session, recording: Recording, result: Result | None = None, *, snapshot: bool = False
    ) -> None:
        """Put on a page's shelf what was read: ``result`` if the model read it; a ``snapshot`` has a place of its own.

        Where all pages together keep too much, the largest recordings of others go, of the same size the oldest; then
        their readings.
        """
        new = {"snapshot" if snapshot else "recording": recording} | ({"result": result} if result is not None else {})
        self._put(session, new)

    def keep_for_comparison(self, session: Session, kept: Result | None, of: Result | None = None) -> None:
        """Put a reading beside what is read next, or (None) let go of it; where it is too much, as in ``keep``.

        ``kept``: as much of the reading ``of`` as a comparison shows.
        """
        session.kept_of = None if of is None else ref(of)
        self._put(session, {"kept": kept})

    def _put(self, session: Session, new: Mapping[str, object]) -> None:
        """Name on the shelf -> what is to stand there; others' things go where all is too much."""
        sizes = {name: _bytes_of(value) for name, value in new.items()}
        with self._lock:
            for name, value in new.items():
                setattr(session, name, value)
            session.sizes |= sizes
            for name in session.sizes:
                others = [other for other in self._open.values() if other is not session and other.sizes[name]]
                for other in sorted(others, key=lambda other: (-other.sizes[name], other.touched)):
                    if self._kept() <= KEPT_BYTES:
                        return
                    log.info("letting go of a page's %s: all keep too much", name)
                    setattr(other, name, None)
                    other.sizes[name] = 0

    def _kept(self) -> int:
        """Bytes; ``_lock`` is held."""
        return sum(
            size
            for session in self._open.values()
            for name, size in session.sizes.items()
            if getattr(session, name) is not None
        )

    def track(self, key: str | None, paths: Iterable[str | None]) -> Session:
        """Remember uploaded files as this page's, so that they go when it goes."""
        session = self.of(key)
        with self._lock:
            session.files |= {Path(path) for path in paths if path and self._is_ours(Path(path))}
        return session

    def arrive(self, key: str) -> None:
        """A page was opened, and stays until ``leave``."""
        self.of(key)
        with self._lock:
            self._pages[key] += 1
            self._left.pop(key, None)

    def leave(self, key: str) -> None:
        """The page was closed, or its connection was lost."""
        with self._lock:
            self._pages[key] -= 1
            if self._pages[key] > 0:
                return
            del self._pages[key]
            self._left[key] = time.monotonic()
        self.end(key)

    def has_page(self, key: str) -> bool:
        """Whether somebody holds the page open."""
        with self._lock:
            return self._pages[key] > 0

    @contextmanager
    def answering(self, key: str | None) -> Iterator[None]:
        """While a call is answered. A caller that holds no page open is forgotten with the answer."""
        session = self.of(key)
        with self._lock:
            session.calls += 1
        try:
            yield
        finally:
            with self._lock:
                session.calls -= 1
                over = session.calls == self._pages[key] == 0
            if over:
                self.end(key)

    def end(self, key: str | None) -> None:
        """Delete what the page gave and got. Unknown pages are fine: they gave nothing."""
        with self._lock:
            session = self._open.pop(key, None)
            if session is None:
                return
            # Examples lie in one place for all pages, and one file may be named by two.
            shared = set().union(*(other.files for other in self._open.values()))
            mine = session.files - shared
        for path in mine:
            self._remove(path)
        session.forget()

    @property
    def open(self) -> set[str | None]:
        """Of whom something is kept."""
        with self._lock:
            return set(self._open)

    def end_all(self) -> None:
        for key in self.open:
            self.end(key)

    def sweep(self) -> None:
        """End the sessions that nobody holds and of which nothing was heard for a while."""
        now = time.monotonic()
        with self._lock:
            self._left = {key: when for key, when in self._left.items() if now - when < IDLE_SECONDS}
            idle = [
                key
                for key, session in self._open.items()
                if session.calls == self._pages[key] == 0
                and now - session.touched > (SWEEP_SECONDS if key in self._left else IDLE_SECONDS)
            ]
        for key in idle:
            self.end(key)

    @property
    def files(self) -> set[Path]:
        """What all open sessions hold."""
        with self._lock:
            return set().union(*(session.files for session in self._open.values()))

    def _remove(self, path: Path) -> None:
        """Remove a file and the folders that hold nothing else."""
        try:
            path.unlink(missing_ok=True)
            for folder in path.parents:
                if folder == self.root or not self._is_ours(folder):
                    break
                folder.rmdir()
        except OSError:
            pass  # not empty, or on Windows still being read: then the sweeper comes again

    def _is_ours(self, path: Path) -> bool:
        return self.root.resolve() in path.resolve().parents


def _bytes_of(value: object) -> int:
    """Of the arrays in a recording or a reading."""
    if isinstance(value, np.ndarray):
        return value.nbytes
    if is_dataclass(value):
        return sum(_bytes_of(part) for part in vars(value).values())
    if isinstance(value, dict):
        return sum(_bytes_of(part) for part in value.values())
    return sum(_bytes_of(part) for part in value) if isinstance(value, list | tuple) else 0


class Sweeper:
    """Looks again and again, in a thread, for what no visit holds any more."""

    def __init__(self, sessions: Sessions, uploads: Uploads) -> None:
        self._sessions, self._uploads = sessions, uploads
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._work, name="sweep uploads", daemon=True)
        self._thread.start()

    def close(self) -> None:
        self._stop.set()
        self._thread.join(SWEEP_SECONDS)

    def _work(self) -> None:
        while not self._stop.wait(SWEEP_SECONDS):
            self._sessions.sweep()
            self._uploads.sweep(lambda: self._sessions.files)


def notice_lost_pages(server) -> None:
    """Have the system end connections whose other end went without a word (``server``: Gradio's, listening)."""
    options = (
        (socket.SOL_SOCKET, "SO_KEEPALIVE", 1),
        (socket.IPPROTO_TCP, "TCP_KEEPIDLE", _SILENT),
        (socket.IPPROTO_TCP, "TCP_KEEPINTVL", _PROBE_EVERY),
        (socket.IPPROTO_TCP, "TCP_KEEPCNT", _PROBES),
        (socket.IPPROTO_TCP, "TCP_USER_TIMEOUT", 1000 * (_SILENT + _PROBE_EVERY * _PROBES)),
    )
    for listening in (sock for one in server.servers for sock in one.sockets):
        for level, name, value in options:
            if hasattr(socket, name):  # connections take over what the listening socket has
                listening.setsockopt(level, getattr(socket, name), value)
