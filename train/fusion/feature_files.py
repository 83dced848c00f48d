"""Cached features for the fusion's training: each item clean and at many severities of corruption.

``python -m train features --data DIR --out DIR [--speech-encoder whisper]``. The encoders are frozen by now, so each
item passes them once per variant, through the app's own path (``features``): the raw input is corrupted, the voice
is looked for again in the corrupted sound, and what the encoder then sees is what the app would see.

One safetensors file per modality and split, holding for N items with V variants
    speech  features (N,V,T,128), there (N,V,T), length (N,)
    text    features (N,V,768), fixed (N,)
    vision  features (N,V,2,512), two views of each face; (N,V,1,512) outside training
and for all: label (N,), severity (N,V), variant 0 untouched; teacher_logits (N,V,...,C), what the encoder's
own head makes of the features; held_out (N,), whether the encoder has never learned from the item; frequency (C,), the
share of each label before rare ones were favoured. The split ``unseen`` holds test items under kinds of corruption that
nothing was trained on.
"""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from hff import corruption, weights
from hff.config import MODALITIES, SAMPLE_RATE, SPEECH_ENCODERS
from hff.detectors.vad import voiced_segments
from hff.encoders.bert import PIECES_AT_ONCE
from hff.errors import HFFError
from hff.locale import say
from hff.pipeline.analyzer import load_encoders
from hff.pipeline.features import Encoders, encode_speech, encode_vision
from hff.pipeline.time_grid import step_count
from hff.result import FaceSeen
from train.corpora import fer, goemotions, korean, meld, nemo, ravdess
from train.corpora.base import Faces, load_found
from train.encoders import corpus_balance
from train.encoders.vision import random_view
from train.engine import data_files, provenance
from train.engine.loop import autocast
from train.engine.progress import progress

SPLITS = ("fusion", "validation", "test", "unseen")
VARIANTS = {"fusion": 8, "validation": 6, "test": 6, "unseen": 6}
PER_CLASS = {"fusion": 600, "validation": 150, "test": 250, "unseen": 250}  # texts and faces at most, of each label
TOP_UP = 200  # faces of each label for the fusion: rare labels have few that the encoder did not learn from
MAX_ITEM_STEPS = 12  # steps of a recording kept


def items_of(split: str) -> str:
    """The corpora's split that this one's items come from."""
    return "test" if split == "unseen" else split


def corrupted_item(modality: str, split: str, item, severity: float, rng: np.random.Generator):
    """A wave, text or face corrupted in a random one of the split's kinds; untouched at severity 0."""
    if severity <= 0:
        return item
    kinds = (corruption.unseen if split == "unseen" else corruption.trained)(modality)
    return kinds[str(rng.choice(list(kinds)))](item, severity, rng)


def variant_severities(split: str, rng: np.random.Generator) -> np.ndarray:
    """0 for the untouched variant, then random over (0,1], evenly spread and always reaching 1 in evaluation."""
    count = VARIANTS[split] - 1
    if split == "fusion":
        return np.concatenate([[0], (np.arange(count) + rng.random(count)) / count])
    return np.linspace(0, 1, count + 1)


def speech(encoders: Encoders, data: Path, split: str, rng: np.random.Generator) -> dict[str, Tensor]:
    # The few held-back actors alone would be learned by heart, so the encoder's own join them in training.
    wanted = (split, "train") if split == "fusion" else (items_of(split),)
    items = [u for u in ravdess.load(data) if u.split in wanted]
    if split == "fusion":
        others = load_found((nemo, korean), data, none_will_do=True)
        items += corpus_balance.thin([u for u in others if u.split == "fusion"], corpus_balance.PER_CELL)
    count = VARIANTS[split]
    if split == "fusion" and count % 2:
        raise ValueError(f"VARIANTS['fusion'] must be even, not {count}: half of them stand for the other half.")
    features = torch.zeros(len(items), count, MAX_ITEM_STEPS, 128)
    there = torch.zeros(len(items), count, MAX_ITEM_STEPS, dtype=torch.bool)
    severity = torch.zeros(len(items), count)
    for n, item in enumerate(progress(items, f"features: speech {split}")):
        own = count // 2 if item.split == "train" else count
        severity[n] = torch.from_numpy(variant_severities(split, rng))
        for v in range(own):
            wave = corrupted_item("speech", split, item.wave, float(severity[n, v]), rng)
            with autocast(encoders.device, True):
                x, present = voice_features(encoders, wave)
            features[n, v, : len(x)], there[n, v, : len(x)] = x, present
        features[n, own:], there[n, own:] = features[n, : count - own], there[n, : count - own]
        severity[n, own:] = severity[n, : count - own]
    labels = [u.label for u in items]
    logits = teacher_logits(encoders.speech, features)
    return {
        "features": features,
        "there": there,
        "severity": severity,
        "teacher_logits": logits,
        "label": torch.tensor(labels),
        "frequency": label_frequency(labels, logits),
        "length": torch.tensor([min(MAX_ITEM_STEPS, step_count(len(u.wave) / SAMPLE_RATE)) for u in items]),
        "held_out": torch.tensor([u.split != "train" for u in items]),
    }


