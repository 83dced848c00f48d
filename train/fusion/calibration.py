"""The fusion's calibration on validation clips: three maps, each monotone, and a discount, stored in the weights.

1. The temperature of each modality's own reading, where its likelihood is largest.
2. sigma^2 of each modality on the scale of that reading's expected Brier error (isotonic regression), over clean and
   corrupted items and, where there are such, people and languages that nothing was trained on.
3. The discount of neutral readings beside others (``hff.model.experts.discount``) with which mixed clips have the
   least Brier score.
4. The temperature of the answer, at which neither clean nor mixed clips are far off.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from scipy.optimize import minimize_scalar
from sklearn.isotonic import IsotonicRegression
from torch import Tensor
from torch.nn import functional as F

from hff.config import MODALITIES
from hff.model.error_scale import ErrorScale
from hff.model.hff import HFF
from hff.model.uncertainty import MAX_ERROR
from train.fusion import strange
from train.fusion.feature_files import as_clips
from train.fusion.pairing import CLEAN, Batch, Mix, PairedClips
from train.metrics import brier, expected_calibration_error

CALIBRATION_CLIPS = 1400
CALIBRATION_SEED = 4323
HALF = "validation"
STEEPEST = 1e-3  # least rise of the error from one knot to the next, so that the map is strictly monotone
CLEAN_ITEMS, CORRUPTED, STRANGERS = range(3)
KIND_WEIGHTS = (1.0, 0.5, 0.25)  # of the three, in the scale of sigma^2 and the temperature of words
TEMPERATURES = 21  # temperatures tried
DISCOUNTS = (0.0, 0.25, 0.5, 0.75, 1.0)  # shares of the whole discount tried


def calibrate(model: HFF, folder: Path, device: torch.device, mix: Mix | None = None) -> dict[str, float]:
    """Set all four on the validation half of the cached features in ``folder``; returns what was found."""
    held = PairedClips(folder, HALF, model.config.labels)
    mix = mix or Mix()
    found = {}
    if model.config.bounded:
        ruined = _field(folder, model.config.labels)
        for m, modality in enumerate(MODALITIES):
            kinds = groups(folder, held, ruined, modality)
            found[f"{modality}_temperature"] = _calibrate_own(model, kinds, m, device)
        found["neutral_discount"] = set_discount(model, held, device, mix)
    return found | {"temperature": set_temperature(model, held, device, mix)}


def alone_inputs(features: Tensor, there: Tensor, m: int, sizes: tuple[int, ...]) -> dict[str, Tensor]:
    """The inputs of ``HFF.forward`` for clips of modality ``m``: features (N,T,d) at the steps ``there`` (N,T)."""
    inputs = {name: features.new_zeros(*there.shape, size) for name, size in zip(MODALITIES, sizes, strict=True)}
    present = torch.zeros(*there.shape, len(MODALITIES), dtype=torch.bool)
    present[..., m] = there
    return inputs | {MODALITIES[m]: features, "present": present}


def variant(pairs: PairedClips, modality: str, number: int) -> strange.Group:
    """Every item of a split at one of its variants, as a clip of that modality alone: features, there, label."""
    features, there = as_clips(pairs.stored[modality], number)
    return {"features": features, "there": there, "label": pairs.stored[modality]["label"]}


def _field(folder: Path, labels: Sequence[str]) -> PairedClips | None:
    """The items under a classroom's corruption, where ``python -m train strange`` has cached them."""
    split = f"field-{HALF}"
    there = all((folder / f"{m}-{split}.safetensors").exists() for m in MODALITIES)
    return PairedClips(folder, split, labels) if there else None


def groups(
    folder: Path, held: PairedClips, ruined: PairedClips | None, modality: str
) -> list[tuple[int, strange.Group]]:
    """Items of one modality by kind: ``CLEAN_ITEMS``, ``CORRUPTED`` (also as in a classroom), ``STRANGERS``."""
    found = [(CORRUPTED if v else CLEAN_ITEMS, variant(held, modality, v)) for v in range(held.variants(modality))]
    if ruined is not None:
        found += [(CORRUPTED, variant(ruined, modality, v)) for v in range(1, ruined.variants(modality))]
    if (folder / f"{modality}-strange-{HALF}.safetensors").exists():
        found += [(STRANGERS, group) for group in strange.load(folder, modality, HALF).values()]
    return [(kind, group) for kind, group in found if (group["label"] >= 0).all()]


@torch.inference_mode()
def own_readings(model: HFF, group: strange.Group, m: int, device: torch.device) -> tuple[Tensor, Tensor, Tensor]:
    """Of each clip: the modality's reading (N,C), its mean sigma^2 (N,), its label (N,); unheard ones are left out."""
    kept = group["there"].any(1)
    probabilities, variance = [], []
    for x, has in zip(group["features"][kept].split(256), group["there"][kept].split(256), strict=True):
        inputs = alone_inputs(x, has, m, model.config.input_dims)
        reading, spread = model.own(**{name: value.to(device) for name, value in inputs.items()})
        probabilities.append(reading[:, -1, m].cpu())
        variance.append((spread[..., m].cpu() * has).sum(1) / has.sum(1))
    return torch.cat(probabilities), torch.cat(variance), group["label"][kept]


