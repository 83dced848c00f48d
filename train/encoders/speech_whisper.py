"""The second speech encoder's training: a small network on the states of Whisper's encoder, which stay as they are.

``python -m train whisper --data DIR --out DIR`` ; some minutes for the states, which are kept under ``OUT/whisper``,
then a second an epoch. Recordings, splits and damage are those of ``train.encoders.speech``.

``--teach`` also writes ``OUT/whisper/soft.npz``, for teaching the paper's encoder (Hinton et al. 2015, arXiv
1503.02531; ``speech``): for every training recording the probabilities that a network trained on other speakers
gives it.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import load_file, save_file
from sklearn.metrics import recall_score
from torch import Tensor, nn

from hff.config import EMOTIONS, SAMPLE_RATE
from hff.encoders.whisper import WINDOW_SAMPLES, WhisperEncoder, encoder_states, statistics, step_waves
from hff.media.level import normalise_level
from hff.pipeline.features import step_count, voiced_steps
from train.corpora import emodb, ravdess
from train.corpora.base import Utterance
from train.encoders import quality
from train.encoders.speech import MIXUP, SOFT_TARGETS, SPEECH_LABEL_SMOOTHING, Voiced, variants, voices
from train.engine import parallel
from train.engine.loop import Plan, fit

PLAN = Plan(
    epochs=40, learning_rate=1e-3, weight_decay=0.05, batch_size=64, schedule="cosine", average=0.99, patience=40,
    bf16=False,
)  # fmt: skip
ROUNDS = 3  # times that every training recording is heard: untouched, damaged, and at another speed
WINDOWS_AT_ONCE = 16  # windows that Whisper hears at once
TEACHER_FOLDS = 5  # of the training speakers, for soft targets

Window = tuple[int, float, Tensor]  # number of the recording, severity of its damage, (WINDOW_SAMPLES,)


@dataclass
class Heard:
    """What Whisper made of N windows."""

    values: Tensor  # (N, 2 * STATE_DIM), statistics of the states
    recording: Tensor  # (N,) int64
    severity: Tensor  # (N,)

    def subset(self, keep: Tensor) -> Heard:
        return Heard(self.values[keep], self.recording[keep], self.severity[keep])


def window_at(wave: np.ndarray, middle: int) -> Tensor:
    """(WINDOW_SAMPLES,) around a sample of ``wave``; NaN outside."""
    window = torch.full((WINDOW_SAMPLES,), float("nan"))
    start = middle - WINDOW_SAMPLES // 2
    first, last = max(start, 0), min(start + WINDOW_SAMPLES, len(wave))
    window[first - start : last - start] = torch.from_numpy(wave[first:last])
    return window


def random_windows(recordings: list[tuple[Utterance, Voiced]], seed: list[int]) -> Iterator[Window]:
    """Three windows of each recording, centred anywhere in its voice: untouched, damaged, at another speed."""
    for number, (utterance, voiced) in enumerate(recordings):
        rng = np.random.default_rng([*seed, number])
        for wave, spans, severity in variants(utterance, voiced, 3, rng):
            first, last = int(spans[0][0] * SAMPLE_RATE), int(spans[-1][1] * SAMPLE_RATE)
            yield number, severity, window_at(wave, int(rng.integers(first, max(last, first + 1))))


def step_windows(recordings: list[tuple[Utterance, Voiced]]) -> Iterator[Window]:
    """The window of every step with a voice, as the app hears them."""
    for number, (utterance, voiced) in enumerate(recordings):
        steps = step_count(len(utterance.wave) / SAMPLE_RATE)
        windows = step_waves(torch.from_numpy(normalise_level(utterance.wave, voiced)), steps)
        for step in np.flatnonzero(voiced_steps(voiced, steps)):
            yield number, 0.0, windows[step]


def hear(path: Path, windows: Callable[[], Iterator[Window]]) -> Heard:
    """The windows' statistics, from ``path`` if they were computed before."""
    if not path.exists():
        numbers, severities, values, waiting = [], [], [], []
        for number, severity, window in windows():
            if number % 100 == 0 and number not in numbers:
                print(f"whisper: {path.stem} from recording {number}", flush=True)
            numbers.append(number)
            severities.append(severity)
            waiting.append(window)
            if len(waiting) == WINDOWS_AT_ONCE:
                values.append(statistics(encoder_states(torch.stack(waiting))))
                waiting.clear()
        if waiting:
            values.append(statistics(encoder_states(torch.stack(waiting))))
        path.parent.mkdir(parents=True, exist_ok=True)
        part = path.with_suffix(".part")  # so that a kill while writing leaves nothing that looks finished
        save_file(
            {"values": torch.cat(values), "recording": torch.tensor(numbers), "severity": torch.tensor(severities)},
            part,
        )
        part.replace(path)
    return Heard(**load_file(path))


def new_model(heard: Heard, seed: int) -> WhisperEncoder:
    """An untrained encoder, normalised by what it will learn from."""
    torch.manual_seed(seed)
    model = quality.add_head(WhisperEncoder(len(EMOTIONS)))
    model.mean.copy_(heard.values.mean(0))
    model.std.copy_(heard.values.std(0).clamp_min(1e-4))
    return model


Batch = tuple[Tensor, Tensor, Tensor, float]  # statistics (B, ...), target (B,C), severity (B,), share of mixup


