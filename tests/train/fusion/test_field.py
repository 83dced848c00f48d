"""A classroom's corruption, never trained on; made-up and foreign input that is none of what was learned."""

from __future__ import annotations

import numpy as np
import pytest

from hff import corruption
from hff.config import SAMPLE_RATE
from tests.test_corruption import SENTENCE, face, rng, voice, wave_corruption
from train.corpora.base import Utterance
from train.fusion import field_corruption as field
from train.fusion import strange_inputs


@pytest.mark.parametrize("name", field.SPEECH)
def test_voices_are_ruined_but_still_sounds(name):
    clean = voice(2.0)
    corrupted = field.SPEECH[name](clean, rng())
    assert corrupted.dtype == np.float32
    assert corrupted.shape == clean.shape
    assert np.isfinite(corrupted).all()
    assert wave_corruption(clean, corrupted) > 0.3
    np.testing.assert_array_equal(corrupted, field.SPEECH[name](clean, rng()))


@pytest.mark.parametrize("name", field.VISION)
def test_faces_are_ruined_but_still_pictures(name):
    corrupted = field.VISION[name](face(), rng())
    assert corrupted.dtype == np.uint8
    assert corrupted.shape == (48, 48)
    assert np.abs(corrupted.astype(float) - face()).mean() > 6


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
    corrupted = field.TEXT[name](SENTENCE, rng())
    assert len(corrupted.split()) == len(SENTENCE.split())
    kept = sum(word in corrupted.split() for word in SENTENCE.split())
    assert kept <= 0.4 * len(SENTENCE.split())


def test_nothing_of_it_is_trained_on():
    for modality, kinds in field.FIELD.items():
        learned = [*corruption.trained(modality).values(), *corruption.unseen(modality).values()]
        assert not set(kinds.values()) & set(learned)


def test_strangers_of_the_two_halves_are_different_people_whom_nothing_learned_from():
    split = {"A": "validation", "B": "train", "C": "test", "D": "fusion", "E": "validation"}
    everyone = [
        Utterance(f"{speaker}{n}", voice(0.1), n, speaker, "made", split[speaker])
        for n in range(3)
        for speaker in split
    ]
    found = {half: strange_inputs.recordings(everyone, half, rng()) for half in strange_inputs.STRANGE_HALVES}
    assert [u.name for u in found["validation"]] == ["A0", "E0", "A1", "E1", "A2", "E2"]
    assert [u.name for u in found["test"]] == ["C0", "C1", "C2"]
    assert strange_inputs.recordings([], "test", rng()) == []


def test_no_more_strangers_than_wanted(monkeypatch):
    monkeypatch.setattr(strange_inputs, "STRANGE_RECORDINGS", 2)
    everyone = [Utterance(str(n), voice(0.1), 0, "A", "made", "validation") for n in range(9)]
    drawn = [[u.name for u in strange_inputs.recordings(everyone, "validation", rng(seed))] for seed in range(6)]
    assert all(len(names) == 2 and names == sorted(names) for names in drawn)
    assert len({tuple(names) for names in drawn}) > 1


def test_the_strangers_corpora_have_someone_for_each_half():
    """Of those that an encoder learns from, two at least are kept from it."""
    kept = {
        name: [s for s, split in strange_inputs.LANGUAGES[name].SPLIT.items() if split == "validation"]
        for name in strange_inputs.LEARNED
    }
    assert all(len(speakers) >= len(strange_inputs.STRANGE_HALVES) for speakers in kept.values())


def test_made_up_sounds_and_pictures():
    for make in (field.melody, strange_inputs.machine):
        wave = make(SAMPLE_RATE, rng())
        assert wave.shape == (SAMPLE_RATE,)
        assert wave.std() > 0.1
    for make in (strange_inputs.drawn_face, strange_inputs.pattern):
        pictures = [make(rng(n)) for n in range(12)]
        assert all(p.dtype == np.uint8 and p.shape == (48, 48) and p.std() > 5 for p in pictures)
        assert len({p.tobytes() for p in pictures}) == 12


def test_sentences_of_the_two_halves_differ():
    assert not set(strange_inputs.FOREIGN_SENTENCES["validation"]) & set(strange_inputs.FOREIGN_SENTENCES["test"])
