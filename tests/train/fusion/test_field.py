"""A classroom's damage, never trained on; made-up and foreign input that is none of what was learned."""

from __future__ import annotations

import csv
import tarfile

import numpy as np
import pytest

from hff import corruption
from hff.config import SAMPLE_RATE
from tests.support.media_fixtures import write_wav
from tests.test_corruption import SENTENCE, face, rng, voice, wave_damage
from train.fusion import field_corruption as field
from train.fusion import strange


@pytest.mark.parametrize("name", field.SPEECH)
def test_voices_are_ruined_but_still_sounds(name):
    clean = voice(2.0)
    damaged = field.SPEECH[name](clean, rng())
    assert damaged.dtype == np.float32
    assert damaged.shape == clean.shape
    assert np.isfinite(damaged).all()
    assert wave_damage(clean, damaged) > 0.3
    np.testing.assert_array_equal(damaged, field.SPEECH[name](clean, rng()))


@pytest.mark.parametrize("name", field.VISION)
def test_faces_are_ruined_but_still_pictures(name):
    damaged = field.VISION[name](face(), rng())
    assert damaged.dtype == np.uint8
    assert damaged.shape == (48, 48)
    assert np.abs(damaged.astype(float) - face()).mean() > 6


def test_blur_and_gloom_are_those_of_a_picture_of_224():
    """Standard deviation 22 of 224 pixels, and a third of the light gone."""
    picture = np.zeros((224, 224), np.uint8)
    picture[112:] = 255
    ruined = field.dark_and_blurred(picture, rng())[:, 112].astype(float)
    assert ruined.max() == pytest.approx(255 * 0.65, abs=2)
    assert ruined[112] == pytest.approx(255 * (0.5 - 0.35), abs=4)
    assert ruined[134] == pytest.approx(255 * (0.841 - 0.35), abs=5)


@pytest.mark.parametrize("name", field.TEXT)
def test_words_are_ruined_but_as_many(name):
    damaged = field.TEXT[name](SENTENCE, rng())
    assert len(damaged.split()) == len(SENTENCE.split())
    kept = sum(word in damaged.split() for word in SENTENCE.split())
    assert kept <= 0.4 * len(SENTENCE.split())


def test_nothing_of_it_is_trained_on():
    trained = {"speech": corruption.SPEECH, "text": corruption.TEXT, "vision": corruption.FACE}
    for modality, kinds in field.FIELD.items():
        learned = [*trained[modality].values(), *corruption.UNSEEN[modality].values()]
        assert not set(kinds.values()) & set(learned)


def test_strangers_of_the_two_halves_are_different_people(tmp_path):
    rows = []
    for n, speaker in enumerate("AABBCCDD"):
        write_wav(tmp_path / f"{n}.wav", (0.1 + 0.05 * n) * voice(0.5), SAMPLE_RATE, 16)
        rows.append([f"{n}.wav", speaker, ["angry", "boredom"][n == 7]])
    with (tmp_path / "made_16k.csv").open("w", newline="") as file:
        csv.writer(file).writerows([["file", "speaker", "emotion"], *rows])
    with tarfile.open(tmp_path / "made_16k.tar", "w") as tar:
        for row in rows:
            tar.add(tmp_path / row[0], row[0])
    peaks = {}
    for half, expected in (("validation", [0, 1, 4, 5]), ("test", [2, 3, 6])):  # boredom is none of ours
        waves, labels = strange.recordings(tmp_path / "made_16k.tar", half, rng())
        assert labels == [3] * len(expected)
        peaks[half] = [np.abs(wave).max() / np.abs(voice(0.5)).max() for wave in waves]
        np.testing.assert_allclose(peaks[half], [0.1 + 0.05 * n for n in expected], atol=0.01)


def test_made_up_sounds_and_pictures():
    for make in (field.tune, strange.machine):
        wave = make(SAMPLE_RATE, rng())
        assert wave.shape == (SAMPLE_RATE,)
        assert wave.std() > 0.1
    for make in (strange._drawing, strange._pattern):
        pictures = [make(rng(n)) for n in range(12)]
        assert all(p.dtype == np.uint8 and p.shape == (48, 48) and p.std() > 5 for p in pictures)
        assert len({p.tobytes() for p in pictures}) == 12


def test_sentences_of_the_two_halves_differ():
    assert not set(strange.FOREIGN_SENTENCES["validation"]) & set(strange.SENTENCES["test"])
