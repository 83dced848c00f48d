"""The sound of a live session: chunks as they come, of any rate, laid on one clock at 16 kHz."""

from __future__ import annotations

import av
import numpy as np

from hff.config import SAMPLE_RATE
from hff.errors import InputError
from hff.locale import say
from hff.media.audio import GAP, MAX_RATE, MIN_RATE, Resampler

MAX_CHUNK_SECONDS = 10.0  # s; more at once is no live sound


class SoundTrack:
    """The last ``seconds`` of sound, mono float32 at 16 kHz, by absolute time since the session began.

    Chunks that follow each other are resampled as one stream. A gap stays silent; what comes late is put in
    its place as long as that is still kept.
    """

    def __init__(self, seconds: float) -> None:
        self._samples = np.zeros(round(seconds * SAMPLE_RATE), np.float32)
        self._first = 0  # number of the sample at the buffer's beginning
        self._end = 0  # number of the sample after the last one heard
        self._stream: Resampler | None = None
        self._rate = 0

    @property
    def end(self) -> float:
        """s, until when sound has come in."""
        return self._end / SAMPLE_RATE

    def add(self, time: float, rate: int, samples: np.ndarray) -> tuple[float, float]:
        """Lay a chunk that begins at ``time`` s, of (N,) floats in [-1, 1] at ``rate`` Hz, on the track.

        Returns the span, s, that has changed; an empty one for a chunk that comes too late.
        Raises ``InputError`` for what cannot be sound.
        """
        wave = _checked(rate, samples)
        if not len(wave):
            return time, time
        if time < self.end - GAP and self._end:
            return self._add_late(time, rate, wave)
        if time > self.end + GAP or rate != self._rate or self._stream is None:
            self._flush()
            if time > self.end + GAP or not self._end:
                self._skip_to(round(time * SAMPLE_RATE))
            self._stream, self._rate = None, rate
        frame = _frame(rate, wave)
        if rate == SAMPLE_RATE:
            return self._append(wave)
        self._stream = self._stream or Resampler(frame)
        return self._append(np.concatenate([np.zeros(0, np.float32), *self._stream.feed(frame)]))

    def window(self, start: float, end: float) -> np.ndarray:
        """A copy of the sound from ``start`` to ``end`` s, shorter where it has not come in yet."""
        first = max(round(start * SAMPLE_RATE), self._first)
        last = min(round(end * SAMPLE_RATE), self._end)
        return self._samples[first - self._first : max(first, last) - self._first].copy()

    def _append(self, wave: np.ndarray) -> tuple[float, float]:
        begin = self._end
        self._skip_to(begin + len(wave))
        self._write(begin, wave)
        return begin / SAMPLE_RATE, self.end

    def _add_late(self, time: float, rate: int, wave: np.ndarray) -> tuple[float, float]:
        """Sound from before the end: it does not touch the stream that goes on at the end."""
        if rate != SAMPLE_RATE:
            frame = _frame(rate, wave)
            stream = Resampler(frame)
            wave = np.concatenate([*stream.feed(frame), *stream.flush()])
        begin = round(time * SAMPLE_RATE)
        wave = wave[: max(0, self._end - begin)]
        if begin + len(wave) <= self._first:
            return time, time
        self._write(begin, wave)
        return max(begin, self._first) / SAMPLE_RATE, (begin + len(wave)) / SAMPLE_RATE

    def _flush(self) -> None:
        """Take what the resampler of the sound so far still holds back."""
        if self._stream is not None:
            blocks = self._stream.flush()
            self._stream = None
            for block in blocks:
                self._append(block)

    def _skip_to(self, end: int) -> None:
        """Move the end; what lies between is silence, and what no longer fits is forgotten."""
        capacity = len(self._samples)
        shift = end - (self._first + capacity)
        if shift >= capacity:
            self._samples[:] = 0
            self._first += shift
        elif shift > 0:
            self._samples[:-shift] = self._samples[shift:]
            self._samples[-shift:] = 0
            self._first += shift
        self._end = max(self._end, end)

    def _write(self, begin: int, wave: np.ndarray) -> None:
        cut = max(0, self._first - begin)
        at = begin + cut - self._first
        self._samples[at : at + len(wave) - cut] = wave[cut:]


def _frame(rate: int, wave: np.ndarray) -> av.AudioFrame:
    frame = av.AudioFrame.from_ndarray(wave[None], format="fltp", layout="mono")
    frame.sample_rate = rate
    return frame


def _checked(rate: int, samples: np.ndarray) -> np.ndarray:
    if not isinstance(rate, int) or not MIN_RATE <= rate <= MAX_RATE:
        raise InputError(say("sound.rate", rate=rate, least=MIN_RATE, most=MAX_RATE))
    wave = np.ascontiguousarray(samples, np.float32)
    if wave.ndim != 1 or len(wave) > MAX_CHUNK_SECONDS * rate:
        raise InputError(say("live.chunk", shape=str(wave.shape), most=MAX_CHUNK_SECONDS))
    return np.clip(np.nan_to_num(wave), -1, 1)
