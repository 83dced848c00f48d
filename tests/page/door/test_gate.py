"""What strangers can have of the page: which routes exist, under which names, from which sites, with which password."""

from __future__ import annotations

import asyncio
import json
import os
import re
import socket
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest
from gradio_client import Client, handle_file
from gradio_client.exceptions import AppError, AuthenticationError
from starlette.responses import PlainTextResponse

import app
from hff.errors import HFFError
from hff.examples.ready import EXAMPLES_FOLDER
from hff.locale import texts
from hff.page.door.gate import ADMITTED, API, WRONG_PASSWORDS, Gate, admitted
from hff.page.door.hidden_paths import MAX_MESSAGE, HiddenPaths
from hff.page.door.host_names import Names, origin_of
from hff.page.serve import Options, Server
from hff.page.session.background_model import Engine
from tests.support.page_browser import (
    FakeModel,
    analyse,
    browsing,
    choose_example,
    download,
    eventually,
    files_in,
)

EVIL = "http://evil.example"
NOTHING = {"video": None, "audio": None, "image": None, "text": "", "transcribe": True}
# Every other route of Gradio, each looked at: what it does, and that our page and gradio_client do without it.
REFUSED = {
    # runs ffmpeg on what is uploaded; fetches addresses; fetches from the hub
    "POST /gradio_api/process_recording", "GET /gradio_api/proxy={url_path:path}",
    "HEAD /gradio_api/proxy={url_path:path}", "POST /gradio_api/run-history/connect",
    "GET /gradio_api/run-history/buckets", "GET /gradio_api/run-history/records", "GET /gradio_api/runs",
    "GET /gradio_api/run-history/records/{endpoint}/{record_id}/assets/{asset_id}",
    # writes a visitor's state to disk; edits the program; shows who asked what
    "GET /gradio_api/deep_link", "POST /gradio_api/vibe-edit", "POST /gradio_api/undo-vibe-edit",
    "GET /gradio_api/vibe-code", "POST /gradio_api/vibe-code", "POST /gradio_api/vibe-starter-queries",
    "GET /monitoring", "GET /monitoring/summary", "GET /monitoring/{key}", "GET /gradio_api/queue/status",
    "GET /gradio_api/profiling/traces", "GET /gradio_api/profiling/summary", "POST /gradio_api/profiling/clear",
    # streams of media, components from elsewhere, reloading: the page has none
    "POST /gradio_api/stream/{event_id}", "POST /gradio_api/stream/{event_id}/close",
    "GET /gradio_api/stream/{session_hash}/{run}/{component_id}/playlist.m3u8",
    "GET /gradio_api/stream/{session_hash}/{run}/{component_id}/{segment_id}.{ext}",
    "GET /gradio_api/stream/{session_hash}/{run}/{component_id}/playlist-file",
    "GET /gradio_api/custom_component/{id}/{environment}/{type}/{file_name}", "GET /gradio_api/dev/reload",
    # second names of what there is; for other clients and for programs to install
    "POST /gradio_api/api/{api_name}", "POST /gradio_api/call/v2/{api_name}",
    "GET /gradio_api/call/v2/{api_name}/{event_id}", "GET /gradio_api/file/{path:path}", "GET /gradio_api/theme.css",
    "GET /gradio_api/openapi.json", "GET /openapi.json", "HEAD /openapi.json",
    "GET /manifest.json", "GET /pwa_icon", "GET /pwa_icon/{size}",
    # who is signed in: with a password only /login is there, and nobody signs everybody out
    "POST /login", "GET /logout", "GET /gradio_api/user", "GET /gradio_api/token", "GET /gradio_api/login_check",
}  # fmt: skip


@contextmanager
def serving_with(**options) -> Iterator[Server]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    with Server(Options(port=port, **options), Engine(FakeModel)) as running:
        yield running


def routes_of(routes) -> Iterator[tuple[str, str]]:
    """Every (method, template) of an application, those of routers inside it too."""
    for route in routes:
        if getattr(route, "methods", None):
            yield from ((method, route.path) for method in route.methods)
        elif hasattr(route, "original_router"):
            yield from routes_of(route.original_router.routes)
        else:  # a mounted application, a websocket: whatever it is, it has to be looked at
            yield type(route).__name__, getattr(route, "path", repr(route))


def bare(method: str, path: str) -> str:
    """One spelling of a route: most are there with and without a slash at their end."""
    return f"{method} {path.rstrip('/') or '/'}"


