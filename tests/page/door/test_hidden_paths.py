"""No reply shows where files lie, and no message names a file that was not given."""

from __future__ import annotations

import asyncio
import json
import os
import re
import sys
import tempfile
from pathlib import Path

import httpx
import pytest
from gradio_client import Client, handle_file
from starlette.responses import PlainTextResponse

import app
from hff.errors import HFFError
from hff.examples.ready import EXAMPLES_FOLDER
from hff.locale import texts, using
from hff.page.door.gate import API, Gate
from hff.page.door.hidden_paths import FILE_ROUTE, MAX_MESSAGE, HiddenPaths
from hff.page.door.host_names import Names
from hff.page.serve import Server
from tests.support.door_fixtures import NOTHING
from tests.support.page_browser import (
    browsing,
    choose_example,
    download,
    eventually,
    open_fold,
)


def paths_in(text: str, server: Server) -> list[str]:
    """Which of this machine's paths stand in a reply."""
    places = {
        server.folder.path,
        Path(tempfile.gettempdir()),
        EXAMPLES_FOLDER,
        Path(app.__file__).parent,
        Path.cwd(),
        Path.home(),
        Path(sys.prefix),
        Path(os.__file__).parent,
    }
    return [str(place) for place in places if re.search(re.escape(str(place)) + r"(?![\w-])", text)]


def test_no_reply_shows_a_path_of_the_machine(server, web):
    uploaded = web.post(f"{API}/upload", files={"files": ("p.jpg", (EXAMPLES_FOLDER / "portrait.jpg").read_bytes())})
    (name,) = uploaded.json()
    assert re.fullmatch(r"visit-[0-9a-f]{16}/up-[0-9a-f]{32}/[0-9a-f]{64}/p\.jpg", name)
    file = {"path": name, "meta": {"_type": "gradio.FileData"}}
    answers = [uploaded.text]
    for given in (
        {"image": file},
        {"image": file | {"path": "/etc/x"}},
        {"image": file | {"path": name + "x"}},
        {"text": f"see {name}"},
        {"transcribe": []},
        {"image": "/etc/hostname"},
    ):
        event = web.post(f"{API}/call/analyze", json={"data": list((NOTHING | given).values())})
        answers += [event.text]
        if event.is_success:
            answers += [web.get(f"{API}/call/analyze/{event.json()['event_id']}", timeout=60).text]
    answers += [web.get(path).text for path in ("/", "/config", f"{API}/info", "/theme.css", f"{API}/file=/etc/x")]
    answers += [web.post(f"{API}/queue/join", content=body).text for body in (b"{", b"[]", b'{"fn_index": 9999}')]
    assert "event: complete" in answers[2], answers[2]
    assert [paths_in(answer, server) for answer in answers] == [[] for _ in answers]


def test_an_error_of_ours_shows_no_path_and_no_fault_inside(server, web):
    model = server.engine.model()
    weights = Path(app.__file__).parent / "weights"
    packages = Path(httpx.__file__).parent
    faults = (
        RuntimeError(f"cannot open {server.folder.path}/x and {Path.home()}"),
        OSError(2, "gone", __file__),
        HFFError(f"No weights in {weights}; {packages} lacks x, and so does {server.folder.path}."),
    )
    for fault in faults:
        model.answer = fault
        event = web.post(f"{API}/call/analyze", json={"data": list((NOTHING | {"text": "x"}).values())}).json()
        answer = web.get(f"{API}/call/analyze/{event['event_id']}", timeout=60).text
        assert "event: error" in answer
        assert paths_in(answer, server) == []
    model.answer = None
    assert "No weights in (this computer)" in answer, "what is wrong is said all the same"


def said(web: httpx.Client, **given) -> tuple[int, str]:
    """Status and answer of the named endpoint."""
    event = web.post(f"{API}/call/analyze", json={"data": list((NOTHING | given).values())})
    if not event.is_success:
        return event.status_code, event.text
    answer = web.get(f"{API}/call/analyze/{event.json()['event_id']}", timeout=60)
    return answer.status_code, answer.text


FOREIGN = str(EXAMPLES_FOLDER / "portrait.jpg")
MARK = {"_type": "gradio.FileData"}


