"""After any way of leaving or stopping, the temporary folder and the user's own folders hold nothing of a visitor."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest
from gradio_client import Client, handle_file

from hff.errors import HFFError
from hff.examples.ready import EXAMPLES_FOLDER
from hff.locale import texts
from hff.page.door import uploads
from hff.page.serve import Server
from hff.page.session import sessions
from hff.page.session.private_folder import PrivateFolder
from hff.page.session.sessions import Sessions
from tests.page.test_app import LONG, free_port, started
from tests.support.page_browser import (
    FakeModel,
    analyse,
    browsing,
    download,
    eventually,
    path_in,
    serving,
)

MARK = "visitor-4711"  # in the name of every file that a visitor of these tests sends
SOON = 60  # s in which what a visitor left has to go; the machine may be busy


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with pytest.MonkeyPatch.context() as changes:
        changes.setattr(tempfile, "tempdir", str(tmp_path_factory.mktemp("tmp")))
        changes.setattr(sessions, "SWEEP_SECONDS", 0.2)
        with serving(FakeModel()) as server:
            yield server


@pytest.fixture
def server(running: Server) -> Iterator[Server]:
    yield running
    running.sessions.end_all()


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A voice under the name that is looked for afterwards."""
    return Path(shutil.copy(EXAMPLES_FOLDER / "voice.wav", tmp_path_factory.mktemp("given") / f"{MARK}.wav"))


def traces(*folders: Path) -> list[str]:
    """Everything in these folders that has a visitor's name, or a visitor's sound in it."""
    content = (EXAMPLES_FOLDER / "voice.wav").read_bytes()[20_000:20_064]
    found = []
    for folder in folders:
        for place, _, names in os.walk(folder):
            for path in (Path(place, name) for name in names):
                try:
                    if MARK in str(path) or content in path.read_bytes():
                        found.append(str(path))
                except OSError:
                    continue  # removed just now
    return found


def upload(url: str, sound: Path) -> str:
    answer = httpx.post(f"{url}gradio_api/upload", files={"files": (sound.name, sound.read_bytes())}, timeout=LONG)
    assert answer.status_code == 200
    assert answer.json()[0].startswith("visit-")
    return answer.json()[0]


def asked(url: str, path: str, name: str = "analyze", **more) -> str:
    """Call by plain HTTP, as curl would; the event's name."""
    data = {"analyze": [None, sent(path), None, "", False], "lab_rerun": [{}, None, sent(path), None]}
    data |= {"lab_sweep": [{}, more.get("modality"), 3, None, sent(path), None]}
    answer = httpx.post(f"{url}gradio_api/call/{name}", json={"data": data[name]}, timeout=LONG)
    return answer.json()["event_id"]


def sent(path: str) -> dict:
    return {"path": path, "meta": {"_type": "gradio.FileData"}}


@contextmanager
def heartbeat(server: Server, visit: str) -> Iterator[socket.socket]:
    """An open page, by what it holds open."""
    with socket.create_connection(("127.0.0.1", server.page.server_port), timeout=LONG) as line:
        line.sendall(f"GET /gradio_api/heartbeat/{visit} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n".encode())
        assert b"200 OK" in line.recv(1000)
        yield line


def real(server: Server, path: str) -> Path:
    return path_in(server, path) if path.startswith("visit-") else Path(path)


def gone(server: Server, *paths: str) -> bool:
    return eventually(
        lambda: not traces(server.folder.path) and not any(real(server, path).parent.exists() for path in paths), SOON
    )


# ---- leaving ------------------------------------------------------------------------------------------------


@pytest.mark.browser
def test_a_closed_tab(server, sound: Path):
    with browsing(server.url) as page:
        page.locator("#hff-media").get_by_role("tab", name=texts.TAB_AUDIO, exact=True).click()
        page.locator("#hff-audio input[type=file]").set_input_files(sound)
        page.wait_for_selector("#hff-status :text('Will read')")
        analyse(page)
        download(page, "json")
        assert len(traces(server.folder.path)) >= 5, "the sound, and the four files that were made"
    assert gone(server)
    assert eventually(lambda: server.sessions.open == set(), SOON)


