"""A real page under odd requests, sixteen viewers, slow readers and those who hang up lives, and answers the rest."""

from __future__ import annotations

import base64
import json
import math
import socket
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from random import Random

import httpx
import pytest

from hff.locale import sentence
from hff.page.live import messages as live_state
from hff.page.live.hub import MAX_VIEWERS
from tests.support.media_fixtures import tone
from tests.support.page_fixtures import alike

from .page_process import API, FILES, ROOT, PageProcess, complete
from .seeds import pictures

pytestmark = pytest.mark.attack
WORDS = "I miss my grandmother every single day."
VIEWERS = 16
SLOW = 40  # connections that send or read next to nothing


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory):
    with PageProcess(tmp_path_factory.mktemp("page")) as page:
        yield page


@pytest.fixture(scope="module")
def healthy(page) -> dict:
    """What the page answers before it is attacked."""
    return page.read_text(WORDS)


@pytest.fixture(autouse=True)
def still_well(page, healthy):
    """After each attack the page lives and gives the same answer as before."""
    yield
    assert page.alive, f"exit status {page.process.returncode}\n{page.said()[-4000:]}"
    assert alike(_figures(page.read_text(WORDS)), _figures(healthy))


def _figures(answer: dict) -> dict:
    return {name: value for name, value in answer.items() if name not in ("timings", "file")}


def told_well(page: PageProcess, status: int, answer: str, what: object) -> None:
    """A sentence or a refusal; no traceback, no path of the server."""
    about = f"{repr(what)[:300]}: {status} {answer[:600]}"
    assert status < 500, about
    tells_nothing(page, answer, about)


def tells_nothing(page: PageProcess, answer: str, about: str) -> None:
    for secret in ("Traceback", str(ROOT), str(page.folder), "site-packages", 'File "'):
        assert secret not in answer, about


NOTHING = [None, None, None, "", False]
ODD = (
    None, True, -1, 0, 2.5, 10**399, 1e308, "", "x", "/etc/passwd", "../../etc/passwd", "file:///etc/passwd",
    "http://127.0.0.1:9/x", "\0", "\ud800", [], [[]], {}, {"path": None}, {"path": 5}, {"path": "/etc/passwd"},
    {"path": "http://127.0.0.1:9/x"}, {"path": ""}, {"path": "x" * 5000}, {"path": "\0"}, {"path": ["/etc/passwd"]},
    {"url": "http://127.0.0.1:9/x"}, {"path": "a.wav", "meta": {"_type": "gradio.FileData"}},
    {"video": {"path": "/etc/passwd"}}, [{"path": "/etc/passwd"}], {"meta": {"_type": "gradio.FileData"}},
)  # fmt: skip


def _json(value: object) -> bytes:
    """JSON as the standard does not allow it too: numbers without end, half characters."""
    return json.dumps(value).encode("utf-8", "surrogatepass")


@pytest.mark.parametrize("place", range(5), ids=["video", "audio", "image", "text", "transcribe"])
def test_analyze_with_odd_values(page, place):
    for value in ODD:
        data = [*NOTHING]
        data[place] = value
        told_well(page, *page.call("analyze", data), value) if _is_plain(value) else told_well(
            page, *_posted(page, f"{API}/call/analyze", _json({"data": data})), value
        )


def _is_plain(value: object) -> bool:
    try:
        json.dumps(value, ensure_ascii=False, allow_nan=False).encode()
    except (ValueError, UnicodeEncodeError):
        return False
    return not (isinstance(value, int) and value > 2**63)


def _posted(page: PageProcess, path: str, body: bytes, **headers: str) -> tuple[int, str]:
    headers = {"content-type": "application/json"} | headers
    try:
        answer = page.send("POST", path, content=body, headers=headers)
    except (httpx.ReadError, httpx.RemoteProtocolError):  # after a 500 the server closes the connection that was kept
        answer = page.send("POST", path, content=body, headers=headers | {"connection": "close"})
    return answer.status_code, answer.text


