"""One visitor does not hold up the others: several of them on a real page, over plain HTTP, at the same time."""

from __future__ import annotations

import json
import threading
import time
import urllib.error
import urllib.request
from pathlib import Path

import numpy as np
import pytest
from gradio_client import Client, handle_file
from gradio_client.exceptions import AppError

from hff import cancel
from hff.config import SAMPLE_RATE
from hff.examples.ready import EXAMPLES_FOLDER
from hff.media.image import read_image
from hff.page.live.messages import jpeg
from hff.page.session import asker
from hff.page.session.lanes import MOST_WAITING, TURNS
from tests.support.media_fixtures import write_wav
from tests.support.page_browser import FakeModel, eventually, real_model, serving

LONG = 1200  # s of speech in a long sound: minutes of work, on any machine
SOON = 90.0  # s for a short answer on a busy machine; the long ones take much longer there


class Visitor:
    """Uploads, asks and listens by itself, with nothing but HTTP."""

    def __init__(self, url: str) -> None:
        self.url = url.rstrip("/") + "/gradio_api"

    def upload(self, path: Path) -> dict:
        body = (
            b'--hff\r\nContent-Disposition: form-data; name="files"; filename="%s"\r\n'
            b"Content-Type: application/octet-stream\r\n\r\n%s\r\n--hff--\r\n"
        ) % (path.name.encode(), path.read_bytes())
        (name,) = self._post("/upload", body, "multipart/form-data; boundary=hff")
        return {"path": name, "meta": {"_type": "gradio.FileData"}}

    def ask(self, audio=None, image=None, text: str = "", transcribe: bool = True) -> str:
        """Have something analysed; the number of the answer."""
        return self.call("analyze", [None, audio, image, text, transcribe])

    def call(self, name: str, data: list) -> str:
        body = json.dumps({"data": data}).encode()
        return self._post(f"/call/{name}", body, "application/json")["event_id"]

    def listen(self, number: str, name: str = "analyze"):
        """The open connection that the answer comes over."""
        return urllib.request.urlopen(f"{self.url}/call/{name}/{number}", timeout=600)

    def answer(self, number: str, name: str = "analyze") -> dict | str:
        """The first output, or the sentence of the error."""
        kind = ""
        with self.listen(number, name) as lines:
            for line in lines:
                word, _, rest = line.decode().strip().partition(": ")
                kind = rest if word == "event" else kind
                if word == "data" and kind in ("complete", "error"):
                    said = json.loads(rest)
                    return said[0] if kind == "complete" else said["error"]
        raise AssertionError("The connection ended without an answer.")

    def _post(self, path: str, body: bytes, kind: str):
        request = urllib.request.Request(self.url + path, body, {"Content-Type": kind})
        with urllib.request.urlopen(request, timeout=120) as reply:
            return json.loads(reply.read())


@pytest.fixture(scope="module")
def server():
    with serving(real_model()) as running:
        running.engine.analyze({"text": "I am fine"}, True)  # the first answer takes longer
        yield running


@pytest.fixture(scope="module")
def long_sound(speech_wave: np.ndarray, tmp_path_factory) -> Path:
    wave = (32767 * np.resize(speech_wave, LONG * SAMPLE_RATE)).astype(np.int16)
    return write_wav(tmp_path_factory.mktemp("long") / "long.wav", wave, SAMPLE_RATE, 16)


@pytest.fixture
def idle(server):
    """The lanes; empty before the test, and again after it."""
    lanes = server.engine.lanes
    assert eventually(lambda: not lanes.working and not lanes.waiting)
    yield lanes
    for work in lanes.works:
        work.set()
    assert eventually(lambda: not lanes.working and not lanes.waiting)


def begin(server, sound: Path, count: int) -> tuple[list[Visitor], list]:
    """So many visitors with long sound that is being worked on, and their open connections."""
    visitors = [Visitor(server.url) for _ in range(count)]
    connections = [visitor.listen(visitor.ask(audio=visitor.upload(sound))) for visitor in visitors]
    assert eventually(lambda: server.engine.lanes.working == min(count, TURNS))
    return visitors, connections


def test_work_of_visitors_who_leave_ends_and_others_get_their_answer(server, idle, long_sound):
    _, connections = begin(server, long_sound, 2)
    works = idle.works
    for connection in connections:
        connection.close()
    begun = time.monotonic()
    third = Visitor(server.url)
    answer = third.answer(third.ask(text="What a wonderful day"))
    assert answer["emotion"]
    assert time.monotonic() - begun < SOON
    assert eventually(lambda: not idle.working)
    assert all(work.is_set for work in works)  # they were stopped, and had not come to their end


