"""Small healthy clips, sounds and pictures of every format that the package reads: what is damaged starts from them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import cv2
import numpy as np
from PIL import Image

from tests.support.media_fixtures import speak, write_media

SIZE = (128, 96)  # pixels, which every codec takes
FRAMES = 10  # at the 10 frames/s of ``write_media``
RATE = 16_000  # Hz


@dataclass(frozen=True)
class Seed:
    """A healthy file: ``role`` is the argument of ``analyze`` that it is meant for."""

    name: str
    ending: str
    role: str
    write: Callable[[Path], object]


@cache
def pictures() -> tuple[np.ndarray, ...]:
    """A face that moves a little: (96,128,3) uint8 each."""
    from skimage.data import astronaut

    portrait = cv2.resize(np.ascontiguousarray(astronaut()[:240, 80:400]), SIZE, interpolation=cv2.INTER_AREA)
    return tuple(np.roll(portrait, 2 * shift, axis=1) for shift in range(FRAMES))


@cache
def _voice(rate: int, folder: Path) -> np.ndarray:
    """About a second of a synthetic voice, (N,) float32."""
    from hff.media.audio import read_audio

    wave = read_audio(speak(folder / "voice.wav", "I am so happy"))
    if rate == RATE:
        return wave
    return np.interp(np.arange(0, len(wave), RATE / rate), np.arange(len(wave)), wave).astype(np.float32)


def _media(video: str | None = None, audio: str | None = None, rate: int = RATE, layout: str = "mono", **settings):
    """A writer of a film or a sound with these codecs."""

    def write(path: Path) -> None:
        if audio:
            settings.update(audio=audio, rate=rate, layout=layout, wave=_voice(rate, path.parent))
        if video:
            settings.update(video=video, images=list(pictures()), size=SIZE, seconds=1)
        write_media(path, **settings)

    return write


def _picture(count: int = 1, mode: str = "RGB", **save):
    """A writer of a still picture, or of ``count`` in one file, in the format of the path's ending."""

    def write(path: Path) -> None:
        first, *more = (Image.fromarray(image).convert(mode) for image in pictures()[:count])
        first.save(path, **save, **({"save_all": True, "append_images": more} if more else {}))

    return write


SEEDS = (
    Seed("mp4", "mp4", "video", _media("libx264", "aac")),
    Seed("mp4 in pieces", "mp4", "video", _media("libx264", "aac", options={"movflags": "empty_moov+frag_keyframe"})),
    Seed("hevc", "mp4", "video", _media("libx265", "aac")),
    Seed("mov", "mov", "video", _media("mpeg4", "pcm_s16le")),
    Seed("mkv", "mkv", "video", _media("libx264", "flac")),
    Seed("webm vp8", "webm", "video", _media("libvpx", "libopus", rate=48_000)),
    Seed("webm vp9", "webm", "video", _media("libvpx-vp9", "vorbis", rate=48_000, layout="stereo")),
    Seed("avi", "avi", "video", _media("mjpeg", "libmp3lame", pixels="yuvj420p")),
    Seed("mpg", "mpg", "video", _media("mpeg2video", "mp2", rate=48_000)),
    Seed("flv", "flv", "video", _media("flv", "libmp3lame", rate=44_100)),
    Seed("ts", "ts", "video", _media("libx264", "aac")),
    Seed("ogv", "ogv", "video", _media("libvpx", "libopus", rate=48_000, container="ogg")),
    Seed("3gp", "3gp", "video", _media("h263", "libopencore_amrnb", rate=8_000)),
    Seed("wmv", "wmv", "video", _media("wmv2", "wmav2", rate=44_100)),
    Seed("gif", "gif", "video", _picture(FRAMES, "P", duration=100)),
    Seed("wav", "wav", "audio", _media(audio="pcm_s16le")),
    Seed("mp3", "mp3", "audio", _media(audio="libmp3lame")),
    Seed("flac", "flac", "audio", _media(audio="flac")),
    Seed("ogg vorbis", "ogg", "audio", _media(audio="vorbis", rate=48_000, layout="stereo")),
    Seed("opus", "opus", "audio", _media(audio="libopus", rate=48_000)),
    Seed("m4a", "m4a", "audio", _media(audio="aac", container="mp4")),
    Seed("aac", "aac", "audio", _media(audio="aac", container="adts")),
    Seed("aiff", "aiff", "audio", _media(audio="pcm_s16be")),
    Seed("wma", "wma", "audio", _media(audio="wmav2", rate=44_100, container="asf")),
    Seed("amr", "amr", "audio", _media(audio="libopencore_amrnb", rate=8_000)),
    Seed("jpg", "jpg", "image", _picture()),
    Seed("progressive jpg", "jpg", "image", _picture(progressive=True)),
    Seed("png", "png", "image", _picture()),
    Seed("webp", "webp", "image", _picture()),
    Seed("bmp", "bmp", "image", _picture()),
    Seed("tiff", "tiff", "image", _picture(compression="tiff_lzw")),
    Seed("avif", "avif", "image", _picture()),
)
BY_NAME = {seed.name: seed for seed in SEEDS}


def write_seeds(folder: Path) -> dict[str, Path]:
    """Every healthy file by its seed's name."""
    paths = {}
    for seed in SEEDS:
        paths[seed.name] = folder / f"{seed.name.replace(' ', '_')}.{seed.ending}"
        seed.write(paths[seed.name])
    return paths