@pytest.mark.browser
def test_a_tab_closed_while_the_clip_is_read(server):
    reading, goes_on, over = threading.Event(), threading.Event(), threading.Event()
    model = server.engine.model()
    read = model.read

    def slow(**given):
        reading.set()
        assert goes_on.wait(LONG)
        try:
            return read(**given)
        finally:
            over.set()

    model.read = slow
    try:
        with browsing(server.url) as page:
            page.locator("#hff-examples").get_by_role("button", name="Clip", exact=True).click()
            assert reading.wait(LONG)
        assert eventually(lambda: not list(server.folder.path.glob("made-*")), SOON)
        goes_on.set()
        assert over.wait(LONG)
    finally:
        model.read = read
        goes_on.set()
    assert gone(server)
    assert not eventually(lambda: list(server.folder.path.glob("made-*")), 2)


@pytest.mark.parametrize("goodbye", ["close", "reset"])
def test_a_lost_connection(server, sound: Path, goodbye: str):
    with heartbeat(server, "visit") as line:
        path = upload(server.url, sound)
        server.sessions.track("visit", [str(real(server, path))])
        made = server.sessions.of("visit").make_file(f"{MARK}.json", "{}")
        if goodbye == "reset":
            line.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    assert gone(server, path, made)


def test_connections_are_watched_for_ends_that_went_without_a_word(server):
    with heartbeat(server, "visit"):
        (connection,) = (
            protocol.transport.get_extra_info("socket")
            for protocol in server.page.server.server_state.connections
            if protocol.cycle is not None and "heartbeat/visit" in protocol.scope["path"]
        )
        assert connection.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)
        if hasattr(socket, "TCP_USER_TIMEOUT"):
            assert connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT) <= 60_000


def test_what_a_page_asked_for_is_its_own_before_its_turn_comes(server, sound: Path, monkeypatch):
    with heartbeat(server, "visit"):
        path = upload(server.url, sound)
        # An event that does not exist: nothing but the arrival of the message can claim the file.
        message = {"data": [sent(path)], "fn_index": 9999, "session_hash": "visit"}
        httpx.post(f"{server.url}gradio_api/queue/join", json=message, timeout=LONG)
        monkeypatch.setattr(uploads, "WAITING_SECONDS", 0.0)  # earlier, it would be swept while the message arrives
        monkeypatch.setattr(uploads, "UNCLAIMED_SECONDS", 0.0)
        assert not eventually(lambda: not real(server, path).exists(), 2)
    assert gone(server, path)


def test_an_upload_that_nobody_asks_for(server, sound: Path, monkeypatch):
    path = upload(server.url, sound)
    assert not eventually(lambda: not real(server, path).exists(), 2), "somebody may still ask"
    monkeypatch.setattr(uploads, "UNCLAIMED_SECONDS", 0.5)
    assert gone(server, path)
    assert server.uploads.kept == 0


@pytest.mark.parametrize("fetched", [True, False])
def test_plain_http(server, sound: Path, fetched: bool):
    """No page, no heartbeat, and perhaps nobody who fetches the answer."""
    path = upload(server.url, sound)
    event = asked(server.url, path)
    if fetched:
        answer = httpx.get(f"{server.url}gradio_api/call/analyze/{event}", timeout=LONG).text
        assert "event: complete" in answer
    assert gone(server, path)
    assert event not in server.sessions.open


@pytest.mark.parametrize(
    ("name", "more"), [("analyze", {}), ("lab_rerun", {}), ("lab_sweep", {"modality": "speech"}), ("lab_sweep", {})]
)
def test_plain_http_that_goes_wrong(server, sound: Path, monkeypatch, name: str, more: dict):
    monkeypatch.setattr(server.engine.model(), "answer", HFFError("This cannot be read."))
    path = upload(server.url, sound)
    event = asked(server.url, path, name, **more)
    answer = httpx.get(f"{server.url}gradio_api/call/{name}/{event}", timeout=LONG).text
    assert "event: error" in answer
    assert gone(server, path)


