"""Tensor Fusion Network: the outer product of the modalities holds every interaction of one, two and three.

A. Zadeh, M. Chen, S. Poria, E. Cambria, L.-P. Morency: "Tensor Fusion Network for Multimodal Sentiment Analysis",
EMNLP 2017.
"""

from __future__ import annotations

from torch import Tensor

from hff.config import HFFConfig
from train.rivals.rival import MLP, Rival, TensorEncoders


class TensorFusion(Rival):
    """z = [z_s; 1] x [z_t; 1] x [z_v; 1] (outer products), then the paper's inference subnetwork.

    An absent modality has z_m = 0: what is left of the tensor are the interactions of the others.
    """

    def __init__(self, config: HFFConfig) -> None:
        super().__init__(config)
        # 24 numbers each: with the paper's 32, 128 and 32 the first layer alone would have 9 million weights.
        size = max(2, 3 * config.d_model // 16)
        self.encoders = TensorEncoders(config, size)
        self.inference = MLP(
            (size + 1) ** len(config.input_dims), config.d_model // 2, len(config.labels), config.classifier_dropout
        )

    def fuse(self, features: list[Tensor], present: Tensor) -> tuple[Tensor, None]:
        return self.inference(outer_product(*self.encoders(features, present))), None


def outer_product(speech: Tensor, text: Tensor, vision: Tensor) -> Tensor:
    """(B,a), (B,b), (B,c) -> (B,a*b*c), the last index running fastest."""
    pairs = (speech[:, :, None] * text[:, None, :]).flatten(1)
    return (pairs[:, :, None] * vision[:, None, :]).flatten(1)
