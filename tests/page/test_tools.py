"""The page's actions as tools of the Model Context Protocol, called by the protocol's own client."""

from __future__ import annotations

import asyncio
import base64
import json
import threading
import time
from collections.abc import Iterator

import httpx
import pytest
from mcp import ClientSession
from mcp.client.streamable_http import streamable_http_client

from hff import cancel
from hff.errors import HFFError
from hff.examples.ready import EXAMPLES_FOLDER
from hff.page import program
from hff.page.door.gate import API, API_NAMES, TOOLS, WRONG_PASSWORDS
from hff.page.door.public_place import PublicPlace
from hff.page.serve import Options, Server, check_package, run
from tests.support.door_fixtures import EVIL, serving_with
from tests.support.page_browser import FakeModel, eventually, files_in
from tests.support.reverse_proxy import proxied

PASSWORD = "grün & blau 7"
VOICE = (EXAMPLES_FOLDER / "voice.wav").read_bytes()


@pytest.fixture(scope="module")
def open_page() -> Iterator[Server]:
    with serving_with(tools=True) as running:
        yield running


def talk(url: str, *calls: tuple[str, dict], headers: dict | None = None):
    """The list of tools and the answers to ``calls``, from the page at ``url``."""

    async def ask():
        web = httpx.AsyncClient(headers=headers, timeout=180)
        place = streamable_http_client(url.rstrip("/") + TOOLS, http_client=web)
        async with web, place as (reading, writing, _), ClientSession(reading, writing) as session:
            await session.initialize()
            tools = (await session.list_tools()).tools
            return tools, [await session.call_tool(name, given) for name, given in calls]

    return asyncio.run(ask())


def message(method: str = "tools/list", **params: object) -> dict:
    return {"jsonrpc": "2.0", "id": 1, "method": method, "params": params}


ACCEPT = {"accept": "application/json, text/event-stream"}


def test_the_three_actions_are_tools_with_descriptions_and_answer(open_page: Server):
    spoken = "data:audio/wav;base64," + base64.b64encode(VOICE).decode()
    tools, answers = talk(
        open_page.url,
        ("analyze", {"audio": spoken, "transcribe": True}),
        ("analyze", {"text": "I am so happy"}),
        ("lab_rerun", {"state": {"source": "mixed"}}),
        ("lab_sweep", {"modality": "vision", "points": 3}),
    )
    assert {tool.name for tool in tools} == set(API_NAMES)
    for tool in tools:
        assert len(tool.description) > 40
        assert all(one["description"].strip() for one in tool.inputSchema["properties"].values()), tool.name
    assert tools[[tool.name for tool in tools].index("lab_sweep")].inputSchema["required"] == ["modality"]
    heard, words, *_ = answers
    assert not heard.isError, heard
    assert heard.structuredContent["present"] == {"speech": True, "text": True, "vision": False}
    assert json.loads(heard.content[0].text) == heard.structuredContent
    assert "attention" not in heard.structuredContent
    assert words.structuredContent["present"] == {"speech": False, "text": True, "vision": False}
    assert eventually(lambda: files_in(open_page.folder.path) == []), "what was sent is gone with the answer"


def test_an_upload_is_read_by_its_name_or_its_address(open_page: Server):
    with httpx.Client(base_url=open_page.url) as web:
        names = [web.post(f"{API}/upload", files={"files": ("a.wav", VOICE)}).json()[0] for _ in range(2)]
    _, answers = talk(
        open_page.url,
        ("analyze", {"audio": names[0]}),
        ("analyze", {"audio": f"{open_page.url}{API[1:]}/file={names[1]}"}),
    )
    assert [answer.structuredContent["present"]["speech"] for answer in answers] == [True, True]


def test_what_is_wrong_is_told_and_no_address_is_fetched(open_page: Server):
    bad = [
        ("https://example.org/a.wav", "is not fetched"),
        ("http://127.0.0.1:1/a.wav", "is not fetched"),
        ("/etc/hostname", "was not uploaded here"),
        ("../../etc/hostname", "was not uploaded here"),
        ("data:audio/wav;base64,!!!", "was not understood"),
        ("data:audio/wav", "was not understood"),
    ]
    calls = [("analyze", {"audio": given}) for given, _ in bad]
    calls += [
        ("lab_rerun", {"state": {"source": "nowhere"}}),
        ("nothing", {}),
        ("analyze", {"fn_index": 1}),
        ("lab_sweep", {"modality": "smell"}),
    ]
    _, answers = talk(open_page.url, *calls)
    assert all(answer.isError for answer in answers)
    said = [answer.content[0].text for answer in answers]
    for (given, expected), sentence in zip(bad, said, strict=False):
        assert expected in sentence, given
    assert "nowhere" in said[len(bad)]
    assert "There is no tool nothing" in said[len(bad) + 1]
    assert files_in(open_page.folder.path) == []


