"""Corruption as a classroom deals it, in kinds that nothing is trained on: what alpha must leave all the same.

``hff.corruption`` is the registry of those that the lab lists and training may draw from, each kind of one cause and
with a severity. These are another thing and so stand apart: worst cases of several causes at once that take an item and
a random generator, have no severity and are in no lab; ``train.fusion.field_features`` makes features of them, the
evaluation and the calibration read those. Their names count within ``FIELD``: its "music" is another sound than the
lab's. They are none of the evaluation's unseen kinds, which are those that ``hff.corruption.unseen`` lists.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

import cv2
import numpy as np

from hff.config import SAMPLE_RATE
from hff.corruption import Rng

FIELD_SNR = -5.0  # dB, of what is mixed in
BLUR = 22 / 224  # standard deviation, in sides of the picture
GLOOM = 0.35  # brightness taken away, of 1


def _mixed(wave: np.ndarray, noise: np.ndarray, snr: float = FIELD_SNR) -> np.ndarray:
    power, other = np.mean(wave**2), np.mean(noise**2)
    gain = np.sqrt(power / max(other, 1e-12) / 10 ** (snr / 10))
    return (wave + gain * noise).astype(np.float32)


def brown_noise(wave: np.ndarray, rng: Rng) -> np.ndarray:
    """Wind on the microphone."""
    spectrum = np.fft.rfft(rng.standard_normal(len(wave)))
    frequency = np.maximum(np.fft.rfftfreq(len(wave)), 20 / SAMPLE_RATE)
    return _mixed(wave, np.fft.irfft(spectrum / frequency, len(wave)))


def other_talk(wave: np.ndarray, rng: Rng) -> np.ndarray:
    """Four people talking at once: the recording itself at other pitches, speeds and times."""
    noise = np.zeros(len(wave))
    for rate in rng.uniform(0.75, 1.35, 4):
        at = (np.arange(len(wave)) * rate + rng.integers(len(wave))) % len(wave)
        noise += np.interp(at, np.arange(len(wave)), wave)
    return _mixed(wave, noise)


def song(wave: np.ndarray, rng: Rng) -> np.ndarray:
    """A song louder than the speaker: a tune of tones with vibrato over a beat."""
    return _mixed(wave, melody(len(wave), rng))


def melody(size: int, rng: Rng) -> np.ndarray:
    """(size,) a melody over a bass and a beat, 16 kHz."""
    t = np.arange(size) / SAMPLE_RATE
    beats = rng.uniform(1.5, 3)  # a second
    number = (t * beats).astype(int)
    pitch = 220 * 2 ** (rng.choice([0, 2, 4, 5, 7, 9, 11, 12], number.max(initial=0) + 1) / 12)
    phase = 2 * np.pi * np.cumsum(pitch[number] * (1 + 0.01 * np.sin(2 * np.pi * 5.5 * t))) / SAMPLE_RATE
    melody = sum(np.sin(k * phase) / k for k in range(1, 5))
    bass = np.sin(2 * np.pi * np.cumsum(pitch[number // 4 * 4] / 4) / SAMPLE_RATE)
    beat = rng.standard_normal(size) * np.exp(-12 * ((t * beats) % 1))
    return melody + 0.8 * bass + 0.5 * beat


def far_microphone(wave: np.ndarray, rng: Rng) -> np.ndarray:
    """Spoken from across the room: more echo than voice, and the microphone's own hiss."""
    tail = int(0.7 * SAMPLE_RATE)
    response = rng.standard_normal(tail) * np.exp(-6.9 * np.arange(tail) / tail)
    response[0] = 2.0
    size = len(wave) + tail
    wet = np.fft.irfft(np.fft.rfft(wave, size) * np.fft.rfft(response, size), size)[: len(wave)]
    return _mixed(wet, rng.standard_normal(len(wave)), 5.0)


def low_bit_rate_sound(wave: np.ndarray, rng: Rng) -> np.ndarray:
    """A call over a bad line: telephone band, 3 bits a sample."""
    spectrum = np.fft.rfft(wave)
    frequency = np.fft.rfftfreq(len(wave), 1 / SAMPLE_RATE)
    spectrum[(frequency < 300) | (frequency > 2000)] = 0
    narrow = np.fft.irfft(spectrum, len(wave))
    peak = max(float(np.abs(narrow).max(initial=0)), 1e-9)
    return (np.round(narrow / peak * 3) / 3 * peak).astype(np.float32)


