"""Linear weighted fusion: one learned constant for each modality, the same for every clip.

P. K. Atrey, M. A. Hossain, A. El Saddik, M. S. Kankanhalli: "Multimodal fusion for multimedia analysis: a survey",
Multimedia Systems 16(6), 2010, section on linear weighted fusion. Of a dialogue each utterance is read by itself.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from hff.config import HFFConfig
from hff.model.weighting import Alignment, masked_softmax, weighted_sum
from train.rivals.rival import MLP, Rival, mean_present


class FixedWeights(Rival):
    """logits = MLP(mean_t sum_m w_m f_m), w a softmax of constants over the modalities that are present."""

    def __init__(self, config: HFFConfig) -> None:
        super().__init__(config)
        self.alignment = Alignment(config)
        self.scores = nn.Parameter(torch.zeros(len(config.input_dims)))
        self.classifier = MLP(config.d_model, config.d_model, len(config.labels), config.classifier_dropout)

    def fuse(self, features: list[Tensor], present: Tensor, speakers: Tensor | None) -> Tensor:
        weights = masked_softmax(self.scores.expand(present.shape), present)
        fused = weighted_sum(weights, self.alignment(features, present))
        return self.classifier(mean_present(fused, present.any(-1)) if speakers is None else fused)
