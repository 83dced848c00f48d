"""How the fusion bears corruption: subsets, broken modalities, uncertainty, and what alpha has to do with Shapley.

Every table stands twice: under the kinds of corruption of the training, and under kinds that nothing was trained
on (``hff.corruption.unseen``), so that what was understood can be told from what was learned by heart.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import combinations
from typing import Any

import numpy as np
import torch
from sklearn.metrics import accuracy_score, f1_score
from torch import Tensor

from hff.config import MODALITIES
from hff.model.hff import HFF, FusionOutput
from hff.pipeline.shapley import shapley_values, subsets
from train.fusion.pairing import CLEAN, Batch, Mix, PairedClips
from train.fusion.training import fixed_clips
from train.metrics import auroc, spearman

COMMAND = "python -m train evaluate --data DIR --out DIR"
CLIPS = 1400
SHAPLEY_CLIPS = 420
SEED = 97
SEVERITY_LEVELS = 5  # severities above 0 that the cached test features hold
CORRUPTION = {"test": "kinds of the training", "unseen": "kinds never trained on"}  # split: which corruption

Pairs = dict[str, PairedClips]  # by the names in CORRUPTION


@torch.inference_mode()
def outputs(
    model: HFF, clips: list[Batch], device: torch.device, keep: Sequence[str] = MODALITIES, **options
) -> Iterator[tuple[Batch, FusionOutput]]:
    """The model's outputs on each batch, with only the modalities in ``keep`` present."""
    kept = torch.tensor([m in keep for m in MODALITIES], device=device)
    for clip in clips:
        inputs = clip.to(device).inputs()
        inputs["present"] = inputs["present"] & kept
        yield clip, model(**inputs, with_attention=False, **options)


def probabilities(model: HFF, clips: list[Batch], device: torch.device, **options) -> Tensor:
    """(N,C) on the CPU."""
    return torch.cat([output.probabilities.cpu() for _, output in outputs(model, clips, device, **options)])


def targets(clips: list[Batch]) -> Tensor:
    return torch.cat([clip.target for clip in clips])


def accuracy_and_f1(p: Tensor, target: Tensor) -> tuple[float, float]:
    """Accuracy and macro F1 of probabilities (N,C)."""
    guess = p.argmax(1)
    return float(accuracy_score(target, guess)), float(f1_score(target, guess, average="macro"))


def broken(pairs: PairedClips, modality: int, level: int) -> list[Batch]:
    """Clean clips with one modality at one of the stored severities (0 to ``SEVERITY_LEVELS``)."""
    return _broken(pairs, level, lambda rng: modality)


def one_broken(pairs: PairedClips, among: tuple[str, ...], level: int = SEVERITY_LEVELS) -> list[Batch]:
    """Clean clips, each with one modality drawn from ``among`` broken."""
    places = [MODALITIES.index(name) for name in among]
    return _broken(pairs, level, lambda rng: places[rng.integers(len(places))])


def _broken(pairs: PairedClips, level: int, which) -> list[Batch]:
    rng, pick = np.random.default_rng(SEED + 2), np.random.default_rng(SEED + 3)
    choices = [pairs.choose(rng, CLEAN, label=n % pairs.labels) for n in range(CLIPS)]
    for choice in choices:
        choice.variants[:, which(pick)] = level
    return pairs.batches(choices, rng)


def subsets_table(model: HFF, pairs: Pairs, device: torch.device) -> dict:
    """The robustness matrix: every subset, clean and with one of its modalities broken."""
    clean = fixed_clips(pairs["test"], CLIPS, CLEAN, SEED)
    rows = []
    for size in range(1, len(MODALITIES) + 1):
        for keep in combinations(MODALITIES, size):
            row: list = [" + ".join(keep)]
            for clips in (clean, *(one_broken(pairs[split], keep) for split in CORRUPTION)):
                row += accuracy_and_f1(probabilities(model, clips, device, keep=keep), targets(clips))
            rows.append(row)
    measures = [f"{name}, {kind}" for kind in ("clean", "broken", "broken, unseen") for name in ("accuracy", "F1")]
    return {
        "title": "Every subset of the modalities, clean and with one of them broken",
        "note": f"{CLIPS} class-paired clips put together from test items of different people; broken: one of the "
        f"modalities that are present, drawn for each clip, at severity 1, in {CORRUPTION['test']} and in "
        f"{CORRUPTION['unseen']}. F1 is the macro F1; chance is 1/{pairs['test'].labels}.",
        "command": COMMAND,
        "columns": ["present", *measures],
        "rows": rows,
    }


def broken_table(model: HFF, pairs: Pairs, device: torch.device) -> dict:
    """Accuracy with one modality at its worst, and with the weights forced to be equal instead."""
    rows = []
    for split, kinds in CORRUPTION.items():
        for m, name in enumerate(MODALITIES):
            worst = broken(pairs[split], m, SEVERITY_LEVELS)
            target = targets(worst)
            on = accuracy_and_f1(probabilities(model, worst, device), target)[0]
            equal = [
                output.probabilities.cpu()
                for clip in worst
                for _, output in outputs(model, [clip], device, alpha=clip.present.float().to(device))
            ]
            off = accuracy_and_f1(torch.cat(equal), target)[0]
            others = tuple(k for k in MODALITIES if k != name)
            without = accuracy_and_f1(probabilities(model, worst, device, keep=others), target)[0]
            rows.append([name, kinds, on, off, on - off, without])
    return {
        "title": "One modality broken (severity 1)",
        "note": "The same weights with alpha as the model sets it, with alpha forced to be equal, and with the broken "
        "modality taken away by hand. The weights were trained with dynamic weighting on.",
        "command": COMMAND,
        "columns": ["broken", "damage", "accuracy", "accuracy, equal weights", "difference", "accuracy without it"],
        "rows": rows,
    }