def dark_and_blurred(face: np.ndarray, rng: Rng) -> np.ndarray:
    """Out of focus in a dark room: both at once."""
    blurred = cv2.GaussianBlur(face, (0, 0), sigmaX=BLUR * face.shape[0])
    return np.clip(blurred.astype(float) - 255 * GLOOM, 0, 255).astype(np.uint8)


def black(face: np.ndarray, rng: Rng) -> np.ndarray:
    """A lens that is covered: black, with the sensor's last bits."""
    return np.clip(rng.normal(2, 1.5, face.shape), 0, 255).astype(np.uint8)


def backlight(face: np.ndarray, rng: Rng) -> np.ndarray:
    """Before a window: the face a silhouette, the light spilling over its edge."""
    side = np.linspace(0, 1, face.shape[1])[None] ** 2
    side = side[:, ::-1] if rng.random() < 0.5 else side
    return np.clip(0.04 * face + 12 + 235 * side + rng.normal(0, 3, face.shape), 0, 255).astype(np.uint8)


def hand(face: np.ndarray, rng: Rng) -> np.ndarray:
    """A hand before the face: a palm and four fingers, of the skin's own tone."""
    side = face.shape[0]
    drawn = face.copy()
    tone = int(np.clip(face.mean() + rng.normal(0, 15), 30, 225))
    x, y = (round(side * v) for v in rng.uniform(0.4, 0.6, 2))
    cv2.ellipse(drawn, (x, y + side // 8), (round(0.36 * side), round(0.34 * side)), 0, 0, 360, tone, -1)
    for n in range(4):
        left = x + round(side * (0.2 * n - 0.3))
        top = y - round(side * rng.uniform(0.38, 0.5))
        cv2.line(drawn, (left, top), (left, y), tone - 6 * (n % 2), round(0.16 * side))
    return cv2.GaussianBlur(drawn, (0, 0), sigmaX=0.02 * side)


def low_bit_rate_picture(face: np.ndarray, rng: Rng) -> np.ndarray:
    """A video call on a bad line: few pixels, coarse blocks."""
    small = cv2.resize(face, (max(8, face.shape[1] // 5),) * 2, interpolation=cv2.INTER_AREA)
    coded = cv2.imencode(".jpg", small, [cv2.IMWRITE_JPEG_QUALITY, 4])[1]
    decoded = cast(np.ndarray, cv2.imdecode(coded, cv2.IMREAD_GRAYSCALE))
    return cv2.resize(decoded, face.shape[1::-1], interpolation=cv2.INTER_NEAREST)


def another_alphabet(text: str, rng: Rng) -> str:
    """A keyboard set to another layout: every letter becomes a Cyrillic one."""
    return "".join(chr(0x430 + (ord(c.lower()) - 97) % 32) if c.isalpha() and c.isascii() else c for c in text)


def keyboard_mash(text: str, rng: Rng) -> str:
    """A cat on the keyboard: as many letters, none of them meant."""
    return "".join(str(rng.choice(list("asdfghjklqweuiop"))) if c.isalpha() else c for c in text)


def shuffled_letters(text: str, rng: Rng) -> str:
    """Every word's letters in another order."""
    return " ".join("".join(rng.permutation(list(word))) for word in text.split())


SPEECH: dict[str, Callable[[np.ndarray, Rng], np.ndarray]] = {
    "brown noise": brown_noise,
    "other talk": other_talk,
    "music": song,
    "far microphone": far_microphone,
    "low bit rate": low_bit_rate_sound,
}
TEXT: dict[str, Callable[[str, Rng], str]] = {
    "another alphabet": another_alphabet,
    "keyboard mash": keyboard_mash,
    "shuffled letters": shuffled_letters,
}
VISION: dict[str, Callable[[np.ndarray, Rng], np.ndarray]] = {
    "dark and blurred": dark_and_blurred,
    "black": black,
    "backlight": backlight,
    "hand": hand,
    "low bit rate": low_bit_rate_picture,
}
FIELD: dict[str, dict[str, Callable[[Any, Rng], Any]]] = {"speech": SPEECH, "text": TEXT, "vision": VISION}
