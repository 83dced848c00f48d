"""The speech encoder's training: MFCC and CNN on RAVDESS (all its classes but calm) and EmoDB.

``python -m train speech --data DIR --out DIR`` ; a few seconds an epoch once the recordings are prepared.

``--taught`` mixes in the soft targets of ``python -m train whisper --teach`` (distillation). The shipped encoder is
not taught: at half the epochs that gained four points of recall over five held-back actors, at all of them it lost two.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
import torchaudio
from sklearn.metrics import recall_score
from torch import Tensor, nn

from hff import corruption
from hff.config import EMOTIONS, SAMPLE_RATE
from hff.detectors.vad import Segments, voiced_segments
from hff.encoders.mfcc_cnn import FRAMES_PER_SECOND, WINDOW_FRAMES, SpeechEncoder, mfcc
from hff.locale import say
from hff.media.level import normalise_level
from hff.pipeline.features import encode_speech
from hff.pipeline.time_grid import step_count
from train.corpora import emodb, ravdess
from train.corpora.base import Utterance, load_found
from train.encoders import quality
from train.engine import data_files
from train.engine.loop import Plan, TrainingError, fit
from train.engine.progress import progress

PLAN = Plan(
    epochs=120,
    learning_rate=1e-3,
    weight_decay=0.02,
    batch_size=64,
    schedule="cosine",
    average=0.995,
    patience=120,
    bf16=False,
)
COPIES = 12  # differently corrupted copies of each recording, the first untouched
TIME_MASK, COEFFICIENT_MASK = 40, 6  # frames and coefficients hidden by SpecAugment (Park et al. 2019)
MIXUP = 0.3  # Beta parameter (Zhang et al. 2018)
SPEECH_LABEL_SMOOTHING = 0.1
TAUGHT_SHARE = 0.5  # of the target that the second encoder's soft targets are, which need that much less smoothing

SOFT_TARGETS = "soft.npz"  # in the folder of the stage ``whisper``


@dataclass
class PreparedVoice:
    """One utterance, ready for training: coefficients of each variant and where the voice is."""

    coefficients: list[Tensor]  # each (N_MFCC, frames)
    voiced: list[tuple[int, int]]  # first and last voiced frame of each variant
    severity: list[float]  # of each variant's corruption
    label: int
    name: str


def variants(
    utterance: Utterance, segments: Segments, count: int, rng: np.random.Generator
) -> Iterator[tuple[np.ndarray, Segments, float]]:
    """``count`` copies of a recording at the common level, the first untouched: wave, where the voice is, severity."""
    for number in range(count):
        wave, speed = utterance.wave, 1.0
        if number:
            speed = rng.uniform(0.88, 1.14)
            wave = torchaudio.functional.resample(
                torch.from_numpy(wave), round(SAMPLE_RATE * speed / 100) * 100, SAMPLE_RATE
            ).numpy()
            speed = len(utterance.wave) / len(wave)
        severity = 0.0
        if number % 2:
            wave, severity = corrupted_wave(wave, rng)
        spans = [(a / speed, b / speed) for a, b in segments]
        yield normalise_level(wave, spans), spans, severity


def corrupted_wave(wave: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, float]:
    """The wave corrupted in a random one of the kinds of the training, and how severely."""
    severity = float(rng.uniform(0, 1))
    kinds = corruption.trained("speech")
    return kinds[str(rng.choice(list(kinds)))](wave, severity, rng), severity


def prepared_voice(utterance: Utterance, rng: np.random.Generator) -> PreparedVoice | None:
    """All variants of one recording; None where no voice is found."""
    segments = voiced_segments(utterance.wave)
    if not segments:
        return None
    coefficients, voiced, severities = [], [], []
    for wave, spans, severity in variants(utterance, segments, COPIES, rng):
        coefficients.append(mfcc(torch.from_numpy(wave)))
        voiced.append((int(spans[0][0] * FRAMES_PER_SECOND), int(spans[-1][1] * FRAMES_PER_SECOND)))
        severities.append(severity)
    return PreparedVoice(coefficients, voiced, severities, utterance.label, utterance.name)


def random_wave_window(recording: PreparedVoice, rng: np.random.Generator) -> tuple[Tensor, float]:
    """A window centred anywhere in the voiced part of a random variant (NaN outside), and its severity."""
    variant = rng.integers(len(recording.coefficients))
    x, (first, last) = recording.coefficients[variant], recording.voiced[variant]
    start = int(rng.integers(first, max(last, first + 1))) - WINDOW_FRAMES // 2
    window = torch.full((x.shape[0], WINDOW_FRAMES), float("nan"))
    a, b = max(start, 0), min(start + WINDOW_FRAMES, x.shape[1])
    window[:, a - start : b - start] = x[:, a:b]
    return window, recording.severity[variant]


def spec_augment(windows: Tensor, rng: np.random.Generator) -> Tensor:
    """Hide a stretch of time and a band of coefficients in each window (NaN, so the mean takes over)."""
    for window in windows:
        start, width = rng.integers(WINDOW_FRAMES), rng.integers(TIME_MASK)
        window[:, start : start + width] = float("nan")
        start, width = rng.integers(1, window.shape[0]), rng.integers(COEFFICIENT_MASK)
        window[start : start + width] = float("nan")
    return windows


def voiced_spans(utterance: Utterance) -> Segments:
    """Where the voice is, s; the whole recording if none was found (acted whispers)."""
    return voiced_segments(utterance.wave) or [(0.0, len(utterance.wave) / SAMPLE_RATE)]


def predict(model: SpeechEncoder, utterance: Utterance, voiced: Segments) -> np.ndarray:
    """Probabilities (C,) of a whole recording: the mean over its voiced steps, through the app's own path."""
    steps = step_count(len(utterance.wave) / SAMPLE_RATE)
    features, there = encode_speech(model, utterance.wave, voiced, steps)
    with torch.inference_mode():
        device = next(model.parameters()).device
        return model.head(features[there].to(device)).float().softmax(-1).mean(0).cpu().numpy()


