"""Where a voice is heard.

The detector is Silero VAD (https://github.com/snakers4/silero-vad), which comes inside faster-whisper.
It decides every 32 ms; silence is an absent voice, not a voice of zeros.
"""

from __future__ import annotations

import threading

import numpy as np

from hff.cancel import out_of_time
from hff.config import SAMPLE_RATE
from hff.media.level import FAINTEST

Segments = list[tuple[float, float]]  # (start, end) in s, in order, apart from each other
VAD_BLOCK_SECONDS = 300  # s that the detector takes at once, to bound its memory; about 1 s of work
PAD = 0.1  # s of breath kept on both sides of a segment
MIN_SILENCE = 0.2  # s of silence that end a segment
MIN_VOICE = 0.1  # s; shorter sounds are clicks
THRESHOLD = 0.3  # of the detector's 0 to 1; its usual 0.5 misses sobbed and shouted words, noise stays below 0.2

FRAME = 512  # samples, 32 ms, of one decision
RUN_UP = 1.0  # s heard before a segment that is judged
JUDGED_SECONDS = 60.0  # s of voice by which the detector's certainty is judged

_lock = threading.Lock()  # the model is loaded once; its runs keep no state


def voiced_segments(wave: np.ndarray) -> Segments:
    """(start, end) in s of the parts of ``wave`` (samples,) at 16 kHz in which someone speaks; [] for silence."""
    from faster_whisper.vad import VadOptions, get_speech_timestamps, get_vad_model

    with _lock:
        get_vad_model()
    options = VadOptions(
        threshold=THRESHOLD,
        min_silence_duration_ms=round(1000 * MIN_SILENCE),
        speech_pad_ms=round(1000 * PAD),
        min_speech_duration_ms=round(1000 * MIN_VOICE),
    )
    peak = float(max(wave.max(initial=0.0), -wave.min(initial=0.0)))  # without a copy of two hours
    if peak < FAINTEST:
        return []
    segments: Segments = []
    block = VAD_BLOCK_SECONDS * SAMPLE_RATE
    for start in range(0, len(wave), block):
        if out_of_time():
            break
        part = wave[start : start + block].astype(np.float32) * np.float32(0.5 / peak)
        for spoken in get_speech_timestamps(part, options, sampling_rate=SAMPLE_RATE):
            _append(segments, (start + spoken["start"]) / SAMPLE_RATE, (start + spoken["end"]) / SAMPLE_RATE)
    return segments


def certainty(wave: np.ndarray, segments: Segments) -> float:
    """How sure the detector is that ``segments`` of ``wave`` are speech: its mean chance there, 0 to 1.

    Speech has 0.7 and more, acted outbursts 0.5; a duck or a saxophone for which it raised its hand have less. The
    first ``JUDGED_SECONDS`` of the segments are judged. 0 where there are none.
    """
    from faster_whisper.vad import get_vad_model

    heard, seconds = [], 0.0
    for start, end in segments:
        # Each segment with what comes before it, as the detector remembers; its own padding is no voice.
        first, last = max(0.0, start - RUN_UP), min(end, start + JUDGED_SECONDS - seconds)
        part = wave[round(first * SAMPLE_RATE) : round(last * SAMPLE_RATE)].astype(np.float32)
        part *= np.float32(0.5 / max(float(np.abs(part).max(initial=0.0)), FAINTEST))
        with _lock:
            model = get_vad_model()
        chances = model(np.pad(part, (0, -len(part) % FRAME))).ravel() if len(part) else np.zeros(0)
        inside = slice(
            round((start + PAD - first) * SAMPLE_RATE / FRAME), round((last - PAD - first) * SAMPLE_RATE / FRAME)
        )
        heard.append(chances[inside])
        seconds += last - start
        if seconds >= JUDGED_SECONDS:
            break
    values = np.concatenate(heard) if heard else np.zeros(0)
    return float(values.mean()) if values.size else 0.0


def _append(segments: Segments, start: float, end: float) -> None:
    """Add a segment; one that goes on from the last (at the edge of a block) makes it longer."""
    if segments and start - segments[-1][1] < MIN_SILENCE / 2:
        segments[-1] = segments[-1][0], max(end, segments[-1][1])
    else:
        segments.append((start, end))