def test_a_text_without_end_is_refused_in_words(page):
    for length in (1_000_000, 9_000_000):
        status, answer = page.call("analyze", [None, None, None, "word " * (length // 5), False])
        told_well(page, status, answer[:10_000], length)
        assert status >= 400 or "event: error" in answer, "taken whole"


@pytest.mark.parametrize("count", [0, 1, 4, 6, 50, 10_000])
def test_analyze_with_too_few_or_many_values(page, count):
    told_well(page, *page.call("analyze", [None] * count), count)


@pytest.mark.parametrize("data", [None, 5, "x", {}, {"0": 1}, True], ids=str)
def test_data_of_another_shape(page, data):
    told_well(page, *page.call("analyze", data), data)


def test_the_lab_s_endpoints_with_odd_values(page):
    states = [
        *ODD,
        {"seed": 2**70},
        {"samples": -1},
        {"seed": 10**399},
        {"alpha": [1, 1, 1e308]},
        {"source": "../x"},
        {"text": "x" * 5000},
        {"damage": {"speech": []}},
        {"without": [[]]},
    ]
    for state in states:
        body = _json({"data": [state, None, None, None]})
        told_well(page, *_asked(page, "lab_rerun", body), state)
    for modality, points in (
        ("speech", "5"),
        ("speech", None),
        ("speech", -1),
        ("speech", 10**9),
        ("speech", 1e308),
        ("speech", "NaN"),
        ("speech", []),
        ([], 3),
        (None, 3),
        ({}, 3),
        ("x" * 9999, 3),
        ("speech", True),
        ("speech", math.pi),
    ):
        body = _json({"data": [{"source": "clip"}, modality, points, None, None, None]})
        told_well(page, *_asked(page, "lab_sweep", body), (modality, points))


def _asked(page: PageProcess, name: str, body: bytes) -> tuple[int, str]:
    status, text = _posted(page, f"{API}/call/{name}", body)
    if status != 200:
        return status, text
    answer = page.send("GET", f"{API}/call/{name}/{json.loads(text)['event_id']}")
    return answer.status_code, answer.text


BODIES = {
    "nothing": b"",
    "no JSON": b"{",
    "a number": b"5",
    "null": b"null",
    "deep lists": b'{"data":' + b"[" * 50_000 + b"]" * 50_000 + b"}",
    "deep objects": b'{"data":' + b'{"a":' * 50_000 + b"1" + b"}" * 50_000 + b"}",
    "endless number": b'{"data":[' + b"9" * 1_000_000 + b"]}",
    "NaN": b'{"data":[NaN, Infinity, -Infinity, null, false]}',
    "beyond a float": b'{"data":[1e999],"x":1e999}',
    "half a character": b'{"event_id":"\\ud800","session_hash":"\\ud800","fn_index":0,"data":["\\ud800"]}',
    "bytes": bytes(range(256)) * 64,
    "UTF-16": json.dumps({"data": NOTHING}).encode("utf-16"),
    "a hundred thousand keys": json.dumps({"data": {str(i): i for i in range(100_000)}}).encode(),
    "wrong types": b'{"data":[],"fn_index":"0","session_hash":{},"event_data":5,"trigger_id":[]}',
    "endless hash": json.dumps({"data": NOTHING, "session_hash": "x" * 1_000_000, "fn_index": 0}).encode(),
    "hash of a path": json.dumps({"data": NOTHING, "session_hash": "../../etc", "fn_index": 0}).encode(),
    "negative event": b'{"data":[],"fn_index":-1,"session_hash":"a"}',
    "huge event": b'{"data":[],"fn_index":' + b"9" * 30 + b',"session_hash":"a"}',
    "fractional event": b'{"data":[],"fn_index":1.5,"session_hash":"a"}',
    "no such component": b'{"data":[],"fn_name":"feed","component_id":987654,"session_hash":"a"}',
    "no such function": b'{"data":[],"fn_name":"__class__","component_id":1,"session_hash":"a"}',
    "event of another": b'{"session_hash":"a","fn_index":0,"event_id":"../x"}',
}
PATHS = (
    "call/analyze",
    "call/lab_rerun",
    "call/lab_sweep",
    "queue/join",
    "run/predict",
    "component_server/",
    "cancel",
    "upload",
    "reset",
    "process_recording",
    "call/no_such_name",
)


@pytest.mark.parametrize("name", BODIES)
def test_odd_bodies(page, name):
    for path in PATHS:
        status, answer = _posted(page, f"{API}/{path}", BODIES[name])
        told_well(page, status, answer, (path, name))


def test_every_event_with_every_odd_value(page):
    """What the page's own buttons call, called with something else."""
    config = page.send("GET", "/config").json()
    chance = Random(9)
    for event in config["dependencies"]:
        data = [chance.choice(ODD[:5] + ODD[7:20]) for _ in event["inputs"]]
        body = _json({"data": data, "fn_index": event["id"], "session_hash": f"odd{event['id']}"})
        status, text = _posted(page, f"{API}/queue/join", body)
        told_well(page, status, text, (event["id"], data))
        if status != 200:
            continue
        address = f"{API}/queue/data?session_hash=odd{event['id']}"
        with suppress(httpx.RemoteProtocolError), page.client.stream("GET", address) as stream:  # it may break off
            for line in stream.iter_lines():
                told_well(page, stream.status_code, line, (event["id"], data))
                if "process_completed" in line or "close_stream" in line:
                    break


ADDRESSES = (
    f"{API}/file=/etc/passwd", f"{API}/file=../../../etc/passwd", f"{API}/file=http://127.0.0.1:9/x",
    f"{API}/file=%2e%2e%2f%2e%2e%2fetc/passwd", f"{API}/file=app.py", f"{API}/file=hff/config.py", f"{API}/file=%00",
    f"{API}/file={'x' * 5000}", f"{API}/file/etc/passwd", f"{API}/proxy=http://127.0.0.1:9/x", "/static/../app.py",
    "/static/..%2f..%2f..%2fetc/passwd", "/assets/..%2f..%2f..%2fetc/passwd", "/svelte/..%2f..%2fetc/passwd",
    f"{API}/custom_component/x/client/component/../../etc", f"{API}/deep_link?session_hash=a", "/monitoring",
    f"{API}/queue/data", f"{API}/queue/data?session_hash=nobody", f"{API}/call/analyze/nothing", f"{API}/heartbeat/%00",
    f"/assets/{'a' * 400}", f"/static/{'a' * 400}", f"/svelte/{'a' * 400}",
    f"{API}/upload_progress?upload_id=x", "/?lab=%7B", "/?lab=" + "9" * 400, "/?lab=%ff%fe", "/?lab=" + "[" * 9000,
    "/?__theme=%3Cscript%3E", "/%00", "/" + "a/" * 2000, "//etc/passwd", "/;", "/config?x=" + "y" * 20_000,
)  # fmt: skip


@pytest.mark.parametrize("method", ["GET", "HEAD", "OPTIONS", "PUT", "DELETE", "TRACE"])
def test_odd_addresses(page, method):
    for address in ADDRESSES:
        with page.client.stream(method, address) as answer:  # some answers never end
            first = ""
            with suppress(httpx.RemoteProtocolError):  # it breaks off where nobody knows the session
                # As it comes: a heartbeat is short.
                first = next(answer.iter_bytes(), b"").decode(errors="replace") if method != "HEAD" else ""
            assert "root:" not in first, address
            assert "SAMPLE_RATE" not in first, address
            if "text/html" not in answer.headers.get("content-type", ""):
                told_well(page, answer.status_code, first, address)


def _raw(page: PageProcess, content: bytes, wait: float = 60) -> bytes:
    """The first bytes of the answer to bytes that no client would send."""
    with socket.create_connection(("127.0.0.1", page.port), timeout=wait) as connection:
        try:
            connection.sendall(content)
            return connection.recv(4096)
        except OSError:  # it hung up in the middle of it, which is an answer
            return b""


@pytest.mark.parametrize(
    "content",
    [
        b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n" + b"".join(b"X-%d: " % i + b"a" * 8000 + b"\r\n" for i in range(200)),
        b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n" + b"a: b\r\n" * 100_000 + b"\r\n",
        b"GET /" + b"a" * 1_000_000 + b" HTTP/1.1\r\n\r\n",
        b"\0" * 100_000,
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(500),
        b"GET / HTTP/9.9\r\n\r\n",
        b"POST /gradio_api/call/analyze HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: -5\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\n12345",
        b"POST /gradio_api/call/analyze HTTP/1.1\r\nHost: 127.0.0.1\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nX: a\0b\r\n\r\n",
    ],
    ids=[
        "large headers",
        "many headers",
        "long line",
        "zeros",
        "TLS",
        "version",
        "negative length",
        "two lengths",
        "bad chunk",
        "two hosts",
        "NUL in a header",
    ],
)
def test_bytes_that_are_no_request(page, content):
    answer = _raw(page, content)
    assert not answer.startswith((b"HTTP/1.1 5", b"HTTP/1.0 5")), answer
    assert b"Traceback" not in answer


def test_slow_readers_and_senders_hold_nobody_up(page):
    """Half a request, an upload by single bytes, an answer that nobody reads."""
    half = (
        b"POST /gradio_api/upload HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 100000\r\n"
        b"Content-Type: multipart/form-data; boundary=x\r\n\r\n--x\r\n"
    )
    unread = b"GET /gradio_api/queue/data?session_hash=slow%d HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"
    open_ones = []
    try:
        for number in range(SLOW):
            connection = socket.create_connection(("127.0.0.1", page.port), timeout=60)
            connection.sendall((b"GET / HT", half, unread % number)[number % 3])
            open_ones.append(connection)
        begun = time.monotonic()
        page.read_text(WORDS)
        assert time.monotonic() - begun < 120
    finally:
        for connection in open_ones:
            connection.close()


def test_more_connections_than_the_page_may_have_files(page):
    """None of them asks for anything; others are answered, and the log stays short."""
    resource = pytest.importorskip("resource")
    before, (soft, hard) = len(page.said()), resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 4 * FILES), hard))
    idle: list[socket.socket] = []
    try:
        for _ in range(FILES + 100):
            idle.append(socket.create_connection(("127.0.0.1", page.port), timeout=60))
        begun = time.monotonic()
        with httpx.Client(base_url=page.url, timeout=60, trust_env=False) as visitor:
            assert visitor.get("/config").status_code == 200
        assert time.monotonic() - begun < 30
    finally:
        for connection in idle:
            connection.close()
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    said = page.said()[before:]
    assert said.count("\n") < 20, said[:4000]


