"""Other voices, rooms, microphones and lines: what they change and what they leave."""

from __future__ import annotations

import numpy as np
import pytest

from hff.config import SAMPLE_RATE
from train.encoders import voice_augmentation as augment

SECONDS = 1.5


def tone(frequency: float) -> np.ndarray:
    """(N,) at 16 kHz, starting and ending softly."""
    t = np.arange(int(SECONDS * SAMPLE_RATE)) / SAMPLE_RATE
    return (0.3 * np.sin(2 * np.pi * frequency * t) * np.minimum(1, 20 * np.minimum(t, SECONDS - t))).astype(np.float32)


def pitch(wave: np.ndarray) -> float:
    """Hz of the strongest tone."""
    return float(np.abs(np.fft.rfft(wave)).argmax() * SAMPLE_RATE / len(wave))


@pytest.mark.parametrize("name", augment.OTHERS)
def test_a_change_is_repeatable_and_leaves_a_sound_of_like_length(name):
    wave = tone(440)
    first, same, other = (augment.OTHERS[name](wave, np.random.default_rng(seed)) for seed in (1, 1, 2))
    np.testing.assert_array_equal(first, same)
    assert first.dtype == np.float32
    assert np.isfinite(first).all()
    assert 0.8 * len(wave) < len(first) < 1.25 * len(wave)
    assert len(first) != len(other) or not np.array_equal(first, other)
    np.testing.assert_array_equal(wave, tone(440))  # the recording itself stays


def test_speed_changes_pitch_and_length_together_and_tempo_length_alone():
    wave = tone(440)
    for seed in range(4):
        faster = augment.speed(wave, np.random.default_rng(seed))
        assert pitch(faster) * len(faster) == pytest.approx(440 * len(wave), rel=0.02)
        stretched = augment.tempo(wave, np.random.default_rng(seed))
        assert pitch(stretched) == pytest.approx(440, abs=8)
        factor = np.random.default_rng(seed).uniform(*augment.TEMPO)
        assert len(stretched) == pytest.approx(len(wave) / factor, rel=0.03)


def test_a_room_adds_an_echo_after_the_sound_and_a_codec_keeps_its_place():
    wave = np.concatenate([tone(440), np.zeros(8000, np.float32)])
    after = slice(len(wave) - 8000, None)
    assert np.abs(augment.room(wave, np.random.default_rng(0))[after]).max() > 0.01
    for seed in range(3):
        coded = augment.codec(wave, np.random.default_rng(seed))
        assert len(coded) == len(wave)
        assert np.sqrt(np.mean(coded[after][1000:] ** 2)) < 0.01
        assert pitch(coded) == pytest.approx(440, abs=4)


def test_a_microphone_and_a_gain_move_levels_within_their_bounds():
    for seed in range(5):
        for frequency in (200, 1000, 4000):
            level = augment.microphone(tone(frequency), np.random.default_rng(seed)).std() / tone(frequency).std()
            assert abs(20 * np.log10(level)) <= augment.TILT + 0.5
        louder = augment.gain(tone(440), np.random.default_rng(seed))
        assert abs(20 * np.log10(louder.std() / tone(440).std())) <= augment.GAIN + 0.01


def test_changes_add_up_and_none_is_a_choice_too():
    wave = tone(440)
    np.testing.assert_array_equal(augment.another(wave, np.random.default_rng(0), share=0), wave)
    assert not np.array_equal(augment.another(wave, np.random.default_rng(0), share=1)[:1000], wave[:1000])
