"""Pictures of any kind become upright RGB of a size that is cheap to work on."""

from __future__ import annotations

import io
import os
import re
from functools import cache
from typing import IO, Any, cast

import numpy as np
from PIL import Image, ImageOps

from hff.errors import InputError
from hff.locale import say
from hff.media.files import name_of, open_file

MAX_IMAGE_SIDE = 1280  # pixels, of the longer side
MAX_PIXELS = 89_000_000  # just under Pillow's own alarm; larger ones are refused before any memory is taken
MAX_DEEP_PIXELS = 45_000_000  # of four bytes a value (floats, 32-bit greys), held twice while they are decoded
MAX_SCANS = 100  # of a JPEG; programs write about ten
MAX_SCANNED = 1_500_000_000  # pixels times scans: each scan of a progressive JPEG goes over all of its pixels
# None runs another program; MPO opens as JPEG, HEIF is what an iPhone saves.
FORMATS = ("JPEG", "PNG", "WEBP", "BMP", "TIFF", "GIF", "AVIF", "HEIF")
_MARKER = re.compile(rb"\xff+[^\x00\xff\xd0-\xd7]")  # 0 and the restart markers stand within coded data
_START_OF_SCAN, _END_OF_IMAGE, _BARE = 0xDA, 0xD9, (0x01, 0xD8)  # bare: without a length and contents
_STRIP = 64  # rows of the averaged picture that are made at a time
_KINDS = say("picture.kinds")


