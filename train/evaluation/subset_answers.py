"""What the model says of class-paired clips as a whole and by subset, as the measures of alpha and sigma^2 need it.

Everything is read as the app reads it: a modality alone is the whole model with only that one present.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from hff.config import MODALITIES
from hff.model.hff import HFF
from hff.pipeline.shapley import Subset, subsets
from hff.result import clip_alpha
from train.evaluation.robustness import outputs
from train.fusion.pairing import Batch

TRUTH_SEED = 203  # of the clips that are drawn for these measures


@dataclass
class Judged:
    """What the model says of N clips: by subset, and the clip's own figures of each modality (nan where absent)."""

    probabilities: dict[Subset, np.ndarray]  # (N,C)
    alpha: np.ndarray  # (N,M)
    variance: np.ndarray  # (N,M)
    epistemic: np.ndarray  # (N,M)
    target: np.ndarray  # (N,)
    own: np.ndarray  # (N,M), the label of each modality's own item
    present: np.ndarray  # (N,M)

    @property
    def whole(self) -> np.ndarray:
        return self.probabilities[frozenset(MODALITIES)]

    def alone(self, modality: str) -> np.ndarray:
        return self.probabilities[frozenset({modality})]

    def of(self, kept: np.ndarray) -> Judged:
        """The clips at which ``kept`` (N,) holds."""
        parts = {
            name: getattr(self, name)[kept] for name in ("alpha", "variance", "epistemic", "target", "own", "present")
        }
        return Judged({subset: p[kept] for subset, p in self.probabilities.items()}, **parts)


def judge(model: HFF, clips: list[Batch], device: torch.device, every_subset: bool = True) -> Judged:
    """Read clips as a whole, and as each subset (else as each modality alone)."""
    most = len(MODALITIES) - 1 if every_subset else 1
    wanted = [s for s in subsets(MODALITIES) if 1 <= len(s) <= most]
    probabilities = {
        s: np.concatenate([o.probabilities.cpu().numpy() for _, o in outputs(model, clips, device, keep=tuple(s))])
        for s in wanted
    }
    whole, alpha, variance, epistemic, present = [], [], [], [], []
    for clip, output in outputs(model, clips, device):
        whole.append(output.probabilities.cpu().numpy())
        there = clip.present.numpy()
        weights, beta = output.alpha.cpu().numpy(), output.beta.cpu().numpy()
        alpha += [clip_alpha(*each) for each in zip(weights, there, beta, strict=True)]
        variance.append(mean_there(output.variance.cpu().numpy(), there))
        epistemic.append(mean_there(output.epistemic.cpu().numpy(), there))
        present.append(there.any(1))
    probabilities[frozenset(MODALITIES)] = np.concatenate(whole)
    target, own = (torch.cat(part).numpy() for part in ([c.target for c in clips], [c.own for c in clips]))
    spread, open_part = np.concatenate(variance), np.concatenate(epistemic)
    return Judged(probabilities, np.array(alpha), spread, open_part, target, own, np.concatenate(present))


def mean_there(values: np.ndarray, there: np.ndarray) -> np.ndarray:
    """(N,T,M) -> (N,M), nan where a modality never is there."""
    count = there.sum(1)
    return np.where(count > 0, (values * there).sum(1) / np.maximum(count, 1), np.nan)


def mean_of_numbers(values) -> float | None:
    """The mean of what is a number; None where nothing is."""
    values = np.asarray(values, float)
    values = values[~np.isnan(values)]
    return float(values.mean()) if len(values) else None
