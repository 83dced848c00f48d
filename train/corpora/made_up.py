"""Made-up voices and faces that anybody can make without a corpus: humming, and drawings."""

from __future__ import annotations

import cv2
import numpy as np

from hff.config import FACE_SIZE, SAMPLE_RATE

MADE_UP_SECONDS = 2.0  # of a made-up voice


def voice(number: int) -> np.ndarray:
    """A hum with the overtones of a vowel, its pitch and loudness moving in syllables."""
    t = np.arange(round(MADE_UP_SECONDS * SAMPLE_RATE)) / SAMPLE_RATE
    pitch = (110 + 25 * number) * (1 + 0.15 * np.sin(2 * np.pi * (0.5 + 0.2 * number) * t))
    phase = 2 * np.pi * np.cumsum(pitch) / SAMPLE_RATE
    formants = (500 + 60 * number, 1500 - 90 * number, 2500)  # Hz
    wave = np.zeros_like(t)
    for overtone in range(1, 25):
        level = sum(np.exp(-(((overtone * pitch - f) / 150) ** 2)) for f in formants) + 0.05
        wave += level * np.sin(overtone * phase) * (overtone * pitch < SAMPLE_RATE / 2)
    wave *= 0.55 + 0.45 * np.sin(2 * np.pi * (2 + 0.5 * number) * t)
    noise = np.random.default_rng(number).normal(0, 0.01, len(t))
    return (0.3 * wave / np.abs(wave).max() + noise).astype(np.float32)


def face(number: int) -> np.ndarray:
    """A drawn face: brows, eyes and mouth move with ``number``."""
    scale, bend = 8, number - 3  # drawn large, so that edges are smooth
    picture = np.full((FACE_SIZE * scale,) * 2, 60 + 10 * number, np.uint8)

    def ellipse(x: float, y: float, wide: float, high: float, grey: int, start: int = 0, end: int = 360) -> None:
        centre, axes = (round(x * scale), round(y * scale)), (round(wide * scale), round(high * scale))
        thick = -1 if (start, end) == (0, 360) else scale
        cv2.ellipse(picture, centre, axes, 0, start, end, grey, thick)

    ellipse(24, 25, 19, 23, 190)
    for side in (-1, 1):
        ellipse(24 + 8 * side, 20, 3.5, 1 + 0.4 * number, 40)
        brow = [(24 + x * side, 14 + 0.5 * bend * (x - 8) / 4) for x in (4, 12)]
        start, end = (tuple(round(c * scale) for c in point) for point in brow)
        cv2.line(picture, start, end, 50, scale)
    ellipse(24, 35 - bend, 8, abs(bend) + 1, 45, *((0, 180) if bend > 0 else (180, 359)))
    small = cv2.resize(picture, (FACE_SIZE, FACE_SIZE), interpolation=cv2.INTER_AREA)
    return np.clip(small + np.random.default_rng(number).normal(0, 3, small.shape), 0, 255).astype(np.uint8)