# ---- routes -------------------------------------------------------------------------------------------------


def test_every_route_of_gradio_is_either_admitted_or_refused_on_purpose(server):
    there = set(routes_of(server.page.app.routes))
    known = {bare(method, path) for method, path in there}
    ours = {f"{method} {path}" for path, methods in ADMITTED.items() for method in methods}
    assert ours <= {f"{method} {path}" for method, path in there}, "admitted, but Gradio has no such route"
    ours = {bare(*route.split(" ")) for route in ours}
    assert known - ours - REFUSED == set(), "new in this version of Gradio: look at it, then list it"
    assert not ours & REFUSED


def test_what_is_not_admitted_is_not_found(server, web):
    refused = [(m, p) for m, p in routes_of(server.page.app.routes) if m not in ADMITTED.get(p, ())]
    assert len(refused) > 50
    for method, template in refused:
        path = re.sub(r"\{(\w+)(:\w+)?\}", "1", template)
        assert admitted(method, path) is None, path
        answer = web.request(method, path, follow_redirects=False)
        assert (answer.status_code, answer.headers["content-type"]) == (404, "text/plain; charset=utf-8"), path


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", f"{API}/call/anything"), ("GET", f"{API}/call/anything/1"), ("POST", f"{API}/run/analyze"),
        ("DELETE", "/"), ("PUT", f"{API}/upload"), ("PATCH", f"{API}/queue/join"), ("TRACE", "/"), ("OPTIONS", "/"),
        ("GET", f"{API}/upload"), ("POST", "/config"), ("GET", "/config/"), ("GET", f"/{API}/info"),
        ("GET", f"{API}/heartbeat/1/2"), ("POST", "/login"), ("GET", "/docs"), ("GET", "/redoc"), ("GET", "/app.py"),
    ],
)  # fmt: skip
def test_other_methods_and_values_are_not_found(web, method: str, path: str):
    assert web.request(method, path).status_code == 404


def test_a_playlist_in_an_upload_opens_nothing(server, web, tmp_path: Path):
    playlist = f"#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXTINF:2,\nfile://{EXAMPLES_FOLDER / 'clip.mp4'}\n#EXT-X-ENDLIST\n"
    before = files_in(server.folder.path)
    answer = web.post(f"{API}/process_recording", files={"video": ("v.mp4", playlist)})
    assert answer.status_code == 404
    assert files_in(server.folder.path) == before


def test_of_the_components_only_live_answers_messages_and_takes_no_files(server, web):
    called = {
        name for block in server.page.blocks.values() for name in dir(type(block)) + list(vars(block))
        if getattr(getattr(block, name, None), "_is_server_fn", False)
    }  # fmt: skip
    assert called == {"feed"}
    (live,) = (key for key, block in server.page.blocks.items() if hasattr(block, "feed"))
    message = {"data": {"ticket": "none"}, "component_id": live, "session_hash": "x", "fn_name": "feed"}
    assert web.post(f"{API}/component_server/", json=message).status_code == 200
    before = files_in(server.folder.path)
    for kind in ("multipart/form-data; boundary=x", "text/plain", None):
        headers = {"content-type": kind} if kind else {}
        body = b'--x\r\nContent-Disposition: form-data; name="a"; filename="a"\r\n\r\nx\r\n--x--\r\n'
        assert web.post(f"{API}/component_server/", content=body, headers=headers).status_code == 404
    assert files_in(server.folder.path) == before


def test_a_session_is_not_written_to_disk(server, web):
    assert web.get(f"{API}/deep_link", params={"session_hash": "abc"}).status_code == 404
    assert not (server.folder.path / "deep_links").exists()


def test_no_address_is_fetched_and_no_other_file_is_served(server, web):
    (server.folder.path / "link").symlink_to("/etc")
    (name,) = web.post(f"{API}/upload", files={"files": ("a b.txt", b"hello")}).json()
    assert web.get(f"{API}/file={name}").text == "hello"
    word = name.split("/")[0]
    outside = ("/etc/hostname", "https://192.0.2.1/x", "http://127.0.0.1/x", __file__, "", word, f"{word}/../x",
               f"{word}/%2e%2e/%2e%2e/etc/hostname", f"{word}//etc/hostname", f"{word}/link/hostname", f"{word}/%00",
               f"{word}/{'x' * 5000}", str(server.folder.path / name.split("/", 1)[1]))  # fmt: skip
    for path in outside:
        assert web.get(f"{API}/file={path}").status_code == 404, path
    (server.folder.path / "link").unlink()


