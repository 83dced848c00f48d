"""Features that have seen their own labels, and how to train on them without trusting them too much.

Utterance features often come out of networks that were trained with the sentiment of the training videos. On
those videos, in the validation split and in cross-validation too, they tell the sentiment better than they ever
will of a new video: CMU-MOSI's text-CNN and 3D-CNN features classify held-out training videos with 98 and 91 %
by a linear probe, new videos with 75 to 78 and about 56 % (Poria et al., ACL 2017). A fusion trained on them as they
are learns to believe the face.

So each modality is probed, and one that is too good to be true has its features exchanged with those of other
utterances, so often that what is left is as reliable as the modality is known to be on new videos.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from train.corpora.conversation import Conversation, all_labels, folds, stacked
from train.evaluation.floors import USUAL

MARGIN = 0.08  # above the usual that is still believed
CHANCE = 0.5
PENALTY = 10.0  # of the probe's ridge, in units of a feature vector's mean squared length


@dataclass(frozen=True)
class Leak:
    """Columns of a modality's features that are too good, and the share of utterances to exchange them in."""

    modality: str
    columns: int  # the first ones
    accuracy: float  # of the probe
    share: float

    def __str__(self) -> str:
        return (
            f"{self.modality}: {100 * self.accuracy:.0f} % by a linear probe on held-out videos, about "
            f"{100 * USUAL[self.modality]:.0f} % usual for new ones: the features have seen these labels; "
            f"exchanged in {100 * self.share:.0f} % of the utterances"
        )


def probe_accuracy(features: np.ndarray, videos: Sequence[Conversation]) -> float:
    """Accuracy of the sign of ridge regression on features (N,d), over folds of videos."""
    sign = np.where(all_labels(videos) > 0, 1.0, -1.0)
    lengths = [len(video) for video in videos]
    x = np.sign(features) * np.log1p(np.abs(features))
    x = (x - x.mean(0)) / np.maximum(x.std(0), 1e-3)
    x = np.clip(x, -4, 4) / np.sqrt(x.shape[1])
    right = 0
    for out in folds(videos):
        held = np.repeat(out, lengths)
        known, center = x[~held], sign[~held].mean()
        weights = np.linalg.solve(known.T @ known + PENALTY * np.eye(x.shape[1]), known.T @ (sign[~held] - center))
        right += int(((x[held] @ weights + center > 0) == (sign[held] > 0)).sum())
    return right / len(sign)


def find_leaks(videos: Sequence[Conversation], given: dict[str, int]) -> list[Leak]:
    """Probe the first ``given[modality]`` columns of each modality: those that come from the file."""
    leaks = []
    for modality, columns in given.items():
        accuracy = probe_accuracy(stacked(videos, modality)[:, :columns], videos)
        if accuracy > USUAL[modality] + MARGIN:
            share = (accuracy - USUAL[modality]) / (accuracy - CHANCE)
            leaks.append(Leak(modality, columns, accuracy, share))
    return leaks


def exchanged(
    features: dict[str, np.ndarray], leaks: Sequence[Leak], rng: np.random.Generator
) -> dict[str, np.ndarray]:
    """The features (N,d) by modality, leaking columns exchanged between utterances in their leak's share."""
    changed = dict(features)
    for leak in leaks:
        x = changed[leak.modality].copy()
        rows = np.flatnonzero(rng.random(len(x)) < leak.share)
        x[rows, : leak.columns] = x[rng.integers(len(x), size=len(rows)), : leak.columns]
        changed[leak.modality] = x
    return changed
