"""Raw material that was read once and is used again with other words."""

from __future__ import annotations

import numpy as np
import pytest

from hff.errors import NothingToAnalyse
from hff.examples.ready import EXAMPLES_FOLDER
from hff.pipeline import recording
from hff.pipeline.recording import NO_WORDS, TEXT_CUT, Recording

CLIP = EXAMPLES_FOLDER / "clip.mp4"


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
    assert changed.transcript == fresh.transcript
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
