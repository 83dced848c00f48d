"""A live reading as the few numbers that the page draws, ready for JSON."""

from __future__ import annotations

import base64
import logging
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np

from hff.config import MODALITIES
from hff.errors import InputError
from hff.live.reading import LiveReading
from hff.locale import say
from hff.media.image import read_jpeg
from hff.media.video import MAX_FRAME_SIDE
from hff.numbers import shown

if TYPE_CHECKING:  # it needs PyTorch, and the page is there before that is
    from hff.live.session import LiveSession

log = logging.getLogger(__name__)

JPEG_QUALITY = 80  # of pictures sent to the page by native capture
SHOWN_WIDTH = 480  # pixels, of the same
MAX_MESSAGE_CHARACTERS = 4_000_000  # of one chunk of sound, in base64
MAX_FRAME_CHARACTERS = 3_000_000  # of one frame, in base64; a page sends about 40,000
MAX_SENT_PIXELS = 3840 * 2160  # the largest that a webcam makes
MAX_NUMBER = 1e9  # of a time in s, or a rate in Hz; a page's own clock begins with its visit


def state(reading: LiveReading, session: LiveSession) -> dict:
    """Modality figures are lists in the order of ``MODALITIES``; None stands for absent."""
    return {
        "time": _rounded(reading.time),
        "looked": _rounded(reading.looked),
        "heard": _rounded(reading.heard),
        "emotion": reading.emotion,
        "ear": session.analyzer.config.speech_encoder,
        "labels": list(session.analyzer.config.labels),
        "probabilities": _values(reading.probabilities),
        "spread": _values(reading.spread),
        "alpha": [_rounded(reading.alpha[m]) for m in MODALITIES],
        "aleatoric": [_rounded(reading.aleatoric[m]) for m in MODALITIES],
        "epistemic": [_rounded(reading.epistemic[m]) for m in MODALITIES],
        "paused": [m in reading.paused for m in MODALITIES],
        "attention": _attention(reading),
        "window": session.window,
        "behind": _rounded(reading.time - reading.start),
        "words": " ".join(word.text for word in reading.words),
        "typed": reading.typed,
        "face": _face(reading),
        "notes": list(reading.notes),
        "effort": session.pace.level,
        "cost": _rounded(session.pace.cost or 0.0),
    }


def jpeg(image: np.ndarray) -> str:
    """An RGB picture as a ``data:`` address."""
    written, data = cv2.imencode(
        ".jpg", cv2.cvtColor(image, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY]
    )
    return "data:image/jpeg;base64," + base64.b64encode(data.tobytes()).decode() if written else ""


def shrunk(image: np.ndarray) -> np.ndarray:
    """The picture at most ``SHOWN_WIDTH`` pixels wide."""
    height, width = image.shape[:2]
    if width <= SHOWN_WIDTH:
        return image
    return cv2.resize(image, (SHOWN_WIDTH, round(height * SHOWN_WIDTH / width)), interpolation=cv2.INTER_AREA)


_SHAPES: dict[str, type | dict] = {
    "ear": str,
    "text": str,
    "frame": {"time": float, "data": str},
    "sound": {"time": float, "rate": float, "data": str},
}


def part(message: dict, name: str) -> Any:
    """A part of what a page sent, if it is there and has its shape; another one is ignored with a line in the log."""
    value = message.get(name)
    if value is None or _has_shape(value, _SHAPES[name]):
        return value
    log.debug("ignored the %s of a live message: %s", name, shown(value))
    return None


def _has_shape(value: object, shape: type | dict) -> bool:
    if isinstance(shape, dict):
        return isinstance(value, dict) and all(_has_shape(value.get(key), kind) for key, kind in shape.items())
    if shape is float:
        return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < MAX_NUMBER  # not NaN
    return isinstance(value, shape)


def picture(address: str) -> np.ndarray:
    """(H,W,3) RGB, longer side at most ``MAX_FRAME_SIDE``, from a JPEG as a ``data:`` address; else ``InputError``."""
    return read_jpeg(_decoded(address, MAX_FRAME_CHARACTERS), say("name.camera_frame"), MAX_SENT_PIXELS, MAX_FRAME_SIDE)


def decoded_sound(text: str) -> np.ndarray:
    """(N,) int16 from base64, little end first. Raises ``InputError`` if it holds no samples."""
    data = _decoded(text)
    if len(data) % 2:
        raise InputError(say("live.sound"))
    return np.frombuffer(data, "<i2")


def _decoded(text: str, longest: int = MAX_MESSAGE_CHARACTERS) -> bytes:
    if not isinstance(text, str) or len(text) > longest:
        raise InputError(say("live.large"))
    try:
        return base64.b64decode(text.rpartition(",")[2], validate=True)
    except ValueError as error:
        raise InputError(say("live.base64")) from error


def _values(by_name: Mapping[str, float | None]) -> list[float | None]:
    return [_rounded(value) for value in by_name.values()]


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(float(value), 4)


def _face(reading: LiveReading) -> dict | None:
    """The box as shares of the picture's width and height, and when it was seen."""
    if reading.face is None or reading.frame_shape is None:
        return None
    height, width = reading.frame_shape
    left, top, right, bottom = reading.face.box
    box = [left / width, top / height, (right - left) / width, (bottom - top) / height]
    return {"box": [_rounded(side) for side in box], "time": _rounded(reading.face.time)}


def _attention(reading: LiveReading) -> list[list[float]] | None:
    """(kinds, T) share of all attention that goes to each kind and step, the mean over layers, heads, moments."""
    if reading.attention is None:
        return None
    by_kind = reading.attention.by_kind().mean((0, 1))
    asking = by_kind.sum((1, 2)) > 0
    shares = by_kind[asking].mean(0) if asking.any() else by_kind.mean(0)
    return np.round(shares.astype(float), 4).tolist()
