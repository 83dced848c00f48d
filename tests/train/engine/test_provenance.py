"""Features of encoders that have been trained anew since are refused."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from hff import weights
from hff.errors import HFFError
from train.engine import provenance


def encoder(path: Path, value: float, **more: torch.Tensor) -> Path:
    weights.save(path, {"a": torch.full((3,), value)} | more, {"labels": ["x", "y"]})
    return path


def test_stale_features_are_refused_until_deleted(tmp_path):
    sources = {part: encoder(tmp_path / f"{part}.safetensors", 1.0) for part in ("speech", "text")}
    folder = tmp_path / "features"
    folder.mkdir()
    for part in sources:
        (folder / f"{part}-test.safetensors").touch()
    provenance.check_provenance(folder, sources)  # whose they are was not noted: taken for these encoders'
    encoder(sources["speech"], 1.0)
    provenance.check_provenance(folder, sources)  # the same tensors, written again
    encoder(sources["speech"], 2.0)
    for _ in range(2):
        with pytest.raises(HFFError, match=r"^speech-\*\.safetensors in"):
            provenance.check_provenance(folder, sources)
    (folder / "speech-test.safetensors").unlink()
    provenance.check_provenance(folder, sources)
    (folder / "speech-test.safetensors").touch()
    provenance.check_provenance(folder, sources)


def test_a_digest_does_not_depend_on_the_order_of_tensors(tmp_path):
    one, two = torch.ones(2), torch.zeros(2)
    first = encoder(tmp_path / "first.safetensors", 1.0, b=one, c=two)
    second = encoder(tmp_path / "second.safetensors", 1.0, c=two, b=one)
    swapped = encoder(tmp_path / "third.safetensors", 1.0, b=two, c=one)
    assert provenance.tensors_digest(first) == provenance.tensors_digest(second)
    assert provenance.tensors_digest(first) != provenance.tensors_digest(swapped)
