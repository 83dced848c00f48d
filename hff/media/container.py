"""Opening a media file safely: only the given file is ever read, and every failure becomes an ``InputError``.

FFmpeg understands playlists, concatenation scripts and addresses, and would follow what such a file
names. Here the file is opened by Python and handed over as a stream, only self-contained formats are
allowed, and FFmpeg may open nothing by itself.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import IO, Any

import av

from hff.cancel import out_of_time
from hff.errors import InputError
from hff.locale import Message, say
from hff.media.files import name_of
from hff.media.truncation import ends_early

Warn = Callable[[str], None]  # takes one sentence for the person
Advance = Callable[[float | None, float], None]  # takes the share done (None: unknown length) and the seconds done

# Self-contained formats only.
DEMUXERS = "aac,ac3,aiff,amr,asf,au,avi,caf,eac3,flac,flv,gif,matroska,webm,mov,mp4,mp3,mpeg,mpegts,ogg,w64,wav"
MAX_FRAME_PIXELS = 40_000_000  # one video frame; 8K is 33 million
MAX_SKEW = 600.0  # s, the longest gap in a stream's clock that is taken at its word
BUFFER = 1 << 18  # bytes per read
PICTURE_CODECS = frozenset("mjpeg png webp bmp gif tiff jpeg2000 ljpeg".split())  # of which cover pictures are
COVER_SECONDS = 10.0  # s into the file until which a second picture must come, or the first is a cover

# Titles in an old encoding must not stop the reading; PyAV 19 sees to it by itself.
_TITLES: dict[str, Any] = {"metadata_errors": "replace"} if int(av.__version__.split(".")[0]) < 19 else {}
# What is said of a stream, by FFmpeg's word for its kind.
_NOTHING = {"audio": say("media.nothing_of_sound"), "video": say("media.nothing_of_picture")}
_DAMAGED = {"audio": "media.damaged_sound", "video": "media.damaged_picture"}
_ENDS_EARLY = {"audio": "media.ends_early_sound", "video": "media.ends_early_picture"}
_CUT_OFF = {"audio": "media.cut_off_sound", "video": "media.cut_off_picture"}
_NO_PROTOCOL = "none"  # no protocol has this name, so FFmpeg can open nothing
_OPTIONS = {"format_whitelist": DEMUXERS, "protocol_whitelist": _NO_PROTOCOL, "max_pixels": str(MAX_FRAME_PIXELS)}


class _Stream:
    """A file as FFmpeg reads it: a place that cannot be, as damage may name it, is FFmpeg's error, not Python's."""

    def __init__(self, file: IO[bytes]) -> None:
        self.file, self.read, self.tell = file, file.read, file.tell

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        try:
            return self.file.seek(offset, whence)
        except (OSError, ValueError, OverflowError):
            return -errno.EINVAL  # FFmpeg's way to say so


@contextmanager
def container_in(file: IO[bytes], path: str | os.PathLike) -> Iterator[av.container.InputContainer]:
    """The container in an open video or sound file, which ``path`` names.

    Failures of FFmpeg inside the ``with`` block also come out as ``InputError``.
    """
    file.seek(0)
    try:
        with av.open(
            _Stream(file), "r", options=dict(_OPTIONS), container_options=dict(_OPTIONS), buffer_size=BUFFER, **_TITLES
        ) as container:
            yield container
    except (av.FFmpegError, UnicodeError) as error:
        raise InputError(_unreadable(path, error)) from error


def _unreadable(path: str | os.PathLike, error: Exception | Message) -> Message:
    reason = error if isinstance(error, Message) else getattr(error, "strerror", None) or str(error)
    return say("media.unreadable", name=name_of(path), reason=reason)


def decoded_frames(
    container: av.container.InputContainer, stream: av.stream.Stream, path: str | os.PathLike, warn: Warn | None
) -> Iterator[Any]:
    """Decoded frames of one stream; damaged packets are left out and mentioned once.

    A file that breaks off gives all frames up to there. If not one frame can be decoded, ``InputError``.
    """
    decoded, damage = 0, None
    demuxer = _packets(container, stream)
    while not out_of_time():
        try:
            packet = next(demuxer)
        except StopIteration:
            break
        except av.FFmpegError as error:
            damage = error
            break
        try:
            frames = packet.decode()
        except av.FFmpegError as error:
            if not isinstance(error, av.EOFError):
                damage = error
            continue
        for frame in frames:
            decoded += 1
            yield frame
    if decoded == 0 and not out_of_time():
        raise InputError(_unreadable(path, damage or _NOTHING[stream.type]))
    if damage is not None and warn:
        warn(say(_DAMAGED[stream.type], name=name_of(path)))


def _packets(container: av.container.InputContainer, *streams: av.stream.Stream) -> Iterator[av.Packet]:
    """What ``container.demux`` gives, past the packets of a stream that only turns up on the way.

    Of such a stream PyAV has made no object when it opened the file, and raises ``IndexError``.
    """
    while True:
        with suppress(IndexError):
            yield from container.demux(*streams)
            return


def audio_streams(container: av.container.InputContainer) -> list[av.AudioStream]:
    """The sound tracks that can be decoded, the preferred one first: that marked as default, if only one is."""
    streams = [stream for stream in container.streams.audio if stream.codec_context is not None]
    default = [stream for stream in streams if stream.disposition & av.stream.Disposition.default]
    return sorted(streams, key=lambda stream: stream not in default) if len(default) == 1 else streams


def video_stream(container: av.container.InputContainer) -> av.VideoStream | None:
    """The first moving picture; cover art, marked as such or not, and thumbnails are none."""
    still = av.stream.Disposition.attached_pic | av.stream.Disposition.timed_thumbnails
    for stream in container.streams.video:
        if stream.codec_context is not None and not stream.disposition & still and not _is_cover(container, stream):
            return stream
    return None


def _is_cover(container: av.container.InputContainer, stream: av.VideoStream) -> bool:
    """Whether a picture that came with sound is the only one of its track. The container is at its start afterwards."""
    if stream.codec_context.name not in PICTURE_CODECS or not container.streams.audio:
        return False
    if stream.frames:
        return stream.frames == 1
    pictures = 0
    with suppress(av.FFmpegError):
        for packet in _packets(container):
            pictures += packet.stream is stream and packet.size > 0
            if pictures > 1 or (packet.dts is not None and packet.dts * packet.time_base > COVER_SECONDS):
                break
        container.seek(0)
    return pictures == 1


def duration(container: av.container.InputContainer) -> float | None:
    """Length in seconds as the header says, None if it does not (recordings of a browser)."""
    if container.duration and container.duration > 0:
        return container.duration / av.time_base
    lengths = []
    for stream in container.streams:
        if stream.duration is not None and stream.time_base is not None:
            lengths.append(float(stream.duration * stream.time_base))
    return max((length for length in lengths if length > 0), default=None)


def breaks_off(
    container: av.container.InputContainer,
    stream: av.stream.Stream,
    read: float,
    path: str | os.PathLike,
    file: IO[bytes],
) -> Message | None:
    """A sentence if the open ``file`` was cut off and with it the stream, which ended after ``read`` s.

    A stream that merely ends before the others is whole. Only where the file's structure tells nothing, its header's
    length is believed: that of the stream itself, or of the file if it holds nothing else.
    """
    if out_of_time():  # it was not read to its end
        return None
    cut = ends_early(file)
    if cut is False:
        return None
    lengths = [other.duration and other.time_base and other.duration * other.time_base for other in container.streams]
    own = lengths[stream.index]
    said = float(own) if own else duration(container)
    if not cut and lengths.count(own) > 1:  # some formats give each stream the length of the longest, or none
        return None
    missing = said is not None and read <= 0.95 * said - (0.0 if cut else 1.0)
    if not cut and not missing:
        return None
    figures = {"name": name_of(path), "read": float(read)}
    if missing:
        return say(_ENDS_EARLY[stream.type], **figures, said=said)
    return say(_CUT_OFF[stream.type], **figures)


class Clock:
    """Presentation times of one stream, from 0 at the container's start, never falling and without wild jumps.

    Both streams of a clip count from the same origin, so a track that starts late keeps its offset.
    """

    def __init__(self, container: av.container.InputContainer, warn: Warn | None = None):
        self.origin = container.start_time / av.time_base if container.start_time is not None else None
        self.length = duration(container)
        self.last: float | None = None
        self.warn = warn

    def time(self, stamp: float | None, step: float = 0.0) -> float:
        """Seconds from the start for a frame stamped ``stamp``; ``step`` is how long the previous frame lasted."""
        expected = 0.0 if self.last is None else self.last + step
        if stamp is None:
            self.last = expected
            return expected
        if self.origin is None:
            self.origin = stamp
        now = stamp - self.origin
        limit = MAX_SKEW if self.length is None else max(self.length, 1.0)
        if now < expected - 1.0 or now - expected > limit:
            if self.last is not None and self.warn:
                self.warn(say("media.clock_jumps"))
            self.origin += now - expected
            now = expected
        self.last = max(now, self.last or 0.0)
        return self.last