def test_short_work_is_answered_while_two_long_analyses_stay(server, idle, long_sound):
    _, connections = begin(server, long_sound, 2)
    works = idle.works
    for work in works:
        work.used += 60  # as if a minute of it were done
    try:
        fourth = Visitor(server.url)
        took: dict[str, float] = {}

        def timed(name: str, do):
            begun = time.monotonic()
            answer = do()
            took[name] = time.monotonic() - begun
            return answer

        picture = fourth.upload(EXAMPLES_FOLDER / "portrait.jpg")
        face = timed("picture", lambda: fourth.answer(fourth.ask(image=picture)))
        assert face["present"]["vision"]
        words = timed("sentence", lambda: fourth.answer(fourth.ask(text="I miss my grandmother")))
        assert words["present"]["text"]
        state = {"source": "mixed", "damage": {"vision": {"kind": "blur", "severity": 0.5}}}
        data = [state, None, None, None]
        lab = timed("lab", lambda: fourth.answer(fourth.call("lab_rerun", data), "lab_rerun"))
        assert lab["before"]["alpha"] != lab["after"]["alpha"]
        ticket, problem = server.live.enter("a visitor")
        assert not problem
        frame = {"time": 0.5, "data": jpeg(read_image(EXAMPLES_FOLDER / "portrait.jpg")[:360, :480])}
        live = timed("live", lambda: server.live.feed({"ticket": ticket, "frame": frame}))
        assert live["emotion"]
        assert max(took.values()) < SOON, took
        assert works == idle.works  # both are there still, and were not stopped for it
        assert not any(work.is_set for work in works)
    finally:
        server.live.leave("a visitor")
        for connection in connections:
            connection.close()
    assert eventually(lambda: not idle.working and not idle.waiting)


def test_who_asks_and_never_comes_for_the_answer_is_not_worked_for(server, idle, long_sound, monkeypatch):
    monkeypatch.setattr(asker, "UNHEARD_SECONDS", 1.0)
    visitor = Visitor(server.url)
    visitor.ask(audio=visitor.upload(long_sound))
    assert eventually(lambda: idle.working == 1)
    (work,) = idle.works
    assert eventually(lambda: not idle.working)
    assert work.is_set


def test_a_page_that_is_closed_ends_its_analysis(server, idle, long_sound):
    """The heartbeat that an open page keeps: when it ends, the page is gone."""
    client = Client(server.url, verbose=False)
    try:
        job = client.submit(None, handle_file(long_sound), None, "", True, api_name="/analyze")
        assert eventually(lambda: idle.working == 1)
        (work,) = idle.works
        assert work.owner == client.session_hash
        beat = urllib.request.urlopen(f"{server.url.rstrip('/')}/gradio_api/heartbeat/{client.session_hash}")
        beat.readline()
        beat.close()
        assert eventually(lambda: not idle.working)
        assert work.is_set
        # What a closed page gave is removed too, and may be missed before the flag is seen.
        with pytest.raises(AppError, match=r"nobody waits|There is no file"):
            job.result(timeout=120)
    finally:
        client.close()


def test_stop_ends_what_a_visit_asked_for(server, idle, long_sound):
    client = Client(server.url, verbose=False)
    try:
        job = client.submit(None, handle_file(long_sound), None, "", True, api_name="/analyze")
        assert eventually(lambda: idle.working == 1)
        assert server.engine.stop(client.session_hash) == 1
        with pytest.raises(AppError, match="The analysis was stopped"):
            job.result(timeout=120)
    finally:
        client.close()


def test_a_full_page_says_with_a_number_how_many_wait():
    """All turns and places taken by visitors who stay; the next one is told at once, not left to wait."""
    model, release = FakeModel(), threading.Event()

    def read(*_, **__):
        while not release.wait(0.05):
            cancel.checkpoint()
        return FakeModel.read(model, text="I am fine")

    model.read = read
    with serving(model) as server:
        lanes = server.engine.lanes
        visitor = Visitor(server.url)
        numbers = [visitor.ask(text="I am fine") for _ in range(TURNS + MOST_WAITING)]
        connections = [visitor.listen(number) for number in numbers]
        try:
            assert eventually(lambda: lanes.working == TURNS and lanes.waiting == MOST_WAITING)
            said = visitor.answer(visitor.ask(text="I am late"))
            assert f"waiting: {MOST_WAITING}" in said
        finally:
            release.set()
            for connection in connections:
                connection.close()
        assert eventually(lambda: not lanes.working and not lanes.waiting)
        assert visitor.answer(visitor.ask(text="I am fine"))["emotion"]