def test_no_address_in_a_message_is_fetched(server, monkeypatch):
    """Wherever it stands: in a file's place, or in the middle of a state."""
    fetched = []
    from gradio import processing_utils

    for name in [name for name in dir(processing_utils) if "download" in name]:
        monkeypatch.setattr(processing_utils, name, lambda *given, **named: fetched.append(given))
    address = {
        "path": "https://example.org/clip.mp4",
        "url": "https://example.org/",
        "meta": {"_type": "gradio.FileData"},
    }
    client = Client(server.url, verbose=False)
    with pytest.raises(AppError):
        client.predict(api_name="/analyze", **(NOTHING | {"audio": address}))
    with pytest.raises(AppError):
        client.predict(
            state={"source": "mixed", "extra": [address]}, video=None, audio=None, image=None, api_name="/lab_rerun"
        )
    client.close()
    assert fetched == []


# ---- names and sites ----------------------------------------------------------------------------------------


def ask(gate, method: str = "GET", path: str = "/", own: str = "127.0.0.1", kind: str = "http", **headers: str):
    """Status and headers of one request's answer, without a network."""
    sent = []

    async def send(message) -> None:
        sent.append(message)

    async def receive():
        return {"type": "http.request", "body": b"", "more_body": False}

    headers = {"host": "localhost:7860"} | {name.replace("_", "-"): value for name, value in headers.items()}
    scope = {
        "type": kind, "method": method, "path": path, "raw_path": path.encode(), "query_string": b"", "root_path": "",
        "scheme": "http", "server": (own, 7860), "client": ("192.168.1.77", 5555), "http_version": "1.1",
        "headers": [(name.encode(), value.encode()) for name, value in headers.items()],
    }  # fmt: skip
    asyncio.run(gate(scope, receive, send))
    if kind == "websocket":
        return sent
    return sent[0]["status"], {name.decode(): value.decode() for name, value in sent[0].get("headers", [])}


def gate(host: str = "127.0.0.1", *origins: str, seen: list | None = None) -> Gate:
    async def inner(scope, receive, send) -> None:
        if seen is not None:
            seen.append(scope)
        await PlainTextResponse("inside", headers={"Access-Control-Allow-Origin": EVIL})(scope, receive, send)

    return Gate(inner, Names.of(host, origins))


@pytest.mark.parametrize(
    ("listening", "own", "asked", "known"),
    [
        ("127.0.0.1", "127.0.0.1", "localhost:7860", True), ("127.0.0.1", "127.0.0.1", "LOCALHOST.", True),
        ("127.0.0.1", "127.0.0.1", "127.0.0.1:7860", True), ("::1", "::1", "[::1]:7860", True),
        ("127.0.0.1", "127.0.0.1", "evil.example:7860", False), ("127.0.0.1", "127.0.0.1", "192.168.1.20", False),
        ("127.0.0.1", "127.0.0.1", "localhost.evil.example", False), ("127.0.0.1", "127.0.0.1", "", False),
        ("127.0.0.1", "127.0.0.1", "evil.example@localhost", True), ("127.0.0.1", "127.0.0.1", "[", False),
        ("127.0.0.1", "127.0.0.1", "localhost@evil.example", False), ("127.0.0.1", "127.0.0.1", "0.0.0.0", False),
        ("0.0.0.0", "192.168.1.20", "192.168.1.20:7860", True), ("0.0.0.0", "192.168.1.20", "192.168.1.21", False),
        ("::", "::ffff:192.168.1.20", "192.168.1.20", True), ("0.0.0.0", "192.168.1.20", "evil.example", False),
        ("0.0.0.0", "192.168.1.20", "0.0.0.0:7860", False), ("0.0.0.0", "192.168.1.20", socket.gethostname(), True),
        ("0.0.0.0", "192.168.1.20", f"{socket.gethostname().split('.')[0]}.local:7860", True),
        ("127.0.0.1", "127.0.0.1", socket.gethostname(), False),
        ("classroom", "192.168.1.20", "classroom:7860", True), ("classroom", "192.168.1.20", "evil.example", False),
    ],
)  # fmt: skip
def test_only_our_own_names_are_known(listening: str, own: str, asked: str, known: bool):
    seen = []
    status, _ = ask(gate(listening, seen=seen), own=own, host=asked)
    assert (status, len(seen)) == ((200, 1) if known else (403, 0))


