"""Fusion baselines on HFF's interface, one a module, each with its paper.

``RIVALS[name](config)`` builds one for any label set and feature sizes.
"""

from __future__ import annotations

from collections.abc import Callable

from hff.config import HFFConfig
from train.rivals.averaging import LateAveraging
from train.rivals.concatenation import Concatenation
from train.rivals.fixed import FixedWeights
from train.rivals.lmf import LowRankFusion
from train.rivals.mfn import MemoryFusion
from train.rivals.mult import MultimodalTransformer
from train.rivals.rival import Rival, RivalOutput, rival_loss
from train.rivals.tfn import TensorFusion

__all__ = ["RIVALS", "Rival", "RivalOutput", "rival_loss"]

RIVALS: dict[str, Callable[[HFFConfig], Rival]] = {
    "concatenation": Concatenation,
    "late averaging": LateAveraging,
    "fixed weights": FixedWeights,
    "TFN": TensorFusion,
    "LMF": LowRankFusion,
    "MFN": MemoryFusion,
    "MulT": MultimodalTransformer,
}
