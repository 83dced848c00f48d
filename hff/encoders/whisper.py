"""The second speech encoder: the first layers of Whisper base's encoder, in place of MFCC and a CNN.

Whisper learned to write down 680,000 hours of speech, so its encoder has met far more voices than any corpus of
emotions holds; what is said is worked out in its last layers, how it is said is best heard in the first ones. Those are
rebuilt here; the mean and deviation of their states over time, and a small network, make 128 numbers of a window.
A window is encoded by itself, as in ``hff.encoders.mfcc_cnn``: its feature depends on nothing else of the clip,
and nothing is padded to Whisper's 30 s.

Radford et al., "Robust Speech Recognition via Large-Scale Weak Supervision", arXiv 2212.04356.
"""

from __future__ import annotations

import functools
import math

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F
from transformers.audio_utils import mel_filter_bank

from hff.config import SAMPLE_RATE
from hff.encoders.mfcc import power_spectrogram
from hff.encoders.mfcc_cnn import in_chunks, step_windows

WHISPER_FFT = 400  # samples, 25 ms
WHISPER_MELS = 80
WHISPER_WIDTH, WHISPER_HEADS, WHISPER_LAYERS = 512, 8, 3  # of Whisper base, whose encoder has 6 layers
POOL = 2  # of Whisper's states, 50 a second, averaged into one: half the work, and an emotion is slower than a letter
POSITIONS = 1500  # that Whisper knows: 30 s of states
FAINTEST_POWER = 1e-10
RANGE = 8.0  # decades of power below the loudest that are heard
LOUDEST_BAND = 1.5  # log10 of the power of a voice's loudest band at the common level, in place of each clip's own
SILENCE = (LOUDEST_BAND - RANGE + 4) / 4


@functools.cache
def mel_bands() -> Tensor:
    """Whisper's filters (WHISPER_MELS, WHISPER_FFT / 2 + 1): Slaney's scale and norm."""
    bins = WHISPER_FFT // 2 + 1
    filters = mel_filter_bank(bins, WHISPER_MELS, 0, SAMPLE_RATE / 2, SAMPLE_RATE, norm="slaney", mel_scale="slaney")
    return torch.from_numpy(filters.T.astype(np.float32))


def band_power(wave: Tensor) -> Tensor:
    """(samples,) -> (WHISPER_MELS, frames)."""
    return mel_bands().to(wave.device) @ power_spectrogram(wave, WHISPER_FFT, WHISPER_FFT)


def scaled_log(power: Tensor, loudest: float = LOUDEST_BAND) -> Tensor:
    """Power of mel bands -> what Whisper takes: decades, floored ``RANGE`` below the loudest, about -1 to 1."""
    return (power.clamp_min(FAINTEST_POWER).log10().clamp_min(loudest - RANGE) + 4) / 4


def log_mel(wave: Tensor, gain: float = 1.0) -> Tensor:
    """(samples,) at 16 kHz -> (WHISPER_MELS, frames) of ``gain * wave``; frame k is centred on sample k * HOP_LENGTH.

    Whisper takes a clip's own maximum as the loudest; a constant makes a frame depend on its own sound alone, which
    has been brought to the common level.
    """
    return in_chunks(lambda chunk: scaled_log(band_power(chunk)), wave, gain)