def test_a_named_site_and_a_tunnel_are_known_too():
    one = gate("127.0.0.1", "https://school.example")
    assert ask(one, host="school.example")[0] == 200
    assert ask(one, host="abc.gradio.live")[0] == 403
    one.names.also.add("abc.gradio.live")
    assert ask(one, host="abc.gradio.live", origin="https://abc.gradio.live", x_forwarded_proto="https")[0] == 200


def test_two_hosts_and_a_websocket_are_refused():
    seen = []
    scope_headers = [(b"host", b"localhost"), (b"host", b"evil.example")]
    one = gate(seen=seen)

    async def twice(scope, receive, send) -> None:
        await one({**scope, "headers": scope_headers}, receive, send)

    assert ask(twice)[0] == 403
    assert [message["type"] for message in ask(one, kind="websocket")] == ["websocket.close"]
    assert seen == []


@pytest.mark.parametrize("name", ["x_forwarded_host", "x_gradio_server"])
def test_a_header_cannot_make_gradio_take_another_name_for_ours(name: str):
    seen = []
    assert ask(gate(seen=seen), **{name: "evil.example"})[0] == 200
    assert "evil.example" not in str(seen[0]["headers"])


@pytest.mark.parametrize(
    ("path", "method"), [(f"{API}/upload", "POST"), (f"{API}/queue/join", "POST"), (f"{API}/call/analyze", "POST"),
                         (f"{API}/queue/data", "GET"), (f"{API}/heartbeat/x", "GET"), ("/config", "GET")],
)  # fmt: skip
@pytest.mark.parametrize(
    ("headers", "admitted_"),
    [
        ({}, True), ({"origin": "http://localhost:7860"}, True),
        ({"origin": "http://localhost:7860", "sec_fetch_site": "same-origin"}, True),
        ({"sec_fetch_site": "none"}, True),
        ({"origin": EVIL}, False), ({"origin": "null"}, False), ({"origin": "http://localhost:8000"}, False),
        ({"origin": "https://localhost:7860"}, False), ({"origin": "http://127.0.0.1:7860"}, False),
        ({"origin": "http://localhost.evil.example:7860"}, False), ({"origin": ""}, False),
        ({"sec_fetch_site": "cross-site"}, False), ({"sec_fetch_site": "same-site"}, False),
        ({"sec_fetch_site": "cross-site", "sec_fetch_mode": "navigate"}, False),
    ],
)  # fmt: skip
def test_another_sites_page_cannot_use_it(path: str, method: str, headers: dict, admitted_: bool):
    seen = []
    status, _ = ask(gate(seen=seen), method, path, **headers)
    assert (status, len(seen)) == ((200, 1) if admitted_ else (403, 0))


def test_a_link_from_another_site_opens_the_page():
    link = {"sec_fetch_site": "cross-site", "sec_fetch_mode": "navigate"}
    assert ask(gate(), **link)[0] == 200
    assert ask(gate(), sec_fetch_site="cross-site", sec_fetch_mode="no-cors")[0] == 403


def test_a_named_site_may_use_it_and_no_other():
    one = gate("127.0.0.1", "https://School.example:443/")
    guest = {"origin": "https://school.example", "sec_fetch_site": "cross-site"}
    status, headers = ask(one, "POST", f"{API}/upload", **guest)
    assert (status, headers["access-control-allow-origin"]) == (200, "https://school.example")
    assert "Origin" in headers["vary"]
    status, headers = ask(one, "OPTIONS", f"{API}/upload", access_control_request_method="POST", **guest)
    assert (status, headers["access-control-allow-methods"]) == (204, "GET, HEAD, POST")
    for method in ("POST", "OPTIONS"):
        status, headers = ask(one, method, f"{API}/upload", origin=EVIL)
        assert status == 403
        assert "access-control-allow-origin" not in headers
    assert "https://school.example" in ask(one)[1]["content-security-policy"]


@pytest.mark.parametrize(
    "address", ["school.example", "ftp://x", "https://", "https://x/page", "*", "http://x:99999", "null"]
)
def test_what_is_no_site_is_refused_with_a_sentence(address: str, capsys):
    with pytest.raises(HFFError, match="write it like"):
        origin_of(address)
    with pytest.raises(SystemExit):
        app.parse(["--allow-origin", address])
    assert "--allow-origin" in capsys.readouterr().err


