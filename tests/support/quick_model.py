"""A model that answers at once, for tests of what reads many clips; some names make it fail or end its process."""

from __future__ import annotations

import os
import types
import zlib
from pathlib import Path

from hff.config import EMOTIONS
from hff.errors import InputError
from hff.pipeline.recording import Recording
from hff.result import Result, Transcript
from tests.support.page_fixtures import make_result


class QuickModel:
    """Of a text the same made-up reading each time; "refused" and "deadly" in it are what they say."""

    config = types.SimpleNamespace(labels=EMOTIONS)

    def __init__(self) -> None:
        self.decoded: list[str] = []

    def analyze(self, text: str | None = None, **_) -> Result:
        if text and "deadly" in text:
            os._exit(9)
        if text and "refused" in text:
            raise InputError("This is refused.")
        return make_result(2.0, ("text",), seed=zlib.crc32((text or "").encode()))

    def read(self, audio: os.PathLike, text: str | None = None, **_) -> Recording:
        self.decoded.append(Path(audio).name)
        given = make_result(10.0, ("speech", "text"))
        return Recording(10.0, given.evidence.wave, given.evidence.voiced, given.transcript)

    def analyze_recording(self, recording: Recording, **_) -> Result:
        result = make_result(recording.seconds, ("speech", "text"))
        result.transcript = recording.transcript or Transcript("")
        return result


def load() -> QuickModel:
    return QuickModel()
