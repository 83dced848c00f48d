"""Reading what a person gives: any clip, sound or picture, without ffmpeg on the machine.

Sound comes out as 16 kHz mono, video as upright RGB frames sampled at an even rate, pictures as upright RGB.
All of it streams: memory does not grow with a video's length. Reading keeps no state between calls, so any
number of threads may read at once.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import IO

from hff.errors import InputError
from hff.locale import say
from hff.media.audio import SAMPLE_RATE, read_audio
from hff.media.container import audio_streams, container_in, decoded_frames, duration, name_of, video_stream
from hff.media.files import open_file
from hff.media.image import read_image, size_in
from hff.media.video import Frame, read_frames

__all__ = ["SAMPLE_RATE", "Frame", "MediaInfo", "is_media", "probe", "read_audio", "read_frames", "read_image"]


@dataclass(frozen=True)
class MediaInfo:
    """What a file holds, as its header says. It stands for the file wherever a path is taken: as one looked into."""

    path: str
    duration: float | None  # s; None for pictures, and for recordings of a browser, which do not say
    has_audio: bool
    has_video: bool  # moving pictures; cover art does not count
    width: int | None = None  # pixels as stored, before rotation
    height: int | None = None
    is_image: bool = False
    sound_tracks: tuple[int, ...] = ()  # what ``read_audio`` takes as ``track``, the preferred one first

    def __fspath__(self) -> str:
        return self.path

    __str__ = __fspath__


def probe(path: str | os.PathLike) -> MediaInfo:
    """Look into a file without decoding it. Raises ``InputError`` if it is no video, sound or picture."""
    with open_file(path) as file:
        size = size_in(file)
        if size is not None:
            return MediaInfo(str(path), None, False, False, *size, is_image=True)
        return _probe_container(file, path)


def _probe_container(file: IO[bytes], path: str | os.PathLike) -> MediaInfo:
    with container_in(file, path) as container:
        sounds, video = audio_streams(container), video_stream(container)
        if not sounds and video is None:
            raise InputError(say("media.no_media", name=name_of(path)))
        width, height = (video.codec_context.width, video.codec_context.height) if video is not None else (None, None)
        return MediaInfo(
            str(path),
            duration(container),
            bool(sounds),
            video is not None,
            width,
            height,
            sound_tracks=tuple(stream.index for stream in sounds),
        )


def is_media(path: str | os.PathLike) -> bool:
    """Whether the file holds a picture, or video or sound of which the beginning can be decoded, whatever its name.

    Raises ``InputError`` for what is no file, or no container of video or sound.
    """
    with open_file(path) as file:
        return size_in(file) is not None or _begins(file, path)


def _begins(file: IO[bytes], path: str | os.PathLike) -> bool:
    with container_in(file, path) as container:
        streams = [*audio_streams(container)[:1], video_stream(container)]
        first = next((stream for stream in streams if stream is not None), None)
        return first is not None and any(True for _ in decoded_frames(container, first, path, None))
