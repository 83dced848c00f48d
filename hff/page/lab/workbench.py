"""Which recording is on each visitor's bench: the ready examples are read once for all, the rest belongs to a visit."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING
from weakref import ReferenceType, WeakKeyDictionary, ref

from hff.errors import InputError, NothingToAnalyse
from hff.examples.ready import EXAMPLES
from hff.lab.state import OWN, SNAPSHOT, YOURS
from hff.locale import texts
from hff.page.session.background_model import Engine
from hff.page.session.sessions import Session, Sessions

if TYPE_CHECKING:
    from hff.lab.lab import Lab
    from hff.pipeline.recording import Recording

_EXAMPLES = {example.key: example for example in EXAMPLES}
_KEPT = 2  # benches of a page: a lesson may compare two recordings


class Workbenches:
    """A ``Lab`` or two for each open page; they go when the page's session goes."""

    def __init__(self, engine: Engine, sessions: Sessions) -> None:
        self._engine, self._sessions = engine, sessions
        self._examples: dict[str, Recording] = {}
        self._labs: WeakKeyDictionary[Session, list[tuple[ReferenceType[Recording], Lab]]] = WeakKeyDictionary()
        self._seen: WeakKeyDictionary[Session, dict[str, ReferenceType[Recording]]] = WeakKeyDictionary()
        self._lock = threading.Lock()  # of the dictionaries
        self._reading = threading.Lock()  # an example is not read twice at once

    def lab(self, key: str | None, source: str) -> Lab:
        """The visitor's bench with the source's recording on it. Raises ``InputError`` where there is none."""
        session, recording = self._sessions.of(key), self.recording(key, source)
        with self._lock:
            kept = self._labs.get(session, [])
            lab = next((lab for of, lab in kept if of() is recording), None) or self.new_lab(recording)
            others = [(of, other) for of, other in kept if other is not lab]
            self._labs[session] = [(ref(recording), lab), *others][:_KEPT]
            return lab

    def recording(self, key: str | None, source: str) -> Recording:
        """The raw material of a source. Raises ``InputError`` where there is none."""
        if source not in OWN:
            return self.example(source)
        recording = _own(self._sessions.of(key))[source]
        if recording is None:
            raise NothingToAnalyse(texts.LAB_NO_SNAPSHOT if source == SNAPSHOT else texts.LAB_NO_CLIP)
        return recording

    def new_source(self, key: str | None) -> str:
        """The visitor's own source that the lab was not asked about yet, or ""; asking is seeing."""
        session, found = self._sessions.of(key), ""
        with self._lock:
            seen = self._seen.setdefault(session, {})
            for source, recording in _own(session).items():
                if recording is not None and (source not in seen or seen[source]() is not recording):
                    seen[source], found = ref(recording), source
        return found

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


def _own(session: Session) -> dict[str, Recording | None]:
    return {YOURS: session.recording, SNAPSHOT: session.snapshot}


def check_source(source: str) -> None:
    """Raise ``InputError`` for an example that this page does not have."""
    if source not in (*_EXAMPLES, *OWN):
        raise InputError(texts.LAB_UNKNOWN_SOURCE.format(source=source, names=", ".join(_EXAMPLES)))