def test_the_door_holds_for_tools(open_page: Server):
    with httpx.Client(base_url=open_page.url, headers=ACCEPT) as web:
        assert web.post(TOOLS, json=message()).status_code == 200
        assert web.post(f"{TOOLS}/", json=message()).status_code == 200
        for headers in ({"origin": EVIL}, {"host": "evil.example"}, {"sec-fetch-site": "cross-site"}):
            assert web.post(TOOLS, json=message(), headers=headers).status_code == 403, headers
        for method in ("GET", "DELETE"):
            assert web.request(method, TOOLS).status_code == 405
        for path in ("/sse", "/messages/", "/schema", "/http"):
            assert web.post(TOOLS + path, json=message()).status_code == 404
        assert web.post(f"/de{TOOLS}", json=message()).status_code == 404, "programs speak English"
        assert web.post(TOOLS, json={**message(), "more": "x" * (3 << 20)}).status_code == 413
        assert web.post(TOOLS, content=b"{", headers={"content-type": "application/json"}).status_code == 400
        assert web.post(TOOLS, json={**message(), "path": "/etc/hostname"}).status_code == 400
        prompts = web.post(TOOLS, json=message("prompts/get", name="analyze")).json()
        assert prompts["error"]["code"] == -32601, "there is nothing but tools"


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        (b"", 400, -32600), (b"\xff", 400, -32600), (b"[" * 100_000, 400, -32600), (b"[]", 400, -32600),
        (b'{"jsonrpc":"2.0","id":1' + b"0" * 5000 + b',"method":"ping"}', 400, -32600),
        (b'{"jsonrpc":"2.0","id":7,"result":{}}', 400, -32600),
        (b'{"jsonrpc":"2.0","id":7,"error":{"code":1,"message":"x"}}', 400, -32600),
        (b'{"jsonrpc":"2.0","method":"notifications/nothing"}', 400, -32602),
        (b'{"jsonrpc":"2.0","id":1,"method":"nothing"}', 200, -32602),
        (b'{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{}}', 200, -32602),
        (b'{"jsonrpc":"2.0","id":"\\ud800","method":"ping"}', 200, None),
        (b'{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"\\ud800\\n"}}', 200, None),
    ],
)  # fmt: skip
def test_no_message_fills_the_log(open_page: Server, caplog, body: bytes, status: int, code: int | None):
    with httpx.Client(base_url=open_page.url, headers=ACCEPT | {"content-type": "application/json"}) as web:
        answer = web.post(TOOLS, content=body)
    assert answer.status_code == status, answer.text
    assert answer.json().get("error", {}).get("code") == code
    assert not caplog.records, caplog.text


def test_work_of_a_caller_who_leaves_ends():
    begun, ended = threading.Event(), threading.Event()

    class Endless(FakeModel):
        def read(self, *given, **named):
            begun.set()
            try:
                while True:
                    cancel.checkpoint()
                    time.sleep(0.02)
            finally:
                ended.set()

    call = message("tools/call", name="analyze", arguments={"text": "I am so happy"})

    async def leave(url: str) -> None:
        async with httpx.AsyncClient(base_url=url, headers=ACCEPT, timeout=180) as web:
            asking = asyncio.create_task(web.post(TOOLS, json=call))
            assert await asyncio.to_thread(begun.wait, 120)
            asking.cancel()
            assert await asyncio.to_thread(ended.wait, 10)

    with serving_with(Endless, tools=True) as running:
        asyncio.run(leave(running.url))


def test_without_the_option_there_are_none(server, web):
    for path in (TOOLS, f"{TOOLS}/", f"{TOOLS}/sse"):
        for method in ("GET", "POST"):
            assert web.request(method, path, headers=ACCEPT).status_code == 404


def test_with_a_password_tools_ask_for_it_and_guessing_is_slow(monkeypatch):
    with serving_with(tools=True, password=PASSWORD) as running:
        with httpx.Client(base_url=running.url, headers=ACCEPT) as web:
            assert web.post(TOOLS, json=message()).status_code == 401
            assert web.post("/login", data={"username": "x", "password": PASSWORD}).status_code == 200
            assert web.post(TOOLS, json=message()).status_code == 200, "the page's own cookie opens them too"
        right = {"authorization": b"Bearer " + PASSWORD.encode()}
        _, answers = talk(running.url, ("analyze", {"text": "I am so happy"}), headers=right)
        assert answers[0].structuredContent["emotion"]
        with httpx.Client(base_url=running.url, headers=ACCEPT) as web:
            tries = [web.post(TOOLS, json=message(), headers={"authorization": f"Bearer {n}"}) for n in range(12)]
            assert [one.status_code for one in tries] == [401] * WRONG_PASSWORDS + [429] * 2
            assert web.post(TOOLS, json=message(), headers=right).status_code == 429
            assert web.post(f"{API}/call/analyze", json={"data": []}, headers=right).status_code == 401


def test_tools_behind_a_proxy():
    with serving_with(tools=True, place=PublicPlace.of("/hff")) as running, proxied(running.url, "/hff") as address:
        tools, answers = talk(address, ("analyze", {"text": "I am so happy"}))
        assert len(tools) == len(API_NAMES)
        assert answers[0].structuredContent["emotion"]


def test_the_option_and_its_missing_package(monkeypatch, capsys):
    assert program.parse(["--mcp"]).mcp
    assert not program.parse([]).mcp
    monkeypatch.setenv("GRADIO_MCP_SERVER", "True")
    assert program.parse([]).mcp
    check_package()
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(HFFError, match=r"pip install 'hff\[mcp\]'"):
        check_package()
    monkeypatch.setattr("hff.page.serve.Server", None)  # it is told before anything is begun
    assert run(Options(port=1, host="127.0.0.1", tools=True)) == 1
    assert "--mcp needs the package mcp" in capsys.readouterr().err
