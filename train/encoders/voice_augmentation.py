"""Other voices, rooms, microphones and lines out of one recording: what an emotion must survive.

Corruption (``hff.corruption``) hides an emotion and is to raise sigma^2; what is here leaves the emotion as it is.
Every function takes a wave (samples,) float32 at 16 kHz and a NumPy generator.
"""

from __future__ import annotations

import io
from fractions import Fraction

import av
import numpy as np
import scipy.fft
import torch
import torchaudio

from hff.config import SAMPLE_RATE
from hff.corruption import Rng
from hff.media.audio import Resampler

SPEED = (0.88, 1.14)  # factor of pitch and tempo at once: another size of body
RATE_STEP = 500  # Hz; finer steps take a much longer filter
TEMPO = (0.88, 1.14)  # of tempo alone
TILT = 6.0  # dB of random gain at each of ``BANDS``, most: another microphone
BANDS = 6
REVERBERATION = (0.1, 0.7)  # s until the echo has fallen by 60 dB
DIRECT = (0.0, 12.0)  # dB of the direct sound over the echo
GAIN = 4.0  # dB, most, that a voice is off the common level
CODECS = {"libmp3lame": ("mp3", (16, 24, 32, 48)), "libopus": ("ogg", (8, 12, 16, 24, 32))}  # container, kbit/s


def speed(wave: np.ndarray, rng: Rng) -> np.ndarray:
    """Faster and higher, or slower and lower."""
    rate = round(SAMPLE_RATE * rng.uniform(*SPEED) / RATE_STEP) * RATE_STEP
    return torchaudio.functional.resample(torch.from_numpy(wave), rate, SAMPLE_RATE).numpy()


def tempo(wave: np.ndarray, rng: Rng) -> np.ndarray:
    """Faster or slower at the same pitch (FFmpeg's overlap-add)."""
    graph = av.filter.Graph()
    source = graph.add_abuffer(sample_rate=SAMPLE_RATE, format="flt", layout="mono", time_base=Fraction(1, SAMPLE_RATE))
    stretch = graph.add("atempo", f"{rng.uniform(*TEMPO):.4f}")
    graph.link_nodes(source, stretch, graph.add("abuffersink")).configure()
    graph.push(_frame(wave))
    graph.push(None)
    blocks = []
    while True:
        try:
            blocks.append(graph.pull().to_ndarray()[0])
        except (av.BlockingIOError, av.EOFError):
            return np.concatenate(blocks) if blocks else wave


def microphone(wave: np.ndarray, rng: Rng) -> np.ndarray:
    """A smooth random frequency response."""
    size = scipy.fft.next_fast_len(len(wave), real=True)
    frequency = np.fft.rfftfreq(size, 1 / SAMPLE_RATE)
    knots = np.geomspace(100, SAMPLE_RATE / 2, BANDS)
    gain = np.interp(np.log(frequency + 1), np.log(knots), rng.uniform(-TILT, TILT, BANDS))
    changed = scipy.fft.irfft(scipy.fft.rfft(wave, size) * (10 ** (gain / 20)).astype(np.float32), size)
    return changed[: len(wave)].astype(np.float32)


def room(wave: np.ndarray, rng: Rng) -> np.ndarray:
    """The echo of an ordinary room."""
    tail = int(SAMPLE_RATE * rng.uniform(*REVERBERATION))
    response = rng.standard_normal(tail) * np.exp(-6.9 * np.arange(tail) / tail)
    response *= 10 ** (-rng.uniform(*DIRECT) / 20) / np.sqrt(np.sum(response**2))
    response[0] += 1
    size = scipy.fft.next_fast_len(len(wave) + tail, real=True)
    wet = scipy.fft.irfft(scipy.fft.rfft(wave, size) * scipy.fft.rfft(response, size), size)
    return wet[: len(wave)].astype(np.float32)


def codec(wave: np.ndarray, rng: Rng) -> np.ndarray:
    """There and back through MP3 or Opus at a low bit rate."""
    name = str(rng.choice(list(CODECS)))
    container, rates = CODECS[name]
    file = io.BytesIO()
    peak = max(1.0, float(np.abs(wave).max(initial=0.0)))
    with av.open(file, "w", format=container) as output:
        stream = output.add_stream(name, rate=SAMPLE_RATE, layout="mono")
        stream.bit_rate = 1000 * int(rng.choice(rates))
        resampler = av.AudioResampler(format=stream.format, layout="mono", rate=SAMPLE_RATE)
        fifo = av.AudioFifo()
        for resampled in resampler.resample(_frame(wave / peak)):
            fifo.write(resampled)
        # An encoder takes frames of its own size only; the last may be shorter.
        while (frame := fifo.read(stream.codec_context.frame_size or 960, partial=True)) is not None:
            for packet in stream.encode(frame):
                output.mux(packet)
        for packet in stream.encode(None):
            output.mux(packet)
    file.seek(0)
    blocks: list[np.ndarray] = []
    with av.open(file) as coded:
        reader: Resampler | None = None
        for decoded in coded.decode(audio=0):
            reader = reader or Resampler(decoded)
            blocks += reader.feed(decoded)
        blocks += reader.flush() if reader else []
    return peak * np.concatenate([*blocks, np.zeros(len(wave), np.float32)])[: len(wave)]


def gain(wave: np.ndarray, rng: Rng) -> np.ndarray:
    """A little louder or quieter than the common level."""
    return wave * np.float32(10 ** (rng.uniform(-GAIN, GAIN) / 20))


def _frame(wave: np.ndarray) -> av.AudioFrame:
    frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(wave, np.float32)[None], format="flt", layout="mono")
    frame.sample_rate = SAMPLE_RATE
    return frame


OTHERS = {"speed": speed, "tempo": tempo, "microphone": microphone, "room": room, "codec": codec}


def another(wave: np.ndarray, rng: Rng, share: float = 0.5) -> np.ndarray:
    """Some of ``OTHERS``, each with probability ``share``, one after the other."""
    for change in OTHERS.values():
        if rng.random() < share:
            wave = change(wave, rng)
    return wave
