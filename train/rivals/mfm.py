"""Multimodal Factorization Model: factors that tell the label, and factors that rebuild each modality.

Y.-H. H. Tsai, P. P. Liang, A. Zadeh, L.-P. Morency, R. Salakhutdinov: "Learning Factorized Multimodal Representations",
ICLR 2019. Other than there: what is rebuilt are the features as normalised by layer, so that the three modalities weigh
alike; a dialogue is rebuilt utterance by utterance from the factors read so far; the lambdas (``MSE_WEIGHT``,
``MMD_WEIGHT``) are the same for every data set.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from hff.config import HFFConfig
from train.rivals.mfn import MemoryNetwork
from train.rivals.rival import MLP, MaskedLSTM, Rival

MSE_WEIGHT = 0.1  # lambda of what is rebuilt
MMD_WEIGHT = 0.1  # lambda of the distance of the latent variables from N(0, I)


class Factors(nn.Sequential):
    """G of the paper: from a latent variable to a factor, two fully connected ReLU layers."""

    def __init__(self, inputs: int, outputs: int, dropout: float) -> None:
        super().__init__(
            nn.Linear(inputs, outputs), nn.ReLU(), nn.Dropout(dropout), nn.Linear(outputs, outputs), nn.ReLU()
        )


class Decoder(nn.Module):
    """An LSTM that gets [f_y; f_m] at every step and rebuilds the modality's features."""

    def __init__(self, factors: int, hidden: int, outputs: int) -> None:
        super().__init__()
        self.lstm = nn.LSTM(factors, hidden, batch_first=True)
        self.out = nn.Linear(hidden, outputs)

    def forward(self, factors: Tensor) -> Tensor:
        """(B,T,factors) -> (B,T,outputs)."""
        return self.out(self.lstm(factors)[0])


class FactorizationModel(Rival):
    """z_y by a memory fusion network, z_m by an LSTM each; f_y tells the label, [f_y; f_m] rebuilds modality m.

    loss = task + lambda MSE(x_m, rebuilt) + lambda MMD([z_y; z_s; z_t; z_v], N(0, I)).
    """

    def __init__(self, config: HFFConfig) -> None:
        super().__init__(config)
        size = config.d_model // 2
        self.network = MemoryNetwork(config)
        self.latent = nn.Linear(self.network.size, size)
        self.norms = nn.ModuleList(nn.LayerNorm(inputs) for inputs in config.input_dims)
        self.encoders = nn.ModuleList(MaskedLSTM(inputs, size, both_ways=False) for inputs in config.input_dims)
        self.latents = nn.ModuleList(nn.Linear(size, size) for _ in config.input_dims)
        self.shared = Factors(size, size, config.dropout)
        self.own = nn.ModuleList(Factors(size, size, config.dropout) for _ in config.input_dims)
        self.decoders = nn.ModuleList(Decoder(2 * size, size, inputs) for inputs in config.input_dims)
        self.classifier = MLP(size, config.d_model, len(config.labels), config.classifier_dropout)

    def fuse(self, features: list[Tensor], present: Tensor, speakers: Tensor | None) -> Tensor | tuple[Tensor, Tensor]:
        each = speakers is not None
        read = self.network(features, present)
        z = self.latent(read if each else read[:, -1])
        shared = self.shared(z)
        logits = self.classifier(shared)
        if not self.training:
            return logits
        latents, rebuilt = [z], []
        for m, x in enumerate(features):
            states, final = self.encoders[m](self.norms[m](x), present[..., m])
            own = self.latents[m](states if each else final)
            factors = torch.cat([shared, self.own[m](own)], -1)
            if not each:
                factors = factors[:, None].expand(-1, x.shape[1], -1)
            wrong = (self.decoders[m](factors) - F.layer_norm(x, x.shape[-1:])).square().mean(-1)
            rebuilt.append((wrong * present[..., m]).sum() / present[..., m].sum().clamp_min(1))
            latents.append(own)
        joined = torch.cat(latents, -1)
        joined = joined[present.any(-1)] if each else joined
        return logits, MSE_WEIGHT * torch.stack(rebuilt).sum() + MMD_WEIGHT * mmd(joined, torch.randn_like(joined))


def mmd(x: Tensor, y: Tensor) -> Tensor:
    """Maximum mean discrepancy (Gretton et al. 2012) of two samples (N,d), (K,d); a Gaussian kernel of variance d."""

    def kernel(a: Tensor, b: Tensor) -> Tensor:
        apart = (a[:, None] - b).square().mean(-1)
        return (-apart / 2).exp().mean()

    return kernel(x, x) + kernel(y, y) - 2 * kernel(x, y)
