"""From a finished run to a file of ``weights/``: what is needed, in float16, with its config."""

from __future__ import annotations

from pathlib import Path

from safetensors.torch import load_file

from hff import weights
from hff.config import EMOTIONS
from train.encoders.quality import without_head


def export_encoder(name: str, out: Path, shipped: str | None = None) -> Path:
    """Write ``out / "weights" / SHIPPED.safetensors`` (by default NAME's) from the best epoch of ``out / NAME``."""
    state = load_file(out / name / "best.safetensors")
    path = out / "weights" / f"{shipped or name}.safetensors"
    weights.save(path, without_head(state), {"labels": list(EMOTIONS)})
    return path
