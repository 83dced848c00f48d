"""The classifier: ReLU layers, dropout and softmax, equations (29) and (30) of the paper."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class EmotionClassifier(nn.Module):
    """f_final (..., d) -> logits (..., C), already divided by the calibrated temperature.

    The temperature (Guo et al. 2017) is a buffer: 1 while training, set on validation data after.
    """

    def __init__(self, size: int, labels: int, dropout: float) -> None:
        super().__init__()
        self.hidden = nn.Sequential(nn.Linear(size, size), nn.ReLU(), nn.Dropout(dropout))
        self.out = nn.Linear(size, labels)
        self.register_buffer("temperature", torch.ones(()))

    def forward(self, pooled: Tensor) -> Tensor:
        return self.out(self.hidden(pooled)) / self.temperature
