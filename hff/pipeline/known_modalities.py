"""Weights that know fewer modalities than are registered: those they do not know stand as absent in what they answer.

M modalities are registered, K of them known to the weights.
"""

from __future__ import annotations

import dataclasses

import torch
from torch import Tensor

from hff.config import MODALITIES, HFFConfig
from hff.model.hff import FusionOutput

_BY_MODALITY = ("alone_logits", "readings", "alpha0", "precision", "alpha", "aleatoric", "epistemic")  # (B,T,K,...)


def known_places(config: HFFConfig) -> list[int]:
    """Where the K modalities of ``config`` stand among the M registered ones."""
    return [MODALITIES.index(m) for m in config.dims]


def among_all(output: FusionOutput, known: list[int]) -> FusionOutput:
    """The figures of K modalities at their places ``known`` among M; 0 where the weights know nothing."""
    if len(known) == len(MODALITIES):
        return output
    given = {name: value for name in _BY_MODALITY if (value := getattr(output, name)) is not None}
    widened = {name: _spread(value, 2, known, len(MODALITIES)) for name, value in given.items()}
    attention = output.attention
    if attention is not None:  # keys: the fused tokens, then those of each modality
        by_kind = attention.unflatten(-1, (1 + len(known), -1))
        places = [0, *(1 + place for place in known)]
        attention = _spread(by_kind, by_kind.dim() - 2, places, 1 + len(MODALITIES)).flatten(-2)
    return dataclasses.replace(output, **widened, attention=attention)


def _spread(values: Tensor, dim: int, places: list[int], size: int) -> Tensor:
    """``values`` at ``places`` of an axis of ``size``, 0 at all others."""
    shape = list(values.shape)
    shape[dim] = size
    return values.new_zeros(shape).index_copy(dim, torch.tensor(places, device=values.device), values)
