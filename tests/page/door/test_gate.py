"""Which of Gradio's routes exist here, and what they fetch and serve."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from gradio_client import Client

from hff.examples.ready import EXAMPLES_FOLDER
from hff.page.door.gate import ADMITTED, API, admitted
from tests.support.door_fixtures import NOTHING
from tests.support.page_browser import (
    files_in,
)

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
        name
        for block in server.page.blocks.values()
        for name in dir(type(block)) + list(vars(block))
        if getattr(getattr(block, name, None), "_is_server_fn", False)
    }
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
    outside = (
        "/etc/hostname",
        "https://192.0.2.1/x",
        "http://127.0.0.1/x",
        __file__,
        "",
        word,
        f"{word}/../x",
        f"{word}/%2e%2e/%2e%2e/etc/hostname",
        f"{word}//etc/hostname",
        f"{word}/link/hostname",
        f"{word}/%00",
        f"{word}/{'x' * 5000}",
        str(server.folder.path / name.split("/", 1)[1]),
    )
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
    with pytest.raises(httpx.HTTPStatusError, match="400"):
        client.predict(api_name="/analyze", **(NOTHING | {"audio": address}))
    with pytest.raises(httpx.HTTPStatusError, match="400"):
        client.predict(
            state={"source": "mixed", "extra": [address]}, video=None, audio=None, image=None, api_name="/lab_rerun"
        )
    client.close()
    assert fetched == []