def read_image(source: str | os.PathLike | np.ndarray) -> np.ndarray:
    """Read a picture from a file or an array (H,W), (H,W,1), (H,W,3) or (H,W,4), uint8 or float in [0, 1].

    The camera's orientation (EXIF) is applied and transparent parts become white.

    Returns (H,W,3) uint8 RGB, longer side at most ``MAX_IMAGE_SIDE``.

    Raises ``InputError``: unreadable, damaged, a video, larger than 89 megapixels (45 of floats), NaN.
    """
    if isinstance(source, np.ndarray):
        return resized(to_rgb(source, say("name.picture_array")), MAX_IMAGE_SIDE)
    with open_file(source) as stream, _opened(stream, source) as image:
        width, height = image.size
        most = MAX_DEEP_PIXELS if image.mode in ("F", "I") else MAX_PIXELS
        if width * height > most:
            raise InputError(
                say("picture.many_pixels", name=name_of(source), width=width, height=height, megapixels=most // 1000000)
            )
        try:
            check_scans(image, name_of(source))
            image.draft("RGB", (MAX_IMAGE_SIDE, MAX_IMAGE_SIDE))  # JPEG only: decodes at a half, a quarter or an eighth
            image.load()
            small = _flat(image)
            small.thumbnail((MAX_IMAGE_SIDE, MAX_IMAGE_SIDE), Image.Resampling.BOX, reducing_gap=None)
            return np.array(ImageOps.exif_transpose(small))
        except InputError:
            raise
        except Exception as error:  # Pillow's readers raise almost anything on damaged files
            raise InputError(say("picture.damaged", name=name_of(source), error=str(error), kinds=_KINDS)) from error


def read_jpeg(data: bytes, name: str, most_pixels: int, longest: int) -> np.ndarray:
    """(H,W,3) uint8 RGB, upright, from the bytes of a JPEG, longer side at most ``longest``.

    Only the header is read before the size is known. Raises ``InputError``: of another format, damaged, more than
    ``most_pixels``.
    """
    try:
        with Image.open(io.BytesIO(data), formats=("JPEG",)) as image:
            if image.width * image.height > most_pixels:
                raise InputError(
                    say(
                        "picture.sent_pixels",
                        name=name,
                        width=image.width,
                        height=image.height,
                        megapixels=most_pixels / 1000000.0,
                    )
                )
            check_scans(image, name)
            image.draft("RGB", (longest, longest))
            small = image.convert("RGB")
            small.thumbnail((longest, longest), Image.Resampling.BOX, reducing_gap=None)
            return np.array(ImageOps.exif_transpose(small))
    except InputError:
        raise
    except Exception as error:  # Pillow's readers raise almost anything on damaged or other data
        raise InputError(say("picture.no_jpeg", name=name)) from error


def check_scans(image: Image.Image, name: str) -> None:
    """Raise ``InputError`` for a JPEG of so many scans that decoding takes minutes; 127 bytes a scan are enough."""
    if image.format not in ("JPEG", "MPO"):
        return
    scans = _scans(cast(Any, image).fp)
    if scans > MAX_SCANS or scans * image.width * image.height > MAX_SCANNED:
        raise InputError(
            say(
                "picture.scans",
                name=name,
                scans=scans if scans <= MAX_SCANS else say("picture.more_scans", most=MAX_SCANS),
                kinds=_KINDS,
            )
        )


def _scans(stream: IO[bytes]) -> int:
    """Scans of the JPEG in ``stream``, up to its end marker or just over ``MAX_SCANS``; the place is kept."""
    place = stream.tell()
    stream.seek(0)
    data = stream.read()
    stream.seek(place)
    scans, at = 0, 0
    while scans <= MAX_SCANS and (marker := _MARKER.search(data, at)):
        kind, at = marker[0][-1], marker.end()
        if kind == _END_OF_IMAGE:
            break
        if kind not in _BARE:
            at += int.from_bytes(data[at : at + 2], "big")
        scans += kind == _START_OF_SCAN
    return scans


def image_size(path: str | os.PathLike) -> tuple[int, int] | None:
    """(width, height) of a still picture as stored, None if the file is not one. Raises as ``open_file`` does."""
    with open_file(path) as stream:
        return size_in(stream)


def size_in(stream: IO[bytes]) -> tuple[int, int] | None:
    """As ``image_size``, of a file that is open already."""
    try:
        with _open_any(stream) as image:
            moving = image.format == "GIF" and getattr(image, "is_animated", False)
            return None if moving else image.size
    except Image.DecompressionBombError:
        return (0, 0)  # a picture it is; read_image says what is wrong
    except Exception:  # Pillow's readers raise almost anything; what is not a picture is for FFmpeg to judge
        return None


def is_picture(path: str | os.PathLike) -> bool:
    """Whether the file is a still picture (an animated GIF is a video)."""
    return image_size(path) is not None


def _open_any(stream) -> Image.Image:
    """Reads the header only."""
    register_heif()
    return Image.open(stream, formats=FORMATS)


@cache
def register_heif() -> None:
    """Pillow itself reads AVIF, but not HEIC."""
    import pillow_heif

    pillow_heif.register_heif_opener(thumbnails=False)


def _opened(stream, path: str | os.PathLike) -> Image.Image:
    try:
        return _open_any(stream)
    except Image.DecompressionBombError:
        raise InputError(say("picture.too_many_pixels", name=name_of(path), megapixels=MAX_PIXELS // 1000000)) from None
    except Exception as error:  # Pillow's readers raise almost anything for a damaged file
        raise InputError(say("picture.unreadable", name=name_of(path), kinds=_KINDS)) from error


def _flat(image: Image.Image) -> Image.Image:
    """RGB, with the EXIF data kept: 16-bit greys scaled, transparency over white."""
    exif = image.getexif()
    deep = image.mode.startswith(("I", "F"))
    most = float(cast(float, image.getextrema()[1])) if deep else 0.0
    image = _coarse(image)
    if deep:
        values = np.nan_to_num(np.asarray(image, np.float32))
        largest = most if np.isfinite(most) else float(values.max(initial=0))
        white = 1 if largest <= 1 else 255 if largest <= 255 else 65535
        image = Image.fromarray(np.round(255 * np.clip(values / white, 0, 1)).astype(np.uint8))
    if image.mode in ("RGBA", "LA", "PA") or "transparency" in image.info:
        image = image.convert("RGBA")
        flat = Image.new("RGB", image.size, "white")
        flat.paste(image, mask=image.getchannel("A"))
    else:
        flat = image.convert("RGB")
    flat.getexif().update(exif)
    return flat


def _coarse(image: Image.Image) -> Image.Image:
    """The picture, by averaging still at least twice as large as it will be: its copies then take little memory.

    It goes strip by strip, since Pillow copies what it converts or averages with transparency.
    """
    factor = max(image.size) // (2 * MAX_IMAGE_SIDE)
    if factor < 2:
        return image
    step = factor * _STRIP
    strips = [_averaged(image, top, min(top + step, image.height), factor) for top in range(0, image.height, step)]
    whole = Image.new(strips[0].mode, (strips[0].width, sum(strip.height for strip in strips)))
    top = 0
    for strip in strips:
        whole.paste(strip, (0, top))
        top += strip.height
    return whole


def _averaged(image: Image.Image, top: int, bottom: int, factor: int) -> Image.Image:
    """Rows ``top`` to ``bottom``, each ``factor`` x ``factor`` pixels one, in a mode that can be averaged."""
    strip = image.crop((0, top, image.width, bottom))
    transparent = image.mode == "PA" or "transparency" in image.info
    if image.mode.startswith("I;"):
        strip = strip.convert("I")
    elif image.mode in ("1", "P") or transparent:
        strip = strip.convert("RGBA" if transparent else "RGB")
    return strip.reduce(factor)


def to_rgb(array: np.ndarray, name: str) -> np.ndarray:
    """(H,W,3) uint8 from a grey, RGB or RGBA array of uint8, or of floats in [0, 1]; ``InputError`` otherwise."""
    if array.ndim == 2:
        array = array[..., None]
    if array.ndim != 3 or array.shape[2] not in (1, 3, 4) or array.size == 0:
        raise InputError(say("picture.shape", name=name, shape=str(array.shape)))
    if np.issubdtype(array.dtype, np.floating):
        if not np.isfinite(array).all():
            raise InputError(say("picture.not_numbers", name=name))
        if array.min() < 0 or array.max() > 1:
            raise InputError(say("picture.range", name=name))
        array = np.round(array * 255).astype(np.uint8)
    elif array.dtype == np.bool_:
        array = array.astype(np.uint8) * 255
    elif array.dtype != np.uint8:
        raise InputError(say("picture.kind", name=name, kind=str(array.dtype)))
    if array.shape[2] == 4:
        opaque = array[..., 3:].astype(np.uint16)
        array = ((array[..., :3] * opaque + 255 * (255 - opaque)) // 255).astype(np.uint8)
    return np.ascontiguousarray(np.broadcast_to(array, (*array.shape[:2], 3)))


def resized(image: np.ndarray, longest: int) -> np.ndarray:
    """The (H,W,3) image, scaled down by area averaging if its longer side is above ``longest``."""
    height, width = image.shape[:2]
    scale = longest / max(height, width)
    if scale >= 1:
        return image
    size = max(1, round(width * scale)), max(1, round(height * scale))
    return np.array(Image.fromarray(image).resize(size, Image.Resampling.BOX))
