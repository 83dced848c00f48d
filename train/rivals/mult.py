"""Multimodal Transformer (MulT): every modality is read through the eyes of each other one.

Y.-H. H. Tsai, S. Bai, P. P. Liang, J. Z. Kolter, L.-P. Morency, R. Salakhutdinov: "Multimodal Transformer for Unaligned
Multimodal Language Sequences", ACL 2019. Other than there: 2 layers in place of 4 to 6, which are for sequences of 50
steps and more; features are normalised and projected by convolutions of width 1, as in the authors' code; a modality
that is absent lends nothing to the others, and counts as zeros before the classifier.
"""

from __future__ import annotations

import dataclasses

import torch
from torch import Tensor, nn

from hff.config import HFFConfig
from hff.model.attention import MultiHeadAttention, sinusoidal_positions
from train.rivals.rival import MLP, Rival, last_present, seen

LAYERS = 2  # of each transformer
HEADS = 4


class CrossmodalLayer(nn.Module):
    """One block of equations (3) to (5): attention of the target to the source, then feed-forward, pre-norm."""

    def __init__(self, config: HFFConfig) -> None:
        super().__init__()
        self.norm_target = nn.LayerNorm(config.d_model)
        self.norm_source = nn.LayerNorm(config.d_model)
        self.attention = MultiHeadAttention(config)
        self.norm_hidden = nn.LayerNorm(config.d_model)
        self.feed_forward = MLP(config.d_model, config.hidden_multiple * config.d_model, config.d_model, config.dropout)
        self.dropout = nn.Dropout(config.dropout)

    def forward(self, target: Tensor, source: Tensor, mask: Tensor) -> Tensor:
        """target (B,T,d), source (B,K,d), mask (B,K) or (B,T,K) of what may be seen -> (B,T,d)."""
        attended, _ = self.attention(self.norm_target(target), self.norm_source(source), mask)
        target = target + self.dropout(attended)
        return target + self.dropout(self.feed_forward(self.norm_hidden(target)))


class CrossmodalTransformer(nn.Module):
    """Layers that all attend to the source's low-level features; to itself where no source is given."""

    def __init__(self, config: HFFConfig) -> None:
        super().__init__()
        self.layers = nn.ModuleList(CrossmodalLayer(config) for _ in range(config.layers))
        self.norm = nn.LayerNorm(config.d_model)

    def forward(self, target: Tensor, source: Tensor | None, mask: Tensor) -> Tensor:
        for layer in self.layers:
            target = layer(target, target if source is None else source, mask)
        return self.norm(target)


class MultimodalTransformer(Rival):
    """Six crossmodal transformers and a self-attention one for each target.

    A clip is read at each target's last present step, a dialogue at every one.
    """

    def __init__(self, config: HFFConfig) -> None:
        super().__init__(config)
        size, modalities = max(HEADS, config.d_model // 4), len(config.input_dims)
        cross = dataclasses.replace(config, d_model=size, heads=HEADS, layers=LAYERS)
        own = dataclasses.replace(cross, d_model=(modalities - 1) * size)
        self.norms = nn.ModuleList(nn.LayerNorm(inputs) for inputs in config.input_dims)
        self.project = nn.ModuleList(nn.Linear(inputs, size, bias=False) for inputs in config.input_dims)
        self.dropout = nn.Dropout(config.dropout)
        self.crossmodal = nn.ModuleList(
            nn.ModuleList(CrossmodalTransformer(cross) for _ in range(modalities - 1)) for _ in range(modalities)
        )
        self.own = nn.ModuleList(CrossmodalTransformer(own) for _ in range(modalities))
        joined = modalities * own.d_model
        self.residual = MLP(joined, joined, joined, config.classifier_dropout)
        self.classifier = nn.Linear(joined, len(config.labels))

    def fuse(self, features: list[Tensor], present: Tensor, speakers: Tensor | None) -> Tensor:
        low = self._low_level(features)
        past_only = self.config.past_only and speakers is not None
        targets = []
        for m, transformers in enumerate(self.crossmodal):
            sources = [other for other in range(len(low)) if other != m]
            read = [
                transformer(low[m], low[other], seen(present[..., other], past_only))
                for transformer, other in zip(transformers, sources, strict=True)
            ]
            states = self.own[m](torch.cat(read, dim=-1), None, seen(present[..., m], past_only))
            targets.append(
                last_present(states, present[..., m]) if speakers is None else states * present[..., m, None]
            )
        joined = torch.cat(targets, dim=-1)
        return self.classifier(joined + self.residual(joined))

    def _low_level(self, features: list[Tensor]) -> list[Tensor]:
        """Projected features with the sine and cosine codes of their steps, M tensors (B,T,d)."""
        projected = [project(norm(x)) for project, norm, x in zip(self.project, self.norms, features, strict=True)]
        first = projected[0]
        codes = sinusoidal_positions(first.shape[1], first.shape[2], first.device, first.dtype)
        return [self.dropout(x * x.shape[-1] ** 0.5 + codes) for x in projected]
