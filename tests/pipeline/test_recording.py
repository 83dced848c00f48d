"""Raw material that was read once and is used again with other words."""

from __future__ import annotations

import numpy as np
import pytest

from hff.errors import NothingToAnalyse
from hff.examples.ready import EXAMPLES_FOLDER
from hff.media import files
from hff.media.probe import is_media, probe
from hff.pipeline import recording
from hff.pipeline.recording import NO_WORDS, TEXT_CUT, Recording

CLIP = EXAMPLES_FOLDER / "clip.mp4"


@pytest.fixture
def opened(monkeypatch) -> list[str]:
    """The name of every file that is opened for reading, in order."""
    names = []

    def counted(path, mode):
        names.append(str(path))
        return open(path, mode)

    monkeypatch.setattr(files, "open", counted, raising=False)
    return names


@pytest.fixture(scope="module")
def material() -> Recording:
    return recording.read(video=CLIP)


@pytest.mark.parametrize("text", ["Leave me alone.", "  ", None, "so sad " * 5000])
def test_other_words_give_what_reading_again_would(material: Recording, text: str | None, monkeypatch):
    fresh = recording.read(video=CLIP, text=text, transcribe=False)
    recognised = material.transcript
    for decoder in ("read_audio", "read_frames", "read_image", "probe"):
        monkeypatch.setattr(recording, decoder, None)
    changed = material.with_text(text)
    assert (changed.transcript and changed.transcript.text) == (fresh.transcript and fresh.transcript.text)
    assert changed.warnings == fresh.warnings
    assert (changed.seconds, changed.voiced, changed.still) == (fresh.seconds, fresh.voiced, fresh.still)
    assert np.array_equal(changed.wave, fresh.wave)
    assert [face.time for face in changed.faces] == [face.time for face in fresh.faces]
    assert all(np.array_equal(a.crop, b.crop) for a, b in zip(changed.faces, fresh.faces, strict=True))
    assert material.transcript is recognised


def test_remarks_about_words_go_with_the_words():
    heard = Recording(2, voiced=[(0.0, 1.0)], warnings=["It is dark.", NO_WORDS])
    assert heard.with_text("Hello").warnings == ["It is dark."]
    long = heard.with_text("so sad " * 5000)
    assert long.warnings == ["It is dark.", TEXT_CUT]
    assert long.with_text("Hello").warnings == ["It is dark."]
    assert heard.warnings == ["It is dark.", NO_WORDS]


def test_a_sentence_taken_away_leaves_nothing_to_analyse():
    with pytest.raises(NothingToAnalyse, match="holds no words"):
        recording.read(text="Hello").with_text(" ")


def test_a_clip_is_opened_once_to_look_into_it_and_once_for_each_stream(opened: list[str], monkeypatch):
    looked = []
    monkeypatch.setattr(recording, "probe", lambda path, probe=recording.probe: looked.append(path) or probe(path))
    read = recording.read(video=CLIP, transcribe=False)
    assert read.wave is not None
    assert read.faces
    assert looked == [CLIP]
    assert opened == [str(CLIP)] * 3  # what is in it, its sound, its pictures


@pytest.mark.parametrize(("name", "kind", "times"), [("clip.mp4", "video", 2), ("voice.wav", "audio", 1)])
def test_a_file_that_was_looked_into_is_not_looked_into_again(name: str, kind: str, times: int, opened: list[str]):
    info = probe(EXAMPLES_FOLDER / name)
    opened.clear()
    read = recording.read(**{kind: info}, transcribe=False)
    assert len(opened) == times  # its sound, its pictures
    assert read.warnings == recording.read(**{kind: EXAMPLES_FOLDER / name}, transcribe=False).warnings


@pytest.mark.parametrize("name", ["voice.wav", "portrait.jpg"])
def test_a_file_of_one_stream_is_opened_twice(name: str, opened: list[str]):
    path = EXAMPLES_FOLDER / name
    recording.read(video=path, transcribe=False)
    assert opened == [str(path)] * 2


def test_whether_a_file_is_media_is_seen_at_one_opening(opened: list[str]):
    assert is_media(CLIP)
    assert is_media(EXAMPLES_FOLDER / "portrait.jpg")
    assert len(opened) == 2
