"""Where a voice is found, and its level."""

from __future__ import annotations

import math
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hff.config import SAMPLE_RATE
from hff.detectors.vad import PAD, VAD_BLOCK_SECONDS, certainty, voiced_segments
from hff.media.level import LEVEL, normalise_level
from hff.pipeline import recording
from hff.pipeline.recording import MAYBE_NO_SPEECH, NO_WORDS, UNSURE, UNSURE_WITHOUT_WORDS
from tests.support.media_fixtures import tone


def voiced_share(wave: np.ndarray, start: float, end: float) -> float:
    """The share of the time between two moments that counts as voice."""
    return sum(max(0.0, min(b, end) - max(a, start)) for a, b in voiced_segments(wave)) / (end - start)


def pause(seconds: float) -> np.ndarray:
    return np.zeros(round(seconds * SAMPLE_RATE), np.float32)


def test_speech_is_found_between_pauses(speech_wave):
    length = len(speech_wave) / SAMPLE_RATE
    wave = np.concatenate([pause(2), speech_wave, pause(3), speech_wave, pause(2)])
    assert voiced_share(wave, 2.1, 2 + length - 0.3) > 0.8
    assert voiced_share(wave, 5.1 + length, 5 + 2 * length - 0.3) > 0.8
    assert voiced_share(wave, 0, 1.8) == 0
    assert voiced_share(wave, 2.3 + length, 4.8 + length) == 0
    assert voiced_share(wave, 5.3 + 2 * length, 7 + 2 * length) == 0


def test_segments_are_ordered_apart_and_inside(speech_wave):
    wave = np.concatenate([speech_wave, pause(1), speech_wave])
    segments = voiced_segments(wave)
    flat = [moment for segment in segments for moment in segment]
    assert flat == sorted(flat)
    assert flat[0] >= 0
    assert flat[-1] <= len(wave) / SAMPLE_RATE
    assert all(end - start > PAD for start, end in segments)


@pytest.mark.parametrize("gain", [1e-3, 0.03, 1.0])
def test_a_quiet_voice_is_a_voice(speech_wave, gain):
    loud, quiet = voiced_segments(speech_wave), voiced_segments(gain * speech_wave)
    np.testing.assert_allclose(np.array(quiet), np.array(loud), atol=0.05)


def noises() -> dict[str, np.ndarray]:
    rng = np.random.default_rng(0)
    size = 6 * SAMPLE_RATE
    spectrum = np.fft.rfft(rng.standard_normal(size))
    frequency = np.maximum(np.fft.rfftfreq(size, 1 / SAMPLE_RATE), 20)
    time = np.arange(size) / SAMPLE_RATE
    return {
        "silence": np.zeros(size),
        "one sample": np.zeros(1),
        "nothing": np.zeros(0),
        "offset": np.full(size, 0.4),
        "hiss": 0.1 * rng.standard_normal(size),
        "faint hiss": 1e-5 * rng.standard_normal(size),
        "rumble": np.fft.irfft(spectrum / frequency, size),
        "pink": np.fft.irfft(spectrum / np.sqrt(frequency), size),
        "mains hum": 0.3 * np.sin(2 * np.pi * 50 * time) + 0.1 * np.sin(2 * np.pi * 150 * time),
        "tone": tone(6, SAMPLE_RATE),
        "chord": sum(np.sin(2 * np.pi * f * time) for f in (262, 330, 392)) * (np.sin(4 * np.pi * time) > 0) / 6,
        "clicks": (rng.random(size) > 0.9995) * 0.8,
    }


@pytest.mark.parametrize("name", noises())
def test_what_is_no_voice_is_not_taken_for_one(name):
    assert voiced_segments(noises()[name].astype(np.float32)) == []


def test_a_long_recording_is_taken_in_blocks_that_join(speech_wave, monkeypatch):
    wave = np.concatenate([speech_wave, pause(1), speech_wave, pause(1)])
    whole = voiced_segments(wave)
    assert len(wave) / SAMPLE_RATE < VAD_BLOCK_SECONDS
    monkeypatch.setattr("hff.detectors.vad.VAD_BLOCK_SECONDS", 2)  # s; cuts through words
    parts = voiced_segments(wave)
    inside = np.zeros((2, len(wave)), bool)
    for layer, segments in zip(inside, (whole, parts), strict=True):
        for start, end in segments:
            layer[round(start * SAMPLE_RATE) : round(end * SAMPLE_RATE)] = True
    assert (inside[0] == inside[1]).mean() > 0.9
    assert all(b[0] - a[1] > 0.05 for a, b in pairwise(parts))


