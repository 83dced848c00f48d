"""The lab's HTTP interface, called by ``gradio_client`` as another program would."""

from __future__ import annotations

import pytest
from gradio_client import Client, handle_file
from gradio_client.exceptions import AppError

from hff.config import MODALITIES
from hff.examples.ready import EXAMPLES_FOLDER
from tests.support.page_browser import real_model, serving

DARK = {"source": "mixed", "damage": {"vision": {"kind": "dark", "severity": 0.9}}}
NO_FILES = {"video": None, "audio": None, "image": None}


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory):
    with serving(real_model()) as server:
        client = Client(server.url, verbose=False, download_files=str(tmp_path_factory.mktemp("files")))
        yield client
        client.close()


def rerun(client: Client, state: dict, **files) -> dict:
    return client.predict(state=state, api_name="/lab_rerun", **(NO_FILES | files))


def test_an_example_is_broken_by_name(client):
    answer = rerun(client, DARK)
    before, after = answer["before"], answer["after"]
    assert after["variance"]["vision"] > 1.3 * before["variance"]["vision"]
    assert after["alpha"]["vision"] < 0.85 * before["alpha"]["vision"]
    assert sum(after["alpha"].values()) == pytest.approx(1)
    assert "α of the face falls" in answer["changed"]
    assert answer["state"]["damage"] == DARK["damage"]
    for name in ("emotion", "probabilities", "alpha0", "precision", "shapley"):
        assert name in after


def test_an_uploaded_file_is_broken(client):
    state = {"text": "I miss my grandmother", "alpha": {"text": 1.0}}
    answer = rerun(client, state, image=handle_file(EXAMPLES_FOLDER / "portrait.jpg"))
    assert answer["state"]["source"] == "yours"
    assert answer["after"]["alpha"] == {"speech": 0, "text": 1, "vision": 0}
    assert answer["before"]["alpha"]["vision"] > 0


def test_a_sweep_comes_point_by_point(client):
    job = client.submit(state=DARK, modality="vision", points=4, api_name="/lab_sweep", **NO_FILES)
    points = job.result()["points"]
    assert [point["severity"] for point in points] == pytest.approx([0, 1 / 3, 2 / 3, 1], abs=1e-3)
    assert points[-1]["alpha_vision"] < points[0]["alpha_vision"]
    assert all(sum(p[f"alpha_{m}"] for m in MODALITIES) == pytest.approx(1) for p in points)
    assert points[0]["variance_speech"] is None
    earlier = [output["points"] for output in job.outputs()]
    assert [len(part) for part in earlier] == sorted(len(part) for part in earlier)
    assert points[: len(earlier[0])] == earlier[0]


@pytest.mark.parametrize(
    ("state", "message"),
    [
        ({"source": "nowhere"}, "no example called “nowhere”"),
        ({"source": "yours"}, "no clip of yours"),
        ({"damage": {"vision": {"severity": 7}}}, "between 0 and 1"),
        ([], "JSON object"),
    ],
)
def test_errors_arrive_as_sentences(client, state, message: str):
    with pytest.raises(AppError, match=message):
        rerun(client, state)


def test_a_sweep_of_nothing_is_told(client):
    with pytest.raises(AppError, match="modality to sweep"):
        client.predict(state=DARK, modality="smell", points=4, api_name="/lab_sweep", **NO_FILES)
    with pytest.raises(AppError, match="2 to 101 points"):
        client.predict(state=DARK, modality="vision", points=1, api_name="/lab_sweep", **NO_FILES)


@pytest.mark.parametrize("points", ["5", 0, -1, True, 1e9, None])
def test_points_that_there_cannot_be_are_refused_in_our_own_words(client, points):
    with pytest.raises(AppError, match="2 to 101 points"):
        client.submit(state=DARK, modality="vision", points=points, api_name="/lab_sweep", **NO_FILES).result()


@pytest.mark.parametrize("state", [{"samples": -1}, {"seed": 2**70}, {"seed": 10**400}, {"samples": "8"}])
def test_numbers_of_a_state_that_there_cannot_be(client, state):
    with pytest.raises(AppError, match=next(iter(state))):
        rerun(client, DARK | state)
