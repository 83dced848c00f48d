"""The live sessions of all open pages: who may watch, what they send, what they get back.

A page enters with Gradio's own session and gets a ticket that nobody can guess; what it sends afterwards names
the ticket. All sessions share the model and one recogniser of words. A page that leaves, or is silent for a
while, is forgotten.
"""

from __future__ import annotations

import logging
import secrets
import threading
import time
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from hff.config import MAX_TEXT
from hff.errors import HFFError, InputError
from hff.live.recogniser import Recogniser
from hff.locale import sentence, texts, translate
from hff.media.capture import Capture
from hff.page.live import messages
from hff.page.session.background_model import Engine

if TYPE_CHECKING:  # they need PyTorch, and the page is there before it is
    from hff.live.session import LiveSession
    from hff.pipeline.recording import Recording

log = logging.getLogger(__name__)

MAX_VIEWERS = 4  # live sessions at once
FORGOTTEN_AFTER = 30.0  # s without a word from a page
SHARED_FOR = 0.08  # s that one answer of native capture serves


@dataclass
class Viewer:
    """One page that watches."""

    owner: str | None  # Gradio's session
    session: LiveSession
    address: str | None = None  # where it asked to watch from
    heard_of: float = field(default_factory=time.monotonic)
    gave: float = field(default_factory=time.monotonic)  # when a picture, sound or words last came from it


class LiveHub:
    """Keeps the viewers; every method may be called from any thread."""

    def __init__(self, engine: Engine, recogniser: Recogniser | None = None, limit: int = MAX_VIEWERS) -> None:
        self.engine, self.limit = engine, limit
        self._recogniser = recogniser or (Recogniser() if engine.transcribe else None)
        self._viewers: dict[str, Viewer] = {}
        self._stopped: dict[str, Recording] = {}  # a visit's last seconds, from Stop until it starts anew or leaves
        self._lock = threading.Lock()

    def enter(self, owner: str | None, address: str | None = None) -> tuple[str | None, str]:
        """(ticket, "") for a page that may watch; (None, reason) for one that may not.

        Where all places are taken, the newest of the ``address`` that has the most makes room for others.
        """
        try:
            self.engine.model()
        except HFFError as error:
            return None, translate(error)
        with self._lock:
            self._forget_silent()
            self._forget(owner)
            if len(self._viewers) >= self.limit and not self._makes_room(address):
                return None, sentence("LIVE_FULL", count=len(self._viewers))
            ticket = secrets.token_urlsafe(18)
            self._viewers[ticket] = Viewer(owner, self._new_session(), address)
        return ticket, ""

    def feed(self, message: object) -> dict:
        """Take what a page sends, give what it shows. Never raises: a problem is told as ``{"error": sentence}``.

        message: a dictionary with "ticket"; where there is something new also "frame" {"time", "data"}, "sound"
        {"time", "rate", "data"}, "text" and "ear", one of ``Engine.ears``. Times in s on the page's own clock. A part
        of another shape is ignored.
        """
        try:
            if not isinstance(message, dict):
                log.debug("ignored a live message that is no object but %s", type(message).__name__)
                message = {}
            session = self.session_of(message.get("ticket"))
            if session is None:
                return {"error": texts.LIVE_GONE, "gone": True}
            if message.get("leave"):
                self._leave_with(message["ticket"])
                return {}
            self._take(session, message)
            if any(message.get(name) is not None for name in ("frame", "sound", "text")):
                with self._lock:
                    if viewer := self._viewers.get(message["ticket"]):
                        viewer.gave = time.monotonic()
            return self._answer(session)
        except HFFError as error:
            return {"error": translate(error)}
        except Exception as error:
            # One viewer's trouble must not reach the others; the log gets the whole story.
            log.exception("a live reading failed")
            return {"error": texts.UNEXPECTED.format(kind=type(error).__name__)}

    def snapshot(self, owner: str | None) -> Recording:
        """The last seconds of the page's live session, also after Stop. Raises ``InputError`` if there are none."""
        with self._lock:
            sessions = [viewer.session for viewer in self._viewers.values() if viewer.owner == owner]
        if sessions:
            with suppress(InputError):  # Stop was pressed meanwhile, or nothing has come in
                return sessions[-1].snapshot()
        with self._lock:
            stopped = self._stopped.get(owner or "")
        if stopped is None:
            raise InputError(texts.LIVE_NOTHING_TO_SEND)
        return stopped

    def leave(self, owner: str | None) -> None:
        """Forget a page that was closed or stopped."""
        with self._lock:
            self._forget(owner)

    def close(self) -> None:
        with self._lock:
            self._stopped.clear()
            for ticket in list(self._viewers):
                self._drop(ticket)
        if self._recogniser is not None:
            self._recogniser.close()

    @property
    def native(self) -> bool:
        """Whether the computer's own camera and microphone are watched in place of each page's."""
        return False

    @property
    def viewers(self) -> int:
        with self._lock:
            self._forget_silent()
            return len(self._viewers)

    def _new_session(self) -> LiveSession:
        from hff.live.session import LiveSession

        return LiveSession(self.engine.model(), self._recogniser)

    def session_of(self, ticket: object) -> LiveSession | None:
        with self._lock:
            viewer = self._viewers.get(ticket) if isinstance(ticket, str) else None
            if viewer is None:
                return None
            viewer.heard_of = time.monotonic()
            return viewer.session

    def _leave_with(self, ticket: str) -> None:
        with self._lock:
            viewer = self._viewers.get(ticket)
        if viewer is None:
            return
        stopped = None
        with suppress(InputError):  # nothing had come in yet
            stopped = viewer.session.snapshot()
        with self._lock:
            if self._viewers.get(ticket) is viewer:
                self._drop(ticket)
                if stopped is not None and viewer.owner:
                    self._stopped[viewer.owner] = stopped

    def _take(self, session: LiveSession, message: dict[str, Any]) -> None:
        if (ear := messages.part(message, "ear")) in self.engine.ears():
            session.hear_with(self.engine.model(ear))
        if (typed := messages.part(message, "text")) is not None:
            session.set_text(typed[:MAX_TEXT])
        if frame := messages.part(message, "frame"):
            session.add_frame(frame["time"], messages.picture(frame["data"]))
        if sound := messages.part(message, "sound"):
            session.add_sound(sound["time"], sound["rate"], messages.decoded_sound(sound["data"]))

    def _answer(self, session: LiveSession) -> dict:
        return messages.state(session.infer(), session)

    def _makes_room(self, address: str | None) -> bool:
        """Drop who only holds a place, or else the newest of the address that has the most, if that is unfair."""
        now = time.monotonic()
        for ticket in [t for t, v in self._viewers.items() if not self.native and now - v.gave > FORGOTTEN_AFTER]:
            self._drop(ticket)
        if len(self._viewers) < self.limit:
            return True
        most, count = Counter(viewer.address for viewer in self._viewers.values()).most_common(1)[0]
        own = sum(viewer.address == address for viewer in self._viewers.values())
        if address is None or most is None or count <= own + 1:
            return False
        self._drop(next(t for t in reversed(self._viewers) if self._viewers[t].address == most))
        return True

    def _forget(self, owner: str | None) -> None:
        self._stopped.pop(owner or "", None)
        for ticket in [t for t, viewer in self._viewers.items() if viewer.owner == owner]:
            self._drop(ticket)

    def _forget_silent(self) -> None:
        now = time.monotonic()
        for ticket in [t for t, v in self._viewers.items() if now - v.heard_of > FORGOTTEN_AFTER]:
            self._drop(ticket)

    def _drop(self, ticket: str) -> None:
        self._viewers.pop(ticket).session.close()


