"""What may be sent to the page: sizes are counted as they arrive, and what is not taken leaves nothing and is told."""

from __future__ import annotations

import errno
import gc
import os
import re
import shutil
import socket
import struct
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hff.config import MAX_CHARACTERS
from hff.errors import InputError
from hff.locale import texts, using
from hff.page.door import body_guard, uploads
from hff.page.door.body_guard import Parts
from hff.page.door.uploads import MB, Limits, Refused, Uploads, size_text
from hff.page.serve import Server
from hff.page.session import sessions as sessions_module
from hff.pipeline import recording
from tests.support.page_browser import FakeModel, browsing, eventually, files_in, path_in, serving
from tests.support.page_fixtures import SENTENCE

KB = 1024
SMALL = Limits(MB, 4 * MB, 8 * MB, reserve=0)
BOUNDARY = "a-line-between"
HEAD = f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="files"; filename="NAME"\r\n\r\n'
TAIL = f"\r\n--{BOUNDARY}--\r\n".encode()
LONG = 120  # s; the machine may be busy


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A page that takes files up to 1 MB, with a temporary folder of its own."""
    with pytest.MonkeyPatch.context() as changes:
        changes.setattr(tempfile, "tempdir", str(tmp_path_factory.mktemp("tmp")))
        changes.setattr(uploads.Limits, "of", classmethod(lambda cls, file=0: SMALL))
        with serving(FakeModel()) as server:
            yield server


@pytest.fixture
def server(running: Server) -> Iterator[Server]:
    """The page without anything that another test sent."""
    yield running
    for upload in running.uploads.named_in(b" ".join(path.name.encode() for path in running.folder.path.iterdir())):
        running.uploads.drop(upload)


def send_file(server: Server, data: bytes, name: str = "clip.wav", client: httpx.Client | None = None):
    return (client or httpx).post(f"{server.url}gradio_api/upload", files={"files": (name, data)}, timeout=LONG)


@contextmanager
def half_sent(server: Server, body: bytes, announced: int, path: str = "upload", name: str = "clip.wav"):
    """A connection on which the beginning of an upload was sent."""
    head = HEAD.replace("NAME", name).encode()
    with socket.create_connection(("127.0.0.1", server.page.server_port), timeout=LONG) as line:
        line.sendall(
            f"POST /gradio_api/{path} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: {announced}\r\n"
            f"Content-Type: multipart/form-data; boundary={BOUNDARY}\r\n\r\n".encode()
            + head
            + body
        )
        yield line


def answer_of(line: socket.socket) -> bytes:
    """Head and body of a short answer."""
    answer = b""
    while (end := answer.find(b"\r\n\r\n")) < 0 or len(answer) - end - 4 < length_in(answer[:end]):
        more = line.recv(10_000)
        assert more, answer
        answer += more
    return answer


def length_in(head: bytes) -> int:
    return int(re.search(rb"content-length: ([0-9]+)", head, re.IGNORECASE)[1])


def nothing_left(server: Server) -> bool:
    """No file of a visitor, no folder of an upload, anywhere in the temporary folder, in a moment at the latest."""

    def look() -> bool:
        around = [name for _, _, names in os.walk(tempfile.gettempdir()) for name in names if name != "in_use"]
        return around == [] and not list(server.folder.path.glob("up-*")) and server.uploads.kept == 0

    return eventually(look, 20)


def test_what_follows_an_upload_on_its_connection_finds_every_file(server):
    """Reading pauses while much arrives, and goes on within the upload's own task: its context must not stay."""
    with httpx.Client() as browser:
        earlier = send_file(server, b"first", client=browser).json()[0]
        assert send_file(server, bytes(900_000), client=browser).status_code == 200
        assert browser.get(f"{server.url}gradio_api/file={earlier}").content == b"first"


def test_an_upload_arrives_whole_and_each_has_a_folder_of_its_own(server):
    data = bytes(range(256)) * 3000
    first, second = (path_in(server, send_file(server, data).json()[0]) for _ in range(2))
    assert first.read_bytes() == second.read_bytes() == data
    assert first.name == second.name == "clip.wav"
    assert first.parent != second.parent
    assert all(server.folder.path in path.parents for path in (first, second))
    assert len(data) * 2 <= server.uploads.kept < len(data) * 2 + 2000


@pytest.mark.parametrize("name", ["x" * 300 + ".wav", "../../../climbs.wav", "..", "a/b\\c.wav", "né ✓.wav", " "])
def test_no_file_name_leads_out_of_the_folder(server, name: str):
    answer = send_file(server, b"data", name)
    if answer.status_code == 200:
        assert [path_in(server, shown).is_file() for shown in answer.json()] == [True]
    else:
        assert answer.status_code < 500
        assert nothing_left(server)
    assert all(server.folder.path in path.parents for path in files_in(Path(tempfile.gettempdir())))