def test_plain_http_whose_call_is_never_begun(server, sound: Path, monkeypatch):
    monkeypatch.setattr(uploads, "WAITING_SECONDS", 0.5)
    path = upload(server.url, sound)
    message = {"data": [sent(path)], "fn_index": 9999}
    assert httpx.post(f"{server.url}gradio_api/call/analyze", json=message, timeout=LONG).status_code < 600
    assert gone(server, path)


def test_sessions_that_nobody_holds_end_by_themselves(tmp_path: Path, monkeypatch):
    visits = Sessions(tmp_path)
    for key in ("held", "called", "idle"):
        (tmp_path / key).write_text(MARK)
        visits.track(key, [str(tmp_path / key)])
    visits.arrive("held")
    monkeypatch.setattr(sessions, "IDLE_SECONDS", -1.0)
    with visits.answering("called"):
        visits.sweep()
        assert sorted(path.name for path in tmp_path.iterdir()) == ["called", "held"]
    visits.sweep()
    assert [path.name for path in tmp_path.iterdir()] == ["held"]
    visits.arrive("held")  # the page connects again before the old connection is known to be lost
    visits.leave("held")
    assert visits.has_page("held")
    visits.leave("held")
    visits.leave("held")
    assert list(tmp_path.iterdir()) == []


def test_a_page_that_was_cleared_is_still_open(tmp_path: Path, monkeypatch):
    visits = Sessions(tmp_path)
    visits.arrive("visit")
    visits.end("visit")  # what its button Clear does
    (tmp_path / "next").write_text(MARK)
    visits.track("visit", [str(tmp_path / "next")])
    monkeypatch.setattr(sessions, "IDLE_SECONDS", -1.0)
    visits.sweep()
    assert visits.has_page("visit")
    assert visits.files == {tmp_path / "next"}
    visits.leave("visit")
    assert not visits.has_page("visit")
    assert list(tmp_path.iterdir()) == []


def test_what_a_closed_page_is_answered_late_is_not_kept(tmp_path: Path, monkeypatch):
    visits = Sessions(tmp_path)
    visits.arrive("visit")
    visits.leave("visit")
    visits.of("visit")  # an event of it that had its turn only now
    visits.of("a program")
    monkeypatch.setattr(sessions, "SWEEP_SECONDS", -1.0)
    visits.sweep()
    assert visits.open == {"a program"}


def test_an_old_connection_that_ends_late_does_not_close_the_page_that_came_after_it(tmp_path: Path):
    visits = Sessions(tmp_path)
    visits.arrive("visit")
    visits.end("visit")
    visits.arrive("visit")  # it connects again ...
    visits.leave("visit")  # ... before the server knows that the old connection is gone
    assert visits.has_page("visit")


def test_nothing_is_made_for_a_visit_that_is_over(tmp_path: Path):
    visits = Sessions(tmp_path)
    visit = visits.of("visit")
    visit.make_file("a.json", "{}")
    visits.end("visit")
    with pytest.raises(HFFError, match="closed"):
        visit.make_file("b.json", "{}")
    assert list(tmp_path.iterdir()) == []


# ---- stopping -----------------------------------------------------------------------------------------------


@contextmanager
def program(home: Path) -> Iterator[tuple[subprocess.Popen, str]]:
    """``python app.py`` with a home and a temporary folder of its own, and its address."""
    port = free_port()
    (home / "tmp").mkdir(exist_ok=True)
    places = {
        "TMPDIR": home / "tmp",
        "HOME": home,
        "XDG_CACHE_HOME": home / "cache",
        "XDG_CONFIG_HOME": home / "config",
    }
    places = {name: str(path) for name, path in places.items()}
    with started("--port", str(port), "--max-file-size", "5MB", **places) as process:
        assert process.stdout.readline().startswith("The page is ready")
        yield process, f"http://127.0.0.1:{port}/"


def stop(process: subprocess.Popen, how: signal.Signals) -> int:
    process.send_signal(how)
    process.communicate(timeout=LONG)
    return process.returncode