@given(st.floats(1e-4, 50), st.floats(0.05, 0.9))
def test_the_voiced_part_comes_to_the_level(gain, share):
    wave = np.random.default_rng(0).standard_normal(SAMPLE_RATE).astype(np.float32)
    voiced = slice(0, round(share * SAMPLE_RATE))
    wave[voiced.stop :] *= 0.01  # the pause must not count
    levelled = normalise_level((gain * wave).astype(np.float32), [(0.0, share)])
    assert levelled.dtype == np.float32
    assert math.sqrt(np.mean(levelled[voiced].astype(float) ** 2)) == pytest.approx(LEVEL, rel=1e-3)
    np.testing.assert_allclose(levelled / levelled[0], wave / wave[0], rtol=1e-3)


def test_silence_stays_silence_and_no_voice_is_left_alone():
    silence = np.zeros(1000, np.float32)
    assert np.array_equal(normalise_level(silence, [(0.0, 0.05)]), silence)
    wave = tone(0.1, SAMPLE_RATE)
    assert np.array_equal(normalise_level(wave, []), wave)
    assert np.array_equal(normalise_level(wave, [(5.0, 6.0)]), wave)
    hiss = (1e-6 * np.random.default_rng(0).standard_normal(1000)).astype(np.float32)
    assert np.abs(normalise_level(hiss, [(0.0, 0.06)])).max() < 1e-4


def quacks(seconds: float = 4.0) -> np.ndarray:
    """A duck: a falling, wobbling tone full of harmonics, through three resonances, again and again."""
    size = SAMPLE_RATE // 5
    t = np.arange(size) / SAMPLE_RATE
    phase = 2 * np.pi * 190 * (t + 0.05 / (2 * np.pi * 9) * np.sin(2 * np.pi * 9 * t))
    source = sum(np.sin(k * phase) / k**0.3 for k in range(1, 30))
    spectrum, frequency = np.fft.rfft(source), np.fft.rfftfreq(size, 1 / SAMPLE_RATE)
    peaks = [(900, 150, 1.0), (1600, 150, 0.9), (2900, 200, 0.5)]
    resonance = sum(gain / (1 + ((frequency - centre) / width) ** 2) for centre, width, gain in peaks)
    quack = np.fft.irfft(spectrum * resonance, size) * np.sqrt(np.hanning(size))
    wave = np.tile(np.r_[quack, np.zeros(size)], round(seconds / 0.4))
    return (0.5 * wave / np.abs(wave).max()).astype(np.float32)


def test_the_detector_is_sure_of_speech_and_not_of_a_duck(speech_wave):
    sure = certainty(speech_wave, voiced_segments(speech_wave))
    assert sure > UNSURE_WITHOUT_WORDS
    assert certainty(0.01 * speech_wave, voiced_segments(speech_wave)) == pytest.approx(sure, abs=0.1)
    segments = voiced_segments(quacks())
    assert segments, "the duck is no longer taken for a voice; find another animal"
    assert certainty(quacks(), segments) < UNSURE_WITHOUT_WORDS
    assert certainty(quacks(), []) == 0
    assert certainty(np.zeros(0, np.float32), [(0.0, 1.0)]) == 0


def test_it_is_told_that_this_may_be_no_speech(speech_wave, monkeypatch):
    read = recording.read(audio=(SAMPLE_RATE, quacks()))
    assert read.transcript is None
    assert MAYBE_NO_SPEECH in read.warnings
    assert NO_WORDS not in read.warnings
    spoken = (SAMPLE_RATE, speech_wave)
    for options in ({}, {"transcribe": False}, {"text": "I am happy"}):
        assert MAYBE_NO_SPEECH not in recording.read(audio=spoken, **options).warnings
    monkeypatch.setattr(recording, "certainty", lambda wave, voiced: (UNSURE + UNSURE_WITHOUT_WORDS) / 2)
    assert MAYBE_NO_SPEECH not in recording.read(audio=spoken, transcribe=False).warnings  # some real voices are so
    monkeypatch.setattr(recording, "certainty", lambda wave, voiced: UNSURE - 0.1)
    assert MAYBE_NO_SPEECH in recording.read(audio=spoken, transcribe=False).warnings
