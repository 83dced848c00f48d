"""Fixtures shared by all tests."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from hypothesis import settings

from hff import device as devices
from hff import modalities
from tests.attack.cases import Outcome, Table
from tests.support.media_fixtures import SENTENCE, speak, write_media
from tests.support.model_fixtures import SHIPPED

# A busy machine must not fail a test: hypothesis would by default after 0.2 s.
settings.register_profile("hff", deadline=None)
settings.load_profile("hff")

TABLE = pytest.StashKey[Table]()  # what came of the hostile files


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The slowest files first; the others keep their order."""
    lines = Path(__file__).with_name("slow_first.txt").read_text(encoding="utf-8").splitlines()
    place = {name: number for number, name in enumerate(line for line in lines if not line.startswith("#"))}
    items.sort(key=lambda item: place.get(item.path.name, len(place)))


def pytest_sessionfinish(session: pytest.Session) -> None:
    """A process that runs a part of the tests hands its outcomes to the one that prints."""
    table, output = session.config.stash.get(TABLE, None), getattr(session.config, "workeroutput", None)
    if table is not None and output is not None:
        output["hostile files"] = table.to_list()


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node) -> None:
    for group, outcome in getattr(node, "workeroutput", {}).get("hostile files", []):
        node.config.stash.setdefault(TABLE, Table()).add(group, Outcome(**outcome))


def pytest_terminal_summary(terminalreporter, config: pytest.Config) -> None:
    table = config.stash.get(TABLE, None)
    if table is not None and not hasattr(config, "workeroutput"):
        terminalreporter.section("hostile files")
        terminalreporter.write_line(str(table))


@pytest.fixture(scope="module")
def only_the_papers() -> Iterator[None]:
    """The paper's three modalities and no other, for tests whose numbers are of these three."""
    with modalities.only(*SHIPPED):
        yield


@pytest.fixture
def full_precision() -> Iterator[None]:
    """For tests whose numbers agree to the last digits."""
    with devices.same_on_every_cpu():
        yield


@pytest.fixture(scope="session")
def clip_path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two seconds of numbered frames at 10 Hz and a tone, as mp4."""
    return write_media(tmp_path_factory.mktemp("clip") / "clip.mp4", video="libx264", audio="aac")


@pytest.fixture(scope="session")
def speech_path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """``SENTENCE`` in a synthetic voice, as wav."""
    return speak(tmp_path_factory.mktemp("speech") / "speech.wav", SENTENCE)


@pytest.fixture(scope="session")
def speech_wave(speech_path: Path) -> np.ndarray:
    """``SENTENCE`` in a synthetic voice: (N,) float32, 16 kHz mono."""
    from hff.media.audio import read_audio

    return read_audio(speech_path)


@pytest.fixture(scope="session")
def portrait() -> np.ndarray:
    """(512,512,3) uint8: the public-domain picture of Eileen Collins that comes with scikit-image."""
    from skimage.data import astronaut

    return astronaut()


@pytest.fixture(scope="session")
def face_free() -> np.ndarray:
    """(400,600,3) uint8: a cup of coffee."""
    from skimage.data import coffee

    return coffee()
