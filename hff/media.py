"""Reading what a person gives: any clip, sound or picture, without ffmpeg on the machine.

Sound comes out as 16 kHz mono, video as upright RGB frames sampled at an even rate, pictures as upright RGB.
All of it streams: memory does not grow with a video's length. Reading keeps no state between calls, so any
number of threads may read at once.
"""

from __future__ import annotations

import os
from dataclasses import dataclass

from hff.audio import SAMPLE_RATE, read_audio
from hff.container import audio_stream, duration, name_of, open_media, video_stream
from hff.errors import InputError
from hff.frames import Frame, read_frames
from hff.picture import image_size, read_image

__all__ = ["SAMPLE_RATE", "Frame", "MediaInfo", "probe", "read_audio", "read_frames", "read_image"]


@dataclass(frozen=True)
class MediaInfo:
    """What a file holds, as its header says."""

    path: str
    duration: float | None  # s; None for pictures, and for recordings of a browser, which do not say
    has_audio: bool
    has_video: bool  # moving pictures; cover art does not count
    width: int | None = None  # pixels as stored, before rotation
    height: int | None = None
    is_image: bool = False


def probe(path: str | os.PathLike) -> MediaInfo:
    """Look into a file without decoding it. Raises ``InputError`` if it is no video, sound or picture."""
    size = image_size(path)
    if size is not None:
        return MediaInfo(str(path), None, False, False, *size, is_image=True)
    with open_media(path) as container:
        sound, video = audio_stream(container), video_stream(container)
        if sound is None and video is None:
            raise InputError(f"{name_of(path)} has neither sound nor video that can be decoded here.")
        size = (video.codec_context.width, video.codec_context.height) if video is not None else (None, None)
        return MediaInfo(str(path), duration(container), sound is not None, video is not None, *size)
