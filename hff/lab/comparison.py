"""Two readings of one recording compared: figures alone, no words and no HTML."""

from __future__ import annotations

import numpy as np

from hff.config import MODALITIES
from hff.result import Result


def clip_means(result: Result) -> dict[str, dict[str, float | None]]:
    """Every figure of the table by name and modality: clip means, ``None`` where the modality is absent."""
    line = result.timeline

    def mean(values: np.ndarray) -> dict[str, float | None]:
        return {
            m: float(values[line.present[:, i], i].mean()) if result.present[m] else None
            for i, m in enumerate(MODALITIES)
        }

    return {
        "variance": result.variance,
        "precision": mean(line.precision),
        "alpha0": mean(line.alpha0),
        "alpha": {m: result.alpha[m] if result.present[m] else None for m in MODALITIES},
        "shapley": result.shapley,
    }
