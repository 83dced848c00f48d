"""The modalities: one record each of what anything else has to know, and the order they stand in.

``MODALITIES`` lists their keys in the order of every modality axis. A modality is added by ``register``: the model,
the pipeline, the lab, the training and the page take it from here. No import of anything else of hff, and nothing
heavy: encoders are named by their import path and imported when they are asked for.
"""

from __future__ import annotations

import contextlib
import importlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

LINE_WIDTH = 1.8  # px of the lines that ``dash`` is made for; matplotlib counts dashes in line widths
DASHES: tuple[tuple[float, ...], ...] = ((), (9, 4), (2, 4))  # px drawn and left out: told apart at a glance


@dataclass(frozen=True)
class Modality:
    """What there is to know of one modality.

    An import path is "package.module:name", or the object itself.
    """

    key: str  # names it in weights, results, files and links
    size: int  # of its feature vector
    icon: str  # SVG path on a 24x24 grid, drawn as a line
    colour: str  # on light; 3:1 contrast at least with white, and so on
    colour_dark: str  # on dark: a step lighter, so that thin dashes stay visible
    dash: tuple[float, ...]  # px drawn and left out; empty for a whole line
    hatch: str  # matplotlib's, for areas
    encoders: dict[str, str | Callable[..., Any]] = field(hash=False)  # number of labels -> encoder; the first is usual
    # (encoder, material, steps) -> features (T,size) and presence (T,) bool, or a generator that returns them and asks
    # for its passes through the encoder (``hff.pipeline.passes``): several clips then go through it together.
    encode: str | Callable[..., Any]
    equations: str = ""  # of the paper
    name: str = ""  # where the catalogue of the language has none
    pauses: bool = False  # in speech: the live view holds its weight through a short silence

    def encoder(self, variant: str = "") -> Callable[..., Any]:
        """What builds the encoder, by its name among ``encoders``; one of another name is the usual one."""
        return imported(self.encoders.get(variant) or next(iter(self.encoders.values())))

    @property
    def stroke(self) -> str:
        """``dash`` as SVG's stroke-dasharray."""
        return stroke(self.dash)

    @property
    def linestyle(self) -> str | tuple[float, tuple[float, ...]]:
        """``dash`` as matplotlib's line style."""
        return (0, tuple(length / LINE_WIDTH for length in self.dash)) if self.dash else "-"


def stroke(dash: tuple[float, ...]) -> str:
    """Px drawn and left out, as SVG's stroke-dasharray."""
    return " ".join(f"{length:g}" for length in dash)


def imported(what: str | Any) -> Any:
    """The object at an import path; any other object is itself."""
    if not isinstance(what, str):
        return what
    module, name = what.split(":")
    return getattr(importlib.import_module(module), name)


_RECORDS: dict[str, Modality] = {}


class _Keys(Sequence[str]):
    """The keys of all registered modalities, as a tuple that is up to date; equal to a tuple of the same keys."""

    def __getitem__(self, place):  # type: ignore[override]
        return tuple(_RECORDS)[place]

    def __len__(self) -> int:
        return len(_RECORDS)

    def __contains__(self, key: object) -> bool:
        return isinstance(key, str) and key in _RECORDS

    def __iter__(self) -> Iterator[str]:
        return iter(tuple(_RECORDS))

    def __eq__(self, other: object) -> bool:
        return tuple(self) == (tuple(other) if isinstance(other, _Keys) else other)

    def __hash__(self) -> int:
        return hash(tuple(self))

    def __repr__(self) -> str:
        return repr(tuple(self))


MODALITIES: Sequence[str] = _Keys()


def register(modality: Modality) -> Modality:
    """Add a modality after all others. Raises ``ValueError`` for a key that is taken or cannot be a name."""
    if not modality.key.isidentifier() or modality.key in _RECORDS:
        raise ValueError(f"{modality.key!r} is no name for a modality, or taken; there are {', '.join(_RECORDS)}")
    _RECORDS[modality.key] = modality
    return modality


@contextlib.contextmanager
def registered(modality: Modality) -> Iterator[Modality]:
    """``modality`` is there inside, and gone after."""
    register(modality)
    try:
        yield modality
    finally:
        del _RECORDS[modality.key]


@contextlib.contextmanager
def only(*keys: str) -> Iterator[None]:
    """No other modalities than ``keys`` are there inside: for what is made for these, whatever else is registered."""
    before = dict(_RECORDS)
    for key in before.keys() - set(keys):
        del _RECORDS[key]
    try:
        yield
    finally:
        _RECORDS.clear()
        _RECORDS.update(before)


def of(key: str) -> Modality:
    """The record of a modality. Raises ``KeyError``."""
    return _RECORDS[key]


def records() -> tuple[Modality, ...]:
    """All records in the order of ``MODALITIES``."""
    return tuple(_RECORDS.values())


def sizes() -> dict[str, int]:
    """The feature size of each modality."""
    return {record.key: record.size for record in records()}


# The colours are from Okabe and Ito's palette (jfly.uni-koeln.de/color), which people with the common kinds of colour
# blindness tell apart.
register(
    Modality(
        key="speech",
        size=128,
        equations="(1)–(8)",
        icon="M4 10v4M8 7v10M12 3v18M16 7v10M20 10v4",  # sound waves
        colour="#0072b2",
        colour_dark="#2f9be0",
        dash=DASHES[0],
        hatch="",
        encoders={"mfcc-cnn": "hff.encoders.mfcc_cnn:SpeechEncoder", "whisper": "hff.encoders.whisper:WhisperEncoder"},
        encode="hff.pipeline.features:speech_of",
        pauses=True,
    )
)
register(
    Modality(
        key="text",
        size=768,
        equations="(9)–(12)",
        icon="M4 4h16v12H11l-5 4v-4H4zM8 8.5h8M8 12h5",  # a speech bubble
        colour="#d55e00",
        colour_dark="#ef7b22",
        dash=DASHES[1],
        hatch="///",
        encoders={"bert": "hff.encoders.bert:TextEncoder"},
        encode="hff.pipeline.features:text_of",
        pauses=True,
    )
)
register(
    Modality(
        key="vision",
        size=512,
        equations="(13)–(15)",
        icon="M12 3a9 9 0 1 0 0 18a9 9 0 1 0 0-18M9 9.5v.5M15 9.5v.5M8.5 14.5c2 2.4 5 2.4 7 0",  # a face
        colour="#009e73",
        colour_dark="#17b98a",
        dash=DASHES[2],
        hatch="...",
        encoders={"resnet": "hff.encoders.resnet:VisionEncoder"},
        encode="hff.pipeline.features:vision_of",
    )
)
