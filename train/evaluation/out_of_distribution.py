"""Known against strange input: is sigma^2, and its epistemic part, high on what is unlike the training?"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch

from hff.config import MODALITIES
from hff.model.hff import HFF
from train.evaluation.robustness import COMMAND
from train.evaluation.subset_answers import mean_there
from train.fusion import calibration, strange, strange_features
from train.fusion.pairing import PairedClips
from train.metrics import auroc


@torch.inference_mode()
def infer_alone(model: HFF, group: strange.Group, m: int, device: torch.device) -> tuple[np.ndarray, ...]:
    """Of clips of one modality: probabilities (N,C), sigma^2 (N,) and its epistemic part (N,)."""
    found: list[list[np.ndarray]] = [[], [], []]
    kept = group["there"].any(1)
    for features, there in zip(group["features"][kept].split(256), group["there"][kept].split(256), strict=True):
        inputs = calibration.alone_inputs(features, there, m, model.config.input_dims)
        output = model(**{name: value.to(device) for name, value in inputs.items()}, with_attention=False)
        has = inputs["present"].numpy()
        found[0].append(output.probabilities.cpu().numpy())
        for place, values in ((1, output.variance), (2, output.epistemic)):
            found[place].append(mean_there(values.cpu().numpy(), has)[:, m])
    return tuple(np.concatenate(part) for part in found)


def strangers(model: HFF, folder: Path, pairs: PairedClips, half: str, device: torch.device) -> Iterator[list]:
    """Modality, group, items, AUROC of sigma^2 and of its epistemic part against known items, mean sigma^2, mean
    confidence, accuracy (None without labels)."""
    for modality in strange_features.STRANGE:
        m = MODALITIES.index(modality)
        _, usual, usual_epistemic = infer_alone(model, calibration.variant(pairs, modality, 0), m, device)
        for name, group in strange.load(folder, modality, half).items():
            p, variance, epistemic = infer_alone(model, group, m, device)
            label = group["label"].numpy()
            accuracy = float((p.argmax(1) == label).mean()) if (label >= 0).all() else None
            yield [
                modality,
                name,
                len(label),
                told_apart(usual, variance),
                told_apart(usual_epistemic, epistemic),
                float(variance.mean()),
                float(p.max(1).mean()),
                accuracy,
            ]


def told_apart(usual: np.ndarray, other: np.ndarray) -> float | None:
    """AUROC of larger values for being one of the others, not a usual one."""
    return auroc(np.arange(len(usual) + len(other)) >= len(usual), np.r_[usual, other])


def strangers_table(rows: list[list]) -> dict:
    return {
        "title": "Does sigma^2 tell the truth? Known against strange",
        "note": "Clean test items against what is unlike anything learned: how well sigma^2, and its epistemic part, "
        "tell them apart (AUROC; 0.5 is chance), and how sure the model is there. Accuracy where there are labels.",
        "command": COMMAND,
        "columns": [
            "modality",
            "what",
            "items",
            "AUROC",
            "AUROC, epistemic",
            "mean sigma^2",
            "mean confidence",
            "accuracy",
        ],
        "rows": rows,
    }