@pytest.mark.parametrize("kind", ["video", "audio", "image"])
@pytest.mark.parametrize(
    "file",
    [
        {"path": FOREIGN, "meta": MARK},
        {"path": FOREIGN},
        {"path": FOREIGN, "url": "http://127.0.0.1:9/x"},
        {"path": "visit-0/x.jpg"},
        {"path": "x" * 5000},
        {"path": "\0"},
        {"path": "x.jpg", "meta": {}},
    ],
    ids=["marked", "path", "url", "other visit", "long", "NUL", "relative"],
)
def test_a_file_that_was_not_uploaded_is_told_and_never_read(server, web, caplog, kind, file):
    calls = len(server.engine.model().calls)
    status, answer = said(web, **{kind: file})
    assert (status, texts.FILE_NOT_UPLOADED in json.loads(answer)["error"]) == (400, True)
    assert len(server.engine.model().calls) == calls
    assert not caplog.records


@pytest.mark.parametrize("kind", ["video", "audio", "image"])
@pytest.mark.parametrize("value", [5, [1], {"path": 5}, {"path": ["x"]}, FOREIGN], ids=str)
def test_values_that_do_not_fit_get_a_sentence_and_no_traceback(server, web, caplog, capfd, kind, value):
    calls = len(server.engine.model().calls)
    _, answer = said(web, **{kind: value})
    assert texts.VALUES_NOT_UNDERSTOOD in answer
    assert len(server.engine.model().calls) == calls
    assert not caplog.records
    assert "Traceback" not in capfd.readouterr().err


def test_questions_and_visits_that_nobody_knows_leave_no_traceback(web, caplog, capfd):
    answer = web.get(f"{API}/call/analyze/nothing")
    assert (answer.status_code, answer.json()["error"]) == (404, texts.QUESTION_UNKNOWN)
    answer = web.get(f"{API}/queue/data", params={"session_hash": "nobody"})  # the page's script reloads by this
    assert '"session_not_found":true' in answer.text
    for event in (
        {"session_hash": "nobody", "fn_index": 0, "event_id": "nothing"},
        {"session_hash": "nobody", "fn_index": 10**6, "event_id": "nothing"},
    ):
        assert web.post(f"{API}/cancel", json=event).status_code < 500
    assert web.post(f"{API}/reset", json={"event_id": "nothing"}).status_code < 500
    assert not caplog.records
    assert "Traceback" not in capfd.readouterr().err


def test_a_fault_inside_is_said_and_told_to_the_log(server, web, caplog):
    server.engine.model().answer = RuntimeError("a fault inside")
    _, answer = said(web, text="x")
    server.engine.model().answer = None
    assert "Something inside the program went wrong (RuntimeError)" in answer
    assert "a fault inside" in caplog.text


def test_words_that_look_like_a_file_stay_words(server):
    client = Client(server.url, verbose=False)
    with httpx.Client(base_url=server.url) as web:
        (name,) = web.post(f"{API}/upload", files={"files": ("a.txt", b"x")}).json()
    client.predict(api_name="/analyze", **(NOTHING | {"text": f"look at {name}"}))
    client.close()
    assert server.engine.model().calls[-1]["text"] == f"look at {name}"


def test_a_file_reaches_the_model_by_its_real_path(server):
    client = Client(server.url, verbose=False)
    client.predict(api_name="/analyze", **(NOTHING | {"image": handle_file(EXAMPLES_FOLDER / "portrait.jpg")}))
    path = Path(server.engine.model().calls[-1]["image"])
    assert server.folder.path in path.parents
    assert path.name == "portrait.jpg"
    client.close()
    assert eventually(lambda: not path.exists())


def converse(layer, body: bytes, kind: str = "application/json") -> tuple[dict, bytes]:
    """What of ``body`` reaches the application behind ``layer``: (its headers, the body)."""
    got = {}

    async def receive():
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(message) -> None:
        got.setdefault("status", message.get("status"))

    layer.app = None

    async def inner(scope, receive, send) -> None:
        got["headers"] = dict(scope["headers"])
        got["body"] = (await receive())["body"]
        await PlainTextResponse("x")(scope, receive, send)

    layer.app = inner
    headers = [(b"content-type", kind.encode()), (b"content-length", str(len(body)).encode())]
    scope = {"type": "http", "method": "POST", "path": f"{API}/queue/join", "headers": headers}
    asyncio.run(layer(scope, receive, send))
    return got


