"""Tensor Fusion Network: the outer product of the modalities holds every interaction of one, two and three.

A. Zadeh, M. Chen, S. Poria, E. Cambria, L.-P. Morency: "Tensor Fusion Network for Multimodal Sentiment Analysis",
EMNLP 2017. Other than there: the sizes follow ``d_model`` (``TensorEncoders``), layers are normalised in place of
batches, and the language's LSTM reads in both directions.
"""

from __future__ import annotations

from torch import Tensor, nn

from hff.config import HFFConfig
from train.rivals.rival import Rival, TensorEncoders


class TensorFusion(Rival):
    """z = [z_s; 1] x [z_t; 1] x [z_v; 1] (outer products), then the paper's inference subnetwork of two hidden layers.

    An absent modality has z_m = 0: what is left of the tensor are the interactions of the others.
    """

    def __init__(self, config: HFFConfig) -> None:
        super().__init__(config)
        self.encoders = TensorEncoders(config)
        speech, text, vision = self.encoders.sizes
        self.inference = nn.Sequential(
            nn.Dropout(config.classifier_dropout),
            nn.Linear((speech + 1) * (text + 1) * (vision + 1), text),
            nn.ReLU(),
            nn.Linear(text, text),
            nn.ReLU(),
            nn.Linear(text, len(config.labels)),
        )

    def fuse(self, features: list[Tensor], present: Tensor, speakers: Tensor | None) -> Tensor:
        return self.inference(outer_product(*self.encoders(features, present, speakers is not None)))


def outer_product(speech: Tensor, text: Tensor, vision: Tensor) -> Tensor:
    """(...,a), (...,b), (...,c) -> (...,a*b*c), the last index running fastest."""
    pairs = (speech[..., :, None] * text[..., None, :]).flatten(-2)
    return (pairs[..., :, None] * vision[..., None, :]).flatten(-2)
