"""Features of what is strange, in groups by what it is: other languages, music and machines, drawings, no faces."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from hff.config import SAMPLE_RATE
from hff.pipeline.features import Encoders
from train.corpora import fer
from train.corpora.base import load_found
from train.engine.progress import progress
from train.fusion.feature_files import MAX_ITEM_STEPS, face_features, text_features, voice_features
from train.fusion.field_corruption import melody
from train.fusion.strange_inputs import (
    FOREIGN_SENTENCES,
    LANGUAGES,
    MADE,
    STRANGE_HALVES,
    drawn_face,
    invented_sentence,
    machine,
    pattern,
    recordings,
)

Group = dict[str, Tensor]


def strange_speech(encoders: Encoders, data: Path, half: str, rng: np.random.Generator) -> dict[str, Tensor]:
    groups = {}
    for language, corpus in LANGUAGES.items():
        found = recordings(load_found((corpus,), data, none_will_do=True), half, rng)
        if found:
            groups[language] = _voices(encoders, [u.wave for u in found], [u.label for u in found])
    for name, make_one in (("music", melody), ("machines", machine)):
        waves = [make_one(3 * SAMPLE_RATE, rng).astype(np.float32) for _ in range(MADE)]
        groups[name] = _voices(encoders, waves, [-1] * MADE, voiced=True)
    return _joined(groups)


def strange_text(encoders: Encoders, data: Path, half: str, rng: np.random.Generator) -> dict[str, Tensor]:
    invented = [invented_sentence(rng) for _ in range(MADE)]
    groups = {}
    for name, texts in (("other languages", list(FOREIGN_SENTENCES[half])), ("invented words", invented)):
        features = text_features(encoders, texts, f"text strange {half}")[:, None]
        groups[name] = _group(features, [-1] * len(texts))
    return _joined(groups)


def strange_vision(encoders: Encoders, data: Path, half: str, rng: np.random.Generator) -> dict[str, Tensor]:
    drawn = np.stack([drawn_face(rng) for _ in range(MADE)])
    patterns = np.stack([pattern(rng) for _ in range(MADE)])
    none = fer.no_faces(data)[STRANGE_HALVES.index(half) :: 2]
    sets = {"drawings": drawn, "patterns": patterns, "no faces (FER+)": none}
    return _joined(
        {
            name: _group(face_features(encoders, list(images))[:, None], [-1] * len(images))
            for name, images in sets.items()
            if len(images)
        }
    )


STRANGE: dict[str, Callable] = {"speech": strange_speech, "text": strange_text, "vision": strange_vision}


def _voices(encoders: Encoders, waves: list[np.ndarray], labels: list[int], voiced: bool = False) -> Group:
    features = torch.zeros(len(waves), MAX_ITEM_STEPS, encoders.speech.feature_dim)
    there = torch.zeros(len(waves), MAX_ITEM_STEPS, dtype=torch.bool)
    for n, wave in enumerate(progress(waves, "strange: voices")):
        x, has = voice_features(encoders, wave, voiced)
        features[n, : len(x)], there[n, : len(x)] = x, has
    heard = there.any(1)
    return _group(features[heard], torch.tensor(labels)[heard], there[heard])


def _group(features: Tensor, labels, there: Tensor | None = None) -> Group:
    there = torch.ones(features.shape[:2], dtype=torch.bool) if there is None else there
    return {"features": features, "there": there, "label": torch.as_tensor(labels)}


def _joined(groups: dict[str, Group]) -> dict[str, Tensor]:
    return {f"{name}/{part}": value for name, group in groups.items() for part, value in group.items()}