@pytest.fixture
def layer(tmp_path: Path) -> HiddenPaths:
    return HiddenPaths(None, {"visit": tmp_path})


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16", "utf-32"])
def test_no_way_of_writing_it_hides_a_file_from_us(layer, encoding: str):
    written = (
        r'{"data": [{"p\u0061th": "http://192.0.2.1/x", "meta": {"_type": "gradio.FileData"}}, "\ud800"], "n": NaN}'
    )
    assert converse(layer, written.encode(encoding), "text/json") == {"status": 400}
    got = converse(layer, written.replace("p\\u0061th", "p\\u0061t").encode(encoding), "text/json")
    assert got["headers"][b"content-length"] == str(len(got["body"])).encode()


@pytest.mark.parametrize("body", [b'{"path": ', b'"path"' + b"[" * 200_000, b"\xff\xfepath"])
def test_what_is_no_message_is_refused(layer, body: bytes):
    assert converse(layer, body) == {"status": 400}


def test_a_message_that_is_too_long_is_refused(layer):
    assert converse(layer, b'"' + b"x" * MAX_MESSAGE + b'"') == {"status": 413}


def test_a_refusal_is_said_in_the_language_of_the_moment(layer):
    went_out: list[dict] = []

    async def send(message: dict) -> None:
        went_out.append(message)

    scope = {"type": "http", "method": "GET", "path": f"{FILE_ROUTE}visit-0/nothing.mp4", "headers": []}
    with using("de"):
        asyncio.run(layer(scope, None, send))
    (start, body) = went_out
    assert (start["status"], json.loads(body["body"])["error"]) == (404, "Diese Datei gibt es hier nicht.")
    assert dict(start["headers"])[b"content-length"] == str(len(body["body"])).encode()


def test_events_stream_through_one_by_one(tmp_path: Path):
    folder = tmp_path / "o'brien & söhne"
    folder.mkdir()
    went_out: list[bytes] = []
    seen_by_then = []

    async def inner(scope, receive, send) -> None:
        await send(
            {
                "type": "http.response.start",
                "status": 200,
                "headers": [(b"content-type", b"text/event-stream; charset=utf-8")],
            }
        )
        for text in (str(folder), json.dumps(f"{folder}/a"), json.dumps(f"{folder}/b", ensure_ascii=False)):
            event = f"data: {text}\n\n".encode()
            await send({"type": "http.response.body", "body": event[:9], "more_body": True})  # cut within the path
            await send({"type": "http.response.body", "body": event[9:], "more_body": True})
            seen_by_then.append(b"".join(went_out))
        await send({"type": "http.response.body", "body": b"", "more_body": False})

    async def receive():
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message) -> None:
        went_out.append(message.get("body", b""))

    outer = Gate(HiddenPaths(inner, {"visit": folder}), Names.of("127.0.0.1"))
    scope = {
        "type": "http",
        "method": "GET",
        "path": f"{API}/queue/data",
        "headers": [(b"host", b"localhost")],
        "scheme": "http",
        "server": ("127.0.0.1", 1),
    }
    asyncio.run(outer(scope, receive, send))
    assert [text.count(b"\n\n") for text in seen_by_then] == [1, 2, 3], "an event has to go out when it is there"
    text = b"".join(went_out).decode()
    assert len(re.findall(r"visit-[0-9a-f]{16}", text)) == 3
    assert "brien" not in text


@pytest.mark.browser
def test_a_visitor_notices_nothing_of_it(server):
    with browsing(server.url) as page:
        assert choose_example(page, "Clip")
        assert download(page, "html").startswith(b"<!doctype html>")
        page.get_by_role("tab", name=texts.TAB_MODEL, exact=True).click()
        open_fold(page, "#hff-measured")
        met = [(request.method, request.url) for request in page.requests if request.url.startswith("http")]
        refused = [
            (request.url, request.response().status)
            for request in page.requests
            if request.url.startswith("http") and (answer := request.response()) and answer.status >= 400
        ]
        assert len(met) > 20
        assert refused == []
