"""Is sigma^2 on its scale: the error that is to be expected of that modality alone?"""

from __future__ import annotations

import numpy as np
import torch

from hff.config import MODALITIES
from train.evaluation.robustness import COMMAND
from train.evaluation.subset_answers import Judged
from train.metrics import brier

BINS = 10


def variance_scale(judged: Judged, m: int) -> tuple[float, float, float, float]:
    """Of one modality: mean gap of sigma^2 to its own Brier error over ``BINS`` bins of as many clips each, largest
    sigma^2, mean sigma^2 and mean error."""
    there = judged.present[:, m]
    p = torch.from_numpy(judged.alone(MODALITIES[m])[there])
    error = brier(p, torch.from_numpy(judged.own[there, m])).numpy()
    variance = judged.variance[there, m]
    order = np.argsort(variance)
    gaps = [abs(float((variance[part] - error[part]).mean())) for part in np.array_split(order, BINS) if len(part)]
    return float(np.mean(gaps)), float(variance.max()), float(variance.mean()), float(error.mean())


def variance_scale_table(rows: list[list]) -> dict:
    return {
        "title": "Does sigma^2 tell the truth? Its scale",
        "note": f"sigma^2 against the Brier error of that modality alone on its own label, over {BINS} bins of as many "
        "clips each: mean gap, largest sigma^2, mean sigma^2, mean error.",
        "command": COMMAND,
        "columns": ["modality", "clips", "mean gap", "largest sigma^2", "mean sigma^2", "mean error"],
        "rows": rows,
    }
