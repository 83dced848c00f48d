"""A stand-in for the trained model that costs next to nothing, so that ten minutes of live can be run in seconds."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
import torch
from torch import nn

from hff.config import FACE_SIZE, SAMPLE_RATE, SPEECH_ENCODERS, HFFConfig
from hff.encoders.mfcc_cnn import SpeechEncoder
from hff.live.pace import Pace
from hff.live.session import LiveSession
from hff.pipeline.analyzer import Analyzer
from hff.pipeline.features import Encoders
from hff.result import FaceSeen
from tests.support.media_fixtures import tone
from tests.support.model_fixtures import small_model

PICTURE = (48, 64, 3)


class FakeEncoder(nn.Module):
    """Gives the inputs' mean in every place, and counts what it was asked."""

    windows = staticmethod(SpeechEncoder.windows)

    def __init__(self, feature_dim: int) -> None:
        super().__init__()
        self.feature_dim = feature_dim
        self.anchor = nn.Parameter(torch.zeros(1))
        self.asked = 0

    def features(self, inputs) -> torch.Tensor:
        self.asked += len(inputs)
        if isinstance(inputs, list):
            return torch.tensor([[float(len(text))] for text in inputs]).expand(-1, self.feature_dim).clone()
        mean = torch.nan_to_num(inputs).flatten(1).mean(1, keepdim=True)
        return mean.expand(-1, self.feature_dim).clone()

    mirrored_features = features


class FakeAnalyzer(Analyzer):
    """The real fusion code on a small random model behind fake encoders."""

    def __init__(self, seed: int = 0, speech_encoder: str = SPEECH_ENCODERS[0]) -> None:
        self.device = torch.device("cpu")
        self.model = small_model(seed, speech_encoder=speech_encoder)
        self.config = self.model.config
        sizes = self.config.input_dims
        self.encoders = Encoders(*(FakeEncoder(size) for size in sizes))

    def hearing_with(self, speech_encoder: str) -> FakeAnalyzer:
        """Another fusion and encoder of the voice; words and faces have the very same encoders."""
        other = FakeAnalyzer(1, speech_encoder)
        other.encoders = Encoders(**(vars(self.encoders) | {"speech": other.encoders.speech}))
        return other


class FakeTracker:
    """Sees a face in the middle of every picture that is not dark."""

    several = False

    def update(self, time: float, image: np.ndarray) -> FaceSeen | None:
        if image.mean() < 40:
            return None
        crop = np.full((FACE_SIZE, FACE_SIZE), image.mean(), np.uint8)
        crop[::2] //= 2
        return FaceSeen(time, (10.0, 10.0, 40.0, 40.0), 0.9, crop)


def loud(wave: np.ndarray) -> list[tuple[float, float]]:
    """A voice wherever the sound is loud, in stretches of 0.1 s."""
    size = SAMPLE_RATE // 10
    levels = np.abs(wave[: len(wave) // size * size]).reshape(-1, size).max(1, initial=0) > 0.01
    return [(i / 10, (i + 1) / 10) for i in np.flatnonzero(levels)]


class SteadyPace(Pace):
    """Always the same effort, whatever the machine is busy with."""

    def __init__(self, level: int = 0) -> None:
        super().__init__()
        self.level = level

    def spent(self, seconds: float) -> None:
        self.cost = seconds
        self._updates.append(self.now())


def picture(brightness: int = 120) -> np.ndarray:
    return np.full(PICTURE, brightness, np.uint8)


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch) -> FakeAnalyzer:
    """The fake model, with faces and voices found by the fakes above."""
    monkeypatch.setattr("hff.live.session.FaceTracker", FakeTracker)
    monkeypatch.setattr("hff.live.session.voiced_segments", loud)
    # However busy the machine is: the same work for each reading, and no page is forgotten meanwhile.
    monkeypatch.setattr("hff.live.session.Pace", SteadyPace)
    monkeypatch.setattr("hff.page.live.hub.FORGOTTEN_AFTER", 1e9)
    return FakeAnalyzer()


def engine_of(analyzer, transcribe: bool = False, others: dict | None = None):
    """What the page's views take for the model behind the page; ``others``: the same with other speech encoders."""
    config = getattr(analyzer, "config", HFFConfig())
    known = {config.speech_encoder: analyzer} | (others or {})
    return SimpleNamespace(
        model=lambda ear="": known.get(ear, analyzer),
        transcribe=transcribe,
        config=lambda: config,
        ears=lambda: tuple(known),
    )


def play(session: LiveSession, seconds: float, start: float = 0.0, brightness: int = 120, level: float = 0.3) -> None:
    """Four pictures and ten chunks of sound a second, without reading."""
    for tenth in range(round(10 * start), round(10 * (start + seconds))):
        session.add_sound(tenth / 10, SAMPLE_RATE, tone(0.1, SAMPLE_RATE, level=level))
    for quarter in range(round(4 * start), round(4 * (start + seconds))):
        session.add_frame(quarter / 4, picture(brightness))