@pytest.mark.parametrize("goodbye", ["close", "reset"])
@pytest.mark.parametrize("sent", [0, 10, 600 * KB])
def test_an_upload_that_breaks_off_leaves_nothing(server, goodbye: str, sent: int):
    with half_sent(server, b"v" * sent, 900 * KB) as line:
        assert eventually(lambda: len(list(server.folder.path.glob("up-*/*"))) == 1), "it was begun"
        if goodbye == "reset":
            line.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    assert nothing_left(server)
    assert send_file(server, b"data").status_code == 200


def test_a_sender_who_falls_silent_counts_as_gone(server, monkeypatch):
    monkeypatch.setattr(body_guard, "STALL_SECONDS", 0.5)
    with half_sent(server, b"v" * 1000, 900 * KB) as line:
        answer = answer_of(line)
        assert answer.startswith(b"HTTP/1.1 408 ")
        assert texts.UPLOAD_SLOW.encode() in answer
        assert nothing_left(server)


def test_a_file_that_is_too_large_is_refused_by_its_announcement(server):
    answer = send_file(server, b"v" * (2 * MB))
    assert (answer.status_code, answer.text) == (413, texts.UPLOAD_TOO_LARGE.format(limit="1 MB"))
    assert nothing_left(server)


def test_a_file_that_is_too_large_is_refused_though_nothing_was_announced(server):
    def body() -> Iterator[bytes]:
        yield HEAD.encode()
        for _ in range(40):
            yield b"v" * (100 * KB)
        yield TAIL

    kind = {"content-type": f"multipart/form-data; boundary={BOUNDARY}"}
    try:
        answer = httpx.post(f"{server.url}gradio_api/upload", content=body(), headers=kind, timeout=LONG)
    except httpx.TransportError:
        pass  # an end that nobody announced is not waited for
    else:
        assert (answer.status_code, answer.text) == (413, texts.UPLOAD_TOO_LARGE.format(limit="1 MB"))
    assert nothing_left(server)


@pytest.mark.parametrize(
    ("files", "data", "sentence"),
    [
        ({}, {"files": "v" * 100_000}, texts.UPLOAD_NO_FILE),  # would be kept in memory
        ({"other": ("a.wav", b"v")}, {}, texts.UPLOAD_NO_FILE),
        ([("files", (f"{number}.wav", b"v")) for number in range(9)], {}, texts.UPLOAD_PARTS.format(count=8)),
    ],
)
def test_an_upload_holds_files_and_not_many(server, files, data, sentence: str):
    answer = httpx.post(f"{server.url}gradio_api/upload", files=files or {"files": ("a", b"")}, data=data, timeout=LONG)
    assert answer.status_code in (400, 413)
    assert answer.text == sentence
    assert nothing_left(server)


@pytest.mark.parametrize(
    "kind", ["", "multipart/form-data", "multipart/form-data; boundary=" + "b" * 5000, "text/plain"]
)
def test_what_is_no_form_is_refused_in_words(server, kind: str):
    answer = httpx.post(f"{server.url}gradio_api/upload", content=b"--x", headers={"content-type": kind}, timeout=LONG)
    assert answer.status_code in (400, 415)
    assert answer.text in (texts.UPLOAD_NO_FILE, texts.UPLOAD_BROKEN)
    assert nothing_left(server)


@pytest.mark.parametrize("path", ["component_server", "component_server/", "queue/join", "call/analyze"])
def test_files_come_in_at_one_place_only(server, path: str):
    """Gradio's other routes write them to the common temporary folder, where they stay."""
    answer = httpx.post(f"{server.url}gradio_api/{path}", files={"files": ("a.wav", b"v")}, timeout=LONG)
    assert answer.status_code in (404, 415)
    assert nothing_left(server)


# ---- a full disk --------------------------------------------------------------------------------------------


def no_room(server: Server, answer: httpx.Response) -> None:
    assert (answer.status_code, answer.text) == (507, texts.UPLOAD_NO_ROOM)
    assert str(server.folder.path) not in answer.text
    assert nothing_left(server)


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EDQUOT, errno.EFBIG])
def test_a_disk_that_fills_up_while_a_file_arrives(server, monkeypatch, code: int):
    from gradio.route_utils import GradioUploadFile

    write = GradioUploadFile.write

    async def full(self, data: bytes) -> None:
        await write(self, data)
        if self.size > 300 * KB:
            raise OSError(code, "no room", self.file.name)

    monkeypatch.setattr(GradioUploadFile, "write", full)
    no_room(server, send_file(server, b"v" * (900 * KB)))
    assert send_file(server, b"data").status_code == 200


