"""Whether a file was cut off: its own structure, box by box, goes on beyond its end.

What a header says of a length is no proof: a track may end earlier than the others, and a browser's recording says
nothing at all. The structure is: every box, chunk or element tells its size before it begins.
"""

from __future__ import annotations

import os
from typing import IO

MAX_ELEMENTS = 1_000_000  # looked at; two hours of a browser's recording have 600,000
SLACK = 64  # bytes by which careless programs overstate a size
TAIL = 1 << 17  # bytes in which a last Ogg page begins; a page has at most 65,307

_SEGMENT, _CLUSTER = b"\x18\x53\x80\x67", b"\x1f\x43\xb6\x75"  # Matroska's elements that may leave their size open
_BOXES = (b"ftyp", b"styp", b"moov", b"moof", b"mdat", b"free", b"skip", b"wide", b"pnot")


def ends_early(file: IO[bytes]) -> bool | None:
    """True or False for Matroska (mkv, webm), MP4 (mov, m4a), RIFF (wav, avi), Ogg and GIF; None for all others.

    The file is open already; its place is kept.
    """
    place, size = file.tell(), os.fstat(file.fileno()).st_size
    try:
        head = _read(file, 0, 8)
        if head[:4] == b"\x1a\x45\xdf\xa3":
            return _matroska(file, size)
        if head[4:] in _BOXES:
            return _mp4(file, size)
        if head[:4] == b"RIFF":
            return _riff(file, size)
        if head[:4] == b"OggS":
            return _ogg(file, size)
        if head[:3] == b"GIF":
            return _gif(file, size)
    finally:
        file.seek(place)
    return None


def _matroska(file: IO[bytes], size: int) -> bool:
    at = 0
    for _ in range(MAX_ELEMENTS):
        if at >= size:
            return at > size
        head = _read(file, at, 12)
        name = _vint_length(head[0], 4)
        if name is None:  # padding, or a hole: whatever it is, nothing tells that more should follow
            return False
        # A browser's recorder may have begun to write the next element's name: of its content nothing is lost.
        width = _vint_length(head[name], 8) if len(head) > name else None
        if width is None or len(head) < name + width:
            return False
        bits = 7 * width
        length = int.from_bytes(head[name : name + width], "big") & ((1 << bits) - 1)
        at += name + width
        if length == (1 << bits) - 1:  # open: what is in it follows
            if head[:name] not in (_SEGMENT, _CLUSTER):
                return False
        else:
            at += length
    return False


def _vint_length(first: int, longest: int) -> int | None:
    """Bytes of the number that begins with the byte ``first``: one more than its leading zero bits."""
    length = 9 - first.bit_length()
    return length if length <= longest else None


def _mp4(file: IO[bytes], size: int) -> bool:
    at = 0
    for _ in range(MAX_ELEMENTS):
        head = _read(file, at, 16)
        if len(head) < 8 or not head[4:8].isalnum():
            return at > size
        length = int.from_bytes(head[:4], "big")
        if length == 1:
            length = int.from_bytes(head[8:16], "big")
        if length < 8:  # 0: up to the end
            return False
        at += length
    return False


def _riff(file: IO[bytes], size: int) -> bool:
    at = 0
    for _ in range(MAX_ELEMENTS):
        head = _read(file, at, 8)
        length = int.from_bytes(head[4:8], "little")
        if len(head) < 8 or head[:4] != b"RIFF":
            return at > size + SLACK
        if length in (0, 0xFFFFFFFF):  # written as a stream, never filled in
            return False
        at += 8 + length + length % 2
    return False


def _ogg(file: IO[bytes], size: int) -> bool:
    start = max(0, size - TAIL)
    tail = _read(file, start, TAIL)
    page = tail.rfind(b"OggS")
    if page < 0:
        return False
    header = tail[page : page + 27]
    table = tail[page + 27 : page + 27 + header[26]] if len(header) == 27 else b""
    complete = len(header) == 27 and len(table) == header[26]
    return not complete or page + 27 + len(table) + sum(table) > len(tail)


def _gif(file: IO[bytes], size: int) -> bool:
    """Whether it ends within a block. One that merely lacks the trailer is whole: its last picture is."""
    at = 13 + _palette_bytes(_read(file, 10, 1))
    for _ in range(MAX_ELEMENTS):
        head = _read(file, at, 10)
        if head[:1] in (b"", b";"):
            return at > size
        if head[:1] == b",":  # a picture: its place, flags, palette, one byte and then its data
            at += 11 + _palette_bytes(head[9:])
        elif head[:1] == b"!":  # an extension: its kind and then its data
            at += 2
        else:
            return False
        for _ in range(MAX_ELEMENTS):
            length = _read(file, at, 1)
            at += 1 + sum(length)
            if length == b"\0":
                break
            if at >= size:
                return True
    return False


def _palette_bytes(flags: bytes) -> int:
    """Size of the palette that follows a GIF's ``flags``, one byte; nothing where there is none."""
    return 3 << 1 + (flags[0] & 7) if flags and flags[0] & 0x80 else 0


def _read(file: IO[bytes], at: int, length: int) -> bytes:
    file.seek(at)
    return file.read(length)