def test_the_options_reach_the_page(monkeypatch):
    options = app.parse(["--allow-origin", "https://a.example", "--allow-origin", "http://b:80", "--password", "pw"])
    assert (options.allow_origin, options.password) == (["https://a.example", "http://b"], "pw")
    taken = []
    monkeypatch.setattr("hff.page.serve.run", lambda options: taken.append(options) or 0)
    monkeypatch.setenv("HFF_PASSWORD", "from the environment")
    assert app.main(["--allow-origin", "https://a.example"]) == app.main(["--password", "typed"]) == 0
    assert [one.password for one in taken] == ["from the environment", "typed"]
    assert taken[0].origins == ("https://a.example",)
    monkeypatch.delenv("HFF_PASSWORD")
    app.main([])
    assert taken[2].password is None


def test_every_reply_says_who_may_frame_and_read_it(server, web):
    (name,) = web.post(f"{API}/upload", files={"files": ("page.html", b"<script>1</script>")}).json()
    replies = [
        web.get("/"), web.get("/config"), web.get("/theme.css"), web.get("/nothing"), web.get(f"{API}/file={name}"),
        web.get("/", headers={"host": "evil.example"}), web.post(f"{API}/upload", headers={"origin": EVIL}),
        web.post(f"{API}/queue/join", content=b"{"), web.get("/", headers={"accept-encoding": "br"}),
        web.post(f"{API}/upload", content=b"x", headers={"content-type": "multipart/form-data"}),
    ]  # fmt: skip
    assert {200, 403, 404} < {reply.status_code for reply in replies}
    for reply in replies:
        assert "frame-ancestors 'self'" in reply.headers["content-security-policy"], reply.url
        assert reply.headers["x-frame-options"] == "SAMEORIGIN"
        assert reply.headers["x-content-type-options"] == "nosniff"
        assert reply.headers["referrer-policy"] == "same-origin"
        assert "access-control-allow-origin" not in reply.headers
    assert replies[4].headers["content-disposition"].startswith("attachment"), "what is uploaded is not shown as a page"


# ---- paths --------------------------------------------------------------------------------------------------


def paths_in(text: str, server: Server) -> list[str]:
    """Which of this machine's paths stand in a reply."""
    places = {
        server.folder.path, Path(tempfile.gettempdir()), EXAMPLES_FOLDER, Path(app.__file__).parent, Path.cwd(),
        Path.home(), Path(sys.prefix), Path(os.__file__).parent,
    }  # fmt: skip
    return [str(place) for place in places if re.search(re.escape(str(place)) + r"(?![\w-])", text)]


def test_no_reply_shows_a_path_of_the_machine(server, web):
    uploaded = web.post(f"{API}/upload", files={"files": ("p.jpg", (EXAMPLES_FOLDER / "portrait.jpg").read_bytes())})
    (name,) = uploaded.json()
    assert re.fullmatch(r"visit-[0-9a-f]{16}/up-[0-9a-f]{32}/[0-9a-f]{64}/p\.jpg", name)
    file = {"path": name, "meta": {"_type": "gradio.FileData"}}
    answers = [uploaded.text]
    for given in ({"image": file}, {"image": file | {"path": "/etc/x"}}, {"image": file | {"path": name + "x"}},
                  {"text": f"see {name}"}, {"transcribe": []}, {"image": "/etc/hostname"}):  # fmt: skip
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
    got = converse(layer, written.encode(encoding), "text/json")
    (file, _) = json.loads(got["body"])["data"]
    assert "192.0.2.1" not in file["path"]
    assert got["headers"][b"content-length"] == str(len(got["body"])).encode()


@pytest.mark.parametrize("body", [b'{"path": ', b'"path"' + b"[" * 200_000, b"\xff\xfepath"])
def test_what_is_no_message_is_refused(layer, body: bytes):
    assert converse(layer, body) == {"status": 400}


def test_a_message_that_is_too_long_is_refused(layer):
    assert converse(layer, b'"' + b"x" * MAX_MESSAGE + b'"') == {"status": 413}


