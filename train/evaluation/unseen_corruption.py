"""Corruption that nothing was trained on, as of a classroom: does alpha leave the modality that has it?"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch

from hff.config import MODALITIES
from hff.model.hff import HFF
from hff.result import clip_alpha
from train.evaluation.robustness import COMMAND, outputs
from train.evaluation.subset_answers import TRUTH_SEED
from train.fusion.field_corruption import FIELD
from train.fusion.pairing import CLEAN, PairedClips


def leaving(model: HFF, pairs: PairedClips, device: torch.device, count: int = 210) -> Iterator[list]:
    """Modality, kind of a classroom's corruption, alpha clean, alpha broken, their ratio, share not even detected."""
    for m, modality in enumerate(MODALITIES):
        clean = _alpha_of(model, pairs, m, 0, count, device)[0]
        for number, kind in enumerate(FIELD.get(modality, ()), 1):
            broken, lost = _alpha_of(model, pairs, m, number, count, device)
            yield [modality, kind, clean, broken, broken / clean, lost]


def _alpha_of(
    model: HFF, pairs: PairedClips, m: int, variant: int, count: int, device: torch.device
) -> tuple[float, float]:
    """Mean alpha of modality m in clean clips in which it stands at ``variant``, and the share of clips without it."""
    rng = np.random.default_rng(TRUTH_SEED + 1)
    choices = [pairs.choose(rng, CLEAN, label=n % pairs.labels) for n in range(count)]
    for choice in choices:
        choice.variants[:, m] = variant
    alpha, lost = [], []
    for clip, output in outputs(model, pairs.batches(choices, rng), device):
        there = clip.present.numpy()
        each = zip(output.alpha.cpu().numpy(), there, output.beta.cpu().numpy(), strict=True)
        alpha += [clip_alpha(*one)[m] for one in each]
        lost.append(~there[..., m].any(1))
    return float(np.mean(alpha)), float(np.concatenate(lost).mean())


def unseen_corruption_table(rows: list[list]) -> dict:
    return {
        "title": "Does alpha tell the truth? A classroom's damage",
        "note": "Kinds of damage that nothing was trained on, each at its worst, in clips whose other modalities are "
        "clean: alpha of the modality clean and damaged, and their ratio. A voice that is no longer detected has "
        "alpha 0; how often that is.",
        "command": COMMAND,
        "columns": ["modality", "damage", "alpha clean", "alpha broken", "ratio", "not detected"],
        "rows": rows,
    }
