"""What the whole model says of a single moment of one modality: the answer that saliency explains."""

from __future__ import annotations

import torch
from torch import Tensor

from hff.model.hff import HFF


def own_answer(model: HFF, modality: str, features: Tensor) -> Tensor:
    """Features (N,d) of N moments, each read by itself with nothing else present -> probabilities (N,C).

    The answer that the page shows of a modality alone, before Monte Carlo draws; differentiable.
    """
    known = model.config.dims
    inputs = {m: features[:, None] if m == modality else features.new_zeros(len(features), 1, known[m]) for m in known}
    place = list(known).index(modality)
    present = torch.zeros(len(features), 1, len(known), dtype=torch.bool, device=features.device)
    present[..., place] = True
    return model.own(present, **inputs)[0][:, 0, place]