class NativeHub(LiveHub):
    """All pages watch one session, fed by this computer's own camera and microphone while anybody watches."""

    def __init__(self, engine: Engine, capture: Capture, recogniser: Recogniser | None = None, limit: int = 16) -> None:
        super().__init__(engine, recogniser, limit)
        self.capture = capture
        self._shared: LiveSession | None = None
        self._reading = threading.Lock()
        self._last: tuple[float, dict] | None = None  # when an answer was made, and the answer

    @property
    def native(self) -> bool:
        return True

    def _new_session(self) -> LiveSession:
        if self._shared is None:
            self._shared = super()._new_session()
            self.capture.start(self._shared.add_frame, self._shared.add_sound)
        return self._shared

    def _take(self, session: LiveSession, message: dict[str, Any]) -> None:
        super()._take(session, {name: message.get(name) for name in ("text", "ear")})  # for all pages

    def _answer(self, session: LiveSession) -> dict:
        """One answer serves every page that asks within ``SHARED_FOR``."""
        with self._reading:
            if self._last is None or time.monotonic() - self._last[0] > SHARED_FOR:
                image = session.newest_picture
                answer = super()._answer(session)
                known = [at for at in (answer["looked"], answer["heard"]) if at is not None]
                answer["age"] = self.capture.now - min(known) if known else None
                answer["picture"] = None if image is None else messages.jpeg(messages.shrunk(image))
                self._last = time.monotonic(), answer
            return self._last[1]

    def _drop(self, ticket: str) -> None:
        del self._viewers[ticket]
        if not self._viewers and self._shared is not None:
            self.capture.stop()  # the camera's light goes out
            self._shared.close()
            self._shared, self._last = None, None


def live_hub(engine: Engine, native: bool, camera: int | None = None, microphone: int | None = None) -> LiveHub:
    """The hub for visitors' own devices, or for this computer's."""
    return NativeHub(engine, Capture(camera, microphone)) if native else LiveHub(engine)
