"""Encoders that keep corruption readable: features must tell the emotion and how badly the input was corrupted.

An encoder that learns emotion alone learns to look past noise; then nothing after it can know that a voice
was noisy or a sentence garbled, and sigma^2 cannot rise. The extra head is of training only: not shipped.
"""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn

EMOTION_MAX = 0.6  # severity of corruption beyond which too little of the emotion is left to learn from
QUALITY_WEIGHT = 2.0  # of the loss that keeps the severity readable


def add_head(encoder: Any) -> Any:
    """Give an encoder with ``feature_dim`` a linear head ``quality`` for the severity."""
    encoder.quality = nn.Linear(encoder.feature_dim, 1)
    return encoder


def emotion_and_quality(encoder: Any, features: Tensor, emotion: Tensor, severity: Tensor) -> Tensor:
    """The loss of a batch: features (B,d), each item's loss for its emotion (B,), severity (B,) in 0..1 -> scalar."""
    heard = (severity <= EMOTION_MAX).float()
    quality = (encoder.quality(features).float().squeeze(1) - severity).square()
    return (emotion * heard).sum() / heard.sum().clamp_min(1) + QUALITY_WEIGHT * quality.mean()


def without_head(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """An encoder's state as it is shipped."""
    return {name: value for name, value in state.items() if not name.startswith("quality.")}