def unweighted_recall(model: SpeechEncoder, utterances: list[tuple[Utterance, Segments]]) -> float:
    guess = [int(predict(model, u, voiced).argmax()) for u, voiced in utterances]
    return float(recall_score([u.label for u, _ in utterances], guess, average="macro"))


def training_targets(recordings: list[PreparedVoice], soft: Path | None = None) -> tuple[Tensor, float]:
    """Each recording's target (R,C), its label or with a file of ``soft`` targets half of each, and the smoothing.

    A recording that ``soft`` does not know keeps its label.
    """
    target = torch.eye(len(EMOTIONS))[[r.label for r in recordings]]
    if soft is None:
        return target, SPEECH_LABEL_SMOOTHING
    if not soft.exists():
        command = "python -m train whisper --teach"
        raise TrainingError(say("features.missing", folder=soft.parent, files=soft.name, command=command))
    with np.load(data_files.used("soft targets", soft)) as stored:
        by_name = dict(zip(stored["name"].tolist(), torch.from_numpy(stored["probabilities"]), strict=True))
    taught = torch.stack([by_name.get(r.name, row) for r, row in zip(recordings, target, strict=True)])
    return (1 - TAUGHT_SHARE) * target + TAUGHT_SHARE * taught, (1 - TAUGHT_SHARE) * SPEECH_LABEL_SMOOTHING


def train(data: Path, out: Path, device: torch.device, plan: Plan = PLAN, taught: bool = False) -> dict[str, float]:
    """Train in ``out / "speech"``; ``taught``: by the soft targets in ``out / "whisper"`` too."""
    utterances = ravdess.load(data) + load_found((emodb,), data, none_will_do=True)
    rng = np.random.default_rng(plan.seed)
    wanted = [u for u in utterances if u.split == "train"]
    training = [r for u in progress(wanted, "speech: preparing") if (r := prepared_voice(u, rng)) is not None]
    held = [(u, voiced_spans(u)) for u in utterances if u.split == "validation"]
    print(f"speech: {len(training)} training recordings, {len(held)} for validation, seed {plan.seed}", flush=True)
    torch.manual_seed(plan.seed)
    model = quality.add_head(SpeechEncoder(len(EMOTIONS)))
    everything = torch.cat([x for r in training for x in r.coefficients], dim=1)
    model.mean.copy_(everything.mean(1, keepdim=True))
    model.std.copy_(everything.std(1, keepdim=True))
    counts = np.bincount([r.label for r in training], minlength=len(EMOTIONS))
    weights = np.array([1 / np.sqrt(counts[r.label]) for r in training])
    target_of, smoothing = training_targets(training, out / "whisper" / SOFT_TARGETS if taught else None)
    count = max(1, len(training) // plan.batch_size)

    def batches(epoch: int):
        rng = np.random.default_rng([plan.seed, epoch])
        for _ in range(count):
            part = rng.choice(len(training), plan.batch_size, p=weights / weights.sum())
            windows, severity = zip(*(random_wave_window(training[i], rng) for i in part), strict=True)
            yield (
                spec_augment(torch.stack(windows), rng).to(device),
                target_of[part].to(device),
                torch.tensor(severity, device=device),
                float(rng.beta(MIXUP, MIXUP)),
            )

    def loss(model: SpeechEncoder, batch: tuple[Tensor, Tensor, Tensor, float]) -> Tensor:
        windows, target, severity, share = batch
        # Mixed after normalisation: there NaN has become the training mean.
        windows = torch.nan_to_num((windows - model.mean) / model.std) * model.std + model.mean
        mixed = share * windows + (1 - share) * windows.flip(0)
        goal = share * target + (1 - share) * target.flip(0)
        mixed_severity = share * severity + (1 - share) * severity.flip(0)
        features = model.features(mixed)
        emotion = nn.functional.cross_entropy(
            model.head(features).float(), goal, label_smoothing=smoothing, reduction="none"
        )
        return quality.emotion_and_quality(model, features, emotion, mixed_severity)

    def validate(model: SpeechEncoder) -> dict[str, float]:
        return {"score": unweighted_recall(model, held)}

    return fit(model, batches, count, loss, validate, plan, out / "speech", device)
