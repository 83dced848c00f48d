"""Sound of any kind becomes 16 kHz mono, in one pass and without a copy of the whole."""

from __future__ import annotations

import os
from collections.abc import Iterator
from numbers import Real
from typing import Any, cast

import av
import numpy as np

from hff.cancel import checkpoint, holding
from hff.config import SAMPLE_RATE
from hff.errors import InputError
from hff.locale import say
from hff.media.container import (
    Advance,
    Clock,
    Warn,
    audio_streams,
    breaks_off,
    container_in,
    decoded_frames,
    duration,
    name_of,
)
from hff.media.files import open_file

MAX_AUDIO_SECONDS = 2 * 3600  # s, about 460 MB as float32
_HOURS = MAX_AUDIO_SECONDS / 3600
MIN_RATE, MAX_RATE = 1_000, 768_000  # Hz, of arrays
MEMORY = 2.0  # s over which channels are compared
INVERTED = -0.6  # correlation of a channel with the loudest, below which it is turned round
GAP = 0.1  # s; shorter gaps between packets are rounding, longer ones silence


def read_audio(
    source: str | os.PathLike | tuple[int, np.ndarray],
    progress: Advance | None = None,
    warn: Warn | None = None,
    track: int | None = None,
) -> np.ndarray:
    """Read sound from a file (or a video's sound track) or from ``(sample_rate, array)``.

    Arrays may be (N,), (N, channels) or (channels, N), of uint8, int16, int32 or float; integers are
    scaled by their range, floats beyond [-1, 1] by their peak. Channels are mixed down to one (5.1 by
    FFmpeg's standard coefficients, normalised so that nothing clips), inverted ones turned round before. ``track``:
    one of ``MediaInfo.sound_tracks``, by default the first of them.

    Returns (samples,) float32 at ``SAMPLE_RATE`` in [-1, 1]. A track that starts after the picture gets
    silence in front, so that both share one clock.

    Raises ``InputError``: unreadable, no sound track, no samples, NaN or infinity, longer than ``MAX_AUDIO_SECONDS``.
    """
    if isinstance(source, tuple) and len(source) == 2:
        return _read_array(*source)
    if isinstance(source, tuple | list | np.ndarray):
        raise InputError(say("sound.array_rate"))
    buffer = _Buffer(name_of(source))
    with open_file(source) as file, container_in(file, source) as container:
        stream = next((s for s in audio_streams(container) if track is None or s.index == track), None)
        if stream is None:
            raise InputError(say("sound.none", name=buffer.name))
        length = duration(container)
        if length is not None and length > MAX_AUDIO_SECONDS:
            raise InputError(say("sound.long", name=buffer.name, hours=_HOURS))
        buffer.reserve(length)
        cast(Any, stream).thread_type = "AUTO"
        for seconds in _decode(decoded_frames(container, stream, source, warn), Clock(container, warn), buffer):
            if progress:
                progress(min(seconds / length, 1.0) if length else None, seconds)
        if warn and (message := breaks_off(container, stream, buffer.size / SAMPLE_RATE, source, file)):
            warn(message)
    return buffer.finish()


def _decode(frames: Iterator[av.AudioFrame], clock: Clock | _ArrayClock, buffer: _Buffer) -> Iterator[float]:
    """Resample frames into ``buffer``, silence where the clock has gaps; yields the seconds done, once a second."""
    resampler, form, told, step = None, None, 0.0, 0.0
    heard = 0.0  # s of sound so far, silence included
    for frame in frames:
        if not frame.samples:
            continue
        check_rate(frame.sample_rate)
        start = clock.time(frame.time, step)
        step = frame.samples / frame.sample_rate
        if start + step < heard - GAP:  # said twice
            continue
        now = (frame.format.name, frame.layout.name, frame.sample_rate)
        gap = start - heard if start - heard > GAP or heard == 0 else 0.0
        if resampler is not None and (gap or now != form):
            buffer.extend(resampler.flush())
            resampler = None
        buffer.silence(gap)
        if resampler is None:
            resampler, form = Resampler(frame), now
        buffer.extend(resampler.feed(frame))
        heard += gap + step
        if start - told >= 1:
            told = start
            yield start
    if resampler is not None:
        buffer.extend(resampler.flush())


