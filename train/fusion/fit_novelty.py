"""What is usual: the fusion's ``Novelty`` set from cached features, and how steeply it rises chosen on validation.

Means and directions come from clean training features. The two distances, inside and outside of the leading directions,
are joined so that clean validation items stay low and what is strange or ruined rises: by a logistic regression on the
validation items, on the one side untouched, on the other made-up or foreign (``strange``, half "validation").
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from sklearn.linear_model import LogisticRegression
from torch import Tensor

from hff.config import MODALITIES
from hff.model.novelty import Novelty
from train.fusion import strange
from train.fusion.feature_files import as_clips
from train.fusion.pairing import PairedClips
from train.fusion.strange_inputs import LEARNED

SHRINK = 1e-3  # of the largest variance, added to every direction's
USUAL_NOVELTY = 0.05  # novelty of the clean validation item at the quantile below
QUANTILE = 0.9
PER_GROUP = 200  # features of each strange group


def clean_features(pairs: PairedClips, modality: str) -> tuple[Tensor, Tensor]:
    """Features (N,d) of every untouched item (and step at which it is present) of a split, and labels (N,)."""
    stored = pairs.stored[modality]
    features, there = as_clips(stored, 0)
    return features[there], stored["label"][:, None].expand_as(there)[there]


@torch.no_grad()
def fit_usual(novelty: Novelty, features: Tensor, label: Tensor) -> None:
    """Set means and directions from training features (N,d) with labels (N,)."""
    novelty.centre.copy_(features.mean(0))
    centred = (features - novelty.centre).double()
    values, vectors = torch.linalg.eigh(centred.T @ centred / len(features))
    rank = novelty.whiten.shape[1]
    values, vectors = values[-rank:], vectors[:, -rank:]
    if vectors.shape[1] < rank:  # fewer dimensions than directions
        missing = rank - vectors.shape[1]
        vectors, values = torch.nn.functional.pad(vectors, (missing, 0)), torch.nn.functional.pad(values, (missing, 0))
    novelty.basis.copy_(vectors.float())
    novelty.whiten.copy_((vectors / (values + SHRINK * values[-1]).sqrt()).float())
    white = (features - novelty.centre) @ novelty.whiten
    for c in range(len(novelty.means)):
        if (label == c).any():
            novelty.means[c] = white[label == c].mean(0)


@torch.no_grad()
def fit_rise(novelty: Novelty, usual: Tensor, other: Tensor) -> None:
    """Set weights and bias from distances' features: usual (N,d) and strange ones (K,d)."""
    near, far = (novelty.distances(x).double().numpy() for x in (usual, other))
    x, y = np.concatenate([near, far]), np.r_[np.zeros(len(near)), np.ones(len(far))]
    weights = LogisticRegression(class_weight="balanced", C=10).fit(x, y).coef_[0].clip(0)
    score = near @ weights
    novelty.weights.copy_(torch.from_numpy(weights))
    novelty.bias.fill_(float(np.log(USUAL_NOVELTY / (1 - USUAL_NOVELTY)) - np.quantile(score, QUANTILE)))


def strange_features(folder: Path, held: PairedClips, modality: str, half: str = "validation") -> Tensor:
    """(K,d) features of every strange group, as many of each; where none is cached, of ruined items."""
    path = folder / f"{modality}-strange-{half}.safetensors"
    if not path.exists():
        print(f"note: no {path.name}; what is strange to the {modality} is told from ruined items alone", flush=True)
        return ruined_features(held, modality)
    generator, found = torch.Generator().manual_seed(0), strange.load(folder, modality, half)
    rows = [group["features"][group["there"]] for name, group in found.items() if name not in LEARNED]
    return torch.cat([x[torch.randperm(len(x), generator=generator)[:PER_GROUP]] for x in rows])


def ruined_features(pairs: PairedClips, modality: str) -> Tensor:
    """(N,d) of every item at its worst variant."""
    stored = pairs.stored[modality]
    worst = stored["severity"].argmax(1)
    rows = torch.arange(len(worst))
    features = stored["features"][rows, worst]
    return features[stored["there"][rows, worst]] if "there" in stored else features.flatten(0, -2)


def fit_novelties(model: torch.nn.Module, folder: Path, pairs: PairedClips, held: PairedClips) -> None:
    """Set the novelty of every modality of an ``HFF`` from the training's and the validation's clean features."""
    for m, modality in enumerate(MODALITIES):
        fit_usual(model.novelty[m], *clean_features(pairs, modality))
        fit_rise(model.novelty[m], clean_features(held, modality)[0], strange_features(folder, held, modality))