def test_a_disk_that_is_full_in_truth(monkeypatch, tmp_path: Path):
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = shutil.which("mount")
    if (
        mount is None
        or subprocess.run(
            [mount, "-t", "tmpfs", "-o", "size=600k", "tmpfs", str(disk)], capture_output=True, check=False
        ).returncode
    ):
        pytest.skip("needs to mount a small disk")
    try:
        monkeypatch.setattr(tempfile, "tempdir", str(disk))
        unguarded = replace(SMALL, reserve=-MB * MB)  # as if the disk filled up later
        monkeypatch.setattr(uploads.Limits, "of", classmethod(lambda cls, file=0: unguarded))
        with serving(FakeModel()) as server:
            no_room(server, send_file(server, b"v" * (900 * KB)))
            session = server.sessions.of("somebody")
            with pytest.raises(sessions_module.HFFError, match="is full"):
                session.make_file("report.html", b"v" * (900 * KB))
            assert nothing_left(server)
            assert send_file(server, b"v" * (300 * KB)).status_code == 200, "there is room again"
    finally:
        gc.collect()  # what could not be written may still be open
        subprocess.run(["umount", str(disk)], check=True)


def test_some_of_the_disk_stays_free(server, monkeypatch):
    monkeypatch.setattr(server.uploads, "limits", Limits(MB, 4 * MB, 8 * MB, reserve=1 << 60))
    no_room(server, send_file(server, b"v"))


# ---- shares -------------------------------------------------------------------------------------------------


def test_one_visitor_has_a_share_and_gets_it_back(server):
    server.sessions.arrive("visit")
    kept = []
    for _ in range(4):
        answer = send_file(server, b"v" * (900 * KB))
        assert answer.status_code == 200
        kept += answer.json()
    answer = send_file(server, b"v" * (900 * KB))
    assert (answer.status_code, answer.text) == (413, texts.UPLOAD_VISITOR_FULL.format(limit="4 MB"))
    server.sessions.track("visit", [str(path_in(server, shown)) for shown in kept])
    server.sessions.leave("visit")
    assert nothing_left(server)
    assert send_file(server, b"v" * (900 * KB)).status_code == 200


def test_all_together_have_a_limit(tmp_path: Path):
    kept = Uploads(tmp_path, Limits(file=10, visitor=20, server=50, reserve=0))
    for number in range(5):
        kept.grow(kept.begin(f"visitor {number}"), 10)
    with pytest.raises(Refused, match="All visitors together have 50 bytes") as refused:
        kept.grow(kept.begin("the sixth"), 1)
    assert refused.value.status == 507


def test_many_uploads_at_once_are_refused(tmp_path: Path):
    kept = Uploads(tmp_path, Limits(10, 2000, 5000, 0))
    begun = [kept.begin("one") for _ in range(uploads.AT_ONCE_VISITOR)]
    with pytest.raises(Refused, match="32 now") as refused:
        kept.begin("one")
    assert refused.value.status == 429
    kept.begin("another")
    for upload in begun:
        kept.drop(upload)
    kept.begin("one")


def test_nothing_is_taken_once_the_page_is_being_stopped(tmp_path: Path):
    kept = Uploads(tmp_path, Limits(10, 20, 50, 0))
    under_way = kept.begin("one")
    kept.close()
    for ask in (lambda: kept.begin("one"), lambda: kept.grow(under_way, 1)):
        with pytest.raises(Refused, match="being stopped"):
            ask()
    gone = Uploads(tmp_path / "not there", Limits(10, 20, 50, 0))
    with pytest.raises(Refused, match="being stopped"):
        gone.begin("one")
    assert not (tmp_path / "not there").exists()


# ---- the parser that reads along ----------------------------------------------------------------------------


@given(st.lists(st.integers(0, 60), min_size=1, max_size=10), st.lists(st.integers(1, 40), min_size=1), st.booleans())
def test_sizes_are_counted_however_the_body_is_cut(sizes: list[int], cuts: list[int], field: bool):
    head = HEAD.replace("NAME", "n").encode()
    if field:
        head = head.replace(b'; filename="n"', b"")
    body = b"\r\n".join(head + b"v" * size for size in sizes) + TAIL
    kept = Uploads(Path("."), Limits(file=50, visitor=100, server=200, reserve=0))
    parts = Parts(f"multipart/form-data; boundary={BOUNDARY}".encode(), kept)
    fault = field or max(sizes) > 50 or len(sizes) > body_guard.MAX_PARTS

    def feed() -> None:
        place, number = 0, 0
        while place < len(body):
            step = cuts[number % len(cuts)]
            parts.feed(body[place : place + step])
            place, number = place + step, number + 1

    if fault:
        with pytest.raises(Refused):
            feed()
    else:
        feed()