def test_events_stream_through_one_by_one(tmp_path: Path):
    folder = tmp_path / "o'brien & söhne"
    folder.mkdir()
    went_out: list[bytes] = []
    seen_by_then = []

    async def inner(scope, receive, send) -> None:
        await send({"type": "http.response.start", "status": 200,
                    "headers": [(b"content-type", b"text/event-stream; charset=utf-8")]})  # fmt: skip
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
    scope = {"type": "http", "method": "GET", "path": f"{API}/queue/data", "headers": [(b"host", b"localhost")],
             "scheme": "http", "server": ("127.0.0.1", 1)}  # fmt: skip
    asyncio.run(outer(scope, receive, send))
    assert [text.count(b"\n\n") for text in seen_by_then] == [1, 2, 3], "an event has to go out when it is there"
    text = b"".join(went_out).decode()
    assert len(re.findall(r"visit-[0-9a-f]{16}", text)) == 3
    assert "brien" not in text


@pytest.mark.browser
def test_a_visitor_notices_nothing_of_it(server):
    with browsing(server.url) as page:
        choose_example(page, "Clip")
        assert analyse(page)
        assert download(page, "html").startswith(b"<!doctype html>")
        page.get_by_role("tab", name=texts.TAB_MODEL, exact=True).click()
        page.wait_for_selector("#hff-measured .hff-note")
        met = [(request.method, request.url) for request in page.requests if request.url.startswith("http")]
        refused = [
            (request.url, request.response().status) for request in page.requests
            if request.url.startswith("http") and (answer := request.response()) and answer.status >= 400
        ]  # fmt: skip
        assert len(met) > 20
        assert refused == []


# ---- password -----------------------------------------------------------------------------------------------

PASSWORD = "grün & blau 7"


@pytest.fixture(scope="module")
def locked() -> Iterator[Server]:
    with serving_with(password=PASSWORD) as running:
        yield running


def test_without_the_password_there_is_only_the_place_to_give_it(locked):
    with httpx.Client(base_url=locked.url) as web:
        assert web.get("/").status_code == 200
        assert '"auth_required": true' in web.get("/").text.replace('":', '": ').replace("  ", " ")
        for template, methods in ADMITTED.items():
            for method in methods:
                path = re.sub(r"\{(\w+)(:\w+)?\}", "x", template)
                path = path.replace("run/x", "run/predict").replace("call/x", "call/analyze")
                status = web.request(method, path).status_code
                public = template in ("/", "/theme.css", "/favicon.ico", "/robots.txt", f"{API}/startup-events")
                fixed = template.startswith(("/assets", "/static", "/svelte"))  # there is no file x
                assert status == (200 if public else 404 if fixed else 401) or (fixed and status == 403), path
        assert web.get("/config").status_code == 401
        assert web.get("/logout").status_code == 404
    with pytest.raises(AuthenticationError):
        Client(locked.url, verbose=False)
    with pytest.raises(ValueError, match="login"):
        Client(locked.url, auth=("class", "wrong"), verbose=False)


@pytest.mark.parametrize("name", ["class", "Ms. Müller"])
def test_the_client_gets_in_with_the_password_under_any_name(locked, name: str):
    client = Client(locked.url, auth=(name, PASSWORD), verbose=False)
    assert client.predict(api_name="/analyze", **(NOTHING | {"text": "hello"}))["emotion"]
    client.close()


def test_guessing_is_slow(monkeypatch):
    with serving_with(password=PASSWORD) as running, httpx.Client(base_url=running.url) as web:
        tries = [web.post("/login", data={"username": "x", "password": str(n)}) for n in range(WRONG_PASSWORDS + 2)]
        assert [answer.status_code for answer in tries] == [400] * WRONG_PASSWORDS + [429] * 2
        assert web.post("/login", data={"username": "x", "password": PASSWORD}).status_code == 429
        monkeypatch.setattr("hff.page.door.gate.FORGET_SECONDS", 0.0)
        assert web.post("/login", data={"username": "x", "password": PASSWORD}).status_code == 200


@pytest.mark.browser
def test_a_visitor_gives_the_password_and_works(locked):
    from tests.support.page_browser import chromium

    with chromium.page(viewport={"width": 1366, "height": 768}) as page:
        page.goto(locked.url)
        page.get_by_label("username").fill("class")
        page.get_by_label("password").fill(PASSWORD)
        page.get_by_role("button", name="Login").click()
        page.wait_for_selector("#hff-analyse")
        choose_example(page, "Clip")
        assert analyse(page)