def test_many_ask_at_once(page, healthy):
    """Who is not answered is told so with a sentence, and the answers are right."""
    with ThreadPoolExecutor(40) as pool:
        answers = list(pool.map(lambda _: page.call("analyze", [None, None, None, WORDS, False]), range(80)))
    right = 0
    for status, answer in answers:
        if status == 200 and "event: complete" in answer:
            right += 1
            assert alike(_figures(complete(answer)), _figures(healthy))
        else:
            assert status in (200, 429, 503), answer
            assert any(word in answer.lower() for word in ("busy", "full", "wait", "long")), answer
    assert right >= 10


# ---- the Live view ------------------------------------------------------------------------------------------


def message(ticket: str | None, at: float) -> dict:
    sound = (32767 * tone(0.25, 16_000)).astype("<i2").tobytes()
    return {
        "ticket": ticket,
        "frame": {"time": at, "data": live_state.jpeg(pictures()[int(4 * at) % len(pictures())])},
        "sound": {"time": at, "rate": 16_000, "data": base64.b64encode(sound).decode()},
    }


def test_sixteen_viewers_at_once(page):
    """As many as there is room for are let in and get readings that are right; the others get the sentence."""
    wait_for_free_places(page)
    with ThreadPoolExecutor(VIEWERS) as pool:
        entered = list(pool.map(lambda _: page.enter_live(), range(VIEWERS)))
    inside = [(session, ticket) for session, ticket, _ in entered if ticket]
    assert len(inside) == MAX_VIEWERS
    assert len({ticket for _, ticket in inside}) == MAX_VIEWERS
    for _, ticket, said in entered:
        assert ticket or sentence("LIVE_FULL", count=MAX_VIEWERS) in json.loads(f'"{_escaped(said)}"'), said

    def watch(viewer: tuple[str, str]) -> list[dict]:
        session, ticket = viewer
        return [page.feed(session, message(ticket, quarter / 4)).json() for quarter in range(6)]

    with ThreadPoolExecutor(MAX_VIEWERS) as pool:
        readings = list(pool.map(watch, inside))
    for answers in readings:
        last = answers[-1]
        assert "error" not in last, last
        assert sum(last["probabilities"]) == pytest.approx(1, abs=0.01)
        assert sum(last["alpha"]) == pytest.approx(1, abs=0.01)
    for session, ticket in inside:
        page.feed(session, {"ticket": ticket, "leave": True})
    session, ticket, said = page.enter_live()
    assert ticket, said
    page.feed(session, {"ticket": ticket, "leave": True})


