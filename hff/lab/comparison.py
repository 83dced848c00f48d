"""Two readings of one recording compared: figures alone, no words and no HTML."""

from __future__ import annotations

from hff.config import MODALITIES
from hff.result import Result


def clip_means(result: Result) -> dict[str, dict[str, float | None]]:
    """Every figure of the table by name and modality: clip means, ``None`` where the modality is absent."""
    line = result.timeline
    return {
        "variance": result.variance,
        "precision": line.mean_present(line.precision),
        "alpha0": line.mean_present(line.alpha0),
        "alpha": {m: result.alpha[m] if result.present[m] else None for m in MODALITIES},
        "shapley": result.shapley,
    }
