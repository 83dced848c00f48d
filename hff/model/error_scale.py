"""sigma^2 on the scale of the modality's own Brier error: a calibration beyond the paper, fitted after the training."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from hff.model.uncertainty import MAX_ERROR


class ErrorScale(nn.Module):
    """A monotone map of raw sigma^2 to the expected Brier error, through ``knots`` points; at first the identity."""

    def __init__(self, knots: int) -> None:
        super().__init__()
        self.register_buffer("raw", torch.linspace(0, MAX_ERROR, knots))
        self.register_buffer("error", torch.linspace(0, MAX_ERROR, knots))

    def forward(self, raw: Tensor) -> Tensor:
        """Of any shape; below the first knot and above the last as at them."""
        below = (raw.detach()[..., None] > self.raw).sum(-1)  # as ``torch.searchsorted``, which ONNX lacks
        place = below.clamp(1, len(self.raw) - 1)
        left, right = self.raw[place - 1], self.raw[place]
        share = ((raw - left) / (right - left)).clamp(0, 1)
        return self.error[place - 1] + share * (self.error[place] - self.error[place - 1])
