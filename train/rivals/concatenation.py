"""Early fusion: the modalities' vectors side by side, then a multilayer perceptron.

C. G. M. Snoek, M. Worring, A. W. M. Smeulders: "Early versus late fusion in semantic video analysis",
ACM Multimedia 2005.
"""

from __future__ import annotations

import torch
from torch import Tensor

from hff.config import HFFConfig
from hff.model.weighting import Alignment
from train.rivals.rival import MLP, Rival, mean_present


class Concatenation(Rival):
    """logits = MLP([s; t; v; which are present]), each modality projected and averaged over its steps."""

    def __init__(self, config: HFFConfig) -> None:
        super().__init__(config)
        modalities = len(config.input_dims)
        self.alignment = Alignment(config)
        self.classifier = MLP(
            modalities * (config.d_model + 1), 2 * config.d_model, len(config.labels), config.classifier_dropout
        )

    def fuse(self, features: list[Tensor], present: Tensor) -> tuple[Tensor, None]:
        aligned = self.alignment(features, present)
        means = [mean_present(aligned[:, :, m], present[..., m]) for m in range(aligned.shape[2])]
        return self.classifier(torch.cat([*means, present.any(1).to(aligned.dtype)], dim=-1)), None
