"""Clips, sounds and pictures that the tests make themselves, so that what is in them is known exactly."""

from __future__ import annotations

import io
import shutil
import struct
import subprocess
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from PIL import Image

TONE = 440.0  # Hz
FPS = 10
SECONDS = 2.0
RATE = 48_000  # Hz
SENTENCE = "I am so happy to see you today. What a wonderful surprise this is!"


def level_of(index: int) -> int:
    """The grey level of frame ``index``, far enough from its neighbours to survive a lossy codec."""
    return 30 + 10 * index


def numbered_frame(index: int, width: int = 128, height: int = 96) -> np.ndarray:
    """(H,W,3) RGB: a grey that tells the frame's number, with a red patch in the top left corner."""
    image = np.full((height, width, 3), level_of(index), np.uint8)
    image[: height // 4, : width // 4] = (220, 20, 20)
    return image


def number_of(image: np.ndarray) -> int:
    """The number of a ``numbered_frame`` after decoding, scaling and turning."""
    height, width = image.shape[:2]
    middle = image[3 * height // 8 : 5 * height // 8, 3 * width // 8 : 5 * width // 8].astype(float)
    return round((middle.mean() - level_of(0)) / 10)


def red_corner(image: np.ndarray) -> str:
    """Which corner holds the red patch, such as "top left"."""
    redness = image[..., 0].astype(float) - image[..., 2]
    y, x = np.argwhere(redness > 80).mean(0) / image.shape[:2]
    return f"{'top' if y < 0.5 else 'bottom'} {'left' if x < 0.5 else 'right'}"


def tone(seconds: float = SECONDS, rate: int = RATE, frequency: float = TONE, level: float = 0.5) -> np.ndarray:
    """(N,) float32 sine."""
    return (level * np.sin(2 * np.pi * frequency * np.arange(round(seconds * rate)) / rate)).astype(np.float32)


def strongest(wave: np.ndarray, rate: int = 16_000) -> float:
    """The frequency in Hz with the most energy."""
    spectrum = np.abs(np.fft.rfft(wave * np.hanning(len(wave))))
    return float(np.fft.rfftfreq(len(wave), 1 / rate)[spectrum.argmax()])


def write_media(
    path: Path | io.RawIOBase,
    *,
    container: str | None = None,
    video: str | None = None,
    audio: str | None = None,
    seconds: float = SECONDS,
    stamps: list[float] | None = None,
    images: list[np.ndarray] | None = None,
    size: tuple[int, int] = (128, 96),
    pixels: str = "yuv420p",
    wave: np.ndarray | None = None,
    rate: int = RATE,
    layout: str = "stereo",
    sound_start: float = 0.0,
    picture_start: float = 0.0,
    options: dict[str, str] | None = None,
) -> Path:
    """Encode numbered frames (at ``FPS``, or at ``stamps`` seconds) and a tone; codecs are FFmpeg's names."""
    target = str(path) if isinstance(path, Path) else path
    with av.open(target, "w", format=container, options=options or {}) as output:
        streams = []
        if video:
            streams.append(_add_video(output, video, seconds, stamps, images, size, pixels, picture_start))
        if audio:
            wave = tone(seconds, rate) if wave is None else wave
            streams.append(_add_audio(output, audio, wave, rate, layout, sound_start))
        packets = [packet for stream in streams for packet in stream if packet.dts is not None]
        output.mux(sorted(packets, key=lambda packet: packet.dts * packet.time_base))
    return path


def _add_video(output, codec, seconds, stamps, images, size, pixels, start):
    stream = output.add_stream(codec, rate=FPS)
    stream.width, stream.height = size
    stream.pix_fmt = pixels
    stream.codec_context.thread_count = 1
    if codec in ("libx264", "libx265", "mpeg4", "mjpeg", "libvpx", "libvpx-vp9"):
        stream.bit_rate = 2_000_000
    if stamps is not None or start:
        stream.codec_context.time_base = Fraction(1, 1000)
    stamps = stamps or [i / FPS for i in range(round(seconds * FPS))]
    images = images or [numbered_frame(i, *size) for i in range(len(stamps))]

    def packets():
        for stamp, image in zip(stamps, images, strict=True):
            frame = av.VideoFrame.from_ndarray(image, format="rgb24").reformat(format=pixels)
            frame.time_base, frame.pts = Fraction(1, 1000), round(1000 * (start + stamp))
            yield from stream.encode(frame)
        yield from stream.encode(None)

    return packets()


def _add_audio(output, codec, wave, rate, layout, start):
    stream = output.add_stream(codec, rate=rate, layout=layout)
    stream.codec_context.options = {"strict": "experimental"}
    if codec.startswith("wma"):  # it has no quality of its own to go by
        stream.bit_rate = 64_000
    resampler = av.AudioResampler(stream.codec_context.format, layout, rate, frame_size=rate // 50)

    def packets():
        channels = av.AudioLayout(layout).nb_channels
        planes = np.ascontiguousarray(np.broadcast_to(wave, (channels, len(wave))) if wave.ndim == 1 else wave)
        frame = av.AudioFrame.from_ndarray(planes, format="fltp", layout=layout)
        frame.sample_rate, frame.time_base, frame.pts = rate, Fraction(1, rate), round(start * rate)
        for block in [*resampler.resample(frame), *resampler.resample(None)]:
            yield from stream.encode(block)
        yield from stream.encode(None)

    return packets()


class Unseekable(io.RawIOBase):
    """Collects bytes but cannot go back, like a browser's recorder: no duration, no index in the header."""

    def __init__(self) -> None:
        self.chunks: list[bytes] = []

    def writable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return False

    def write(self, data) -> int:
        self.chunks.append(bytes(data))
        return len(data)


def write_browser_recording(path: Path, **media) -> Path:
    """A webm as MediaRecorder makes it."""
    sink = Unseekable()
    write_media(sink, container="webm", **media)
    path.write_bytes(b"".join(sink.chunks))
    return path


def turn_mp4(path: Path, degrees: int) -> Path:
    """Set the rotation (clockwise, as phones store it) in the track header of an mp4."""
    cosine, sine = {90: (0, 1), 180: (-1, 0), 270: (0, -1)}[degrees]
    matrix = struct.pack(">9i", *(round(v * 65536) for v in (cosine, sine, 0, -sine, cosine, 0, 0, 0)), 1 << 30)
    data = bytearray(path.read_bytes())
    identity = struct.pack(">9i", 65536, 0, 0, 0, 65536, 0, 0, 0, 1 << 30)
    at = data.index(identity, data.index(b"tkhd"))
    data[at : at + len(matrix)] = matrix
    path.write_bytes(data)
    return path


def write_wav(path: Path, samples: np.ndarray, rate: int, bits: int, floating: bool = False) -> Path:
    """A RIFF file by hand. ``samples`` (N,) or (N,channels) in [-1, 1]; 8, 16, 24 or 32 bits, or 32/64-bit floats."""
    samples = samples[:, None] if samples.ndim == 1 else samples
    if floating:
        data = samples.astype(f"<f{bits // 8}").tobytes()
    elif bits == 8:
        data = np.round(samples * 127 + 128).astype(np.uint8).tobytes()
    else:
        whole = np.round(samples.astype(float) * (2 ** (bits - 1) - 1)).astype("<i4")
        data = whole[..., None].view(np.uint8)[..., : bits // 8].tobytes()
    channels = samples.shape[1]
    width = channels * bits // 8
    form = struct.pack("<HHIIHH", 3 if floating else 1, channels, rate, rate * width, width, bits)
    body = b"WAVEfmt " + struct.pack("<I", len(form)) + form + b"data" + struct.pack("<I", len(data)) + data
    path.write_bytes(b"RIFF" + struct.pack("<I", len(body)) + body)
    return path


def write_picture(path: Path, image: np.ndarray | Image.Image, **save) -> Path:
    """Save by Pillow in the format of the path's ending."""
    (image if isinstance(image, Image.Image) else Image.fromarray(image)).save(path, **save)
    return path


def speak(path: Path, text: str, speed: int = 150) -> Path:
    """Synthetic speech as a wav file, by espeak-ng."""
    program = shutil.which("espeak-ng")
    if program is None:
        raise RuntimeError("These tests need the program espeak-ng: apt-get install espeak-ng (or brew, dnf).")
    subprocess.run([program, "-v", "en-us", "-s", str(speed), "-w", str(path), text], check=True, timeout=60)
    return path
