"""A model that answers at once, for tests of what reads many clips; some names make it fail or end its process."""

from __future__ import annotations

import os
import types
import zlib
from collections.abc import Iterable, Iterator
from pathlib import Path

from hff.config import EMOTIONS
from hff.errors import InputError
from hff.pipeline.ahead import ToRead
from hff.pipeline.clip_work import attempt
from hff.pipeline.recording import Recording
from hff.result import Result, Transcript
from tests.support.page_fixtures import make_result


class QuickModel:
    """Of a text the same made-up reading each time; "refused" and "deadly" in it are what they say."""

    config = types.SimpleNamespace(labels=EMOTIONS)

    def __init__(self) -> None:
        self.decoded: list[str] = []

    def analyze(self, text: str) -> Result:
        return self.analyze_recording(self.read(text=text))

    def analyze_ahead(self, clips: Iterable[ToRead], **_) -> Iterator[tuple[ToRead, Result | Exception]]:
        for clip in clips:
            yield clip, attempt(lambda clip: self.analyze_recording(clip.read()), clip)

    def read(self, audio: os.PathLike | None = None, text: str | None = None, **_) -> Recording:
        if audio is None:
            if text and "deadly" in text:
                os._exit(9)
            if text and "refused" in text:
                raise InputError("This is refused.")
            return Recording(2.0, transcript=Transcript(text or ""))
        self.decoded.append(Path(audio).name)
        given = make_result(10.0, ("speech", "text"))
        return Recording(10.0, given.evidence.wave, given.evidence.voiced, given.transcript)

    def analyze_recording(self, recording: Recording, **_) -> Result:
        if recording.wave is None:
            text = recording.transcript.text if recording.transcript else ""
            return make_result(recording.seconds, ("text",), seed=zlib.crc32(text.encode()))
        result = make_result(recording.seconds, ("speech", "text"))
        result.transcript = recording.transcript or Transcript("")
        return result


def load() -> QuickModel:
    return QuickModel()