def text(encoders: Encoders, data: Path, split: str, rng: np.random.Generator) -> dict[str, Tensor]:
    found = load_found((goemotions, meld), data)
    sentences = [s for s in found if s.split == items_of(split) and s.target.max() > 0.99]
    labels = [s.label for s in sentences]
    items = [sentences[i] for i in balanced(labels, PER_CLASS[split], rng)]
    fixed = [(words, 0) for words in ravdess.SENTENCES.values()]
    pairs = [(s.text, s.label) for s in items] + fixed
    levels = np.stack([variant_severities(split, rng) for _ in pairs])
    corrupted = [
        corrupted_item("text", split, words, float(level), rng)
        for (words, _), row in zip(pairs, levels, strict=True)
        for level in row
    ]
    # A text with no word left is an absent text, which training drops in by itself.
    features = text_features(encoders, [words or "[MASK]" for words in corrupted], f"text {split}")
    features = features.unflatten(0, levels.shape)
    logits = teacher_logits(encoders.text, features)
    return {
        "features": features,
        "severity": torch.from_numpy(levels).float(),
        "teacher_logits": logits,
        "label": torch.tensor([label for _, label in pairs]),
        "frequency": label_frequency(labels, logits),
        "held_out": torch.ones(len(pairs), dtype=torch.bool),
        "fixed": torch.tensor([False] * len(items) + [True] * len(fixed)),
    }


def voice_features(encoders: Encoders, wave: np.ndarray, voiced: bool = False) -> tuple[Tensor, Tensor]:
    """Features and presence of at most ``MAX_ITEM_STEPS`` steps; all of it a voice where ``voiced``."""
    seconds = len(wave) / SAMPLE_RATE
    segments = [(0.0, seconds)] if voiced else voiced_segments(wave)
    return encode_speech(encoders.speech, wave, segments, min(MAX_ITEM_STEPS, step_count(seconds)))


