"""Level 2, cross-modal multi-head attention: equations (21) to (23) of the paper.

The paper's (21) takes Q, K and V from the fused vector alone. Here the fused token of each step asks,
and the tokens of *every* modality at every step answer (beside the fused ones), so that a map "which
modality, when" exists. Keys are ordered [fused | speech | text | vision], each over T steps.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from hff.config import HFFConfig
from hff.model.weighting import masked_softmax, weighted_sum

LEAST_WEIGHT = 1e-6  # so that its logarithm is a number


def sinusoidal_positions(steps: int, size: int, device: torch.device, dtype: torch.dtype) -> Tensor:
    """Fixed sine and cosine codes of the step number (Vaswani et al. 2017), (steps, size)."""
    position = torch.arange(steps, device=device, dtype=torch.float32)[:, None]
    rate = torch.exp(torch.arange(0, size, 2, device=device, dtype=torch.float32) * (-math.log(1e4) / size))
    codes = torch.zeros(steps, size, device=device)
    codes[:, 0::2] = torch.sin(position * rate)
    codes[:, 1::2] = torch.cos(position * rate[: size // 2])
    return codes.to(dtype)


class MultiHeadAttention(nn.Module):
    """Scaled dot-product attention (22) in ``heads`` subspaces; returns its maps beside the result."""

    def __init__(self, config: HFFConfig) -> None:
        super().__init__()
        self.heads, self.head_dim = config.heads, config.head_dim
        inner = config.heads * config.head_dim
        self.query = nn.Linear(config.d_model, inner)
        self.key = nn.Linear(config.d_model, inner)
        self.value = nn.Linear(config.d_model, inner)
        self.out = nn.Linear(inner, config.d_model)
        self.dropout = nn.Dropout(config.dropout)

    def forward(
        self, queries: Tensor, tokens: Tensor, mask: Tensor, weight: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        """queries (B,Q,d), tokens (B,K,d), mask (B,K) or (B,Q,K) true where a token may be seen, weight (B,K) what
        each counts.

        A token of weight w is attended to as w tokens would be: not at all at 0. Returns the result (B,Q,d) and the
        maps (B,heads,Q,K), each row summing to 1.
        """
        q, k, v = self._split(self.query(queries)), self._split(self.key(tokens)), self._split(self.value(tokens))
        scores = q @ k.transpose(-1, -2) / math.sqrt(self.head_dim)
        if weight is not None:
            scores = scores + weight.clamp_min(LEAST_WEIGHT).log()[:, None, None]
        seen = mask[:, None] if mask.dim() == 3 else mask[:, None, None]
        maps = masked_softmax(scores, seen.expand_as(scores))
        mixed = (self.dropout(maps) @ v).transpose(1, 2).flatten(2)
        return self.out(mixed), maps

    def _split(self, x: Tensor) -> Tensor:
        return x.unflatten(-1, (self.heads, self.head_dim)).transpose(1, 2)


class CrossModalLayer(nn.Module):
    """One Transformer encoder layer (pre-norm) whose queries are the fused tokens."""

    def __init__(self, config: HFFConfig) -> None:
        super().__init__()
        hidden = config.hidden_multiple * config.d_model
        self.norm_tokens = nn.LayerNorm(config.d_model)
        self.attention = MultiHeadAttention(config)
        self.norm_hidden = nn.LayerNorm(config.d_model)
        self.feed_forward = nn.Sequential(
            nn.Linear(config.d_model, hidden), nn.ReLU(), nn.Dropout(config.dropout), nn.Linear(hidden, config.d_model)
        )
        self.dropout = nn.Dropout(config.dropout)

    def forward(self, fused: Tensor, modality_tokens: Tensor, mask: Tensor, weight: Tensor) -> tuple[Tensor, Tensor]:
        """fused (B,T,d), modality_tokens (B,M*T,d), mask (B,(1+M)*T) or (B,T,(1+M)*T), weight (B,(1+M)*T).

        Returns fused (B,T,d) and maps (B,H,T,(1+M)*T).
        """
        tokens = self.norm_tokens(torch.cat([fused, modality_tokens], dim=1))
        attended, maps = self.attention(tokens[:, : fused.shape[1]], tokens, mask, weight)
        fused = fused + self.dropout(attended)
        return fused + self.dropout(self.feed_forward(self.norm_hidden(fused))), maps


class CrossModalAttention(nn.Module):
    """The encoder of ``layers`` cross-modal layers: MultiHead(Q, K, V) of equation (23).

    Every modality's tokens are scaled by its share, alpha over that step's largest alpha, and attended to in that
    proportion: equal weights leave everything as it is, and what has no weight is as good as absent.
    """

    def __init__(self, config: HFFConfig) -> None:
        super().__init__()
        self.past_only = config.past_only
        self.kinds = nn.Parameter(torch.randn(1 + len(config.input_dims), config.d_model) * 0.02)
        self.layers = nn.ModuleList(CrossModalLayer(config) for _ in range(config.layers))
        self.norm = nn.LayerNorm(config.d_model)

    def forward(self, aligned: Tensor, alpha: Tensor, present: Tensor) -> tuple[Tensor, Tensor]:
        """aligned (B,T,M,d), alpha (B,T,M), present (B,T,M).

        Returns (B,T,d), to which the caller adds f1, and maps (B,layers,heads,T,(1+M)*T).
        """
        steps, size = aligned.shape[1], aligned.shape[-1]
        codes = sinusoidal_positions(steps, size, aligned.device, aligned.dtype)
        x = weighted_sum(alpha, aligned) + codes + self.kinds[0]
        share = alpha / alpha.amax(-1, keepdim=True).clamp_min(LEAST_WEIGHT)
        modality_tokens = share[..., None] * aligned + codes[:, None] + self.kinds[1:]
        modality_tokens = modality_tokens.transpose(1, 2).flatten(1, 2)
        weight = torch.cat([torch.ones_like(share[..., 0]), share.transpose(1, 2).flatten(1)], dim=1)
        mask = torch.cat([present.any(-1), present.transpose(1, 2).flatten(1)], dim=1)
        if self.past_only:
            until_now = torch.ones(steps, steps, dtype=torch.bool, device=mask.device).tril()
            mask = mask[:, None] & until_now.repeat(1, 1 + aligned.shape[2])
        maps = []
        for layer in self.layers:
            x, layer_maps = layer(x, modality_tokens, mask, weight)
            maps.append(layer_maps)
        return self.norm(x), torch.stack(maps, dim=1)