class Resampler:
    """FFmpeg's resampler for frames of one format, to 16 kHz mono float."""

    def __init__(self, frame: av.AudioFrame):
        self.graph = av.filter.Graph()
        source = self.graph.add_abuffer(
            sample_rate=frame.sample_rate,
            format=frame.format.name,
            layout=frame.layout.name,
            time_base=frame.time_base,
        )
        # rematrix_maxval: a float mix would otherwise add the channels up beyond 1
        resample = self.graph.add("aresample", f"{SAMPLE_RATE}:rematrix_maxval=1")
        # Two channels are mixed here, see ``Mixer``; more become two by FFmpeg's standard coefficients first.
        layout = "mono" if frame.layout.nb_channels == 1 else "stereo"
        form = self.graph.add("aformat", f"sample_fmts=fltp:channel_layouts={layout}")
        self.graph.link_nodes(source, resample, form, self.graph.add("abuffersink")).configure()
        self.mixer = Mixer()

    def feed(self, frame: av.AudioFrame) -> list[np.ndarray]:
        frame.pts = None  # times are ours to keep
        self.graph.push(frame)
        return self._pull()

    def flush(self) -> list[np.ndarray]:
        self.graph.push(None)
        return self._pull()

    def _pull(self) -> list[np.ndarray]:
        blocks = []
        while True:
            try:
                blocks.append(self.mixer.mix(self.graph.pull().to_ndarray()))
            except (av.BlockingIOError, av.EOFError):
                return blocks


class Mixer:
    """Mixes channels to one, block by block, so that inverted ones (a wrong plug, a "wide" effect) do not cancel.

    A channel counts as inverted when adding it to the loudest takes most of the sound away over the last seconds.
    """

    def __init__(self, rate: int = SAMPLE_RATE) -> None:
        self.rate = rate
        self._products = np.zeros((0, 0))  # (channels, channels), of the last seconds, fading
        self._signs = np.ones(0, np.float32)  # (channels,) 1, or -1 for a channel that is turned round

    def mix(self, block: np.ndarray) -> np.ndarray:
        """(channels, N) float32 -> (N,)."""
        if len(block) == 1:
            return block[0]
        if not self._products.size:
            self._products, self._signs = np.zeros((len(block), len(block))), np.ones(len(block), np.float32)
        fade = np.exp(-block.shape[1] / (MEMORY * self.rate))
        with np.errstate(all="ignore"):  # what is not finite is refused later
            self._products = fade * self._products + block @ block.T
            self._turn()
        return self._signs @ block / np.float32(len(block))

    def _turn(self) -> None:
        loudest = int(np.diag(self._products).argmax())
        power = np.sqrt(np.diag(self._products) * self._products[loudest, loudest])
        alike = np.divide(self._products[loudest], power, out=np.zeros_like(power), where=power > 0)
        relative = self._signs * self._signs[loudest]
        # Two bounds, so that a channel is not turned to and fro.
        relative = np.where(alike < INVERTED, -1, np.where(alike > -INVERTED / 2, 1, relative))
        self._signs = (self._signs[loudest] * relative).astype(np.float32)


class _Buffer:
    """A growing waveform with a limit on its length."""

    def __init__(self, name: str):
        self.name = name
        self.samples = np.empty(0, np.float32)
        self.size = 0

    def reserve(self, seconds: float | None) -> None:
        """Make room at once where the length is known: pages that stay untouched cost no memory."""
        self._grow(int(((seconds or 60) + 1) * SAMPLE_RATE))

    def _grow(self, size: int) -> None:
        holding(size * self.samples.itemsize)
        grown = np.empty(size, np.float32)
        grown[: self.size] = self.samples[: self.size]
        self.samples = grown

    def extend(self, blocks: list[np.ndarray]) -> None:
        for block in blocks:
            end = self.size + len(block)
            if end > MAX_AUDIO_SECONDS * SAMPLE_RATE:
                raise InputError(say("sound.long", name=self.name, hours=_HOURS))
            if end > len(self.samples):
                self._grow(max(end, int(1.5 * len(self.samples))))
            self.samples[self.size : end] = block
            self.size = end

    def silence(self, seconds: float) -> None:
        self.extend([np.zeros(max(0, round(seconds * SAMPLE_RATE)), np.float32)])

    def finish(self) -> np.ndarray:
        return _checked(self.samples[: self.size], self.name)


