"""Level 1c, Bayesian uncertainty: equations (19) and (20) of the paper.

Each modality passes a Bayesian linear layer whose weights are Gaussian distributions (Blundell et al.
2015). It yields a mean feature and a variance with two parts: *aleatoric*, read from the input (how
noisy this voice, these words, this face are), and *epistemic*, the spread that the weight
distribution itself puts on the output. Both are scalars per step and modality.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F


class BayesianLinear(nn.Module):
    """A linear layer with an independent Gaussian over each weight and bias.

    With input x the output is Gaussian per unit: mean ``x W_mu^T + b_mu`` and variance
    ``x^2 (W_sigma^2)^T + b_sigma^2`` (local reparameterisation, Kingma et al. 2015), so mean and
    epistemic variance are exact and need no sampling.
    """

    def __init__(self, inputs: int, outputs: int, prior_std: float) -> None:
        super().__init__()
        self.prior_std = prior_std
        self.weight_mean = nn.Parameter(torch.empty(outputs, inputs))
        self.weight_rho = nn.Parameter(torch.full((outputs, inputs), -5.0))
        self.bias_mean = nn.Parameter(torch.zeros(outputs))
        self.bias_rho = nn.Parameter(torch.full((outputs,), -5.0))
        nn.init.xavier_uniform_(self.weight_mean)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """(..., inputs) -> mean (..., outputs), variance (..., outputs)."""
        mean = F.linear(x, self.weight_mean, self.bias_mean)
        weight_variance, bias_variance = F.softplus(self.weight_rho) ** 2, F.softplus(self.bias_rho) ** 2
        return mean, F.linear(x**2, weight_variance, bias_variance)

    def kl(self) -> Tensor:
        """KL divergence of the weight posterior from the prior N(0, prior_std^2), in nats."""
        return sum(
            self._gaussian_kl(mean, F.softplus(rho))
            for mean, rho in ((self.weight_mean, self.weight_rho), (self.bias_mean, self.bias_rho))
        )

    def _gaussian_kl(self, mean: Tensor, std: Tensor) -> Tensor:
        ratio = (std / self.prior_std) ** 2
        return 0.5 * (ratio + (mean / self.prior_std) ** 2 - 1 - ratio.log()).sum()


class ModalityUncertainty(nn.Module):
    """One modality's feature distribution: mean, aleatoric and epistemic variance.

    The aleatoric head is trained to predict the modality's own expected Brier error (see
    ``train/fusion/losses.py``), so sigma^2 near 0 means "this modality alone is right" and values near
    1 - 1/C mean "no better than a guess".
    """

    def __init__(self, size: int, prior_std: float, dropout: float) -> None:
        super().__init__()
        self.bayes = BayesianLinear(size, size, prior_std)
        self.noise = nn.Sequential(nn.Linear(size, size // 2), nn.ReLU(), nn.Dropout(dropout), nn.Linear(size // 2, 1))

    def forward(self, aligned: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """(B,T,d) -> mean (B,T,d), aleatoric (B,T), epistemic (B,T), per-unit epistemic (B,T,d)."""
        mean, unit_variance = self.bayes(aligned)
        aleatoric = F.softplus(self.noise(aligned).squeeze(-1))
        return mean, aleatoric, unit_variance.mean(-1), unit_variance


def precision(variance: Tensor, eps: float) -> Tensor:
    """Equation (19): w = 1 / (sigma^2 + eps), same shape as ``variance``."""
    return 1 / (variance + eps)
