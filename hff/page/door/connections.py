"""Connections: how many there are, of one address and of all, and how long each may take to ask for something.

Whoever opens many and sends nothing, or a request byte by byte, keeps nobody else out. Where no place is left, one that
has asked for nothing yet gives its place up, the one that waits longest first; where all are at work, the address that
holds the most. A class behind one router is one address: a browser opens up to six for each, two of them for long.

Uvicorn, by itself, takes connections until the system has no more files, and waits for the first request forever.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections import Counter
from dataclasses import dataclass
from typing import Any

from starlette.datastructures import Headers

from hff.locale import DEFAULT, languages, sentence, using
from hff.page.door.wanted_language import wanted

MOST = 1024  # connections at a time, where the system gives as many files; of one address half
FILES = 4096  # open files that the system is asked for
FILES_SHARE = 2  # of the open files one in so many may be a connection
REQUEST_SECONDS = 20.0  # s for the head of a request, from the connection or the last answer on
LARGEST_HEAD = 65_536  # bytes; who sends more in that time sends the rest of a body that was refused already
LOOK_AT_CONNECTIONS = 1.0  # s between two looks
ARRIVING = 100  # connections that the system keeps until they are taken: three times as many may be on their way
SELDOM_SECONDS = 60.0  # s between two lines of the log that say the same


@dataclass
class _Place:
    """A connection: where from, its latest request, since when (s) that is the latest, and the bytes until then."""

    address: str
    request: Any
    since: float
    received: int = 0


class Places:
    """All connections of one server; used in the thread of its event loop only."""

    def __init__(self, most: int) -> None:
        self.most, self.share = most, max(1, most // 2)
        self._taken: dict[Any, _Place] = {}  # in the order in which they came
        self._next_look: asyncio.TimerHandle | None = None

    def take(self, connection: Any) -> None:
        """A new one, which may cost another its place; where there is none to take, it is told so."""
        address = connection.client[0] if connection.client else ""
        counts = Counter(place.address for place in self._taken.values())
        room = True
        if counts[address] >= self.share:
            room = self._drop_waiting(address)
        elif len(self._taken) >= self.most:
            fullest, count = counts.most_common(1)[0]
            room = any(self._drop_waiting(a) for a, _ in counts.most_common())
            room = room or (count > counts[address] + 1 and self._drop_youngest(fullest))
        if not room:
            connection.app = _full
        self._taken[connection] = _Place(address, connection.cycle, time.monotonic())
        if self._next_look is None:
            self._look_later()

    def give_back(self, connection: Any) -> None:
        self._taken.pop(connection, None)

    def _drop_waiting(self, address: str) -> bool:
        waiting = (one for one, place in self._taken.items() if place.address == address and _waits(one))
        return self._drop(min(waiting, key=lambda one: self._taken[one].since, default=None))

    def _drop_youngest(self, address: str) -> bool:
        return self._drop(next((one for one in reversed(self._taken) if self._taken[one].address == address), None))

    def _drop(self, connection: Any) -> bool:
        if connection is None:
            return False
        self.give_back(connection)
        connection.transport.abort()
        return True

    def _look(self) -> None:
        """End what has asked for nothing in time."""
        now = time.monotonic()
        for connection, place in [*self._taken.items()]:
            sends = connection.received - place.received > LARGEST_HEAD
            if sends or not _waits(connection) or connection.cycle is not place.request:
                place.request, place.since, place.received = connection.cycle, now, connection.received
            elif now - place.since > REQUEST_SECONDS:
                self._drop(connection)
        self._look_later()

    def _look_later(self) -> None:
        loop = asyncio.get_running_loop()
        self._next_look = loop.call_later(LOOK_AT_CONNECTIONS, self._look) if self._taken else None


def guard_connections(server: Any, most: int | None = None) -> None:
    """Have ``server``, uvicorn's, which runs already, keep to these limits; ``most`` of itself ``most_connections``."""
    places, config = Places(most_connections() if most is None else most), server.config
    config.http_protocol_class = _guarded(config.http_protocol_class, places)
    config.ws_protocol_class = None  # the page has none
    for listening in (one for each in server.servers for one in each.sockets):
        with listening.dup() as same:
            same.listen(ARRIVING)
    for name in ("asyncio", "uvicorn.error"):
        logger = logging.getLogger(name)
        if not any(isinstance(known, Seldom) for known in logger.filters):
            logger.addFilter(Seldom())


def most_connections() -> int:
    """As many as there may be with the files that the system gives this program."""
    try:
        import resource
    except ImportError:  # Windows, which does not count them
        return MOST
    files, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return MOST if files == resource.RLIM_INFINITY else max(2, min(MOST, files // FILES_SHARE))


def ask_for_files() -> None:
    """Have the system give this program as many open files as it may have, up to ``FILES``."""
    try:
        import resource
    except ImportError:
        return
    files, limit = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted_files = FILES if limit == resource.RLIM_INFINITY else min(FILES, limit)
    if files != resource.RLIM_INFINITY and files < wanted_files:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted_files, limit))


class Seldom(logging.Filter):
    """Lets one line of the log through that says the same, each ``SELDOM_SECONDS``: strangers may cause many."""

    def __init__(self) -> None:
        super().__init__()
        self._said: dict[tuple[str, str], float] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        now = time.monotonic()
        what = str(record.msg).split("\n", 1)[0], repr(record.exc_info[1]) if record.exc_info else ""
        self._said = {said: at for said, at in self._said.items() if now - at < SELDOM_SECONDS}
        if what in self._said:
            return False
        self._said.setdefault(what, now)
        return True


def _guarded(protocol: Any, places: Places) -> type:
    """``protocol``, uvicorn's for HTTP, with a place for each connection."""

    class Guarded(protocol):
        received = 0  # bytes

        def connection_made(self, transport: asyncio.BaseTransport) -> None:
            super().connection_made(transport)
            places.take(self)

        def data_received(self, data: bytes) -> None:
            self.received += len(data)
            super().data_received(data)

        def connection_lost(self, error: Exception | None) -> None:
            places.give_back(self)
            super().connection_lost(error)

    return Guarded


def _waits(connection: Any) -> bool:
    """Whether it has asked for nothing that is still to be answered."""
    return connection.cycle is None or connection.cycle.response_complete


async def _full(scope: Any, receive: Any, send: Any) -> None:
    with using(wanted(Headers(scope=scope), languages(), DEFAULT)):
        words = sentence("DOOR_FULL").encode()
    headers = [
        (b"content-type", b"text/plain; charset=utf-8"),
        (b"content-length", str(len(words)).encode()),
        (b"connection", b"close"),
        (b"retry-after", b"10"),
    ]
    await send({"type": "http.response.start", "status": 503, "headers": headers})
    await send({"type": "http.response.body", "body": words})