def check_rate(rate: int) -> None:
    """Raise ``InputError`` for a rate, Hz, that no sound has: resampling it would take for ever, or all memory."""
    if not isinstance(rate, Real) or not MIN_RATE <= rate <= MAX_RATE:
        raise InputError(say("sound.rate", rate=rate, least=MIN_RATE, most=MAX_RATE))


def _checked(wave: np.ndarray, name: str) -> np.ndarray:
    """The waveform clipped to [-1, 1] in place, or ``InputError`` if it is empty or not finite."""
    if wave.size == 0:
        raise InputError(say("sound.empty", name=name))
    low, high = float(wave.min()), float(wave.max())  # both NaN if any sample is
    if not np.isfinite(low) or not np.isfinite(high):
        raise InputError(say("sound.not_numbers", name=name))
    return np.clip(wave, -1, 1, out=wave)


def _read_array(rate: int, array: np.ndarray) -> np.ndarray:
    name = say("name.sound_array")
    check_rate(rate)
    array = np.asarray(array)
    if max(array.shape, default=0) > MAX_AUDIO_SECONDS * rate:
        raise InputError(say("sound.long", name=name, hours=_HOURS))
    wave = _mono(array, name)
    wave = _checked(wave, name)
    rate = int(rate)
    if rate == SAMPLE_RATE:
        return wave
    buffer = _Buffer(name)
    buffer.reserve(len(wave) / rate)
    for _ in _decode(_blocks(wave, rate), _ArrayClock(), buffer):
        pass
    missing = max(1, round(len(wave) * SAMPLE_RATE / rate)) - buffer.size
    if missing > 0:  # the filter keeps back the last samples of a very short sound
        buffer.silence(missing / SAMPLE_RATE)
    return buffer.finish()


class _ArrayClock:
    """Stands in for ``Clock``: an array has no gaps."""

    def __init__(self) -> None:
        self.now = 0.0

    def time(self, stamp: float | None, step: float) -> float:
        self.now += step
        return self.now


def _blocks(wave: np.ndarray, rate: int) -> Iterator[av.AudioFrame]:
    for start in range(0, len(wave), rate):
        checkpoint()
        block = np.ascontiguousarray(wave[None, start : start + rate])
        frame = av.AudioFrame.from_ndarray(block, format="fltp", layout="mono")
        frame.sample_rate = rate
        yield frame


def _mono(array: np.ndarray, name: str) -> np.ndarray:
    """(N,) float32 in [-1, 1] if finite, of any array layout and number type described at ``read_audio``."""
    if array.ndim not in (1, 2) or array.size == 0:
        if array.size == 0:
            raise InputError(say("sound.empty", name=name))
        raise InputError(say("sound.shape", name=name, shape=str(array.shape)))
    if array.ndim == 2:
        channels_last = array.shape[1] <= 8 or array.shape[1] <= array.shape[0]
        array = array if channels_last else array.T
        if array.shape[1] > 64:
            raise InputError(say("sound.shape", name=name, shape=str(array.shape)))
    scaled = _scaled(array, name)
    return scaled if scaled.ndim == 1 else Mixer().mix(scaled.T)


def _scaled(array: np.ndarray, name: str) -> np.ndarray:
    """Float32 in [-1, 1] (NaN and infinity are left in), always a copy."""
    if array.dtype == np.uint8:
        return (array.astype(np.float32) - 128) / 128
    if array.dtype in (np.int8, np.int16, np.int32):
        return array.astype(np.float32) / -float(np.iinfo(array.dtype).min)
    if not np.issubdtype(array.dtype, np.floating):
        raise InputError(say("sound.kind", name=name, kind=str(array.dtype)))
    with np.errstate(over="ignore"):  # beyond float32 is infinity, which is refused later
        wave = array.astype(np.float32)
    peak = np.abs(wave).max(initial=0.0)
    return wave / peak if np.isfinite(peak) and peak > 1 else wave
