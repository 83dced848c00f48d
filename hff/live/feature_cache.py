"""Features of a rolling window through the same code as a clip's, with what was computed before kept."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from hff.config import SAMPLE_RATE, STEP_SECONDS
from hff.detectors.vad import Segments
from hff.encoders.bert import TextEncoder
from hff.encoders.mfcc_cnn import SPEECH_WINDOW_SECONDS
from hff.media.level import level_gain
from hff.pipeline.features import Encoders, encode_faces, encode_speech, place_faces
from hff.result import FaceSeen

MAX_LEVEL_CHANGE = 10 ** (0.5 / 20)  # 0.5 dB: a common level that moved less leaves kept speech features valid
KEPT_TEXTS = 32


@dataclass
class _SpeechStep:
    """A step's feature and what it was computed from: the sound its window held, s, and the level."""

    feature: Tensor  # (128,)
    heard: tuple[float, float]
    gain: float


class SpeechSteps:
    """Speech features by absolute step number."""

    def __init__(self) -> None:
        self._known: dict[int, _SpeechStep] = {}

    def encode(
        self, encoders: Encoders, wave: np.ndarray, voiced: Segments, first: int, steps: int
    ) -> tuple[Tensor, Tensor]:
        """As ``features.encode_speech`` for the window that begins at step ``first``; computes only what is new."""
        end = first * STEP_SECONDS + len(wave) / SAMPLE_RATE
        gain = level_gain(wave, voiced)
        heard = [_heard(first, first + t, end) for t in range(steps)]
        known = [self._valid(first + t, heard[t], gain) for t in range(steps)]
        features, there = encode_speech(
            encoders.speech, wave, voiced, steps, np.array([step is None for step in known], bool)
        )
        features = features.clone()  # made in inference mode, which forbids to change it here
        kept: dict[int, _SpeechStep] = {}
        for t in there.nonzero().squeeze(1).tolist():
            step = known[t] or _SpeechStep(features[t].clone(), heard[t], gain)
            features[t] = step.feature
            kept[first + t] = step
        self._known = kept
        return features, there

    def forget(self, start: float, end: float) -> None:
        """The sound from ``start`` to ``end`` s has changed."""
        self._known = {
            number: step for number, step in self._known.items() if step.heard[1] <= start or step.heard[0] >= end
        }

    def _valid(self, number: int, heard: tuple[float, float], gain: float) -> _SpeechStep | None:
        step = self._known.get(number)
        # What was heard before the window began stays heard: to hear the window's beginning anew without it, each time
        # the window moves on, would be as much work as to hear what is new.
        if step is None or step.heard[0] > heard[0] or step.heard[1] != heard[1]:
            return None
        change = max(gain, step.gain) / min(gain, step.gain)
        return step if change <= MAX_LEVEL_CHANGE else None


def _heard(first: int, step: int, end: float) -> tuple[float, float]:
    """The span, s, that the window of ``step`` holds of a sound from step ``first`` to ``end`` s."""
    middle = (step + 0.5) * STEP_SECONDS
    return (
        round(max(first * STEP_SECONDS, middle - SPEECH_WINDOW_SECONDS / 2), 4),
        round(min(end, middle + SPEECH_WINDOW_SECONDS / 2), 4),
    )


class FaceFeatures:
    """The faces of the window, each encoded once."""

    def __init__(self) -> None:
        self.faces: list[FaceSeen] = []  # absolute times, s, rising
        self._features: list[Tensor] = []

    def add(self, encoders: Encoders, faces: list[FaceSeen]) -> None:
        """Encode ``faces``, in order of time; a picture that stays the same is not encoded again."""
        crops = {id(face.crop): face for face in faces}
        known = {id(self.faces[-1].crop): self._features[-1]} if self.faces else {}
        new = [face for key, face in crops.items() if key not in known]
        if new:
            known |= zip((id(face.crop) for face in new), encode_faces(encoders.vision, new), strict=True)
        self._features += [known[id(face.crop)] for face in faces]
        self.faces += faces

    def forget_before(self, time: float) -> None:
        old = sum(face.time < time for face in self.faces)
        del self.faces[:old], self._features[:old]

    def encode(self, encoders: Encoders, start: float, steps: int) -> tuple[Tensor, Tensor]:
        """As ``hff.pipeline.features.encode_vision``, for faces from ``start`` s on."""
        rows = [i for i, face in enumerate(self.faces) if start <= face.time < start + steps * STEP_SECONDS]
        if not rows:
            return torch.zeros(steps, encoders.vision.feature_dim), torch.zeros(steps, dtype=torch.bool)
        features = torch.stack([self._features[i] for i in rows])
        return place_faces(features, [self.faces[i].time - start for i in rows], steps)


class KnownTexts:
    """Stands in for the text encoder and remembers the last sentences."""

    def __init__(self, encoder: TextEncoder) -> None:
        self._encoder = encoder
        self.feature_dim = encoder.feature_dim
        self._known: OrderedDict[str, Tensor] = OrderedDict()

    def features(self, texts: list[str]) -> Tensor:
        """(N,768), as ``TextEncoder.features`` gives."""
        new = [text for text in dict.fromkeys(texts) if text not in self._known]
        if new:
            self._known.update(zip(new, self._encoder.features(new).cpu(), strict=True))
        for text in texts:
            self._known.move_to_end(text)
        features = torch.stack([self._known[text] for text in texts])
        while len(self._known) > KEPT_TEXTS:
            self._known.popitem(last=False)
        return features
