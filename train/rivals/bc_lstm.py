"""bc-LSTM: an LSTM in both directions over each modality's utterances, then one over what they say together.

S. Poria, E. Cambria, D. Hazarika, N. Majumder, A. Zadeh, L.-P. Morency: "Context-Dependent Sentiment Analysis in
User-Generated Videos", ACL 2017. Other than there: both levels are trained together, not one after the other; features
are normalised; the answer to a clip is that to the mean of its steps' states.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from hff.config import HFFConfig
from train.rivals.rival import MLP, MaskedLSTM, Rival, mean_present


class ContextualLSTM(Rival):
    """h_m = biLSTM_m(x_m), h = biLSTM([h_s; h_t; h_v]), logits = MLP(h)."""

    def __init__(self, config: HFFConfig) -> None:
        super().__init__(config)
        hidden, both_ways = config.d_model // 2, not config.past_only
        self.norms = nn.ModuleList(nn.LayerNorm(size) for size in config.input_dims)
        self.alone = nn.ModuleList(MaskedLSTM(size, hidden, both_ways) for size in config.input_dims)
        self.together = MaskedLSTM(sum(one.size for one in self.alone), hidden, both_ways)
        self.dropout = nn.Dropout(config.dropout)
        self.classifier = MLP(self.together.size, config.d_model, len(config.labels), config.classifier_dropout)

    def fuse(self, features: list[Tensor], present: Tensor, speakers: Tensor | None) -> Tensor:
        valid = present.any(-1)
        states = [
            lstm(norm(x), present[..., m])[0]
            for m, (lstm, norm, x) in enumerate(zip(self.alone, self.norms, features, strict=True))
        ]
        together, _ = self.together(self.dropout(torch.cat(states, -1)), valid)
        return self.classifier(mean_present(together, valid) if speakers is None else together)
