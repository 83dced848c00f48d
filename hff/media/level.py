"""A common level for voices."""

from __future__ import annotations

import numpy as np

from hff.config import SAMPLE_RATE

LEVEL = 10 ** (-26 / 20)  # RMS of the voiced part after normalising: -26 dBFS, as in ITU-T P.56 listening tests
FAINTEST = 10 ** (-80 / 20)  # peak of a voice; below are only the last bits of 16-bit sound


def normalise_level(wave: np.ndarray, segments: list[tuple[float, float]]) -> np.ndarray:
    """``wave`` (samples,) scaled so that the RMS over ``segments`` is ``LEVEL``; peaks may then exceed 1.

    Without segments, or where they hold nothing but silence, the wave is returned as it is.
    """
    gain = level_gain(wave, segments)
    return wave if gain == 1.0 else wave * np.float32(gain)


def level_gain(wave: np.ndarray, segments: list[tuple[float, float]]) -> float:
    """The factor that ``normalise_level`` applies."""
    power, size = 0.0, 0
    for start, end in segments:
        part = wave[round(start * SAMPLE_RATE) : round(end * SAMPLE_RATE)]
        power += float(np.dot(part, part))
        size += len(part)
    rms = np.sqrt(power / size) if size else 0.0
    # a voice's peaks are about 20 dB above its RMS
    return 1.0 if rms < FAINTEST / 10 else float(LEVEL / rms)
