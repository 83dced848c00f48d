"""Measures of probabilities against labels: Brier score, calibration, ranks."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F


def brier(probabilities: Tensor, target: Tensor) -> Tensor:
    """Squared distance of probabilities (...,C) from the one-hot target (...): 0 right and sure, 2 wrong and sure."""
    return (probabilities - F.one_hot(target, probabilities.shape[-1])).square().sum(-1)


def expected_calibration_error(probabilities: Tensor, target: Tensor, bins: int = 15) -> float:
    """ECE (Guo et al. 2017): mean gap between confidence and accuracy over equal-width bins of confidence."""
    confidence, guess = probabilities.max(-1)
    right = (guess == target).float()
    which = (confidence * bins).long().clamp_max(bins - 1)
    gaps = [
        (confidence[which == b].mean() - right[which == b].mean()).abs() * (which == b).float().mean()
        for b in range(bins)
        if (which == b).any()
    ]
    return float(torch.stack(gaps).sum())