def _calibrate_own(model: HFF, found: list[tuple[int, strange.Group]], m: int, device: torch.device) -> float:
    """The temperature of one modality's own reading, and its scale of sigma^2."""
    temperature = model.alone[m].temperature
    kinds = (CLEAN_ITEMS, CORRUPTED)
    plain = {kind: [group for its, group in found if its == kind] for kind in kinds}
    # People before a camera are strangers in rooms of their own, so every kind of corruption counts as much as the
    # clean items do. Typed words come as the corpora have them.
    typed = MODALITIES[m] == "text"
    weights = [KIND_WEIGHTS[kind] if typed else len(plain[kind]) for kind in kinds]

    def loss(value: float) -> float:
        temperature.fill_(value)
        losses = [_mean_nll([own_readings(model, group, m, device) for group in plain[kind]]) for kind in kinds]
        return float(np.average(losses, weights=weights))

    best = float(minimize_scalar(loss, bounds=(0.5, 3), method="bounded", options={"xatol": 0.03}).x)
    temperature.fill_(best)
    raw, error, own_kind = [], [], []
    for kind, group in found:
        p, variance, label = own_readings(model, group, m, device)
        raw.append(variance.numpy())
        error.append(brier(p, label).numpy())
        own_kind.append(np.full(len(label), kind))
    each = np.concatenate(own_kind)
    shares = np.array([weight / max((each == kind).sum(), 1) for kind, weight in enumerate(KIND_WEIGHTS)])
    set_scale(model.scale[m], np.concatenate(raw), np.concatenate(error), shares[each])
    return best


def _mean_nll(readings: list[tuple[Tensor, Tensor, Tensor]]) -> float:
    """The mean over groups of the negative log-likelihood of the labels; 0 without any."""
    return float(np.mean([F.nll_loss(p.clamp_min(1e-6).log(), y) for p, _, y in readings if len(y)] or [0.0]))


def set_scale(scale: ErrorScale, raw: np.ndarray, error: np.ndarray, weight: np.ndarray) -> None:
    """Isotonic regression of the error on raw sigma^2, (N,) each, through the scale's knots."""
    fitted = IsotonicRegression(y_min=0, y_max=MAX_ERROR, out_of_bounds="clip").fit(raw, error, weight)
    order = np.argsort(raw)
    share = np.cumsum(weight[order]) / weight.sum()
    inner = np.interp(np.linspace(0, 1, len(scale.raw)), share, raw[order])
    # Means over quantiles, so that single items do not make steps.
    edges = np.unique(np.concatenate([[0.0], inner, [MAX_ERROR]]))
    knots = np.interp(np.linspace(0, 1, len(scale.raw)), np.linspace(0, 1, len(edges)), edges)
    knots = np.maximum.accumulate(knots + np.arange(len(knots)) * 1e-6)
    smooth = np.array([fitted.predict(raw[order][near]).mean() for near in _neighbours(knots, raw[order])])
    smooth = np.maximum.accumulate(smooth) + np.arange(len(knots)) * STEEPEST
    scale.raw.copy_(torch.from_numpy(knots))
    scale.error.copy_(torch.from_numpy(np.clip(smooth, STEEPEST, MAX_ERROR)))


def _neighbours(knots: np.ndarray, raw: np.ndarray) -> list[slice]:
    """Of sorted ``raw``: for each knot the sixteenth of all items around it."""
    half = max(1, len(raw) // 32)
    middle = np.searchsorted(raw, knots)
    return [slice(max(0, min(m - half, len(raw) - 2 * half)), max(2 * half, min(len(raw), m + half))) for m in middle]


def set_temperature(model: HFF, held: PairedClips, device: torch.device, mix: Mix) -> float:
    """Set the classifier's temperature to the one at which neither clean nor mixed validation clips are far off.

    One temperature cannot suit both: sound clips want a lower one. The larger of their two errors (ECE) is made least.
    """
    found = [_fixed(held, kind, number) for number, kind in enumerate((CLEAN, mix))]
    before = float(model.classifier.temperature)

    @torch.inference_mode()
    def worse(value: float) -> float:
        model.classifier.temperature.fill_(value)
        errors = []
        for clips in found:
            probabilities = [model(**c.to(device).inputs(), with_attention=False).probabilities.cpu() for c in clips]
            errors.append(expected_calibration_error(torch.cat(probabilities), torch.cat([c.target for c in clips])))
        return max(errors)

    values = before * np.geomspace(0.2, 3, TEMPERATURES)
    best = min(values.tolist(), key=worse)
    model.classifier.temperature.fill_(best)
    return best


def set_discount(model: HFF, held: PairedClips, device: torch.device, mix: Mix) -> float:
    """Set how much of a neutral reading's lead does not count beside others; returns the share of the whole discount.

    The whole discount is what ``mix`` says: of people of every emotion alike, so many of those who seem neutral in a
    modality feel something else. Clips of ``mix`` choose among ``DISCOUNTS`` of it, by the Brier score.
    """
    if model.config.neutral is None:
        return 0.0
    clips = _fixed(held, mix, 1)
    target = torch.cat([c.target for c in clips])
    odds = {m: mix.unfeeling(m) * (held.labels - 1) for m in model.config.dims}
    whole = {m: value / (1 + value) for m, value in odds.items() if value}

    @torch.inference_mode()
    def score(share: float) -> float:
        discount = {m: round(share * value, 3) for m, value in whole.items() if share}
        model.config = dataclasses.replace(model.config, neutral_discount=discount)
        probabilities = [model(**c.to(device).inputs(), with_attention=False).probabilities.cpu() for c in clips]
        return float(brier(torch.cat(probabilities), target).mean())

    best = min(DISCOUNTS, key=score)
    score(best)
    return best


def _fixed(held: PairedClips, mix: Mix, number: int) -> list[Batch]:
    rng = np.random.default_rng(CALIBRATION_SEED + number)
    choices = [held.choose(rng, mix, label=n % held.labels) for n in range(CALIBRATION_CLIPS)]
    return [held.collate(choices[first : first + 100], rng) for first in range(0, CALIBRATION_CLIPS, 100)]
