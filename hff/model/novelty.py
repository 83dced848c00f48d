"""What is unlike the training, by a modality's feature: beyond the paper, it lowers alpha and raises sigma^2."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class Novelty(nn.Module):
    """How unlike the training a modality's feature is, 0 to 1: by its Mahalanobis distance (Lee et al. 2018).

    The distance is that to the nearest class mean in the ``rank`` leading directions of the training features, and
    what lies outside of these, each over what is usual (``train.fusion.fit_novelty`` sets the buffers). Where no class
    mean has been set nothing is novel.
    """

    def __init__(self, size: int, rank: int, labels: int) -> None:
        super().__init__()
        self.register_buffer("centre", torch.zeros(size))
        self.register_buffer("whiten", torch.zeros(size, rank))  # onto the leading directions, unit variance in each
        self.register_buffer("basis", torch.zeros(size, rank))  # the same directions, unit length
        self.register_buffer("means", torch.zeros(labels, rank))  # of each label, whitened
        self.register_buffer("weights", torch.zeros(2))  # of the logarithms of the two distances
        self.register_buffer("bias", torch.full((), -1e4))

    def distances(self, features: Tensor) -> Tensor:
        """(...,d) -> (...,2): logarithms of the mean squared distance inside and outside of the leading directions."""
        centred = features - self.centre
        inside = (centred @ self.whiten)[..., None, :] - self.means
        outside = centred - (centred @ self.basis) @ self.basis.T
        nearest = inside.square().mean(-1).amin(-1)
        return torch.stack([nearest, outside.square().mean(-1)], -1).clamp_min(1e-8).log()

    def forward(self, features: Tensor) -> Tensor:
        """(...,d) -> (...,)."""
        return torch.sigmoid(self.distances(features) @ self.weights + self.bias)
