"""Small files that ask for a great deal: of memory, of time, of streams. Each writes one file at the given path."""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from tests.support.media_fixtures import write_media, write_wav

WIDE = 20_000  # pixels, more than is ever decoded
ALLOWED = 9_400  # pixels: a square of that side is just below what is
MINUTE = 6000  # hundredths of a second, the unit of a GIF's delays


@dataclass(frozen=True)
class Bomb:
    """``role`` is the argument of ``analyze`` that the file is given as."""

    name: str
    ending: str
    role: str
    write: Callable[[Path], object]


# ---- pictures -----------------------------------------------------------------------------------------------


def png(width: int, height: int, bits: int, kind: int, before: bytes = b"") -> bytes:
    """A black PNG; ``kind`` 0 is grey, 2 RGB, 6 RGBA. ``before`` holds chunks that stand before the picture."""
    channels = {0: 1, 2: 3, 6: 4}[kind]
    packer, line = zlib.compressobj(1), bytes(1 + (width * channels * bits + 7) // 8)
    body = b"".join(packer.compress(line) for _ in range(height)) + packer.flush()
    header = struct.pack(">IIBBBBB", width, height, bits, kind, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + before + chunk(b"IDAT", body) + chunk(b"IEND", b"")


def chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def zeros(size: int) -> bytes:
    """``size`` bytes of nothing, packed by a thousand."""
    packer = zlib.compressobj(9)
    return b"".join(packer.compress(bytes(1 << 20)) for _ in range(size >> 20)) + packer.flush()


def packed_text(path: Path) -> None:
    texts = b"".join(chunk(b"zTXt", b"Comment\0\0" + zeros(200 << 20)) for _ in range(10))
    path.write_bytes(png(64, 64, 8, 2, texts))


def packed_profile(path: Path) -> None:
    path.write_bytes(png(64, 64, 8, 2, chunk(b"iCCP", b"x\0\0" + zeros(1 << 30))))


def float_tiff(path: Path) -> None:
    """One number of four bytes a pixel, in one packed strip."""
    strip = zeros(ALLOWED * ALLOWED * 4 + (1 << 20))
    entries = [
        (256, 4, ALLOWED),
        (257, 4, ALLOWED),
        (258, 3, 32),
        (259, 3, 8),
        (262, 3, 1),
        (273, 4, 8),
        (277, 3, 1),
        (278, 4, ALLOWED),
        (279, 4, len(strip)),
        (339, 3, 3),
    ]
    tags = b"".join(struct.pack("<HHI", tag, kind, 1) + struct.pack("<I", value) for tag, kind, value in entries)
    head = b"II*\0" + struct.pack("<I", 8 + len(strip))
    path.write_bytes(head + strip + struct.pack("<H", len(entries)) + tags + bytes(4))


def many_scans(scans: int, side: int) -> bytes:
    """A progressive JPEG whose last refinement comes again and again."""
    target = io.BytesIO()
    Image.new("L", (side, side), 128).save(target, "JPEG", progressive=True, quality=50)
    data = target.getvalue()
    last = data.rindex(b"\xff\xda")
    return data[:-2] + scans * data[last:-2] + data[-2:]


def gif(frames: int, delay: int, width: int, height: int, changing: bool = True) -> bytes:
    """Every frame after the first, which fills the canvas, sets one pixel; ``delay`` in hundredths of a second."""

    def frame(number: int, width: int, height: int) -> bytes:
        shown = b"\x21\xf9\x04\x04" + struct.pack("<H", delay) + b"\0\0"
        place = struct.pack("<HHHHB", 0, 0, width, height, 0)
        value = number % 2 if changing else 0
        # Codes of three bits, the table cleared before it grows: clear, pixel, end, or as many as the picture has.
        codes = [code for _ in range(width * height) for code in (4, value)] + [5]
        bits = sum(code << (3 * place) for place, code in enumerate(codes)) if len(codes) < 64 else None
        body = bits.to_bytes((3 * len(codes) + 7) // 8, "little") if bits is not None else _filled(width * height)
        blocks = b"".join(bytes([len(body[i : i + 255])]) + body[i : i + 255] for i in range(0, len(body), 255))
        return shown + b"," + place + b"\x02" + blocks + b"\0"

    colours = bytes((0, 0, 0, 255, 255, 255, 9, 9, 9, 8, 8, 8))
    head = b"GIF89a" + struct.pack("<HH", width, height) + b"\x81\0\0" + colours
    return head + frame(0, width, height) + b"".join(frame(i, 1, 1) for i in range(1, frames)) + b";"


def _filled(pixels: int) -> bytes:
    """GIF codes of black pixels: clear and pixel alternately, three bits each, four pixels in three bytes."""
    group = sum(code << (3 * place) for place, code in enumerate((4, 0) * 4)).to_bytes(3, "little")
    return group * (pixels // 4) + bytes([5])


# ---- films --------------------------------------------------------------------------------------------------


def slide_show(path: Path) -> None:
    """Eleven hours, a picture a minute: half a megabyte."""
    images = [np.full((48, 64, 3), 40 + 10 * (minute % 20), np.uint8) for minute in range(660)]
    write_media(path, video="libx264", images=images, stamps=[60.0 * m for m in range(660)], size=(64, 48))


def huge_in_the_middle(path: Path) -> None:
    """MJPEG whose pictures grow from 128 pixels to 6200 after the first."""
    small, large = (_flat_jpeg(side) for side in (128, 6200))
    path.write_bytes(avi([small, *[large] * 12, small], 128, 128))


def scans_in_a_film(path: Path) -> None:
    path.write_bytes(avi([many_scans(2000, 2048)] * 20, 2048, 2048))


def _flat_jpeg(side: int) -> bytes:
    target = io.BytesIO()
    Image.new("RGB", (side, side), (90, 90, 90)).save(target, "JPEG", quality=10)
    return target.getvalue()


def avi(pictures: Iterable[bytes], width: int, height: int, streams: int = 1) -> bytes:
    """MJPEG pictures, ten a second, in a RIFF file made by hand."""
    pictures = list(pictures)

    def part(kind: bytes, body: bytes) -> bytes:
        return kind + struct.pack("<I", len(body)) + body + b"\0" * (len(body) % 2)

    main = struct.pack("<14I", 100_000, 0, 0, 0, len(pictures), 0, streams, 0, width, height, 0, 0, 0, 0)
    header = b"vidsMJPG" + struct.pack("<10I", 0, 0, 0, 1, 10, 0, len(pictures), 0, 0, 0) + bytes(8)
    form = struct.pack("<IiiHH4sIiiII", 40, width, height, 1, 24, b"MJPG", 0, 0, 0, 0, 0)
    stream = part(b"LIST", b"strl" + part(b"strh", header) + part(b"strf", form))
    frames = b"".join(part(b"00dc", picture) for picture in pictures)
    head = part(b"LIST", b"hdrl" + part(b"avih", main) + streams * stream)
    return part(b"RIFF", b"AVI " + head + part(b"LIST", b"movi" + frames))


def nested_boxes(path: Path) -> None:
    """An mp4 whose index lies in itself fifty thousand times."""
    depth = 50_000
    ftyp = struct.pack(">I", 16) + b"ftypisom" + bytes(4)
    path.write_bytes(ftyp + b"".join(struct.pack(">I", 8 * (depth - i)) + b"moov" for i in range(depth)))


def claimed_samples(box: bytes, place: int, numbers: tuple[int, ...]):
    """A writer of an mp4 whose table ``box`` says ``numbers`` from ``place`` bytes after its name on."""

    def write(path: Path) -> None:
        write_media(path, video="libx264", audio="aac")
        data = bytearray(path.read_bytes())
        at = data.index(box)
        while at >= 0:
            packed = struct.pack(f">{len(numbers)}I", *numbers)
            data[at + 4 + place : at + 4 + place + len(packed)] = packed
            at = data.find(box, at + 4)
        path.write_bytes(data)

    return write


# ---- sounds -------------------------------------------------------------------------------------------------


def wav(rate: int, channels: int = 1, seconds: float | None = None):
    """A writer of a quarter of a megabyte of 8 bit sound, or of ``seconds`` of it, whose header says what it likes."""

    def write(path: Path) -> None:
        count = 250_000 if seconds is None else round(seconds * rate) * channels
        write_wav(path, np.zeros(8), 8000, 8)
        data = path.read_bytes()
        form = struct.pack("<HHIIHH", 1, channels, rate, rate * channels & 0xFFFFFFFF, channels & 0xFFFF, 8)
        body = data[:20] + form + b"data" + struct.pack("<I", count) + (128).to_bytes(1, "little") * count
        path.write_bytes(body[:4] + struct.pack("<I", len(body) - 8) + body[8:])

    return write


def huge_cover(path: Path) -> None:
    """An mp3 with a cover of 400 million pixels."""
    write_media(path, audio="libmp3lame", seconds=1)
    cover = b"\0image/png\0\x03\0" + png(WIDE, WIDE, 1, 0)

    def synchsafe(size: int) -> bytes:
        return bytes(size >> shift & 0x7F for shift in (21, 14, 7, 0))

    frame = b"APIC" + struct.pack(">I", len(cover)) + b"\0\0" + cover
    path.write_bytes(b"ID3\x03\0\0" + synchsafe(len(frame)) + frame + path.read_bytes())


def endless_flac(path: Path) -> None:
    """A FLAC that says it has 2**36 - 1 samples, in eight channels of 655,350 Hz."""
    write_media(path, audio="flac", seconds=1)
    data = bytearray(path.read_bytes())
    data[18:26] = ((655_350 << 44) | (7 << 41) | (15 << 36) | (2**36 - 1)).to_bytes(8, "big")
    path.write_bytes(data)


def _bytes(make: Callable[[], bytes]):
    return lambda path: path.write_bytes(make())


BOMBS = (
    Bomb("400 megapixels of one bit", "png", "image", _bytes(lambda: png(WIDE, WIDE, 1, 0))),
    Bomb("88 megapixels of one bit", "png", "image", _bytes(lambda: png(ALLOWED, ALLOWED, 1, 0))),
    Bomb("88 megapixels of four channels", "png", "image", _bytes(lambda: png(ALLOWED, ALLOWED, 8, 6))),
    Bomb("88 megapixels of 16 bit", "png", "image", _bytes(lambda: png(ALLOWED, ALLOWED, 16, 0))),
    Bomb("88 megapixels of floats", "tiff", "image", float_tiff),
    Bomb("2 GB of packed text", "png", "image", packed_text),
    Bomb("1 GB of colour profile", "png", "image", packed_profile),
    Bomb("a picture that is said to be a film", "mp4", "video", _bytes(lambda: png(WIDE, WIDE, 1, 0))),
    Bomb("3000 scans", "jpg", "image", _bytes(lambda: many_scans(3000, 4096))),
    Bomb("3000 scans as a video", "jpg", "video", _bytes(lambda: many_scans(3000, 4096))),
    Bomb("3000 scans in each picture of a film", "avi", "video", scans_in_a_film),
    Bomb("a GIF of 11 hours", "gif", "video", _bytes(lambda: gif(660, MINUTE, 320, 240))),
    Bomb("a GIF of 11 hours in which nothing moves", "gif", "video", _bytes(lambda: gif(660, MINUTE, 320, 240, False))),
    Bomb("a GIF of 100,000 pictures", "gif", "video", _bytes(lambda: gif(100_000, 2, 320, 240))),
    Bomb("a GIF as a still picture", "gif", "image", _bytes(lambda: gif(100_000, 2, 320, 240))),
    Bomb("a slide show of 11 hours", "mkv", "video", slide_show),
    Bomb("pictures that grow", "avi", "video", huge_in_the_middle),
    Bomb("900 streams", "avi", "video", _bytes(lambda: avi([_flat_jpeg(128)] * 3, 128, 128, streams=900))),
    Bomb("50,000 boxes in one another", "mp4", "video", nested_boxes),
    Bomb("2**28 samples of a byte", "mp4", "video", claimed_samples(b"stsz", 4, (1, 1 << 28))),
    Bomb("2**31 durations", "mp4", "video", claimed_samples(b"stts", 4, (0x7FFFFFFF,))),
    Bomb("one frame for 2**31 frames", "mp4", "video", claimed_samples(b"stts", 4, (1, 0x7FFFFFFF, 1))),
    Bomb("2**31 chunks", "mp4", "video", claimed_samples(b"stco", 4, (0x7FFFFFFF,))),
    Bomb("a frame that lasts 2**31", "mp4", "video", claimed_samples(b"stts", 4, (1, 1, 0x7FFFFFFF))),
    Bomb("two hours at one sample a second", "wav", "audio", wav(1, seconds=7190)),
    Bomb("four billion samples a second", "wav", "audio", wav(0xFFFFFFFF)),
    Bomb("two billion samples a second", "wav", "audio", wav(0x7FFFFFFF)),
    Bomb("twenty million samples a second", "wav", "audio", wav(20_000_000)),
    Bomb("65,535 channels", "wav", "audio", wav(16_000, 65_535)),
    Bomb("500 channels", "wav", "audio", wav(16_000, 500)),
    Bomb("a cover of 400 megapixels", "mp3", "audio", huge_cover),
    Bomb("2**36 samples", "flac", "audio", endless_flac),
)
