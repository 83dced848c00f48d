"""A file a clip beside the table: subtitles, Praat's TextGrid, ELAN's EAF, as ``hff.annotations`` writes them.

Each is written under another name and then renamed, so that what is there is whole; none is ever written over.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from hff.annotations import WRITERS
from hff.corpus.clips import Clip
from hff.corpus.growing_table import TABLE_KINDS
from hff.errors import InputError
from hff.locale import say

TABLE_ENDINGS = {*TABLE_KINDS, ".json", ".jsonl"}
LONGEST_STEM = 200  # bytes of a name without its ending; systems allow 255 with it
NAMELESS = "reading"  # the file of words that came in no file


def table_and_folder(out: Path | None, table_kind: str | None) -> tuple[Path, Path]:
    """The table and the folder of the files: ``out`` is a table by its ending, beside which they go, else the folder.

    table_kind: of a table in the folder. Raises ``InputError`` without ``out``.
    """
    if out is None:
        raise InputError(say("annotate.needs_folder", kinds=", ".join(WRITERS)))
    if out.suffix.lower() in TABLE_ENDINGS and not out.is_dir():
        return out, out.parent
    ending = {"json": "jsonl"}.get(kind := table_kind or "json", kind)
    return out / f"readings.{ending}", out


class AnnotationFiles:
    """The files of some kinds (of ``WRITERS``) for each of the clips, below one folder."""

    def __init__(self, folder: Path, kinds: Sequence[str], names: Mapping[Clip, str], resume: bool = False) -> None:
        """names: as ``file_names`` gives them.

        Raises ``InputError`` where the folder cannot be made, or one of the files is there and not gone on with.
        """
        self._folder, self._kinds, self._names = folder, kinds, names
        with _told(folder):
            if kinds:
                folder.mkdir(exist_ok=True)
        there = (path for clip in self._names for path in self._paths(clip).values() if path.exists())
        if not resume and (path := next(there, None)):
            raise InputError(say("annotate.there", path=path))

    def lacks(self, clip: Clip) -> bool:
        """Whether a file of the clip is not there yet."""
        return not all(path.exists() for path in self._paths(clip).values())

    def add(self, clip: Clip, files: Mapping[str, str]) -> None:
        """Write what is not there yet; files: the text of each kind. Raises ``InputError`` where that fails."""
        for kind, text in files.items():
            path = self._paths(clip)[kind]
            with _told(path):
                if not path.exists():
                    path.parent.mkdir(parents=True, exist_ok=True)
                    part = path.with_name(path.name + ".new")
                    part.write_bytes(text.encode("utf-8", "backslashreplace"))
                    os.replace(part, path)

    def _paths(self, clip: Clip) -> dict[str, Path]:
        base = self._folder / self._names[clip]
        return {kind: base.with_name(f"{base.name}.{kind}") for kind in self._kinds}


@contextmanager
def _told(path: Path) -> Iterator[None]:
    """What the system refuses, as an ``InputError``."""
    try:
        yield
    except OSError as error:
        raise InputError(say("output.disk", path=path, error=error.strerror or str(error))) from error


def file_names(clips: Iterable[Clip]) -> dict[Clip, str]:
    """Of each clip the name of its files, without ending, seen from their folder: that of the clip's own file.

    Where several would have the same, the later ones keep their own ending too, or get a number.
    """
    found: dict[Clip, str] = {}
    taken: set[str] = set()  # as a system sees them that tells no capitals apart
    for clip in clips:
        name = next(name for name in _candidates(clip) if name.casefold() not in taken)
        taken.add(name.casefold())
        found[clip] = name
    return found


def _candidates(clip: Clip) -> Iterable[str]:
    file = Path(clip.path or NAMELESS)
    _, start, end = clip.key
    stretch = f"-{start or 0}-{end or 'end'}" if start or end else ""
    for name in (file.stem, file.name):
        yield os.path.join(clip.below, _cut(name, stretch))
    number = 2
    while True:
        yield os.path.join(clip.below, _cut(file.stem, f"{stretch}-{number}"))
        number += 1


def _cut(name: str, end: str) -> str:
    """``name`` and ``end``, the name no longer than a system takes it."""
    return os.fsdecode(os.fsencode(name)[: LONGEST_STEM - len(end)]) + end
