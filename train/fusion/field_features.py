"""Features of items under a classroom's corruption, in the layout of ``feature_files``: each clean, then each kind."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from hff.config import SAMPLE_RATE
from hff.pipeline.features import Encoders
from hff.pipeline.time_grid import step_count
from train.corpora import fer, goemotions, meld, ravdess
from train.corpora.base import load_found
from train.engine.progress import progress
from train.fusion.feature_files import (
    MAX_ITEM_STEPS,
    balanced,
    face_features,
    label_frequency,
    teacher_logits,
    text_features,
    voice_features,
)
from train.fusion.field_corruption import FIELD

FIELD_PER_CLASS = 60  # faces and texts of each label under a classroom's corruption


def _variants(modality: str, item, rng: np.random.Generator) -> list:
    return [item, *(kind(item, rng) for kind in FIELD[modality].values())]


def _severity(items: int, modality: str) -> Tensor:
    """(N,V): 0 of the clean one, then 1."""
    return (torch.arange(1 + len(FIELD[modality])) > 0).float().expand(items, -1).clone()


def corrupted_speech(encoders: Encoders, data: Path, half: str, rng: np.random.Generator) -> dict[str, Tensor]:
    items = [u for u in ravdess.load(data) if u.split == half]
    count = 1 + len(FIELD["speech"])
    features = torch.zeros(len(items), count, MAX_ITEM_STEPS, encoders.speech.feature_dim)
    there = torch.zeros(len(items), count, MAX_ITEM_STEPS, dtype=torch.bool)
    for n, item in enumerate(progress(items, f"strange: voices {half}")):
        for v, wave in enumerate(_variants("speech", item.wave, rng)):
            x, has = voice_features(encoders, wave)
            features[n, v, : len(x)], there[n, v, : len(x)] = x, has
    labels = [u.label for u in items]
    logits = teacher_logits(encoders.speech, features)
    return {
        "features": features,
        "there": there,
        "severity": _severity(len(items), "speech"),
        "teacher_logits": logits,
        "label": torch.tensor(labels),
        "frequency": label_frequency(labels, logits),
        "length": torch.tensor([min(MAX_ITEM_STEPS, step_count(len(u.wave) / SAMPLE_RATE)) for u in items]),
        "held_out": torch.ones(len(items), dtype=torch.bool),
    }


def corrupted_text(encoders: Encoders, data: Path, half: str, rng: np.random.Generator) -> dict[str, Tensor]:
    sentences = [s for s in load_found((goemotions, meld), data) if s.split == half and s.target.max() > 0.99]
    labels = [s.label for s in sentences]
    items = [(sentences[i].text, labels[i]) for i in balanced(labels, FIELD_PER_CLASS, rng)]
    items += [(words, 0) for words in ravdess.SENTENCES.values()]
    texts = [variant for words, _ in items for variant in _variants("text", words, rng)]
    features = text_features(encoders, texts, f"text field {half}").unflatten(0, (len(items), -1))
    logits = teacher_logits(encoders.text, features)
    return {
        "features": features,
        "severity": _severity(len(items), "text"),
        "teacher_logits": logits,
        "label": torch.tensor([label for _, label in items]),
        "frequency": label_frequency(labels, logits),
        "held_out": torch.ones(len(items), dtype=torch.bool),
        "fixed": torch.arange(len(items)) >= len(items) - len(ravdess.SENTENCES),
    }


def corrupted_vision(encoders: Encoders, data: Path, half: str, rng: np.random.Generator) -> dict[str, Tensor]:
    faces = fer.load(data)
    own = np.flatnonzero(faces.splits == half)
    index = own[balanced(faces.labels[own], FIELD_PER_CLASS, rng)]
    features = torch.stack([face_features(encoders, _variants("vision", faces.images[i], rng))[:, None] for i in index])
    logits = teacher_logits(encoders.vision, features)
    return {
        "features": features,
        "severity": _severity(len(index), "vision"),
        "teacher_logits": logits,
        "label": torch.from_numpy(faces.labels[index]),
        "frequency": label_frequency(faces.labels[own], logits),
        "held_out": torch.ones(len(index), dtype=torch.bool),
    }


FIELD_CORRUPTED: dict[str, Callable] = {"speech": corrupted_speech, "text": corrupted_text, "vision": corrupted_vision}
