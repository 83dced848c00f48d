"""Mel-frequency cepstral coefficients and their differences over time: equations (1) to (5) of the paper."""

from __future__ import annotations

import functools
import math

import torch
from torch import Tensor
from torch.nn import functional as F

from hff.config import SAMPLE_RATE

WINDOW_LENGTH = 400  # samples, 25 ms: the STFT window of equation (1)
HOP_LENGTH = 160  # samples, 10 ms
N_FFT = 512
N_MELS = 64  # filters of equation (3)
N_MFCC = 40  # coefficients kept of equation (5)
POWER_FLOOR = 1e-6  # power added before the logarithm of equation (4)
DELTA_REACH = 2  # frames on either side that a difference is fitted to


def power_spectrogram(wave: Tensor, n_fft: int = N_FFT, window_length: int = WINDOW_LENGTH) -> Tensor:
    """|X(t, f)|^2 of equation (1), with a Hann window: (samples,) -> (n_fft / 2 + 1, frames).

    Frame k is centred on sample k * HOP_LENGTH; beyond its ends the wave is mirrored.
    """
    window = torch.hann_window(window_length, dtype=wave.dtype, device=wave.device)
    return torch.stft(wave, n_fft, HOP_LENGTH, window_length, window, return_complex=True).abs().square()


def mel(hertz: float) -> float:
    """Equation (2)."""
    return 2595 * math.log10(1 + hertz / 700)


@functools.cache
def mel_filters() -> Tensor:
    """H_m(f) of equation (3), (N_MELS, N_FFT / 2 + 1): triangles, equally wide in mel, up to the Nyquist frequency."""
    corners = 700 * (10 ** (torch.linspace(0, mel(SAMPLE_RATE / 2), N_MELS + 2, dtype=torch.float64) / 2595) - 1)
    frequencies = torch.linspace(0, SAMPLE_RATE / 2, N_FFT // 2 + 1, dtype=torch.float64)
    left, middle, right = (x[:, None] for x in (corners[:-2], corners[1:-1], corners[2:]))
    rising, falling = (frequencies - left) / (middle - left), (right - frequencies) / (right - middle)
    return torch.minimum(rising, falling).clamp_min(0).float()


@functools.cache
def cosines() -> Tensor:
    """cos((m - 0.5) n pi / M) of equation (5), orthonormal: (N_MFCC, N_MELS), n from 0 and m from 1."""
    n, m = torch.arange(N_MFCC, dtype=torch.float64)[:, None], torch.arange(1, N_MELS + 1, dtype=torch.float64)
    basis = torch.cos((m - 0.5) * n * math.pi / N_MELS) * math.sqrt(2 / N_MELS)
    basis[0] /= math.sqrt(2)
    return basis.float()


def mel_power(wave: Tensor) -> Tensor:
    """S_m of equation (3): (samples,) -> (N_MELS, frames)."""
    return mel_filters().to(wave.device) @ power_spectrogram(wave)


def coefficients(wave: Tensor) -> Tensor:
    """c_n of equation (5), from the logarithm (4): (samples,) -> (N_MFCC, frames)."""
    return cosines().to(wave.device) @ (mel_power(wave) + POWER_FLOOR).log()


def differences(x: Tensor) -> Tensor:
    """The slope over time of (..., frames), by least squares over ``DELTA_REACH`` frames on either side."""
    offsets = torch.arange(-DELTA_REACH, DELTA_REACH + 1, dtype=x.dtype, device=x.device)
    rows = F.pad(x.reshape(1, -1, x.shape[-1]), (DELTA_REACH, DELTA_REACH), mode="replicate").transpose(0, 1)
    return F.conv1d(rows, (offsets / offsets.square().sum())[None, None]).reshape(x.shape)
