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

MAX_ERROR = 2.0  # the largest Brier error, of an answer that is sure and wrong: sigma^2 never exceeds it


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
    """One modality's feature distribution: mean, the input's own noise, and what the weights leave open.

    The noise head is trained to predict the modality's own expected Brier error (see ``train/fusion/losses.py``), so 0
    means "this modality alone is right" and 1 - 1/C "no better than a guess".
    """

    def __init__(self, size: int, prior_std: float, dropout: float, bounded: bool = True) -> None:
        super().__init__()
        self.bounded = bounded
        self.bayes = BayesianLinear(size, size, prior_std)
        self.noise = nn.Sequential(nn.Linear(size, size // 2), nn.ReLU(), nn.Dropout(dropout), nn.Linear(size // 2, 1))

    def forward(self, aligned: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """(B,T,d) -> mean (B,T,d), aleatoric (B,T), epistemic (B,T), per-unit epistemic (B,T,d)."""
        mean, unit_variance = self.bayes(aligned)
        noise = self.noise(aligned).squeeze(-1)
        aleatoric = MAX_ERROR * torch.sigmoid(noise) if self.bounded else F.softplus(noise)
        return mean, aleatoric, unit_variance.mean(-1), unit_variance


def precision(variance: Tensor, eps: float) -> Tensor:
    """Equation (19): w = 1 / (sigma^2 + eps), same shape as ``variance``."""
    return 1 / (variance + eps)


def sample(mean: Tensor, variance: Tensor, samples: int, generator: torch.Generator | None) -> Tensor:
    """Equation (20): (B,T,...,d) -> (K,B,T,...,d), K = max(samples, 1).

    With a generator every item of the batch draws what it would draw by itself.
    """
    if samples == 0:
        return mean[None]
    # Drawn on the generator's device, so that one seed gives one result on every device.
    where = generator.device if generator is not None else mean.device
    items = mean.shape[:1] if generator is None else (1,)
    noise = torch.randn((samples, *items, *mean.shape[1:]), generator=generator, device=where).to(mean)
    return mean + noise * variance.clamp_min(0).add(1e-12).sqrt()
