"""Two readings of one recording compared: figures alone, no words and no HTML."""

from __future__ import annotations

import numpy as np

from hff.config import MODALITIES
from hff.result import Result, clip_alpha

TABLE_FIGURES = ("variance", "precision", "alpha0", "alpha", "shapley")  # in the order in which one leads to the next


def clip_means(result: Result) -> dict[str, dict[str, float | None]]:
    """Every figure of the table by name and modality: clip means, ``None`` where the modality is absent.

    w is 1 / (sigma^2 + eps) of the mean sigma^2. alpha0 is over the same moments as alpha, those with a choice, so that
    either sums to 1; a clip's alpha is the mean of the moments' own, not what the other two means would give.
    """
    line = result.timeline
    alpha0 = clip_alpha(line.alpha0, line.present, line.beta).tolist()
    return {
        "variance": result.variance,
        "aleatoric": result.aleatoric,
        "epistemic": result.epistemic,
        "precision": line.mean_precision,
        "alpha0": {m: share if result.present[m] else None for m, share in zip(MODALITIES, alpha0, strict=True)},
        "alpha": {m: result.alpha[m] if result.present[m] else None for m in MODALITIES},
        "shapley": result.shapley,
    }


def alpha_by_precision(result: Result) -> dict[str, float]:
    """What a clip's alpha would be if alpha0 were the same for all: shares of w alone. They sum to 1."""
    line = result.timeline
    total = line.precision.sum(1, keepdims=True)
    shares = line.precision / np.where(total > 0, total, 1)
    return dict(zip(MODALITIES, clip_alpha(shares, line.present, line.beta).tolist(), strict=True))
