"""Low-rank Multimodal Fusion: TFN's tensor times a weight tensor of low rank, without forming either.

Z. Liu, Y. Shen, V. B. Lakshminarasimhan, P. P. Liang, A. Zadeh, L.-P. Morency: "Efficient Low-rank Multimodal Fusion
With Modality-Specific Factors", ACL 2018. Other than there: the fused vector is normalised before a classifier of one
hidden layer; the encoders' deviations are those of TFN.
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
        self.encoders = TensorEncoders(config)
        fused = self.encoders.sizes[1]
        self.factors = nn.ParameterList(
            nn.init.xavier_normal_(torch.empty(RANK, size + 1, fused)) for size in self.encoders.sizes
        )
        self.rank_weights = nn.Parameter(torch.randn(RANK) / RANK**0.5)
        self.bias = nn.Parameter(torch.zeros(fused))
        self.classifier = nn.Sequential(
            nn.LayerNorm(fused), MLP(fused, fused, len(config.labels), config.classifier_dropout)
        )

    def fuse(self, features: list[Tensor], present: Tensor, speakers: Tensor | None) -> Tensor:
        return self.classifier(self.low_rank(self.encoders(features, present, speakers is not None)))

    def low_rank(self, z: list[Tensor]) -> Tensor:
        """M tensors [z_m; 1] (...,size+1) -> h (...,fused), equation (9) of the paper."""
        product = torch.ones((), device=z[0].device)
        for one, factor in zip(z, self.factors, strict=True):
            product = product * torch.einsum("...i,rio->...ro", one, factor)
        return torch.einsum("...ro,r->...o", product, self.rank_weights) + self.bias
