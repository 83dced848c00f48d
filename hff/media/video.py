"""Frames of a video at an even rate, one at a time, upright and small."""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from numbers import Real
from typing import TYPE_CHECKING, Any

import av
import numpy as np

from hff.cancel import out_of_time
from hff.errors import InputError
from hff.locale import say
from hff.media.container import (
    MAX_FRAME_PIXELS,
    Advance,
    Clock,
    Warn,
    breaks_off,
    container_in,
    decoded_frames,
    duration,
    name_of,
    video_stream,
)
from hff.media.files import open_file
from hff.media.image import is_picture, read_image, resized, to_rgb

if TYPE_CHECKING:
    from hff.media.probe import MediaInfo

MAX_FRAME_SIDE = 640  # pixels, of a sampled frame's longer side
ARRAY_FPS = 25.0  # frames/s of an array that comes without
MAX_HOLD = 60.0  # s, how long one frame can stay on display
MAX_VIDEO_SECONDS = 2 * 3600  # s; of a longer video only the beginning is looked at
_EARLY = 1e-3  # s, stamps are rounded to milliseconds in some containers
_LATE = 0.1  # s, a first frame this late still counts as being there from the start


@dataclass
class Frame:
    """What is on display ``time`` seconds into the clip."""

    time: float
    image: np.ndarray  # (H,W,3) uint8 RGB, longer side at most MAX_SIDE


def read_frames(
    source: str | os.PathLike | np.ndarray | tuple[float, np.ndarray],
    rate: float,
    progress: Advance | None = None,
    warn: Warn | None = None,
    info: MediaInfo | None = None,
) -> Iterator[Frame]:
    """Sample ``rate`` frames a second: at 0, 1/rate, 2/rate ... s the frame on display then.

    ``source`` is a path, an array (N,H,W,3) of ``ARRAY_FPS`` frames a second, or ``(fps, array)``. Times
    are presentation times from the start of the clip (variable frame rates included); a frame that stays on
    display, or comes again with the very same pixels, is given again as the same array. Rotation and pixel shape
    are applied. Memory does not grow with the length. A still picture gives one frame. Of a video longer than
    ``MAX_VIDEO_SECONDS`` the beginning is read, and ``warn`` is told. ``info``: what ``probe`` said of the file, where
    it is known.

    Raises ``InputError`` (at the first ``next``): unreadable, no video in it, frames of more than ``MAX_FRAME_PIXELS``.
    """
    if not rate > 0 or not math.isfinite(rate):
        raise ValueError(f"rate must be above 0 frames a second, got {rate}")
    if isinstance(source, tuple | np.ndarray):
        if isinstance(source, tuple) and len(source) != 2:
            raise InputError(say("video.array"))
        fps, array = source if isinstance(source, tuple) else (ARRAY_FPS, source)
        yield from _array_frames(fps, np.asarray(array), rate, warn)
    elif info.is_image if info is not None else is_picture(source):
        yield Frame(0.0, resized(read_image(source), MAX_FRAME_SIDE))
    else:
        yield from _file_frames(source, rate, progress, warn)


def _file_frames(path: str | os.PathLike, rate: float, progress: Advance | None, warn: Warn | None) -> Iterator[Frame]:
    with open_file(path) as file, container_in(file, path) as container:
        stream = video_stream(container)
        if stream is None:
            raise InputError(say("video.none", name=name_of(path)))
        _check_size(stream, path)
        stream.thread_type = "AUTO"
        frame_rate = stream.average_rate or stream.guessed_rate
        if frame_rate and frame_rate >= 4 * rate:
            # Frames no other frame is built from need no decoding; what is shown is then a few frames old at most.
            stream.codec_context.skip_frame = "NONREF"
        length, clock, told = duration(container), Clock(container, warn), -1.0
        usual = 1 / float(frame_rate) if frame_rate else 1 / ARRAY_FPS
        shape = _pixel_shape(stream)
        stamped = (
            (clock.time(frame.time, usual), usual, frame) for frame in decoded_frames(container, stream, path, warn)
        )
        for sampled in _converted(_on_grid(_intervals(stamped, warn), rate), lambda frame: _rgb(frame, shape)):
            yield sampled
            time = sampled.time
            if progress and time - told >= 0.5:
                told = time
                progress(min(time / length, 1.0) if length else None, time)
        read = clock.last or 0.0
        if warn and read < MAX_VIDEO_SECONDS and (message := breaks_off(container, stream, read, path, file)):
            warn(message)