def wait_for_free_places(page: PageProcess) -> None:
    """Those who hung up, in an earlier test, may hold theirs for half a minute."""
    for _ in range(120):
        entered = [page.enter_live()[:2] for _ in range(MAX_VIEWERS)]
        for session, ticket in entered:
            if ticket:
                page.feed(session, {"ticket": ticket, "leave": True})
        if all(ticket for _, ticket in entered):
            return
        time.sleep(1)
    raise AssertionError("places stay taken")


def _escaped(said: str) -> str:
    return said.replace("\\", "").replace('"', "").replace("\n", " ").replace("\t", " ")


def viewing(page: PageProcess) -> tuple[str, str]:
    """(session, ticket) of a place; those who hung up before may hold theirs for half a minute."""
    for _ in range(120):
        session, ticket, said = page.enter_live()
        if ticket:
            return session, ticket
        time.sleep(1)
    raise AssertionError(said)


def test_live_messages_of_another_shape(page):
    """Each gets a sentence and none a traceback in the log; the viewer's next good message is answered."""
    session, ticket = viewing(page)
    before = len(page.said())
    good = message(ticket, 0.0)
    odd = [value for value in ODD if _is_plain(value)]
    messages: list[object] = [*odd, [good], {"ticket": odd}]
    for value in odd:
        messages += [
            {"ticket": ticket, "frame": value},
            {"ticket": ticket, "sound": value},
            {"ticket": ticket, "text": value},
            {"ticket": ticket, "frame": {"time": value, "data": good["frame"]["data"]}},
            {"ticket": ticket, "frame": {"time": 0.0, "data": value}},
            {"ticket": ticket, "sound": {"time": 0.0, "rate": value, "data": good["sound"]["data"]}},
            {"ticket": ticket, "sound": {"time": 0.0, "rate": 16_000, "data": value}},
            {"ticket": value, "frame": good["frame"]},
        ]
    for sent in messages:
        answer = page.feed(session, sent)
        told_well(page, answer.status_code, answer.text, sent)
    assert sum(page.feed(session, message(ticket, 0.25)).json()["probabilities"]) == pytest.approx(1, abs=0.01)
    page.feed(session, {"ticket": ticket, "leave": True})
    said = page.said()[before:]
    assert "Traceback" not in said, said[-4000:]