def uncertainty_table(model: HFF, pairs: Pairs, device: torch.device) -> dict:
    """Does sigma^2 follow corruption, does alpha leave, and does sigma^2 tell that a modality is wrong?"""
    rows = [
        [name, kinds, *_follows(model, pairs[split], m, device)]
        for split, kinds in CORRUPTION.items()
        for m, name in enumerate(MODALITIES)
    ]
    return {
        "title": "Uncertainty and weights under damage",
        "note": "Damage at severities 0, 0.2, ... 1 of one modality, the other two clean. Spearman over single clips, "
        "and over the means of each severity; AUROC of sigma^2 for that modality alone being wrong; mean alpha clean "
        "and at severity 1, and their ratio. A voice no longer detected counts as alpha 0, and has no sigma^2.",
        "command": COMMAND,
        "columns": [
            "modality",
            "damage",
            "Spearman, clips",
            "Spearman, means",
            "AUROC",
            "alpha clean",
            "alpha broken",
            "ratio",
        ],
        "rows": rows,
    }


def _follows(model: HFF, pairs: PairedClips, m: int, device: torch.device) -> list[float | None]:
    """One row of ``uncertainty_table``."""
    variance: Any = []
    severity: Any = []
    wrong: Any = []
    alpha: list[list[Tensor]] = [[] for _ in range(SEVERITY_LEVELS + 1)]
    for level in range(SEVERITY_LEVELS + 1):
        for clip, output in outputs(model, broken(pairs, m, level), device):
            there = clip.present[:, :, m]
            has, count = there.any(1), there.sum(1).clamp_min(1)
            used = clip.present.any(-1)
            alone = (output.alone_logits[:, :, m].cpu().softmax(-1) * there[..., None]).sum(1).argmax(-1)
            variance.append(((output.variance[:, :, m].cpu() * there).sum(1) / count)[has])
            wrong.append((alone != clip.target)[has])
            severity.append(torch.full((int(has.sum()),), level / SEVERITY_LEVELS))
            alpha[level].append((output.alpha[:, :, m].cpu() * used).sum(1) / used.sum(1).clamp_min(1))
    variance, severity, wrong = torch.cat(variance), torch.cat(severity), torch.cat(wrong)
    levels = torch.arange(SEVERITY_LEVELS + 1) / SEVERITY_LEVELS
    means = torch.stack([variance[severity == level].mean() for level in levels])
    clean, worst = (float(torch.cat(alpha[level]).mean()) for level in (0, SEVERITY_LEVELS))
    return [
        spearman(severity, variance),
        spearman(levels, means),
        auroc(wrong.numpy(), variance.numpy()),
        clean,
        worst,
        worst / clean,
    ]


def shapley_table(model: HFF, pairs: Pairs, device: torch.device) -> dict:
    """Does the weight tell the share? Rank correlation of alpha and the Shapley value of the answer."""
    rows = []
    for split, kinds in CORRUPTION.items():
        clips = fixed_clips(pairs[split], SHAPLEY_CLIPS, Mix(held_out=1), SEED + 4)
        alpha, share = _alpha_and_shapley(model, clips, device)
        within = [spearman(a, s) for a, s in zip(alpha, share, strict=True)]
        top = np.mean(alpha.argmax(1) == share.argmax(1))
        rows.append([kinds, len(alpha), spearman(alpha.ravel(), share.ravel()), float(np.nanmean(within)), float(top)])
    return {
        "title": "Alpha and the Shapley values",
        "note": "Mixed clips with all three modalities somewhere present. alpha is the clip's mean; the Shapley value "
        "is that of the answer's probability over the eight subsets. Spearman over all modalities of all clips, mean "
        "Spearman within a clip, and how often the modality with the largest alpha has the largest Shapley value.",
        "command": COMMAND,
        "columns": ["damage", "clips", "Spearman, all", "Spearman, within a clip", "same modality first"],
        "rows": rows,
    }


def _alpha_and_shapley(model: HFF, clips: list[Batch], device: torch.device) -> tuple[np.ndarray, np.ndarray]:
    """(N,M) each, of the clips that have every modality."""
    by_subset = {s: probabilities(model, clips, device, keep=tuple(s)).numpy() for s in subsets(MODALITIES) if s}
    whole = by_subset[frozenset(MODALITIES)]
    by_subset[frozenset()] = np.full_like(whole, 1 / whole.shape[1])
    means = []
    for clip, output in outputs(model, clips, device):
        used = clip.present.any(-1, keepdim=True)
        means.append(((output.alpha.cpu() * used).sum(1) / used.sum(1)).numpy())
    alpha = np.concatenate(means)
    complete = np.flatnonzero(torch.cat([clip.present.any(1).all(-1) for clip in clips]).numpy())
    shares = []
    for n in complete:
        top = int(whole[n].argmax())

        def worth(subset: Any, n: Any = n, top: int = top) -> float:
            return float(by_subset[subset][n, top])

        values = shapley_values(MODALITIES, worth)
        shares.append([values[m] for m in MODALITIES])
    return alpha[complete], np.array(shares)
