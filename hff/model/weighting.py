"""Level 1a and 1b, alignment and dynamic weights: equations (16) to (18) of the paper."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from hff.config import HFFConfig

DISTRUST = 1.0  # power of 1 - novelty by which alpha0 leaves what is strange
LEAST_TRUST = 1e-3  # so that a modality that is alone still has a weight


def masked_softmax(scores: Tensor, mask: Tensor, dim: int = -1) -> Tensor:
    """Softmax over the places where ``mask`` holds; exactly 0 elsewhere, and 0 where nothing holds."""
    scores = scores.masked_fill(~mask, torch.finfo(scores.dtype).min)
    weights = torch.softmax(scores, dim) * mask
    return torch.where(mask.any(dim, keepdim=True), weights, torch.zeros_like(weights))


class Alignment(nn.Module):
    """Equation (16): one linear map per modality into a shared ``d_model`` space.

    Without alignment (an ablation of table 4) the maps are random and stay fixed, since features of
    128, 768 and 512 numbers cannot be added otherwise.
    """

    def __init__(self, config: HFFConfig) -> None:
        super().__init__()
        self.linear = nn.ModuleList(nn.Linear(size, config.d_model) for size in config.input_dims)
        self.norm = nn.ModuleList(nn.LayerNorm(config.d_model) for _ in config.input_dims)
        self.dropout = nn.Dropout(config.dropout)
        if not config.use_alignment:
            self.linear.requires_grad_(False)

    def forward(self, features: list[Tensor], present: Tensor) -> Tensor:
        """M tensors (B,T,d_m) and presence (B,T,M) -> (B,T,M,d_model), absent modalities exactly 0."""
        aligned = [
            self.dropout(norm(linear(feature.masked_fill(~present[..., m, None], 0))))
            for m, (feature, linear, norm) in enumerate(zip(features, self.linear, self.norm, strict=True))
        ]
        return torch.stack(aligned, dim=2) * present[..., None]


class SpeakerEmbedding(nn.Module):
    """Who speaks, for dialogues: a learned vector for each of their speakers, added to what the modalities say.

    Not in the paper. Speakers are numbered within a dialogue; those beyond the last number share it.
    """

    def __init__(self, speakers: int, size: int) -> None:
        super().__init__()
        self.of = nn.Embedding(speakers, size)

    def forward(self, aligned: Tensor, present: Tensor, speakers: Tensor | None) -> Tensor:
        """aligned (B,T,M,d), present (B,T,M), speakers (B,T) or None where one person speaks -> (B,T,M,d)."""
        if speakers is None:
            speakers = torch.zeros(present.shape[:2], dtype=torch.long, device=present.device)
        vector = self.of(speakers.clamp(0, self.of.num_embeddings - 1))
        return aligned + vector[:, :, None] * present[..., None]


class DynamicWeights(nn.Module):
    """Equation (17): alpha0 = softmax(W_dyn [f_s, f_t, f_v]) over the present modalities.

    The stranger an input (``hff.model.novelty.Novelty``), the less it is chosen. Switched off (an ablation of
    table 4), every present modality weighs the same.
    """

    def __init__(self, config: HFFConfig) -> None:
        super().__init__()
        modalities = len(config.input_dims)
        self.enabled = config.use_dynamic_weighting
        self.w_dyn = nn.Linear(modalities * config.d_model, modalities, bias=False) if self.enabled else None

    def forward(self, aligned: Tensor, present: Tensor, strange: Tensor | None = None) -> Tensor:
        """(B,T,M,d), (B,T,M) and novelty (B,T,M), 0 to 1 -> alpha0 (B,T,M), summing to 1 over present modalities."""
        if self.w_dyn is None:
            return masked_softmax(torch.zeros_like(aligned[..., 0]), present)
        scores = self.w_dyn(aligned.flatten(2))
        if strange is not None:
            scores = scores + DISTRUST * (1 - strange).clamp_min(LEAST_TRUST).log()
        return masked_softmax(scores, present)


def reweight(alpha0: Tensor, precision: Tensor) -> Tensor:
    """Final alpha, proportional to alpha0 * w and normalised over modalities (after equation (19)).

    Both (B,T,M). A step where no modality is present gets all zeros.
    """
    weighted = alpha0 * precision
    total = weighted.sum(-1, keepdim=True)
    return torch.where(total > 0, weighted / total.clamp_min(torch.finfo(total.dtype).tiny), weighted)


def weighted_sum(alpha: Tensor, features: Tensor) -> Tensor:
    """Equation (18): sum over modalities of alpha_m f_m; (B,T,M) and (B,T,M,d) -> (B,T,d)."""
    return (alpha[..., None] * features).sum(2)