@torch.inference_mode()
def text_features(encoders: Encoders, texts: list[str], name: str) -> Tensor:
    """(N,768) as ``hff.pipeline.features.encode_text`` gives them, batched by length so that little is padding."""
    order = sorted(range(len(texts)), key=lambda i: len(texts[i]))
    features = torch.zeros(len(texts), encoders.text.feature_dim)
    for part in progress(np.array_split(order, max(1, len(order) // PIECES_AT_ONCE)), f"features: {name}"):
        features[part] = encoders.text.features([texts[i] for i in part]).cpu()
    return features


def face_features(encoders: Encoders, crops: list[np.ndarray]) -> Tensor:
    """(N,48,48) uint8 -> (N,512)."""
    faces = [FaceSeen(0.5 * n, (0, 0, 1, 1), 1.0, np.ascontiguousarray(crop)) for n, crop in enumerate(crops)]
    return encode_vision(encoders.vision, faces, len(faces))[0]


def vision(encoders: Encoders, data: Path, split: str, rng: np.random.Generator) -> dict[str, Tensor]:
    faces = fer.load(data)
    own = np.flatnonzero(faces.splits == items_of(split))
    index = own[balanced(faces.labels[own], PER_CLASS[split], rng)]
    if split == "fusion":
        index = np.concatenate([index, _encoders_own(faces, index, rng)])
    views = 2 if split == "fusion" else 1
    features, severity = [], []
    for i in progress(index, f"features: vision {split}"):
        levels = variant_severities(split, rng)
        crops = []
        for level in levels:
            for _ in range(views):
                view = random_view(faces.images[i], rng) if split == "fusion" else faces.images[i]
                crops.append(corrupted_item("vision", split, np.ascontiguousarray(view), float(level), rng))
        features.append(face_features(encoders, crops).unflatten(0, (-1, views)))
        severity.append(torch.from_numpy(levels))
    stacked = torch.stack(features)
    logits = teacher_logits(encoders.vision, stacked)
    return {
        "features": stacked,
        "severity": torch.stack(severity).float(),
        "teacher_logits": logits,
        "label": torch.from_numpy(faces.labels[index]),
        "frequency": label_frequency(faces.labels[own], logits),
        "held_out": torch.from_numpy(faces.splits[index] != "train"),
    }


def _encoders_own(faces: Faces, index: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Of each label with fewer than ``TOP_UP`` faces in ``index``, as many of the encoder's as are missing."""
    counts = np.bincount(faces.labels[index], minlength=faces.votes.shape[1])
    learned = np.flatnonzero(faces.splits == "train")
    more = [
        rng.permutation(learned[faces.labels[learned] == label])[: max(0, TOP_UP - count)]
        for label, count in enumerate(counts)
    ]
    return np.sort(np.concatenate(more))


@torch.inference_mode()
def teacher_logits(encoder: torch.nn.Module, features: Tensor) -> Tensor:
    """The encoder's own head on cached features (...,d): logits (...,C), float16."""
    device = next(encoder.parameters()).device
    parts = features.flatten(0, -2).split(8192)
    logits = torch.cat([encoder.head(part.to(device)).half().cpu() for part in parts])
    return logits.unflatten(0, features.shape[:-1])


def label_frequency(labels, teacher_logits: Tensor) -> Tensor:
    """(C,) share of each label; as many as the encoder's own head knows, which gave the logits (...,C)."""
    counts = torch.bincount(torch.as_tensor(np.asarray(labels)), minlength=teacher_logits.shape[-1]).float()
    return counts / counts.sum()


def balanced(labels, most: int, rng: np.random.Generator) -> np.ndarray:
    """Indices of at most ``most`` random items of each label."""
    labels = np.asarray(labels)
    return np.sort(np.concatenate([rng.permutation(np.flatnonzero(labels == c))[:most] for c in np.unique(labels)]))


def load(folder: Path, modality: str, split: str) -> dict[str, Tensor]:
    """A cached set, features as float32."""
    stored = load_file(data_files.used("features", folder / f"{modality}-{split}.safetensors"))
    if "said" in stored:  # as it was called in files that were made before
        stored["teacher_logits"] = stored.pop("said")
    return stored | {name: stored[name].float() for name in ("features", "teacher_logits")}


def as_clips(stored: dict[str, Tensor], number: int) -> tuple[Tensor, Tensor]:
    """Every item of a set at one variant as a clip of its own: features (N,T,d), and the steps at which it is there.

    What is not over time is one step long, of several views the first.
    """
    features = stored["features"][:, number]
    if "there" in stored:
        return features, stored["there"][:, number]
    features = features[:, None] if features.ndim == 2 else features[:, :1]
    return features, torch.ones(features.shape[:2], dtype=torch.bool)


def folder_of(out: Path, speech_encoder: str = SPEECH_ENCODERS[0]) -> Path:
    """Where the features lie: a folder for each speech encoder."""
    return out / ("features" if speech_encoder == SPEECH_ENCODERS[0] else f"features-{speech_encoder}")


def make(data: Path, out: Path, device: torch.device, seed: int = 0, speech_encoder: str = SPEECH_ENCODERS[0]) -> None:
    """Write every modality and split that is not there yet, from the encoders in ``out / "weights"``.

    Words and faces are copied where another speech encoder's features have them already.
    """
    encoders = load_encoders(out / "weights", device, speech_encoder)
    folder = folder_of(out, speech_encoder)
    folder.mkdir(parents=True, exist_ok=True)
    provenance.check_provenance(folder, {m: weights.part_path(out / "weights", m, speech_encoder) for m in MODALITIES})
    makers = {"speech": speech, "text": text, "vision": vision}
    if unknown := [m for m in MODALITIES if m not in makers]:
        raise HFFError(say("features.no_maker", modalities=", ".join(unknown), folder=folder))
    for modality, build in makers.items():
        for number, split in enumerate(SPLITS):
            path = folder / f"{modality}-{split}.safetensors"
            if path.exists():
                continue
            part = path.with_suffix(".part")  # so that a kill while writing leaves nothing that looks finished
            same = folder_of(out) / path.name
            if modality != "speech" and same.exists():
                shutil.copyfile(same, part)
            else:
                stored = build(encoders, data, split, np.random.default_rng([seed, number]))
                save_file(stored | {"features": stored["features"].half().contiguous()}, part)
            part.replace(path)
