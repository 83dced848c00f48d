"""Whisper base's own file: read as CTranslate2 writes it, and no other taken for it."""

from __future__ import annotations

import struct

import numpy as np
import pytest

from hff.encoders.whisper import WHISPER_MELS, WhisperLayers
from hff.errors import DependencyError, WeightsError
from train.encoders import whisper_base


def model_file(tensors: dict[str, np.ndarray]) -> bytes:
    """As CTranslate2 writes a model, format 6."""

    def text(value: str) -> bytes:
        return struct.pack("<H", len(value) + 1) + value.encode() + b"\0"

    parts = [struct.pack("<I", 6), text("WhisperSpec"), struct.pack("<II", 3, len(tensors))]
    for name, value in tensors.items():
        kind = {"f2": 4, "f4": 0, "i2": 2}[value.dtype.str[1:]]
        parts += [text(name), struct.pack(f"<B{value.ndim}I", value.ndim, *value.shape)]
        parts += [struct.pack("<BI", kind, value.nbytes), value.tobytes()]
    return b"".join(parts)


def test_whispers_own_file_becomes_layers():
    rng = np.random.default_rng(0)
    shapes = {
        "conv1/weight": (16, WHISPER_MELS, 3),
        "conv1/bias": (16,),
        "conv2/weight": (16, 16, 3),
        "conv2/bias": (16,),
    }
    for n in range(3):
        for part, (rows, columns) in {
            "self_attention/linear_0": (48, 16),
            "self_attention/linear_1": (16, 16),
            "ffn/linear_0": (64, 16),
            "ffn/linear_1": (16, 64),
        }.items():
            shapes |= {f"layer_{n}/{part}/weight": (rows, columns), f"layer_{n}/{part}/bias": (rows,)}
        for part in ("self_attention", "ffn"):
            shapes |= {f"layer_{n}/{part}/layer_norm/{name}": (16,) for name in ("gamma", "beta")}
    tensors = {f"encoder/{name}": rng.normal(size=shape).astype(np.float16) for name, shape in shapes.items()}
    tensors |= {"encoder/num_heads": np.array(4, np.int16), "decoder/scale": np.array([1.5], np.float32)}
    read = dict(whisper_base.variables(model_file(tensors)))
    assert read.keys() == tensors.keys()
    for name, value in tensors.items():
        np.testing.assert_array_equal(read[name], value)
    model = WhisperLayers(2, 16, 4)
    model.load_state_dict(whisper_base.state_of(read, 2))
    np.testing.assert_array_equal(
        model.layers[1].norm.weight.detach(), tensors["encoder/layer_1/ffn/layer_norm/gamma"].astype(np.float32)
    )
    np.testing.assert_array_equal(
        model.layers[0].qkv.bias.detach(), tensors["encoder/layer_0/self_attention/linear_0/bias"].astype(np.float32)
    )


def test_a_file_that_is_not_whisper_base_is_refused(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(whisper_base, "HALVES", (("made_up_whisper_1", "part1"), ("made_up_whisper_2", "part2")))
    with pytest.raises(DependencyError, match=r"pip install made-up-whisper-1==1\.0\.0"):
        whisper_base.joined_file()
    for package, file in whisper_base.HALVES:
        (tmp_path / package).mkdir()
        (tmp_path / package / "__init__.py").touch()
        (tmp_path / package / file).write_bytes(b"something else")
    with pytest.raises(WeightsError, match="SHA-256"):
        whisper_base.joined_file()
    (tmp_path / "made_up_whisper_2" / "part2").unlink()
    with pytest.raises(DependencyError, match="lacks part2"):
        whisper_base.joined_file()
