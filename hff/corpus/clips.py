"""Which clips are to be read: files, the files of folders, the lines of a manifest, and a share of them all."""

from __future__ import annotations

import csv
import logging
import math
import os
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from hff.errors import InputError
from hff.locale import say
from hff.media.files import open_file, printable
from hff.media.probe import is_media

log = logging.getLogger(__name__)

# What a file with such a name holds is not doubted: if it cannot be read, that is an error. Others count by content.
CLIP_SUFFIXES = frozenset(
    ".mp4 .webm .mov .mkv .avi .gif .m4v .wav .mp3 .flac .ogg .oga .m4a .opus .aac .jpg .jpeg .png .webp .txt".split()
)
MANIFEST_COLUMNS = ("path", "start", "end", "text", "label", "speaker")
# As corpora name what the labels of the shipped weights call by adjectives.
NOUNS = {
    "joy": "happy",
    "happiness": "happy",
    "sadness": "sad",
    "anger": "angry",
    "fear": "fearful",
    "disgust": "disgusted",
    "surprise": "surprised",
}


@dataclass(frozen=True)
class Clip:
    """One thing to read: a file, a stretch of it, or (without a path) words alone."""

    path: str | None
    start: float | None = None  # s into the file
    end: float | None = None  # s
    text: str | None = None  # in place of recognised words
    label: str | None = None  # the emotion it is known to show
    speaker: str | None = None
    below: str = ""  # where its file lies, seen from the folder that was named

    @property
    def key(self) -> tuple[str, str, str]:
        """What tells its row from others: the path as it is written in the table, start and end."""
        start, end = ("" if t is None else f"{t:g}" for t in (self.start, self.end))
        return printable(self.path or ""), start, end


class Walk:
    """The files that are to be read; ``tell`` hears which are not. ``failed``: a folder gave nothing."""

    def __init__(self, tell: Callable[[str], None], outputs: Iterable[Path] = (), endings: Iterable[str] = ()) -> None:
        self.tell = tell
        self.outputs = tuple(outputs)  # are not read
        self.endings = tuple(f".{ending}" for ending in endings)  # of our own files: nothing is said of them
        self.failed = False

    def files(self, given: Path) -> Iterator[Path]:
        """A file itself; of a folder all below it that can be read, in order. Links to folders are not followed."""
        if not os.path.isdir(given):  # unlike Path.is_dir it answers for any name
            yield given
            return
        found = 0
        for folder, folders, names in os.walk(given, onerror=self._unreadable):
            folders.sort()
            for path in (Path(folder, name) for name in sorted(names)):
                if self._is_wanted(path):
                    found += 1
                    yield path
        if not found:
            self.tell(f"no video, sound, picture or text file in {given}")
            self.failed = True

    def _unreadable(self, error: OSError) -> None:
        self.tell(f"the folder {error.filename} cannot be read: {error.strerror}.")
        self.failed = True

    def _is_wanted(self, path: Path) -> bool:
        if any(is_same(path, output) for output in self.outputs):
            return False
        if not os.path.isfile(path):
            self.tell(f"passed over {path}: a link to nothing, a pipe or a device.")
            return False
        if path.suffix.lower() in CLIP_SUFFIXES or _holds_media(path):
            return True
        if path.suffix not in self.endings:
            self.tell(f"passed over {path}: no video, sound or picture in it, and no .txt.")
        return False


def is_same(path: Path, other: Path) -> bool:
    with suppress(OSError, ValueError):
        return os.path.samefile(path, other)
    return False


def _holds_media(path: Path) -> bool:
    try:
        return is_media(path)
    except InputError as error:
        log.debug("%s", error)
        return False


def manifest(path: Path) -> list[Clip]:
    """The clips of a CSV file with the columns ``path`` and any of start, end (s), text, label and speaker.

    Paths are relative to the file's folder. Raises ``InputError`` with the line that is wrong.
    """
    with open_file(path) as file:
        text = file.read().decode("utf-8-sig", errors="replace")
    reader = csv.DictReader(text.splitlines(keepends=True))
    columns = [name.strip().lower() for name in reader.fieldnames or ()]
    others = ", ".join(MANIFEST_COLUMNS[1:])
    if "path" not in columns:
        raise InputError(say("manifest.no_path", name=path.name, columns=others))
    if unknown := sorted(set(columns) - set(MANIFEST_COLUMNS)):
        raise InputError(say("manifest.unknown_columns", name=path.name, unknown=", ".join(unknown), columns=others))
    reader.fieldnames = columns
    clips = [_clip_of(row, path, reader.line_num) for row in reader]
    if not clips:
        raise InputError(say("manifest.empty", name=path.name))
    return clips


def _clip_of(row: dict[str, str], path: Path, line: int) -> Clip:
    given = {name: (row.get(name) or "").strip() or None for name in MANIFEST_COLUMNS}
    if given["path"] is None and given["text"] is None:
        raise InputError(say("manifest.neither", name=path.name, line=line))
    start, end = (_seconds(given[name], name, path, line) for name in ("start", "end"))
    if start is not None and end is not None and start >= end:
        raise InputError(say("manifest.backwards", name=path.name, line=line, start=start, end=end))
    where = None if given["path"] is None else str(path.parent / given["path"])
    label = known_label(given["label"])
    return Clip(where, start, end, given["text"], label, given["speaker"], _below(given["path"] or ""))


def _below(path: str) -> str:
    """The folder of a path that leads down; of any other none."""
    folder = Path(path).parent
    return "" if folder.is_absolute() or ".." in folder.parts or str(folder) == "." else str(folder)


def known_label(given: str | None) -> str | None:
    """A corpus's label in small letters, by the adjective of the shipped weights where it is one of their nouns."""
    return given and NOUNS.get(given.lower(), given.lower())


def _seconds(given: str | None, name: str, path: Path, line: int) -> float | None:
    if given is None:
        return None
    with suppress(ValueError):
        if math.isfinite(seconds := float(given)) and seconds >= 0:
            return seconds
    raise InputError(say("manifest.no_seconds", name=path.name, line=line, column=name, given=given[:40]))


def shard_of(text: str) -> tuple[int, int]:
    """ "2/8" -> (2, 8), the second of eight equal shares. Raises ``InputError``."""
    found = re.fullmatch(r"\s*(\d{1,6})\s*/\s*(\d{1,6})\s*", text)
    number, count = (int(part) for part in found.groups()) if found else (0, 0)
    if not 1 <= number <= count:
        raise InputError(say("corpus.shard", given=text))
    return number, count


def share(clips: Sequence[Clip], number: int, count: int) -> list[Clip]:
    """Share ``number`` of ``count``: every so-manieth clip, so that a corpus sorted by length is divided fairly.

    Stretches of one file stay together, so that it is opened once.
    """
    files = list(dict.fromkeys(clip.path or clip.text for clip in clips))
    mine = set(files[number - 1 :: count])
    return [clip for clip in clips if (clip.path or clip.text) in mine]