def batches_of(heard: Heard, labels: Tensor, plan: Plan, device: torch.device) -> Callable[[int], Iterator[Batch]]:
    """Batches of random windows, rarer emotions a little more often; ``labels`` (R,) of the recordings."""
    label = labels[heard.recording]
    weights = (1 / torch.bincount(label, minlength=len(EMOTIONS)).clamp_min(1).sqrt())[label].double().numpy()
    target = torch.eye(len(EMOTIONS))[label]

    def batches(epoch: int) -> Iterator[Batch]:
        rng = np.random.default_rng([plan.seed, epoch])
        for _ in range(batches_per_epoch(heard, plan)):
            part = torch.from_numpy(rng.choice(len(label), plan.batch_size, p=weights / weights.sum()))
            tensors = (heard.values[part], target[part], heard.severity[part])
            yield *(x.to(device) for x in tensors), float(rng.beta(MIXUP, MIXUP))

    return batches


def batches_per_epoch(heard: Heard, plan: Plan) -> int:
    return max(1, len(heard.values) // plan.batch_size)


def loss(model: WhisperEncoder, batch: Batch) -> Tensor:
    """The emotion, and the severity of the damage, of windows mixed in pairs."""
    values, target, severity, share = batch
    values, goal, damage = (share * x + (1 - share) * x.flip(0) for x in (values, target, severity))
    features = model.features_of(values)
    emotion = nn.functional.cross_entropy(
        model.head(features).float(), goal, label_smoothing=SPEECH_LABEL_SMOOTHING, reduction="none"
    )
    return quality.emotion_and_quality(model, features, emotion, damage)


@torch.inference_mode()
def predict(model: WhisperEncoder, heard: Heard, count: int) -> Tensor:
    """Probabilities (``count``, C) of whole recordings: the mean over each one's windows; NaN for those without."""
    device = next(model.parameters()).device
    p = model.head(model.features_of(heard.values.to(device))).float().softmax(-1).cpu()
    sums = torch.zeros(count, p.shape[1]).index_add_(0, heard.recording, p)
    return sums / torch.bincount(heard.recording, minlength=count)[:, None]


def recall(model: WhisperEncoder, heard: Heard, labels: Tensor) -> float:
    """Unweighted recall over recordings, ``labels`` (R,)."""
    guess = predict(model, heard, len(labels)).argmax(1)
    return float(recall_score(labels, guess, average="macro"))


def with_voices(utterances: list[Utterance]) -> list[tuple[Utterance, Voiced]]:
    return [(utterance, voices(utterance)) for utterance in utterances]


def all_rounds(utterances: list[Utterance], folder: Path, seed: int) -> Heard:
    """Every round of windows from the training recordings."""
    paths = [folder / f"states-{seed}-{number}.safetensors" for number in range(ROUNDS)]
    recordings = [] if all(path.exists() for path in paths) else with_voices(utterances)
    rounds = [hear(path, partial(random_windows, recordings, [seed, n])) for n, path in enumerate(paths)]
    parts = ([getattr(heard, name) for heard in rounds] for name in ("values", "recording", "severity"))
    return Heard(*(torch.cat(part) for part in parts))


def train(data: Path, out: Path, device: torch.device, plan: Plan = PLAN, teach: bool = False) -> dict[str, float]:
    """Train the encoder in ``out / "whisper"``; with ``teach``, write soft targets too. Returns the best figures."""
    folder = out / "whisper"
    everything = ravdess.load(data) + emodb.load(data)
    utterances, held = ([u for u in everything if u.split == split] for split in ("train", "validation"))

    def listen() -> tuple[Heard, Heard]:
        path = folder / "states-validation.safetensors"
        return all_rounds(utterances, folder, plan.seed), hear(path, lambda: step_windows(with_voices(held)))

    if parallel.is_main():
        listen()
    parallel.wait(device)  # the other processes read what the first has written
    heard, steps = listen()
    labels, held_labels = (torch.tensor([u.label for u in part]) for part in (utterances, held))
    print(f"whisper: {len(heard.values)} training windows, {len(held)} recordings for validation", flush=True)

    def validate(model: WhisperEncoder) -> dict[str, float]:
        return {"score": recall(model, steps, held_labels)}

    model = new_model(heard, plan.seed)
    batches, count = batches_of(heard, labels, plan, device), batches_per_epoch(heard, plan)
    best = fit(model, batches, count, loss, validate, plan, folder, device)
    if teach:
        best |= write_soft_targets(utterances, heard, plan, folder, device)
    return best


def write_soft_targets(
    utterances: list[Utterance], heard: Heard, plan: Plan, folder: Path, device: torch.device
) -> dict[str, float]:
    """``soft.npz``: name (R,), probabilities (R,C) and label (R,) of all training recordings, each of them
    from a network that has not met its speaker. Returns their unweighted recall.
    """
    labels = torch.tensor([u.label for u in utterances])
    speakers = sorted({u.speaker for u in utterances})
    fold = torch.tensor([speakers.index(u.speaker) % TEACHER_FOLDS for u in utterances])
    clean = heard.severity == 0
    probabilities = torch.zeros(len(utterances), len(EMOTIONS))
    for number in range(TEACHER_FOLDS):
        own = fold[heard.recording] == number
        if not own.any():
            continue
        part = heard.subset(~own)
        model = new_model(part, plan.seed)
        # Nobody is there to choose an epoch by, so the later the better.
        batches, count = batches_of(part, labels, plan, device), batches_per_epoch(part, plan)
        fit(model, batches, count, loss, lambda _: {"score": time.time()}, plan, folder / f"fold-{number}", device)
        mine = (fold == number).nonzero().squeeze(1)
        probabilities[mine] = predict(model, heard.subset(own & clean), len(utterances))[mine]
    if parallel.is_main():
        np.savez(
            folder / SOFT_TARGETS, name=np.array([u.name for u in utterances]), probabilities=probabilities.numpy(),
            label=labels.numpy(),
        )  # fmt: skip
    return {"soft_recall": float(recall_score(labels, probabilities.argmax(1), average="macro"))}
