"""Measures of probabilities against labels: Brier score, calibration, ranks."""

from __future__ import annotations

import numpy as np
import torch
from scipy.stats import spearmanr
from sklearn.metrics import roc_auc_score
from torch import Tensor
from torch.nn import functional as F

from hff.result import normalised_entropy


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


def auroc(positive: np.ndarray, score: np.ndarray) -> float | None:
    """Area under the ROC curve: how well a larger ``score`` (N,) tells what is ``positive``, (N,) bool, from the rest.

    0.5 is chance; None where all are alike.
    """
    return float(roc_auc_score(positive, score)) if 0 < np.mean(positive) < 1 else None


def entropy_auroc(p: Tensor, target: Tensor) -> float | None:
    """How well the entropy tells wrong answers from right ones; None where all are alike."""
    return auroc((p.argmax(1) != target).numpy(), np.array([normalised_entropy(row) for row in p.numpy()]))


def reliability(p: Tensor, target: Tensor, bins: int = 10) -> dict:
    confidence, guess = p.max(-1)
    right = (guess == target).float()
    which = (confidence * bins).long().clamp_max(bins - 1)
    filled = [b for b in range(bins) if (which == b).any()]
    return {
        "title": "Class-paired test clips, mixed damage",
        "bins": [
            [float(confidence[which == b].mean()), float(right[which == b].mean()), int((which == b).sum())]
            for b in filled
        ],
        "ece": expected_calibration_error(p, target),
    }


def spearman(a, b) -> float:
    return float(spearmanr(np.asarray(a), np.asarray(b)).statistic)
