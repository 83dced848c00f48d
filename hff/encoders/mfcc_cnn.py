"""The speech encoder: MFCC to features, equations (6) to (8) of the paper; ``hff.encoders.mfcc`` has (1) to (5).

Time steps are half a second apart, too short to hear an emotion in; so each step's feature is read from
the ``SPEECH_WINDOW_SECONDS`` around it. The window of a step depends on nothing else, so features of sound
already heard need not be computed again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from hff.cancel import checkpoint
from hff.config import SAMPLE_RATE, STEP_SECONDS
from hff.encoders.mfcc import HOP_LENGTH, N_MELS, N_MFCC, coefficients, differences, mel_power

SPEECH_WINDOW_SECONDS = 3.0  # of sound that one step's feature hears
FRAMES_PER_SECOND = SAMPLE_RATE // HOP_LENGTH
WINDOW_FRAMES = int(SPEECH_WINDOW_SECONDS * FRAMES_PER_SECOND)
STEP_FRAMES = int(STEP_SECONDS * FRAMES_PER_SECOND)
CHUNK_FRAMES = 6000  # frames (one minute) transformed in one go
EDGE_FRAMES = 4  # more than N_FFT / 2 samples on either side of a chunk


def pooled_mel_spectrogram(wave: Tensor, columns: int) -> tuple[Tensor, int]:
    """(samples,) -> (N_MELS, at most ``columns``), each the mean of so many frames, and that number.

    A last column that would not be whole is left out. Never more of the spectrogram than a minute is there at once.
    """
    stride = max(1, -(-frame_count(wave) // columns))
    pooled, rest = [], torch.empty(N_MELS, 0)
    for part in chunks(mel_power, wave):
        rest = torch.cat([rest, part], dim=1)
        whole = rest.shape[1] // stride * stride
        pooled.append(rest[:, :whole].unflatten(1, (-1, stride)).mean(-1))
        rest = rest[:, whole:]
    return torch.cat(pooled, dim=1), stride


def mfcc(wave: Tensor, gain: float = 1.0) -> Tensor:
    """(samples,) at 16 kHz -> (N_MFCC, frames) of ``gain * wave``; frame k is centred on sample k * HOP_LENGTH."""
    return in_chunks(coefficients, wave, gain)


def frame_count(wave: Tensor) -> int:
    return len(wave) // HOP_LENGTH + 1


def in_chunks(transform: Callable[[Tensor], Tensor], wave: Tensor, gain: float = 1.0) -> Tensor:
    """Apply a frame-wise transform chunk by chunk: an hour's STFT, or a louder copy, at once would fill the memory."""
    parts = [*chunks(transform, wave, gain)]
    return parts[0] if len(parts) == 1 else torch.cat(parts, dim=1)


def chunks(transform: Callable[[Tensor], Tensor], wave: Tensor, gain: float = 1.0) -> Iterator[Tensor]:
    """The columns of ``in_chunks``, part by part."""
    frames = frame_count(wave)
    if frames <= CHUNK_FRAMES:
        yield transform(gain * wave)
        return
    for first in range(0, frames, CHUNK_FRAMES):
        checkpoint()
        # Frames whose window would reach over the chunk's edge are computed beside it and dropped.
        before, last = min(first, EDGE_FRAMES), min(first + CHUNK_FRAMES, frames)
        chunk = wave[(first - before) * HOP_LENGTH : (last + EDGE_FRAMES) * HOP_LENGTH]
        yield transform(gain * chunk)[:, before : before + last - first]


def step_windows(coefficients: Tensor, steps: int) -> Tensor:
    """Cut (N_MFCC, frames) into each step's window: (steps, N_MFCC, WINDOW_FRAMES).

    Step t is centred on (t + 1/2) * STEP_SECONDS. What lies outside the clip is NaN, which the encoder
    replaces by its training mean.
    """
    half = WINDOW_FRAMES // 2
    first = STEP_FRAMES // 2 - half
    needed = (steps - 1) * STEP_FRAMES + WINDOW_FRAMES
    padded = F.pad(coefficients, (-first, max(0, needed + first - coefficients.shape[-1])), value=float("nan"))
    return padded[:, :needed].unfold(1, WINDOW_FRAMES, STEP_FRAMES).transpose(0, 1)


class ConvBlock(nn.Sequential):
    """Equations (6) and (7): convolution over time, normalisation, ReLU, max pooling."""

    def __init__(self, inputs: int, outputs: int, kernel: int, pool: int, dropout: float) -> None:
        super().__init__(
            nn.Conv1d(inputs, outputs, kernel, padding=kernel // 2),
            nn.BatchNorm1d(outputs),
            nn.ReLU(),
            nn.MaxPool1d(pool),
            nn.Dropout(dropout),
        )


class SpeechEncoder(nn.Module):
    """MFCC windows -> 128 numbers (8), and the head it was trained with (C classes of one window).

    The coefficients come with their first and second differences over time, and are normalised by the
    training data's mean and deviation (buffers).
    """

    feature_dim = 128
    mean: Tensor
    std: Tensor

    def __init__(self, labels: int, width: int = 192, dropout: float = 0.2) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(N_MFCC, 1))
        self.register_buffer("std", torch.ones(N_MFCC, 1))
        self.blocks = nn.Sequential(
            ConvBlock(3 * N_MFCC, width, 5, 2, dropout),
            ConvBlock(width, width, 5, 2, dropout),
            ConvBlock(width, width, 5, 2, dropout),
            ConvBlock(width, width, 3, 2, dropout),
        )
        self.project = nn.Linear(2 * width, self.feature_dim)
        self.head = nn.Sequential(nn.ReLU(), nn.Dropout(0.3), nn.Linear(self.feature_dim, labels))

    @staticmethod
    def windows(wave: Tensor, steps: int, gain: float = 1.0) -> Tensor:
        """(samples,), brought to the common level by ``gain`` -> what ``features`` takes of each step.

        (steps, N_MFCC, WINDOW_FRAMES).
        """
        return step_windows(mfcc(wave, gain), steps)

    def normalise(self, windows: Tensor) -> Tensor:
        """(N, N_MFCC, frames), NaN outside the clip -> (N, 3 * N_MFCC, frames) with differences."""
        x = torch.nan_to_num((windows - self.mean) / self.std)
        first = differences(x)
        return torch.cat([x, first, differences(first)], dim=1)

    def features(self, windows: Tensor) -> Tensor:
        """(N, N_MFCC, WINDOW_FRAMES) -> (N,128): equation (8), from the mean and maximum over time."""
        x = self.blocks(self.normalise(windows))
        return self.project(torch.cat([x.mean(-1), x.amax(-1)], dim=-1))

    def forward(self, windows: Tensor) -> Tensor:
        """(N, N_MFCC, WINDOW_FRAMES) -> logits (N,C)."""
        return self.head(self.features(windows))
