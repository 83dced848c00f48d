"""The page's HTTP interface, called by ``gradio_client`` as another program would."""

from __future__ import annotations

import json
from pathlib import Path

import httpx
import pytest
from gradio import networking
from gradio_client import Client, handle_file
from gradio_client.exceptions import AppError

from hff.examples.ready import EXAMPLES_FOLDER
from hff.page.serve import Server
from tests.support.page_browser import FakeModel, eventually, files_in, real_model, serving
from tests.support.page_fixtures import alike

MODEL = real_model  # behind the page of these tests


@pytest.fixture
def client(server, tmp_path: Path):
    client = Client(server.url, verbose=False, download_files=str(tmp_path))
    yield client
    client.close()


NOTHING = {"video": None, "audio": None, "image": None, "text": "", "transcribe": True}


def call(client: Client, **inputs) -> dict:
    return client.predict(api_name="/analyze", **(NOTHING | inputs))


def plain(result: dict) -> dict:
    """Without what differs from run to run: times of work, and the name of the uploaded copy."""
    return {name: value for name, value in json.loads(json.dumps(result)).items() if name not in ("timings", "file")}


@pytest.mark.parametrize(
    "inputs",
    [
        {"video": "clip.mp4"},
        {"video": "camera_covered.mp4", "text": "I am fine", "transcribe": False},
        {"audio": "voice.wav"},
        {"image": "portrait.jpg", "text": "I miss my grandmother every single day."},
    ],
    ids=lambda inputs: "+".join(inputs),
)
def test_the_client_gets_the_same_numbers_as_the_python_api(client, inputs: dict):
    files = {name: EXAMPLES_FOLDER / value for name, value in inputs.items() if name in ("video", "audio", "image")}
    sent = {name: handle_file(path) for name, path in files.items()}
    if "video" in sent:
        sent["video"] = {"video": sent["video"]} if wants_dictionary(client) else sent["video"]
    expected = real_model().analyze(**(inputs | {name: str(path) for name, path in files.items()}))
    assert alike(plain(call(client, **(inputs | sent))), plain(expected.to_dict()))


def wants_dictionary(client: Client) -> bool:
    """Some versions of Gradio take a video as ``{"video": file}``."""
    (video,) = (
        p
        for p in client.view_api(return_format="dict")["named_endpoints"]["/analyze"]["parameters"]
        if p["parameter_name"] == "video"
    )
    return "video" in video["type"].get("properties", {})


def test_only_the_stable_names_are_offered(client):
    offered = client.view_api(return_format="dict")["named_endpoints"]
    assert set(offered) == {"/analyze", "/lab_rerun", "/lab_sweep"}
    names = [parameter["parameter_name"] for parameter in offered["/analyze"]["parameters"]]
    assert names == ["video", "audio", "image", "text", "transcribe"]


def test_errors_arrive_as_sentences(client, tmp_path: Path):
    with pytest.raises(AppError, match="Nothing was given"):
        call(client)
    broken = tmp_path / "holiday.wav"
    broken.write_text("this is no sound")
    with pytest.raises(AppError, match=r"holiday\.wav"):
        call(client, audio=handle_file(broken))


@pytest.mark.parametrize("path", ["http://192.0.2.1/clip.wav", "https://example.org/clip.wav", "/etc/hostname"])
def test_only_uploaded_files_are_read(client, path: str):
    """An address would send the server into the network, a path would read files nobody uploaded."""
    with pytest.raises((AppError, httpx.HTTPStatusError)):
        call(client, audio={"path": path, "meta": {"_type": "gradio.FileData"}})


def arrived(server: Server) -> Client:
    """A client whose heartbeat the page has heard: what it sends stays as long as it does."""
    client = Client(server.url, verbose=False)
    assert eventually(lambda: server.sessions.has_page(client.session_hash))
    return client


def test_uploads_are_deleted_with_the_client(server):
    assert eventually(lambda: files_in(server.folder.path) == [])
    client = arrived(server)
    call(client, image=handle_file(EXAMPLES_FOLDER / "portrait.jpg"))
    assert [path.name for path in files_in(server.folder.path)] == ["portrait.jpg"]
    client.close()
    assert eventually(lambda: files_in(server.folder.path) == [])


def test_a_computer_that_is_slow_to_answer_itself_serves_all_the_same(monkeypatch):
    """Gradio asks its own page once, for three seconds, and gives up after that."""
    monkeypatch.setattr(networking, "url_ok", lambda url: False)
    with serving(FakeModel()) as running:
        assert httpx.get(running.url, timeout=60).is_success


def test_uploads_are_deleted_with_the_server():
    with serving(FakeModel()) as running:
        folder = running.folder.path
        call(arrived(running), image=handle_file(EXAMPLES_FOLDER / "portrait.jpg"))
        assert files_in(folder) != []
    assert not folder.exists()