# ---- everything else that is sent ---------------------------------------------------------------------------


@pytest.mark.parametrize("path", ["queue/join", "call/analyze", "call/v2/analyze", "component_server", "cancel"])
def test_a_message_of_300_megabytes_is_refused(server, path: str):
    with socket.create_connection(("127.0.0.1", server.page.server_port), timeout=LONG) as line:
        line.sendall(
            f"POST /gradio_api/{path} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
            "Content-Length: 300000000\r\n\r\n".encode()
            + b'{"data": ["'
        )
        answer = answer_of(line)  # before more of it was sent
    assert answer.startswith((b"HTTP/1.1 413 ", b"HTTP/1.1 404 "))
    if b" 413 " in answer[:20]:
        assert texts.BODY_TOO_LARGE.format(limit="2 MB").encode() in answer


def test_a_message_that_announces_nothing_is_counted(server):
    with socket.create_connection(("127.0.0.1", server.page.server_port), timeout=LONG) as line:
        line.sendall(
            b"POST /gradio_api/queue/join HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
            b"Transfer-Encoding: chunked\r\n\r\n"
        )
        sent = 0
        try:
            while sent < 100 * MB:
                line.sendall(b"40000\r\n" + b"v" * 0x40000 + b"\r\n")
                sent += 0x40000
        except OSError:
            pass  # the server has closed the connection
    assert sent < 50 * MB


@pytest.mark.parametrize("count", [MAX_CHARACTERS + 1, 1_000_000])
def test_a_long_text_is_refused_by_the_server(server, monkeypatch, count: int):
    # The real one, which limits texts for page, package and command line alike.
    monkeypatch.setattr(server.engine.model(), "read", recording.read)
    data = {"data": [None, None, None, "v" * count, False]}
    event = httpx.post(f"{server.url}gradio_api/call/analyze", json=data, timeout=LONG).json()["event_id"]
    answer = httpx.get(f"{server.url}gradio_api/call/analyze/{event}", timeout=LONG).text
    assert "event: error" in answer
    assert f"The text has {count:,} characters" in answer
    assert "40,000" in answer


def test_a_long_text_is_refused_by_the_package():
    assert recording.read(text="v " * (MAX_CHARACTERS // 2)).transcript is not None
    sentence = recording.read(text=SENTENCE)
    for ask in (lambda text: recording.read(text=text), sentence.with_text):
        with pytest.raises(InputError, match=r"has 40,001 characters and at most 40,000 are taken"):
            ask("v" * (MAX_CHARACTERS + 1))


def test_a_long_text_is_one_line_of_the_command(tmp_path: Path, capsys):
    from hff.cli import main

    (tmp_path / "book.txt").write_text("v " * 30_000)
    assert main(["analyze", str(tmp_path / "book.txt")]) == 1
    assert "at most 40,000 are taken" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("size", "text"), [(1 << 30, "1 GB"), (3 << 29, "1.5 GB"), (300 * MB, "300 MB"), (20, "20 bytes")]
)
def test_sizes_are_told_in_words_and_read_back(size: int, text: str):
    import app

    assert size_text(size) == text
    with using("de"):
        assert size_text(size) == text.replace(".", ",").replace("bytes", "Bytes")
    if "bytes" not in text:
        assert app.parse(["--max-file-size", text]).max_file_size == size
        assert app.parse(["--max-file-size", text.replace(" ", "").lower()]).max_file_size == size


@pytest.mark.parametrize("text", ["", "0MB", "1", "1 TBB", "many", "1e9GB"])
def test_a_size_that_is_none_is_refused(text: str, capsys):
    import app

    with pytest.raises(SystemExit):
        app.parse(["--max-file-size", text])
    assert "use for example 300MB or 2GB" in capsys.readouterr().err


# ---- what people see ----------------------------------------------------------------------------------------


@pytest.mark.browser
def test_the_page_shows_the_sentence(server, monkeypatch, tmp_path: Path):
    sound = tmp_path / "clip.wav"
    sound.write_bytes(b"v" * 1000)
    monkeypatch.setattr(server.uploads, "limits", Limits(MB, 4 * MB, 8 * MB, reserve=1 << 60))
    with browsing(server.url) as page:
        page.locator("#hff-media").get_by_role("tab", name=texts.TAB_AUDIO, exact=True).click()
        page.locator("#hff-audio input[type=file]").set_input_files(sound)
        page.get_by_text(texts.UPLOAD_NO_ROOM).first.wait_for()
        assert "Internal Server Error" not in page.inner_text("body")
    assert nothing_left(server)
