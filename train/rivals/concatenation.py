"""Early fusion: the modalities' vectors side by side, then a multilayer perceptron.

C. G. M. Snoek, M. Worring, A. W. M. Smeulders: "Early versus late fusion in semantic video analysis",
ACM Multimedia 2005.
"""

from __future__ import annotations

import torch
from torch import Tensor

from hff.config import HFFConfig
from hff.model.weighting import Alignment
from train.rivals.rival import MLP, Rival, largest_present, mean_present, means_around


class Concatenation(Rival):
    """logits = MLP([s; t; v; which are present]), each modality projected.

    A clip is read by the mean and the largest of each number over its steps; an utterance of a dialogue by what it says
    and the mean over the dialogue.
    """

    def __init__(self, config: HFFConfig) -> None:
        super().__init__(config)
        modalities = len(config.input_dims)
        self.alignment = Alignment(config)
        self.classifier = MLP(
            modalities * (2 * config.d_model + 1), 2 * config.d_model, len(config.labels), config.classifier_dropout
        )

    def fuse(self, features: list[Tensor], present: Tensor, speakers: Tensor | None) -> Tensor:
        aligned = self.alignment(features, present)
        each = [(aligned[:, :, m], present[..., m]) for m in range(len(features))]
        if speakers is None:
            own = [largest_present(x, mask) for x, mask in each]
            means = [mean_present(x, mask) for x, mask in each]
            there = present.any(1)
        else:
            own = [x for x, _ in each]
            means = [means_around(x, mask, self.config.past_only) for x, mask in each]
            there = present
        return self.classifier(torch.cat([*own, *means, there.to(aligned.dtype)], dim=-1))
