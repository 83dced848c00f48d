"""The second speech encoder: what Whisper's encoder hears, in place of MFCC and a CNN.

Whisper learned to write down 680,000 hours of speech, so its encoder has met far more voices than any corpus
of emotions holds. The model that recognises words (``hff.detectors.asr``) is asked for its encoder's states of
each step's window, and a small trained network makes 128 numbers of them. A window is encoded by itself, as
in ``hff.encoders.mfcc_cnn``: its feature depends on nothing else of the clip.
Radford et al., "Robust Speech Recognition via Large-Scale Weak Supervision", arXiv 2212.04356.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from hff.config import SAMPLE_RATE, STEP_SECONDS
from hff.detectors.asr import recogniser
from hff.encoders.mfcc_cnn import SPEECH_WINDOW_SECONDS

STATE_DIM = 384  # width of Whisper tiny
STATES_PER_SECOND = 50
WINDOW_SAMPLES = int(SPEECH_WINDOW_SECONDS * SAMPLE_RATE)
WINDOW_STATES = int(SPEECH_WINDOW_SECONDS * STATES_PER_SECOND)
STEP_SAMPLES = int(STEP_SECONDS * SAMPLE_RATE)
SAMPLES_PER_STATE = SAMPLE_RATE // STATES_PER_SECOND


def step_waves(wave: Tensor, steps: int, gain: float = 1.0) -> Tensor:
    """Cut ``gain * wave`` (samples,) into each step's window: (steps, WINDOW_SAMPLES), a view of one padded copy.

    Step t is centred on (t + 1/2) * STEP_SECONDS. What lies outside the clip is NaN.
    """
    before = (WINDOW_SAMPLES - STEP_SAMPLES) // 2
    needed = (steps - 1) * STEP_SAMPLES + WINDOW_SAMPLES
    padded = F.pad(wave, (before, max(0, needed - before - len(wave))), value=float("nan"))
    return padded[:needed].mul_(gain).unfold(0, WINDOW_SAMPLES, STEP_SAMPLES)


def encoder_states(windows: Tensor) -> Tensor:
    """The last states of Whisper's encoder: (N, WINDOW_SAMPLES) -> (N, WINDOW_STATES, STATE_DIM), on the CPU.

    What is NaN in a window is silence to Whisper, and its states are NaN.
    """
    from ctranslate2 import StorageView

    model = recogniser()
    waves = torch.nan_to_num(windows.cpu()).numpy()
    mel = np.stack([model.feature_extractor(wave, padding=0) for wave in waves]).astype(np.float32)
    states = torch.from_numpy(np.array(model.model.encode(StorageView.from_array(mel))))
    outside = windows.cpu().isnan().unflatten(1, (WINDOW_STATES, SAMPLES_PER_STATE)).any(-1)
    return states.masked_fill_(outside[..., None], float("nan"))


class WhisperEncoder(nn.Module):
    """Windows of sound -> 128 numbers, and the head it was trained with (C classes of one window).

    A window's states become their mean and deviation over time, normalised by the training data's own (buffers).
    """

    feature_dim = 128
    mean: Tensor
    std: Tensor

    def __init__(self, labels: int, width: int = 256, dropout: float = 0.4) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(2 * STATE_DIM))
        self.register_buffer("std", torch.ones(2 * STATE_DIM))
        self.project = nn.Sequential(
            nn.Dropout(dropout),
            nn.Linear(2 * STATE_DIM, width),
            nn.GELU(),
            nn.Dropout(dropout),
            nn.Linear(width, self.feature_dim),
        )
        self.head = nn.Sequential(nn.ReLU(), nn.Dropout(0.3), nn.Linear(self.feature_dim, labels))

    @staticmethod
    def windows(wave: Tensor, steps: int, gain: float = 1.0) -> Tensor:
        """(samples,), brought to the common level by ``gain`` -> what ``features`` takes of each step."""
        return step_waves(wave, steps, gain)

    def features(self, windows: Tensor) -> Tensor:
        """(N, WINDOW_SAMPLES) -> (N,128)."""
        return self.features_of(statistics(encoder_states(windows)).to(windows.device))

    def features_of(self, values: Tensor) -> Tensor:
        """Statistics of the states (N, 2 * STATE_DIM) -> (N,128)."""
        return self.project((values - self.mean) / self.std)

    def forward(self, windows: Tensor) -> Tensor:
        """(N, WINDOW_SAMPLES) -> logits (N,C)."""
        return self.head(self.features(windows))


def statistics(states: Tensor) -> Tensor:
    """Mean and deviation over time of states that are not NaN: (N, WINDOW_STATES, STATE_DIM) -> (N, 2 * STATE_DIM)."""
    heard = ~states.isnan().any(-1, keepdim=True)
    count = heard.sum(1).clamp_min(1)
    mean = states.nan_to_num().sum(1) / count
    square = ((states.nan_to_num() - mean[:, None]) * heard).square().sum(1) / count
    return torch.cat([mean, square.sqrt()], dim=-1)
