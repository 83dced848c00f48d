"""Connections that ask for nothing, or byte by byte, keep nobody out; neither do all those of one address."""

from __future__ import annotations

import logging
import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack, suppress

import httpx
import pytest

from hff.locale import sentence, using
from hff.page.door import body_guard, connections, uploads
from hff.page.door.connections import Seldom, most_connections
from hff.page.serve import Server
from tests.support.page_browser import FakeModel, serving

PLACES = 20
ELSEWHERE = "127.0.0.2"
HEARTBEAT = "GET /gradio_api/heartbeat/%d HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    """A page with few places and little patience."""
    with pytest.MonkeyPatch.context() as changes:
        changes.setattr(connections, "MOST", PLACES)
        changes.setattr(connections, "REQUEST_SECONDS", 2.0)
        changes.setattr(connections, "LOOK_AT_CONNECTIONS", 0.2)
        with serving(FakeModel()) as server:
            yield server


@pytest.fixture
def lines(server: Server) -> Iterator[ExitStack]:
    """Connections that are closed at the end."""
    with ExitStack() as lines:
        yield lines
    time.sleep(0.3)  # until the page has seen that they are


def connected(server: Server, lines: ExitStack, content: str = "", source: str = "127.0.0.1") -> socket.socket:
    line = socket.create_connection(("127.0.0.1", server.page.server_port), timeout=30, source_address=(source, 0))
    line.sendall(content.encode())
    return lines.enter_context(line)


def ended(line: socket.socket, wait: float = 0.5) -> bool:
    line.settimeout(wait)
    try:
        return not line.recv(1)
    except ConnectionError:
        return True
    except TimeoutError:
        return False


def answers(server: Server) -> httpx.Response:
    return httpx.get(server.url, timeout=30)


def test_idle_connections_give_their_place_to_who_asks(server, lines):
    idle = [connected(server, lines) for _ in range(3 * PLACES)]
    assert answers(server).status_code == 200
    assert ended(idle[0])


def test_half_a_head_sent_byte_by_byte_ends(server, lines):
    line = connected(server, lines, "GET / HTTP/1.1\r\n")
    begun = time.monotonic()
    with suppress(OSError):
        while time.monotonic() - begun < 20:
            line.sendall(b"a")
            time.sleep(0.2)
    assert time.monotonic() - begun < 10
    assert ended(line)


def test_a_page_s_own_connection_lasts(server, lines):
    """Its heartbeat is asked once and answered as long as the page is there."""
    line = connected(server, lines, HEARTBEAT % 1)
    assert line.recv(4096).startswith(b"HTTP/1.1 200")
    time.sleep(3)
    line.settimeout(0.5)
    with suppress(TimeoutError):
        assert line.recv(4096), "the page has hung up"


def test_one_address_cannot_hold_every_place(server, lines):
    held = [connected(server, lines, HEARTBEAT % number, ELSEWHERE) for number in range(PLACES // 2)]
    for line in held:
        assert line.recv(4096).startswith(b"HTTP/1.1 200")
    more = connected(server, lines, "GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nAccept-Language: de\r\n\r\n", ELSEWHERE)
    told = more.recv(4096)
    assert told.startswith(b"HTTP/1.1 503")
    with using("de"):
        assert sentence("DOOR_FULL").encode() in told + more.recv(4096)
    assert answers(server).status_code == 200


def test_where_all_are_at_work_who_holds_most_gives_one_up(server, lines):
    held = [connected(server, lines, HEARTBEAT % number, f"127.0.0.{2 + number % 3}") for number in range(PLACES)]
    for line in held:
        assert line.recv(4096).startswith(b"HTTP/1.1 200")
    assert answers(server).status_code == 200


def test_a_message_byte_by_byte_ends(server, lines, monkeypatch):
    monkeypatch.setattr(body_guard, "BODY_SECONDS", 1.0)
    line = connected(
        server,
        lines,
        "POST /gradio_api/cancel HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
        "Content-Length: 1000\r\n\r\n{",
    )
    begun = time.monotonic()
    line.settimeout(0.2)
    told = b""
    while not told and time.monotonic() - begun < 20:
        line.sendall(b" ")
        with suppress(TimeoutError):
            told = line.recv(4096)
    assert told.startswith(b"HTTP/1.1 408")


def test_messages_on_their_way_take_no_more_than_their_share(server, lines, monkeypatch):
    monkeypatch.setattr(body_guard, "MAX_BODIES", 100_000)
    head = (
        "POST /gradio_api/cancel HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
        "Content-Length: 100000\r\n\r\n"
    )
    first = connected(server, lines, head + 40_000 * " ", ELSEWHERE)
    assert not ended(first)
    second = connected(server, lines, head + 40_000 * " ", ELSEWHERE)
    assert second.recv(4096).startswith(b"HTTP/1.1 503")
    third = connected(server, lines, head + 40_000 * " ")
    assert not ended(third)


def test_an_upload_byte_by_byte_is_refused(tmp_path, monkeypatch):
    taken = uploads.Uploads(tmp_path, uploads.Limits(10**6, 10**7, 10**7, reserve=0))
    upload = taken.begin("10.0.0.1")
    taken.grow(upload, 1)
    upload.begun -= uploads.RATE_SECONDS + 1
    taken.grow(upload, 100_000)  # fast enough on the whole
    upload.begun -= 100
    with pytest.raises(uploads.Refused):
        taken.grow(upload, 1)


def test_places_are_fewer_where_the_system_gives_few_files(monkeypatch):
    resource = pytest.importorskip("resource")
    monkeypatch.setattr(connections, "MOST", 1024)  # whatever the page above has
    monkeypatch.setattr(resource, "getrlimit", lambda _: (256, 256))
    assert most_connections() == 128
    monkeypatch.setattr(resource, "getrlimit", lambda _: (resource.RLIM_INFINITY,) * 2)
    assert most_connections() == 1024


def test_the_log_says_the_same_once_a_minute(monkeypatch):
    seldom = Seldom()
    record = logging.LogRecord("asyncio", logging.ERROR, "", 0, "no more files\nsocket: 1", (), None)
    other = logging.LogRecord("asyncio", logging.ERROR, "", 0, "something else", (), None)
    assert [seldom.filter(record), seldom.filter(record), seldom.filter(other)] == [True, False, True]
    now = time.monotonic()
    monkeypatch.setattr(connections.time, "monotonic", lambda: now + 61)
    assert seldom.filter(record)