def _check_size(stream: av.VideoStream, path: str | os.PathLike) -> None:
    width, height = stream.codec_context.width, stream.codec_context.height
    if width * height > MAX_FRAME_PIXELS:
        most = MAX_FRAME_PIXELS // 1_000_000
        raise InputError(say("video.frame_size", name=name_of(path), width=width, height=height, megapixels=most))
    stream.codec_context.options = {"max_pixels": str(MAX_FRAME_PIXELS)}  # sizes can change on the way


def _intervals(
    frames: Iterable[tuple[float, float, object]], warn: Warn | None
) -> Iterator[tuple[float, float, object]]:
    """(start, end, frame) from (start, how long it should last, frame): each is on display until the next."""
    before = None
    for start, lasts, frame in frames:
        if start >= MAX_VIDEO_SECONDS:
            if warn:
                warn(say("video.long", hours=MAX_VIDEO_SECONDS / 3600))
            break
        if before is None:
            start = 0.0 if start < _LATE else start
        else:
            yield before[0], min(start, before[0] + MAX_HOLD), before[2]
        before = start, lasts, frame
    if before is not None:
        yield before[0], before[0] + min(before[1], MAX_HOLD), before[2]


def _on_grid(intervals: Iterable[tuple[float, float, object]], rate: float) -> Iterator[tuple[float, object]]:
    """(time, frame) for the grid points 0, 1/rate, ... s from (start, end, frame); the last frame if none is hit."""
    tick, frame = 0, None
    for start, end, frame in intervals:
        first, tick = max(tick, _points_before(start, rate)), _points_before(end, rate)
        for point in range(first, tick):
            yield point / rate, frame
    if tick == 0 and frame is not None:
        yield 0.0, frame


def _converted(sampled: Iterable[tuple[float, Any]], convert: Callable[[Any], np.ndarray]) -> Iterator[Frame]:
    """Frames whose pictures are converted once, however often they are shown: the very same array comes again."""
    before: Any = None
    image: Any = None
    for time, frame in sampled:
        if out_of_time():
            return
        if frame is not before:
            before, fresh = frame, convert(frame)
            # A slide show repeats its picture in every frame; whoever looks at the pictures need look only once.
            image = image if image is not None and np.array_equal(fresh, image) else fresh
        yield Frame(time, image)


def _points_before(time: float, rate: float) -> int:
    """How many grid points lie before ``time``."""
    return max(0, math.ceil((time - _EARLY) * rate))


def _rgb(frame: av.VideoFrame, pixel_shape: float) -> np.ndarray:
    """(H,W,3) uint8: scaled by FFmpeg before it becomes an array, square pixels, upright."""
    width, height = frame.width * pixel_shape, frame.height
    scale = min(1.0, MAX_FRAME_SIDE / max(width, height))
    size = {"width": max(1, round(width * scale)), "height": max(1, round(height * scale))}
    small = frame.reformat(**size, format="rgb24", interpolation="AREA")
    quarter_turns = round(frame.rotation / 90) % 4  # counter-clockwise, as np.rot90 turns
    return np.ascontiguousarray(np.rot90(small.to_ndarray(), quarter_turns))


def _pixel_shape(stream: av.VideoStream) -> float:
    """Width over height of a pixel; 1 if the file does not say or says nonsense."""
    ratio = stream.codec_context.sample_aspect_ratio
    return float(ratio) if ratio and 0.25 <= ratio <= 4 else 1.0


def _array_frames(fps: float, array: np.ndarray, rate: float, warn: Warn | None) -> Iterator[Frame]:
    if not isinstance(fps, Real) or not math.isfinite(fps) or fps <= 0:
        raise InputError(say("video.frame_rate", fps=fps))
    if array.ndim not in (3, 4) or array.size == 0:
        raise InputError(say("video.shape", shape=str(array.shape)))
    timed = ((i / fps, 1 / fps, image) for i, image in enumerate(array))
    yield from _converted(
        _on_grid(_intervals(timed, warn), rate),
        lambda image: resized(to_rgb(image, say("name.video_array")), MAX_FRAME_SIDE),
    )
