"""The clips of a corpus, read with one model: each becomes its row, and those of its moments."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from hff.annotations import WRITERS
from hff.corpus.clips import Clip
from hff.corpus.rows import ReadOptions, failed, named_by, said_by, short_row
from hff.errors import HFFError, InputError
from hff.locale import say
from hff.media.files import name_of
from hff.pipeline.ahead import CLIPS_TOGETHER, ToRead
from hff.pipeline.analyzer import Analyzer
from hff.pipeline.file_kind import inputs_of
from hff.pipeline.recording import Recording
from hff.result import Result

log = logging.getLogger(__name__)


@dataclass
class Read:
    """A clip's row and, if asked for, those of its moments and its annotations."""

    clip: Clip
    row: dict
    moments: list[dict] = field(default_factory=list)
    texts: dict[str, str] = field(default_factory=dict)  # of each kind of ``WRITERS`` that was asked for, the file
    has_words: bool = False  # that annotations can tell the time of


@dataclass
class _File:
    """One of which several stretches that follow each other are read; the first of them to be read decodes it."""

    path: str
    recording: Recording | None = None


class ClipReader:
    """Reads clips with one model. Of stretches of one file that follow each other it is decoded once."""

    def __init__(self, model: Analyzer, options: ReadOptions) -> None:
        self.model, self.options = model, options
        self._file: _File | None = None

    def read(self, clip: Clip) -> Read:
        """An unreadable clip's row has ``error``; nothing is raised but what ends the program."""
        (read,) = self.read_many([clip], batch=1)
        return read

    def read_many(self, clips: Iterable[Clip], batch: int = CLIPS_TOGETHER) -> Iterator[Read]:
        """As ``read`` of each, in their order; see ``Analyzer.analyze_many``."""
        for asked, found in self.model.analyze_ahead(map(self._to_read, clips), batch=batch):
            read = self._read(asked.name, found)
            del found  # whose sound may be two hours long
            yield read

    def _read(self, clip: Clip, found: Result | Exception) -> Read:
        named = named_by(clip, self.options)
        try:
            if isinstance(found, Exception):
                raise found
            row = named | self._row(clip, found)
            json.dumps(row, allow_nan=False)  # ValueError: JSON has no NaN
            moments = [named | moment for moment in found.timeline.rows(self.model.config.labels)]
            stretch = clip.start is not None or clip.end is not None  # whose times are not those of the file
            found.file = None if clip.path is None or stretch else name_of(clip.path)
            texts = {kind: WRITERS[kind](found) for kind in self.options.annotate}
            has_words = bool(found.transcript and found.transcript.words)
            return Read(clip, row, moments if self.options.moments else [], texts, has_words)
        except HFFError as error:
            return Read(clip, failed(clip, self.options, str(error)))
        except Exception as error:  # whatever it is, it is this file's trouble; the others are still read
            log.debug("reading %s failed", named["file"], exc_info=True)
            what = f"{type(error).__name__}: {error}"
            return Read(clip, failed(clip, self.options, str(say("corpus.unexpected", what=what))))

    def _to_read(self, clip: Clip) -> ToRead:
        options: dict[str, Any] = {"transcribe": self.options.transcribe, "detect_faces": self.options.detect_faces}
        if clip.start is None and clip.end is None:
            return ToRead(clip, lambda: self.model.read(**inputs_of(clip.path, clip.text), **options))
        begun = self._file is not None and self._file.path == clip.path
        if self._file is None or not begun:
            self._file = _File(clip.path or "")
        return ToRead(clip, partial(self._stretch, clip, self._file, options), ahead=not begun)

    def _stretch(self, clip: Clip, file: _File, options: dict[str, Any]) -> Recording:
        if clip.path is None or Path(clip.path).suffix.lower() == ".txt":
            raise InputError(say("corpus.stretch"))
        if file.recording is None:
            file.recording = self.model.read(**inputs_of(clip.path, None), **options)
        part = file.recording.between(clip.start or 0.0, clip.end)
        return part if clip.text is None else part.with_text(clip.text)

    def _row(self, clip: Clip, result: Result) -> dict:
        told = {} if clip.label is None else {"subset_emotions": said_by(result)}
        if not self.options.full:
            return short_row(result) | told
        whole = result.to_dict()
        del whole["file"]
        return whole | told