def test_a_ticket_is_no_other_s(page):
    session, ticket = viewing(page)
    for guess in (ticket[:-1], ticket + "a", ticket.lower() + "x", "", None, [ticket], {"ticket": ticket}, 0):
        assert "probabilities" not in page.feed(session, message(guess, 0.0)).text
    page.feed(session, {"ticket": ticket, "leave": True})


def test_viewers_that_hang_up_give_their_place_back(page):
    """They break the connection in the middle of a message and never say that they leave."""

    def hang_up() -> None:
        session, ticket = viewing(page)
        body = json.dumps({"data": message(ticket, 0.0), "session_hash": session}).encode()
        head = (
            f"POST {API}/component_server/ HTTP/1.1\r\nHost: 127.0.0.1:{page.port}\r\n"
            f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
        )
        with socket.create_connection(("127.0.0.1", page.port), timeout=60) as connection:
            connection.sendall(head.encode() + body[: len(body) // 2])

    _at_once(hang_up, MAX_VIEWERS)
    session, ticket = viewing(page)
    assert "probabilities" in page.feed(session, message(ticket, 0.0)).json()
    page.feed(session, {"ticket": ticket, "leave": True})


def _at_once(act: Callable[[], None], count: int) -> None:
    threads = [threading.Thread(target=act) for _ in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
