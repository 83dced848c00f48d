"""Nothing a person gives outlives the visit: one private folder for the server, one shelf per open page.

Uploads lie in a folder of our own (Gradio is told to use it), which is removed when the server stops. Each page
has a ``Session`` that knows the files it uploaded, the files made for it and its last result; when the page is
closed or cleared, they are deleted at once. A folder left behind by a crash is removed at the next start.
"""

from __future__ import annotations

import logging
import os
import secrets
import shutil
import tempfile
import threading
import time
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from hff.result import Result

if TYPE_CHECKING:
    from hff.recording import Recording

log = logging.getLogger(__name__)
_PREFIX = "hff-page-"
_IN_USE = "in_use"
_BEING_MADE = 60  # s; a younger folder without the file may belong to a server that starts just now


class Session:
    """What one open page has given and got."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.files: set[Path] = set()
        self.inputs: dict[str, str | None] = {}
        self.recording: Recording | None = None  # the raw material of ``result``
        self.result: Result | None = None
        self.lab_turn: object = None  # the newest thing asked of the lab; what was asked before it is stale
        self.lab_arrival: object = None  # the turn that came with the opening of the lab's tab

    def make_file(self, name: str, content: str | bytes) -> str:
        """Write a file for download and give its path."""
        self.folder.mkdir(parents=True, exist_ok=True)
        path = self.folder / name
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return str(path)


class Sessions:
    """The open pages of one server, by Gradio's session hash."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self._open: dict[str, Session] = {}
        self._lock = threading.Lock()

    def of(self, key: str | None) -> Session:
        """The page's session, begun if it is new."""
        with self._lock:
            if key not in self._open:
                # The name cannot be guessed: whoever knows a file's address may fetch it.
                self._open[key] = Session(self.root / f"made-{secrets.token_hex(12)}")
            return self._open[key]

    def result_of(self, key: str | None) -> Result | None:
        """The page's last result; ``None`` if there is none, or the page was closed."""
        with self._lock:
            session = self._open.get(key)
        return session.result if session is not None else None

    def track(self, key: str | None, paths: Iterable[str | None]) -> Session:
        """Remember uploaded files as this page's, so that they go when it goes."""
        session = self.of(key)
        with self._lock:
            session.files |= {Path(path) for path in paths if path and self._is_ours(Path(path))}
        return session

    def end(self, key: str | None) -> None:
        """Delete what the page gave and got. Unknown pages are fine: they gave nothing."""
        with self._lock:
            session = self._open.pop(key, None)
            if session is None:
                return
            # Gradio names uploads by content: another page may have given the very same file.
            shared = set().union(*(other.files for other in self._open.values()))
        for path in session.files - shared:
            path.unlink(missing_ok=True)
            if path.parent != self.root and not any(path.parent.iterdir() if path.parent.is_dir() else ()):
                shutil.rmtree(path.parent, ignore_errors=True)
        session.files.clear()
        session.inputs.clear()
        session.recording = session.result = None
        shutil.rmtree(session.folder, ignore_errors=True)

    def end_all(self) -> None:
        for key in list(self._open):
            self.end(key)

    def _is_ours(self, path: Path) -> bool:
        return self.root.resolve() in path.resolve().parents


class PrivateFolder:
    """The server's own temporary folder, removed by ``close`` or, after a crash, by the next server."""

    def __init__(self) -> None:
        _remove_abandoned()
        self.path = Path(tempfile.mkdtemp(prefix=_PREFIX))
        self._lock = (self.path / _IN_USE).open("wb")
        _try_lock(self._lock)

    def close(self) -> None:
        if not self._lock.closed:
            self._lock.close()
        shutil.rmtree(self.path, ignore_errors=True)


def _remove_abandoned() -> None:
    """Remove folders whose server is gone: nobody holds the lock on their ``in_use`` file."""
    for folder in Path(tempfile.gettempdir()).glob(f"{_PREFIX}*"):
        try:
            if not (folder / _IN_USE).exists() and time.time() - folder.stat().st_mtime > _BEING_MADE:
                shutil.rmtree(folder, ignore_errors=True)  # what Gradio made again after it was removed
                continue
            with (folder / _IN_USE).open("rb+") as file:
                free = _try_lock(file)
        except OSError:
            continue  # another user's, or being removed or made just now
        if free:
            log.info("removing %s, left by a server that did not stop cleanly", folder)
            shutil.rmtree(folder, ignore_errors=True)


def _try_lock(file) -> bool:
    """Take the lock that the system drops when its process ends; False if another process holds it."""
    try:
        if os.name == "nt":
            import msvcrt

            msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
        else:
            import fcntl

            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True