def test_every_way_of_stopping(tmp_path: Path, sound: Path):
    """Half an upload, a finished one, a visit with a page and one without; then the program ends."""
    ways = [signal.SIGINT, signal.SIGTERM]
    if hasattr(signal, "SIGHUP") and signal.getsignal(signal.SIGHUP) != signal.SIG_IGN:  # under nohup it goes on
        ways.append(signal.SIGHUP)
    for way in ways:
        with program(tmp_path) as (process, url):
            client = visited(url, sound)
            with half_an_upload(url):
                assert eventually(lambda: len(traces(tmp_path)) >= 3), "they are here, in parts"
                assert stop(process, way) == 0, way
            client.close()
        assert traces(tmp_path) == [], way
        assert list((tmp_path / "tmp").glob("hff-page-*")) == [], way


def test_kill_and_the_next_start(tmp_path: Path, sound: Path):
    with program(tmp_path) as (process, url):
        client = visited(url, sound)
        with half_an_upload(url):
            assert eventually(lambda: len(traces(tmp_path)) >= 3)
            process.kill()
            process.communicate(timeout=LONG)
        client.close()
    assert traces(tmp_path) != [], "nobody can tidy up after that, except"
    with program(tmp_path) as (process, url):
        assert traces(tmp_path) == [], "the next one"
        answer = httpx.post(f"{url}gradio_api/upload", files={"files": ("a", b"v" * 5_400_000)}, timeout=LONG)
        assert (answer.status_code, answer.text) == (413, texts.UPLOAD_TOO_LARGE.format(limit="5 MB"))
        stop(process, signal.SIGTERM)
    assert list((tmp_path / "tmp").glob("hff-page-*")) == []


def visited(url: str, sound: Path) -> Client:
    """A page that read a sound, and an upload of somebody else."""
    client = Client(url, verbose=False)
    client.predict(video=None, audio=handle_file(sound), image=None, text="", transcribe=False, api_name="/analyze")
    upload(url, sound)
    return client


@contextmanager
def half_an_upload(url: str) -> Iterator[None]:
    port = int(url.rstrip("/").rpartition(":")[2])
    content = (EXAMPLES_FOLDER / "voice.wav").read_bytes()
    head = f'--b\r\nContent-Disposition: form-data; name="files"; filename="{MARK}.wav"\r\n\r\n'.encode()
    with socket.create_connection(("127.0.0.1", port), timeout=LONG) as line:
        line.sendall(
            b"POST /gradio_api/upload HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 4000000\r\n"
            b"Content-Type: multipart/form-data; boundary=b\r\n\r\n" + head + content
        )
        yield


def test_the_folder_takes_all_temporary_files_and_goes_for_good(tmp_path: Path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    folder = PrivateFolder()
    folder.take_all()
    with tempfile.NamedTemporaryFile(delete=False) as file:
        assert Path(file.name).parent == folder.path
    written = subprocess.run(
        [sys.executable, "-c", "import tempfile; print(tempfile.gettempdir())"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert written.stdout.strip() == str(folder.path)
    folder.close()
    assert (tempfile.gettempdir(), os.environ["TMPDIR"]) == (str(tmp_path), str(tmp_path))
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_is_made_again_after_it_was_removed(tmp_path: Path):
    """Gradio does so when a request is still at work; the program's very end removes it once more."""
    program = (
        "import atexit, os, pathlib, hff.page.session.private_folder as s\n"
        "folder = s.PrivateFolder()\n"
        "folder.close()\n"
        "(folder.path / 'again').mkdir(parents=True)\n"
        "(folder.path / 'again' / 'part').write_text('v')\n"
        "atexit._run_exitfuncs()\n"
        "os._exit(0)\n"
    )
    environment = os.environ | {"TMPDIR": str(tmp_path), "PYTHONPATH": str(EXAMPLES_FOLDER.parents[2])}
    subprocess.run([sys.executable, "-c", program], env=environment, check=True, timeout=LONG)
    assert list(tmp_path.iterdir()) == []
