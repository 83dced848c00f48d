"""What the lab lets one hear, read and see, without model or browser."""

from __future__ import annotations

import base64
import io
import re
import wave

import numpy as np

from hff.config import MODALITIES
from hff.lab.lab import corrupted_recording
from hff.lab.state import Corruption, LabState
from hff.locale import texts
from hff.page.lab.before_after import comparison
from hff.page.lab.evidence import corruption_said, evidence, face_crops, wav_bytes, words
from hff.page.lab.worksheet import describe
from hff.pipeline.recording import Recording
from hff.result import Transcript
from tests.support.lab_fixtures import BLURRED, CLEAN
from tests.support.page_fixtures import make_result


def test_what_is_played_is_what_the_model_gets_and_never_too_loud():
    sound = (3 * np.sin(np.arange(8000) / 10)).astype(np.float32)
    with wave.open(io.BytesIO(wav_bytes(sound))) as file:
        played = np.frombuffer(file.readframes(file.getnframes()), "<i2") / 32767
    assert file.getframerate() == 16_000
    np.testing.assert_allclose(played, sound * 0.3, atol=1e-3)
    quiet = 0.1 * sound
    with wave.open(io.BytesIO(wav_bytes(quiet))) as file:
        np.testing.assert_allclose(np.frombuffer(file.readframes(9000), "<i2") / 32767, quiet, atol=1e-3)


def test_lost_words_are_struck_out_and_new_ones_marked():
    shown = words(Transcript("I am so happy today"), Transcript("I am [MASK] today <b>"))
    assert "<mark>[MASK]</mark>" in shown
    assert "&lt;b&gt;" in shown
    assert "<del>so happy</del>" in words(Transcript("I am so happy today"), Transcript("I am today"))
    assert words(None, None) == words(None, None)
    assert texts.NO_WORDS in words(None, None)


def test_faces_are_shown_from_the_first_to_the_last():
    from PIL import Image

    seen = make_result(6).evidence.faces
    strip = face_crops(seen, texts.LAB_AFTER)
    data = base64.b64decode(re.search(r"base64,([^\"]+)", strip)[1])
    picture = np.asarray(Image.open(io.BytesIO(data)))
    assert picture.shape == (48, 5 * 48)
    np.testing.assert_array_equal(picture[:, :48], seen[0].crop)
    np.testing.assert_array_equal(picture[:, -48:], seen[-1].crop)


def test_before_stands_beside_after_and_the_corruption_is_named_with_its_severity():
    wave = np.sin(np.arange(16_000) / 20).astype(np.float32)
    seen = make_result(6).evidence.faces
    clean = Recording(1.0, wave, [(0.0, 1.0)], Transcript("I am so happy"), seen)
    state = LabState(source="clip", corruption=CLEAN.corruption | {"speech": Corruption("white noise", 0.8)})
    shown = evidence(clean, corrupted_recording(clean, state), CLEAN, state)
    assert shown.count("<audio") == 2
    assert "hiss (white noise), 80%" in shown
    assert shown.count(texts.LAB_AS_BEFORE) == len(MODALITIES) - 1
    state = LabState(
        source="clip", corruption=CLEAN.corruption | {"vision": Corruption("blur", 0.5)}, text="Not at all"
    )
    shown = evidence(clean, corrupted_recording(clean, state), CLEAN, state)
    assert shown.count("hff-lab-faces-5") == 2
    assert shown.count('class="hff-lab-words"') == 2
    assert "<mark>Not at all</mark>" in shown
    assert "out of focus, 50%" in shown


def test_another_ear_is_named_before_and_after():
    before, now = make_result(3, speech_encoder="whisper"), make_result(3, seed=4, speech_encoder="mfcc-cnn")
    state = CLEAN.but(speech_encoder="mfcc-cnn")
    shown = comparison(before, now, CLEAN, state)
    assert "Before · ear: Whisper" in shown
    assert "After · ear: the paper" in shown
    assert "ear:" not in comparison(before, before, CLEAN, CLEAN)
    clean = Recording(1.0, np.ones(16_000, np.float32), [(0.0, 1.0)], Transcript("I am so happy"))
    assert evidence(clean, clean, CLEAN, CLEAN).count(texts.LAB_AS_BEFORE) == len(MODALITIES)
    assert corruption_said("speech", state) == "ear: the paper's"
    assert corruption_said("speech", state.with_severity("speech", 0.5)).endswith("50%; ear: the paper's")
    assert corruption_said("vision", state) == ""
    assert "The voice is heard with another ear: the paper's." in describe(state)


def test_nothing_at_all_can_be_shown():
    shown = evidence(Recording(1.0), Recording(1.0), CLEAN, BLURRED)
    for sentence in (texts.NO_SOUND, texts.NO_WORDS, texts.NO_FACE):
        assert sentence in shown
