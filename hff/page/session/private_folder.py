"""The server's own temporary folder: locked while it runs, removed at its end or, after a crash, by the next server."""

from __future__ import annotations

import atexit
import logging
import os
import shutil
import sys
import tempfile
import time
from pathlib import Path

log = logging.getLogger(__name__)
_PREFIX = "hff-page-"
_IN_USE = "in_use"
_BEING_MADE = 60  # s; a younger folder without the file may belong to a server that starts just now


class PrivateFolder:
    """The server's own temporary folder, removed by ``close`` or, after a crash, by the next server."""

    def __init__(self) -> None:
        _remove_abandoned()
        self.path = Path(tempfile.mkdtemp(prefix=_PREFIX))
        self._lock = (self.path / _IN_USE).open("wb")
        _try_lock(self._lock)
        self._restore: tuple[str | None, str | None] | None = None

    def take_all(self) -> None:
        """Have whatever this process writes to the temporary folder lie in here, whichever library writes it."""
        self._restore = os.environ.get("TMPDIR"), tempfile.tempdir
        os.environ["TMPDIR"] = tempfile.tempdir = str(self.path)

    def close(self) -> None:
        if self._restore is not None:
            variable, tempfile.tempdir = self._restore
            os.environ.pop("TMPDIR") if variable is None else os.environ.update(TMPDIR=variable)
            self._restore = None
        if not self._lock.closed:
            self._lock.close()
        self._remove()
        atexit.register(self._remove)  # Gradio makes the folder again if a request was still at work

    def _remove(self) -> None:
        for _ in range(5):  # while one file is removed, a thread may write the next
            shutil.rmtree(self.path, ignore_errors=True)
            if not self.path.exists():
                return


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
        if sys.platform == "win32":
            import msvcrt

            msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
        else:
            import fcntl

            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True
