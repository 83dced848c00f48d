"""Under which names the page is known, and which other sites may use it."""

from __future__ import annotations

import socket

import pytest

import app
from hff.errors import HFFError
from hff.page.door.gate import API
from hff.page.door.host_names import origin_of
from tests.support.door_fixtures import EVIL, ask, gate


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
    ("path", "method"),
    [
        (f"{API}/upload", "POST"),
        (f"{API}/queue/join", "POST"),
        (f"{API}/call/analyze", "POST"),
        (f"{API}/queue/data", "GET"),
        (f"{API}/heartbeat/x", "GET"),
        ("/config", "GET"),
    ],
)
@pytest.mark.parametrize(
    ("headers", "admitted_"),
    [
        ({}, True),
        ({"origin": "http://localhost:7860"}, True),
        ({"origin": "http://localhost:7860", "sec_fetch_site": "same-origin"}, True),
        ({"sec_fetch_site": "none"}, True),
        ({"origin": EVIL}, False),
        ({"origin": "null"}, False),
        ({"origin": "http://localhost:8000"}, False),
        ({"origin": "https://localhost:7860"}, False),
        ({"origin": "http://127.0.0.1:7860"}, False),
        ({"origin": "http://localhost.evil.example:7860"}, False),
        ({"origin": ""}, False),
        ({"sec_fetch_site": "cross-site"}, False),
        ({"sec_fetch_site": "same-site"}, False),
        ({"sec_fetch_site": "cross-site", "sec_fetch_mode": "navigate"}, False),
    ],
)
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
        web.get("/"),
        web.get("/config"),
        web.get("/theme.css"),
        web.get("/nothing"),
        web.get(f"{API}/file={name}"),
        web.get("/", headers={"host": "evil.example"}),
        web.post(f"{API}/upload", headers={"origin": EVIL}),
        web.post(f"{API}/queue/join", content=b"{"),
        web.get("/", headers={"accept-encoding": "br"}),
        web.post(f"{API}/upload", content=b"x", headers={"content-type": "multipart/form-data"}),
    ]
    assert {200, 403, 404} < {reply.status_code for reply in replies}
    for reply in replies:
        assert "frame-ancestors 'self'" in reply.headers["content-security-policy"], reply.url
        assert reply.headers["x-frame-options"] == "SAMEORIGIN"
        assert reply.headers["x-content-type-options"] == "nosniff"
        assert reply.headers["referrer-policy"] == "same-origin"
        assert "access-control-allow-origin" not in reply.headers
    assert replies[4].headers["content-disposition"].startswith("attachment"), "what is uploaded is not shown as a page"
