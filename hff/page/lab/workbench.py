"""Which recording is on each visitor's bench: the ready examples are read once for all, the rest belongs to a visit."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING
from weakref import ReferenceType, WeakKeyDictionary, ref

from hff.errors import InputError, NothingToAnalyse
from hff.examples.ready import EXAMPLES
from hff.lab.state import YOURS
from hff.locale import texts
from hff.page.session.background_model import Engine
from hff.page.session.sessions import Session, Sessions

if TYPE_CHECKING:
    from hff.lab.lab import Lab
    from hff.pipeline.recording import Recording

_EXAMPLES = {example.key: example for example in EXAMPLES}


class Workbenches:
    """One ``Lab`` for each open page; it goes when the page's session goes."""

    def __init__(self, engine: Engine, sessions: Sessions) -> None:
        self._engine, self._sessions = engine, sessions
        self._examples: dict[str, Recording] = {}
        self._labs: WeakKeyDictionary[Session, tuple[ReferenceType[Recording], Lab]] = WeakKeyDictionary()
        self._seen: WeakKeyDictionary[Session, ReferenceType[Recording]] = WeakKeyDictionary()
        self._lock = threading.Lock()  # of the dictionaries
        self._reading = threading.Lock()  # an example is not read twice at once

    def lab(self, key: str | None, source: str) -> Lab:
        """The visitor's bench with the source's recording on it. Raises ``InputError`` where there is none."""
        session = self._sessions.of(key)
        if source == YOURS:
            recording = session.recording
            if recording is None:
                raise NothingToAnalyse(texts.LAB_NO_CLIP)
        else:
            recording = self.example(source)
        with self._lock:
            kept = self._labs.get(session)
            if kept is None or kept[0]() is not recording:
                kept = self._labs[session] = ref(recording), self.new_lab(recording)
            return kept[1]

    def has_new(self, key: str | None) -> bool:
        """Whether the visitor has read or sent something that the lab was not asked about yet; asking is seeing."""
        session = self._sessions.of(key)
        recording = session.recording
        with self._lock:
            if recording is None or (session in self._seen and self._seen[session]() is recording):
                return False
            self._seen[session] = ref(recording)
            return True

    def new_lab(self, recording: Recording) -> Lab:
        from hff.lab.lab import Lab

        return Lab(self._engine.model(), recording)

    def example(self, key: str) -> Recording:
        """The raw material of a ready example, read at the first need."""
        check_source(key)
        example = _EXAMPLES[key]
        with self._reading:
            if key not in self._examples:
                given = {kind: example.path(kind) for kind in ("video", "audio", "image")}
                self._examples[key] = self._engine.read(given | {"text": example.text}, True)
            return self._examples[key]


def check_source(source: str) -> None:
    """Raise ``InputError`` for an example that this page does not have."""
    if source not in (*_EXAMPLES, YOURS):
        raise InputError(texts.LAB_UNKNOWN_SOURCE.format(source=source, names=", ".join(_EXAMPLES)))
