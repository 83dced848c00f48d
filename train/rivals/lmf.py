"""Low-rank Multimodal Fusion: TFN's tensor times a weight tensor of low rank, without forming either.

Z. Liu, Y. Shen, V. B. Lakshminarasimhan, P. P. Liang, A. Zadeh, L.-P. Morency: "Efficient Low-rank Multimodal Fusion
With Modality-Specific Factors", ACL 2018.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from hff.config import HFFConfig
from train.rivals.rival import MLP, Rival, TensorEncoders

RANK = 4


class LowRankFusion(Rival):
    """h = sum over r of the product over m of (W_m^(r) [z_m; 1]), plus a bias; then a classifier."""

    def __init__(self, config: HFFConfig) -> None:
        super().__init__(config)
        size = fused = config.d_model // 2
        self.encoders = TensorEncoders(config, size)
        self.factors = nn.ParameterList(
            nn.init.xavier_normal_(torch.empty(RANK, size + 1, fused)) for _ in config.input_dims
        )
        self.rank_weights = nn.Parameter(torch.randn(RANK) / RANK**0.5)
        self.bias = nn.Parameter(torch.zeros(fused))
        self.classifier = nn.Sequential(
            nn.LayerNorm(fused), MLP(fused, fused, len(config.labels), config.classifier_dropout)
        )

    def fuse(self, features: list[Tensor], present: Tensor) -> tuple[Tensor, None]:
        return self.classifier(self.low_rank(self.encoders(features, present))), None

    def low_rank(self, z: list[Tensor]) -> Tensor:
        """M tensors [z_m; 1] (B,size+1) -> h (B,fused), equation (9) of the paper."""
        product = torch.ones((), device=z[0].device)
        for one, factor in zip(z, self.factors, strict=True):
            product = product * torch.einsum("bi,rio->bro", one, factor)
        return torch.einsum("bro,r->bo", product, self.rank_weights) + self.bias
