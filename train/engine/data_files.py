"""Which files of which corpus were read, and their fingerprints, for a run's record."""

from __future__ import annotations

import contextlib
import contextvars
import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

SAMPLE = 1 << 20  # bytes read at the head, in the middle and at the end of a file that is longer than three of these

_files: contextvars.ContextVar[dict[str, set[Path]] | None] = contextvars.ContextVar("files", default=None)


@contextlib.contextmanager
def reading() -> Iterator[None]:
    """Remember every file named to ``used`` in here, for the ``run.json`` of the runs in here."""
    token = _files.set({})
    try:
        yield
    finally:
        _files.reset(token)


def used(corpus: str, path: Path) -> Path:
    """Note that ``path`` was read as a part of ``corpus``; returns it."""
    files = _files.get()
    if files is not None:
        files.setdefault(corpus, set()).add(path)
    return path


def fingerprint(paths: set[Path]) -> dict[str, Any]:
    """Number of files, their bytes, and a SHA-256 over names, sizes and content (of long files, three samples)."""
    digest, total = hashlib.sha256(), 0
    for path in sorted(paths, key=lambda path: (path.name, path)):
        length = path.stat().st_size
        total += length
        digest.update(f"{path.name}\0{length}\0".encode())
        with path.open("rb") as file:
            if length <= 3 * SAMPLE:
                digest.update(file.read())
            else:
                for start in (0, (length - SAMPLE) // 2, length - SAMPLE):
                    file.seek(start)
                    digest.update(file.read(SAMPLE))
    return {"files": len(paths), "bytes": total, "sha256": digest.hexdigest()}


def fingerprints() -> dict[str, dict[str, Any]]:
    """Of every corpus read so far, as ``fingerprint``."""
    return {corpus: fingerprint(paths) for corpus, paths in sorted((_files.get() or {}).items())}