def sinusoids(length: int = POSITIONS, channels: int = WHISPER_WIDTH) -> Tensor:
    """Whisper's position encodings (length, channels): sines, then cosines, of wavelengths 2 pi to 10,000 * 2 pi."""
    rates = torch.exp(-math.log(10_000) / (channels // 2 - 1) * torch.arange(channels // 2))
    angles = torch.arange(length)[:, None] * rates
    return torch.cat([angles.sin(), angles.cos()], dim=1)


class Layer(nn.Module):
    """A Transformer layer, normalised before each part (dropout only in training: Whisper has none)."""

    def __init__(self, width: int, heads: int, dropout: float = 0.0) -> None:
        super().__init__()
        self.heads, self.dropout = heads, dropout
        self.attention_norm, self.norm = nn.LayerNorm(width), nn.LayerNorm(width)
        self.qkv, self.out = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.wide, self.narrow = nn.Linear(width, 4 * width), nn.Linear(4 * width, width)

    def forward(self, x: Tensor, heard: Tensor | None) -> Tensor:
        """(N,S,width); ``heard`` (N,S) bool: states that are attended to, None for all -> (N,S,width)."""
        parts = self.qkv(self.attention_norm(x)).unflatten(-1, (3, self.heads, -1)).permute(2, 0, 3, 1, 4)
        mask = None if heard is None else heard[:, None, None]
        attended = F.scaled_dot_product_attention(*parts, attn_mask=mask).transpose(1, 2).flatten(2)
        x = x + F.dropout(self.out(attended), self.dropout, self.training)
        return x + F.dropout(self.narrow(F.gelu(self.wide(self.norm(x)))), self.dropout, self.training)


class WhisperLayers(nn.Module):
    """Whisper's encoder up to a layer: log-mel windows -> the states after its convolutions and after each layer."""

    def __init__(
        self,
        layers: int = WHISPER_LAYERS,
        width: int = WHISPER_WIDTH,
        heads: int = WHISPER_HEADS,
        dropout: float = 0.0,
        pool: int = POOL,
    ) -> None:
        super().__init__()
        self.width, self.pool = width, pool  # states averaged into one before the first layer
        self.conv1 = nn.Conv1d(WHISPER_MELS, width, 3, padding=1)
        self.conv2 = nn.Conv1d(width, width, 3, stride=2, padding=1)
        self.layers = nn.ModuleList(Layer(width, heads, dropout) for _ in range(layers))
        self.register_buffer("positions", sinusoids(POSITIONS, width), persistent=False)

    def forward(self, windows: Tensor) -> tuple[list[Tensor], Tensor]:
        """(N, WHISPER_MELS, frames), NaN outside the clip -> states [(N,S,width)] of layers 0 to L, ``heard`` (N,S).

        S is frames / 2 / pool. What is outside the clip is silence to the convolutions, is not attended to, and has no
        position: the first state inside has position 0, as in Whisper.
        """
        heard = ~windows[:, 0, :: 2 * self.pool].isnan()
        x = torch.nan_to_num(windows, nan=SILENCE)
        x = F.gelu(self.conv2(F.gelu(self.conv1(x))))
        if self.pool > 1:
            x = F.avg_pool1d(x, self.pool, ceil_mode=True)
        place = (heard.cumsum(1) - 1).clamp_min(0) * self.pool
        states = [x.transpose(1, 2) + self.positions[place]]
        mask = None if not torch.compiler.is_exporting() and heard.all() else heard | ~heard.any(1, keepdim=True)
        for layer in self.layers:
            states.append(layer(states[-1], mask))
        return states, heard


def statistics(states: Tensor, heard: Tensor) -> Tensor:
    """Mean and deviation over time of the states that are heard: (N,S,d), (N,S) -> (N, 2 d)."""
    there = heard[..., None].to(states.dtype)
    count = there.sum(1).clamp_min(1)
    mean = (states * there).sum(1) / count
    square = ((states - mean[:, None]) * there).square().sum(1) / count
    return torch.cat([mean, (square + 1e-8).sqrt()], dim=-1)


class WhisperEncoder(nn.Module):
    """Windows of sound -> 128 numbers, and the head it was trained with (C classes of one window).

    The statistics of every layer's states are normalised by the training data's own (buffers) and enter the network
    side by side: which layer tells what is learned.
    """

    feature_dim = 128
    mean: Tensor
    std: Tensor

    def __init__(
        self, labels: int, width: int = 256, dropout: float = 0.5, layers: WhisperLayers | None = None
    ) -> None:
        super().__init__()
        self.layers = WhisperLayers() if layers is None else layers
        kinds, size = len(self.layers.layers), 2 * self.layers.width
        self.register_buffer("mean", torch.zeros(kinds, size))
        self.register_buffer("std", torch.ones(kinds, size))
        self.project = nn.Sequential(
            nn.Dropout(dropout),
            nn.Linear(kinds * size, width),
            nn.GELU(),
            nn.Dropout(dropout),
            nn.Linear(width, self.feature_dim),
        )
        self.head = nn.Sequential(nn.ReLU(), nn.Dropout(0.3), nn.Linear(self.feature_dim, labels))

    @staticmethod
    def windows(wave: Tensor, steps: int, gain: float = 1.0) -> Tensor:
        """(samples,), brought to the common level by ``gain`` -> what ``features`` takes of each step.

        (steps, WHISPER_MELS, WINDOW_FRAMES), NaN outside the clip.
        """
        return step_windows(log_mel(wave, gain), steps)

    def statistics(self, windows: Tensor) -> Tensor:
        """(N, WHISPER_MELS, frames) -> the statistics of each layer's states (N, layers, 2 * width)."""
        states, heard = self.layers(windows)
        return torch.stack([statistics(layer, heard) for layer in states[1:]], dim=1)

    def features(self, windows: Tensor) -> Tensor:
        """(N, WHISPER_MELS, WINDOW_FRAMES) -> (N,128)."""
        return self.features_of(self.statistics(windows))

    def features_of(self, values: Tensor) -> Tensor:
        """Statistics (N, layers, 2 * width) -> (N,128)."""
        return self.project(((values - self.mean) / self.std).flatten(1))

    def forward(self, windows: Tensor) -> Tensor:
        """(N, WHISPER_MELS, WINDOW_FRAMES) -> logits (N,C)."""
        return self.head(self.features(windows))
