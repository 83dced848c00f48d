"""Late fusion: every modality decides alone, and the decisions are averaged (the sum rule).

J. Kittler, M. Hatef, R. P. W. Duin, J. Matas: "On combining classifiers", IEEE Transactions on Pattern Analysis and
Machine Intelligence 20(3), 1998. Of a dialogue each utterance is read by itself.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from hff.config import HFFConfig
from hff.model.weighting import Alignment
from train.rivals.rival import MLP, Rival, mean_present


class LateAveraging(Rival):
    """p = mean over the present modalities of softmax(MLP_m(x_m)); uniform where nothing is present."""

    def __init__(self, config: HFFConfig) -> None:
        super().__init__(config)
        self.alignment = Alignment(config)
        self.classifiers = nn.ModuleList(
            MLP(config.d_model, config.d_model, len(config.labels), config.classifier_dropout)
            for _ in config.input_dims
        )

    def fuse(self, features: list[Tensor], present: Tensor, speakers: Tensor | None) -> Tensor:
        aligned = self.alignment(features, present)
        if speakers is None:
            aligned = torch.stack([mean_present(aligned[:, :, m], present[..., m]) for m in range(len(features))], 1)
            present = present.any(1)
        alone = torch.stack(
            [classifier(aligned[..., m, :]).float().softmax(-1) for m, classifier in enumerate(self.classifiers)], -2
        )
        averaged = (alone * present[..., None]).sum(-2) / present.sum(-1, keepdim=True).clamp_min(1)
        return averaged.clamp_min(torch.finfo(averaged.dtype).tiny).log()
