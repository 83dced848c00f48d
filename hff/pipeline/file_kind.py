"""What kind of input a file is - video, sound, picture or text - by its content."""

from __future__ import annotations

import codecs
import os
from pathlib import Path

from hff.errors import InputError
from hff.locale import say
from hff.media.files import name_of, open_file
from hff.media.probe import MediaInfo, probe

MAX_TEXT_BYTES = 1_000_000


def inputs_of(path: str | os.PathLike | None, text: str | None = None) -> dict:
    """A file, and words in place of recognised ones, as arguments of ``Analyzer.analyze``. Raises ``InputError``."""
    if path is None:
        return {"text": text}
    if Path(path).suffix.lower() == ".txt":
        return {"text": text or _read_text(Path(path))}
    info: MediaInfo = probe(path)
    kind = "image" if info.is_image else "video" if info.has_video else "audio"
    return {kind: info, "text": text}


def _read_text(path: Path) -> str:
    with open_file(path) as file:
        data = file.read(MAX_TEXT_BYTES)
    if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):  # what Windows calls Unicode
        return data.decode("utf-16", errors="replace")
    if b"\0" in data:
        raise InputError(say("recording.no_text_file", name=name_of(path)))
    return data.decode("utf-8", errors="replace")
