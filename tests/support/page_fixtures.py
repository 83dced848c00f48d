"""A made-up but consistent ``Result`` for tests of the page: no model, no weights, known figures."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from hff.config import EMOTIONS, MAX_STEPS, MODALITIES, STEP_SECONDS
from hff.page.clip.timeline import thumbnails
from hff.page.shared.explained import SOME, STRONG
from hff.result import Attention, Evidence, FaceSeen, Result, Timeline, Transcript, Word, normalised_entropy
from hff.saliency.explanation import Explanation
from hff.saliency.face_map import FaceMap
from hff.saliency.word_effect import UtteranceEffect, WordEffect
from tests.support.model_fixtures import SHIPPED

SENTENCE = "I can not believe how wonderful this day turned out to be"


def _softmax(x: np.ndarray) -> np.ndarray:
    e = np.exp(x - x.max(-1, keepdims=True))
    return e / e.sum(-1, keepdims=True)


def _face(rng: np.random.Generator) -> np.ndarray:
    y, x = np.mgrid[:48, :48]
    oval = ((x - 24) / 17) ** 2 + ((y - 25) / 21) ** 2 < 1
    image = 60 + 110 * oval - 70 * (((x - 16) ** 2 + (y - 19) ** 2 < 9) | ((x - 32) ** 2 + (y - 19) ** 2 < 9))
    return np.clip(image + rng.normal(0, 6, image.shape), 0, 255).astype(np.uint8)


def _words(seconds: float) -> list[Word]:
    tokens = SENTENCE.split()
    length = seconds * 0.8 / len(tokens)
    return [
        Word(w, seconds * 0.1 + i * length, seconds * 0.1 + (i + 1) * length - 0.03, 0.9) for i, w in enumerate(tokens)
    ]


def _timeline(steps: int, there: Sequence[str], rng: np.random.Generator) -> Timeline:
    t = np.arange(steps)
    present = np.array([[m in there for m in MODALITIES]] * steps)
    if steps > 8:
        present[: steps // 10, 0] = False  # the voice begins a little later than the picture
        present[steps // 2 : steps // 2 + 3, 2] = False  # the face turns away
    swing = np.resize([1, -1, 0.5], len(MODALITIES))
    aleatoric = (0.25 + 0.15 * np.sin(t / 3)[:, None] * swing + rng.uniform(0, 0.05, present.shape)) * present
    epistemic = rng.uniform(0.02, 0.06, present.shape) * present
    alpha0 = _softmax(np.where(present, rng.normal(0, 0.2, present.shape), -1e9)) * present
    precision = np.where(present, 1 / (aleatoric + epistemic + 1e-2), 0)
    alpha = alpha0 * precision
    alpha = alpha / np.maximum(alpha.sum(1, keepdims=True), 1e-9)
    drift = np.zeros((steps, len(EMOTIONS)))
    drift[:, 1] = np.linspace(0.3, 2.4, steps)
    drift[:, 6] = np.linspace(1.5, 0.5, steps)
    return Timeline(
        times=(t + 0.5) * STEP_SECONDS,
        present=present,
        alpha0=alpha0,
        precision=precision,
        alpha=alpha,
        aleatoric=aleatoric,
        epistemic=epistemic,
        beta=_softmax(rng.normal(0, 0.5, steps)),
        probabilities=_softmax(drift + rng.normal(0, 0.1, drift.shape)),
    )


def make_result(seconds: float = 10.0, there: Sequence[str] = SHIPPED, seed: int = 0, **changes) -> Result:
    """A reading of ``seconds`` s in which only ``there`` is present. ``changes`` replaces fields of it."""
    rng = np.random.default_rng(seed)
    steps = max(1, round(seconds / STEP_SECONDS))
    line = _timeline(steps, there, rng)
    final = line.probabilities[-1]
    probabilities = dict(zip(EMOTIONS, final.tolist(), strict=True))
    emotion = max(probabilities, key=probabilities.get)
    count = np.maximum(line.present.sum(0), 1)

    def mean(values: np.ndarray) -> dict[str, float | None]:
        return {m: float(values[:, i].sum() / count[i]) if m in there else None for i, m in enumerate(MODALITIES)}

    alpha = line.alpha.mean(0) / line.alpha.mean(0).sum()
    alone = {
        m: dict(zip(EMOTIONS, _softmax(rng.normal(0, 1, 7)).tolist(), strict=True)) if m in there else None
        for m in MODALITIES
    }
    gain = probabilities[emotion] - 1 / len(EMOTIONS)
    parts = dict(zip(there, gain * _softmax(rng.normal(0, 1, len(there))), strict=True))
    subsets = {m: p for m, p in alone.items() if p} | {"+".join(there): probabilities}
    seen = min(steps, MAX_STEPS)  # of a long clip only one block of attention is kept
    attention = rng.dirichlet(np.full((1 + len(MODALITIES)) * seen, 0.3), (4, 8, seen)).astype(np.float32)
    wave = (rng.normal(0, 0.1, int(seconds * 16_000)) * np.sin(np.arange(int(seconds * 16_000)) / 4000) ** 2).astype(
        np.float32
    )
    frames = int(seconds * 100)
    mel = (
        -60
        + 40 * np.abs(np.sin(np.arange(frames) / 15)) * np.linspace(1, 0.3, 40)[:, None]
        + rng.normal(0, 4, (40, frames))
    )
    result = Result(
        emotion=emotion,
        probabilities=probabilities,
        spread={label: 0.3 * p * (1 - p) for label, p in probabilities.items()},
        entropy=normalised_entropy(final),
        alpha=dict(zip(MODALITIES, alpha.tolist(), strict=True)),
        variance=mean(line.variance),
        aleatoric=mean(line.aleatoric),
        epistemic=mean(line.epistemic),
        present={m: m in there for m in MODALITIES},
        timeline=line,
        attention=Attention(values=attention, query_times=line.times[:seen]),
        per_modality=alone,
        subsets=subsets,
        shapley={m: float(parts[m]) if m in parts else None for m in MODALITIES},
        transcript=Transcript(SENTENCE, _words(seconds), "recognised") if "text" in there else None,
        seconds=seconds,
        warnings=[],
        timings={"decode": 0.2, "model": 0.1},
        evidence=Evidence(
            wave=wave if "speech" in there else None,
            voiced=[(0.1 * seconds, 0.9 * seconds)] if "speech" in there else [],
            mel=mel if "speech" in there else None,
            mel_hop=0.01,
            faces=[
                FaceSeen(t, (100, 60, 220, 200), 0.9, _face(rng))
                for t in np.arange(0.1, seconds, 0.2)
                if "vision" in there and line.present[min(int(t / STEP_SECONDS), steps - 1), 2]
            ],
        ),
        file="clip.mp4",
    )
    for name, value in changes.items():
        setattr(result, name, value)
    return result


def make_explanation(result: Result) -> Explanation:
    """Made-up maps of the faces on a reading's timeline, hot around the mouth, and four words of every kind."""
    heat = np.zeros((48, 48), np.float32)
    heat[20:35, 12:36] = 1
    effects = {"so": 0.0, "very": SOME, "sad": STRONG, "yes": -SOME}
    words = tuple(WordEffect(word, effect) for word, effect in effects.items())
    faces = tuple((face, FaceMap("happy", 0.8, heat)) for *_, face in thumbnails(result))
    return Explanation(faces, (UtteranceEffect("sad", 0.7, words),))


def alike(one, other) -> bool:
    """Whether two readings hold the same, but for the last places of numbers: threads add up in another order."""
    if isinstance(one, dict):
        return isinstance(other, dict) and one.keys() == other.keys() and all(alike(one[k], other[k]) for k in one)
    if isinstance(one, list):
        return isinstance(other, list) and len(one) == len(other) and all(map(alike, one, other))
    return one == pytest.approx(other, rel=1e-4, abs=3e-5) if isinstance(one, float) else one == other
