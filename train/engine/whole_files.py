"""Files that are there whole or not at all, whenever the process is killed."""

from __future__ import annotations

from pathlib import Path


def write_whole(path: Path, content: bytes | str) -> None:
    """Write a file that is there whole or not at all, whenever the process is killed."""
    part = path.with_name(path.name + ".part")
    part.write_bytes(content.encode() if isinstance(content, str) else content)
    part.replace(path)
