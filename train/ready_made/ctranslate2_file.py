"""CTranslate2's model file (binary format 6): read, quantised to 8 bits, written.

The layout is that of ``ctranslate2.specs.model_spec.ModelSpec._serialize``, the arithmetic that of its ``_quantize``.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

import numpy as np

from hff.errors import WeightsError
from hff.locale import say

TYPES = (np.float32, np.int8, np.int16, np.int32, np.float16)  # by their number in the file
FORMAT_VERSION = 6
LARGEST = 127  # of the 8 bits that are used: -127 to 127


@dataclass
class ModelFile:
    """What a file holds."""

    name: str  # of CTranslate2's specification, as "WhisperSpec"
    revision: int  # of that specification
    tensors: dict[str, np.ndarray]
    aliases: dict[str, str]  # another name of a tensor -> its name


def read(content: bytes) -> ModelFile:
    """Raises ``WeightsError`` for another version of the format."""
    place = 0

    def number(form: str) -> int:
        nonlocal place
        (value,) = struct.unpack_from("<" + form, content, place)
        place += struct.calcsize("<" + form)
        return value

    def text() -> str:
        nonlocal place
        size = number("H")
        place += size
        return content[place - size : place - 1].decode()

    def tensor() -> np.ndarray:
        nonlocal place
        shape = [number("I") for _ in range(number("B"))]
        kind, size = TYPES[number("B")], number("I")
        place += size
        count = size // np.dtype(kind).itemsize
        return np.frombuffer(content, kind, count, place - size).reshape(shape)

    version = number("I")
    if version != FORMAT_VERSION:
        raise WeightsError(say("package.ctranslate2", version=version, wanted=FORMAT_VERSION))
    name, revision = text(), number("I")
    tensors = {text(): tensor() for _ in range(number("I"))}
    aliases = {text(): text() for _ in range(number("I"))} if place < len(content) else {}
    return ModelFile(name, revision, tensors, aliases)


def written(model: ModelFile) -> bytes:
    """The file's bytes; tensors and aliases in the order of their names, as CTranslate2 sorts them."""

    def text(value: str) -> bytes:
        return struct.pack("<H", len(value.encode()) + 1) + value.encode() + b"\0"

    def tensor(value: np.ndarray) -> bytes:
        shape = struct.pack(f"<B{value.ndim}I", value.ndim, *value.shape)
        return shape + struct.pack("<BI", TYPES.index(value.dtype.type), value.nbytes) + value.tobytes()

    parts = [struct.pack("<I", FORMAT_VERSION), text(model.name), struct.pack("<I", model.revision)]
    parts.append(struct.pack("<I", len(model.tensors)))
    parts += [text(name) + tensor(value) for name, value in sorted(model.tensors.items())]
    parts.append(struct.pack("<I", len(model.aliases)))
    parts += [text(alias) + text(name) for alias, name in sorted(model.aliases.items())]
    return b"".join(parts)


def quantised(weight: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(rows, columns) of any floats -> int8 of that shape and the scale (rows,) float32 of each row.

    A row times its scale, rounded to the nearest whole number (halves to even), has the largest magnitude 127.
    """
    values = weight.astype(np.float32)
    largest = np.abs(values).max(1)
    largest[largest == 0] = LARGEST
    scale = np.float32(LARGEST) / largest
    return np.rint(values * scale[:, None]).astype(np.int8), scale


def in_8_bits(model: ModelFile) -> ModelFile:
    """The matrices called ``weight`` in int8 beside their scales; all else as it is.

    These are what CTranslate2 itself quantises when it loads floats with ``compute_type="int8"``: convolutions (three
    axes) stay floats there too, so both files compute the same.
    """
    tensors: dict[str, np.ndarray] = {}
    for name, value in model.tensors.items():
        tensors[name] = value
        if name.endswith("/weight") and value.ndim == 2:
            tensors[name], tensors[f"{name}_scale"] = quantised(value)
    return ModelFile(model.name, model.revision, tensors, model.aliases)
