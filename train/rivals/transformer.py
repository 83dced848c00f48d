"""A plain Transformer encoder over the modalities' tokens, all in one sequence: the simple baseline of this kind.

A. Vaswani, N. Shazeer, N. Parmar, J. Uszkoreit, L. Jones, A. N. Gomez, L. Kaiser, I. Polosukhin: "Attention Is All You
Need", NIPS 2017; an extra token reads a clip, as in J. Devlin, M.-W. Chang, K. Lee, K. Toutanova: "BERT", NAACL 2019.
Other than there: layers are normalised before attention, and there are as many of them as ``config.layers`` says.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from hff.config import HFFConfig
from hff.model.attention import sinusoidal_positions
from hff.model.weighting import Alignment
from train.rivals.mult import CrossmodalTransformer
from train.rivals.rival import MLP, Rival, seen


class TokenTransformer(Rival):
    """Tokens x_m,t = W_m f_m,t + a code of the step + a vector of the modality; absent ones are not attended to.

    A clip is read at the extra token, an utterance of a dialogue at the mean of its present tokens.
    """

    def __init__(self, config: HFFConfig) -> None:
        super().__init__(config)
        self.alignment = Alignment(config)
        self.kinds = nn.Parameter(torch.randn(len(config.input_dims), config.d_model) * 0.02)
        self.extra = nn.Parameter(torch.randn(config.d_model) * 0.02)
        self.encoder = CrossmodalTransformer(config)
        self.classifier = MLP(config.d_model, config.d_model, len(config.labels), config.classifier_dropout)

    def fuse(self, features: list[Tensor], present: Tensor, speakers: Tensor | None) -> Tensor:
        aligned = self.alignment(features, present)
        size, steps, modalities = len(aligned), aligned.shape[1], aligned.shape[2]
        codes = sinusoidal_positions(steps, aligned.shape[-1], aligned.device, aligned.dtype)
        tokens = (aligned + codes[:, None] + self.kinds).flatten(1, 2)  # step by step, each with its modalities
        mask = present.flatten(1)
        if speakers is None:
            tokens = torch.cat([self.extra.expand(size, 1, -1), tokens], 1)
            mask = torch.cat([torch.ones_like(mask[:, :1]), mask], 1)
            return self.classifier(self.encoder(tokens, None, mask)[:, 0])
        if self.config.past_only:
            until_now = seen(present.any(-1), True).repeat_interleave(modalities, 1).repeat_interleave(modalities, 2)
            mask = mask[:, None] & until_now
        read = self.encoder(tokens, None, mask).unflatten(1, (steps, modalities)) * present[..., None]
        mean = read.sum(2) / present.sum(-1, keepdim=True).clamp_min(1)
        return self.classifier(mean)
