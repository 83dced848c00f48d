"""One modality and no other, through the whole model, on each corpus' items as they come.

This is what the page and ``hff.load().analyze(image=...)`` say of a face, a sentence or a voice on its own. The fusion
must not lose on the way what the encoder's own head knows, so that head's answer stands beside it.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from sklearn.metrics import recall_score
from torch import Tensor

from hff.config import SAMPLE_RATE
from hff.encoders.resnet import normalise_faces
from hff.pipeline.analyzer import Analyzer
from hff.pipeline.features import encode_speech
from hff.pipeline.time_grid import step_count
from train.corpora import fer, ravdess
from train.encoders import speech, text
from train.evaluation.floors import FLOORS
from train.metrics import expected_calibration_error

CLIPS_AT_ONCE = 256

Answers = tuple[np.ndarray, np.ndarray]  # probabilities (N,C) of the whole model, and of the encoder's own head


@torch.inference_mode()
def modality_answers(analyzer: Analyzer, modality: str, features: Tensor, there: Tensor | None = None) -> Answers:
    """Features (N,T,d) of N clips of one modality, present at the steps ``there`` (N,T), by default all."""
    there = torch.ones(features.shape[:2], dtype=torch.bool) if there is None else there
    known, whole, own = analyzer.config.dims, [], []
    head = getattr(analyzer.encoders, modality).head
    for x, has in zip(features.split(CLIPS_AT_ONCE), there.split(CLIPS_AT_ONCE), strict=True):
        x, has = x.to(analyzer.device), has.to(analyzer.device)
        inputs = {name: x if name == modality else x.new_zeros(*x.shape[:2], size) for name, size in known.items()}
        present = torch.zeros(*has.shape, len(known), dtype=torch.bool, device=analyzer.device)
        present[..., list(known).index(modality)] = has
        whole.append(analyzer.model(**inputs, present=present, with_attention=False).probabilities.cpu())
        probabilities = head(x).float().softmax(-1) * has[..., None]
        own.append((probabilities.sum(1) / has.sum(1, keepdim=True).clamp_min(1)).cpu())
    return torch.cat(whole).numpy(), torch.cat(own).numpy()


@torch.inference_mode()
def answers_of_faces(analyzer: Analyzer, images: np.ndarray) -> Answers:
    """Grey crops (N,48,48)."""
    encoder = analyzer.encoders.vision
    parts = [
        encoder.mirrored_features(normalise_faces(part).to(analyzer.device)).cpu()
        for part in np.array_split(images, max(1, len(images) // CLIPS_AT_ONCE))
    ]
    return modality_answers(analyzer, "vision", torch.cat(parts)[:, None])


@torch.inference_mode()
def answers_of_sentences(analyzer: Analyzer, texts: list[str]) -> Answers:
    order = sorted(range(len(texts)), key=lambda i: len(texts[i]))
    features = torch.zeros(len(texts), 1, analyzer.encoders.text.feature_dim)
    for part in np.array_split(order, max(1, len(order) // CLIPS_AT_ONCE)):
        features[part, 0] = analyzer.encoders.text.features([texts[i] for i in part]).cpu()
    return modality_answers(analyzer, "text", features)


def answers_of_voices(analyzer: Analyzer, utterances: list[ravdess.Utterance]) -> Answers:
    """Whole recordings."""
    rows = []
    for utterance in utterances:
        steps = step_count(len(utterance.wave) / SAMPLE_RATE)
        x, there = encode_speech(analyzer.encoders.speech, utterance.wave, speech.voiced_spans(utterance), steps)
        rows.append(modality_answers(analyzer, "speech", x[None], there[None]))
    whole, own = zip(*rows, strict=True)
    return np.concatenate(whole), np.concatenate(own)


def rows(analyzer: Analyzer, data: Path, split: str = "test", voice_only: bool = False) -> list[list]:
    """Modality, items, measure, whole model, encoder's own head, floor, ECE of the whole model, number of items.

    ``voice_only``: no words and faces, which are read alike with every speech encoder.
    """
    made = [_voice_row(analyzer, data, split)]
    return made if voice_only else [*made, _face_row(analyzer, data, split), *_text_rows(analyzer, data, split)]


def _row(names: tuple[str, str, str], score, found: Answers, truth: np.ndarray, floor: str) -> list:
    """``names``: modality, items, measure; ``score`` of probabilities (N,C); ``truth`` (N,); a key of ``FLOORS``."""
    ece = expected_calibration_error(torch.from_numpy(found[0]), torch.from_numpy(truth))
    return [*names, *(score(p) for p in found), FLOORS[floor], ece, len(truth)]


def _voice_row(analyzer: Analyzer, data: Path, split: str) -> list:
    spoken = [u for u in ravdess.load(data) if u.split == split]
    truth = np.array([u.label for u in spoken])
    name = analyzer.config.speech_encoder
    return _row(
        (f"speech ({name})", f"{ravdess.NAME} {split} actors", "unweighted recall"),
        lambda p: float(recall_score(truth, p.argmax(1), average="macro")),
        answers_of_voices(analyzer, spoken),
        truth,
        name,
    )


def _face_row(analyzer: Analyzer, data: Path, split: str) -> list:
    found = fer.load(data)
    labels = found.labels[found.splits == split].astype(np.int64)
    return _row(
        ("vision", f"{fer.NAME} {split} faces, FER+ majority", "accuracy"),
        lambda p: float((p.argmax(1) == labels).mean()),
        answers_of_faces(analyzer, found.images[found.splits == split]),
        labels,
        "vision",
    )


def _text_rows(analyzer: Analyzer, data: Path, split: str) -> Iterator[list]:
    lines = [s for s in text.load(data) if s.split == split and s.corpus in ("goemotions", "meld")]
    whole, own = answers_of_sentences(analyzer, [s.text for s in lines])
    for corpus, measure in (("goemotions", "macro_f1"), ("meld", "weighted_f1")):
        mine = np.array([s.corpus == corpus and (corpus == "meld" or s.target.max() > 0.99) for s in lines])
        if mine.any():
            items = [s for s, kept in zip(lines, mine, strict=True) if kept]
            key = f"{corpus}_{measure}"
            yield _row(
                ("text", f"{items[0].corpus} {split}", measure.replace("_f1", " F1")),
                lambda p, items=items, key=key: text.scores(items, p)[key],
                (whole[mine], own[mine]),
                np.array([s.label for s in items]),
                key,
            )
