"""HFF reads emotion from voice, words and face, and shows how it weighs them.

What reads a clip and what shows the reading lives here, each in a room of its own (``docs/architecture.md``). Nothing
here trains or measures the weights: that is ``train``, which this package never imports.

>>> import hff
>>> model = hff.load()
>>> result = model.analyze(video="clip.mp4")
>>> result.emotion, result.alpha
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from hff import quiet
from hff.errors import DependencyError, DeviceError, HFFError, InputError, NothingToAnalyse, WeightsError

quiet.libraries()  # before any module of ours imports a library that would report home

if TYPE_CHECKING:
    from pathlib import Path

    from hff.model.hff import HFF as HFF
    from hff.pipeline.analyzer import Analyzer as Analyzer

__version__ = "0.1.0"
__all__ = [
    "HFF",
    "Analyzer",
    "DependencyError",
    "DeviceError",
    "HFFError",
    "InputError",
    "NothingToAnalyse",
    "WeightsError",
    "load",
]


_LATE = {"Analyzer": "hff.pipeline.analyzer", "HFF": "hff.model.hff"}  # which import PyTorch


def __getattr__(name: str) -> Any:
    if name not in _LATE:
        raise AttributeError(f"module 'hff' has no attribute {name!r}")
    return getattr(importlib.import_module(_LATE[name]), name)


def load(device: str = "auto", weights: str | Path | None = None, speech_encoder: str | None = None) -> Analyzer:
    """The trained model; see ``hff.pipeline.analyzer.load``. Imports PyTorch only now, so ``import hff`` is quick."""
    from hff.pipeline.analyzer import load as load_analyzer

    return load_analyzer(device, weights, speech_encoder)
