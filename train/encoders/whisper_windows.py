"""Windows of recordings and what Whisper's layers make of them, which the second speech encoder learns from.

A recording is heard in ``versions``: untouched, and as from another room, microphone or line. What the layers make of
the windows is computed once and kept in a file.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from hff.config import SAMPLE_RATE
from hff.detectors.vad import Segments
from hff.encoders.mfcc_cnn import WINDOW_FRAMES, step_windows
from hff.encoders.whisper import WHISPER_MELS, WhisperEncoder, log_mel
from hff.media.level import normalise_level
from hff.pipeline.time_grid import step_count, voiced_steps
from train.corpora.base import Utterance
from train.encoders import voice_augmentation
from train.encoders.speech import corrupted_wave, voiced_spans
from train.engine.progress import progress

CORRUPTED_WINDOW_SHARE = 0.5  # share of the changed versions that are corrupted too
CHECKED = 1  # steps of a recording that is validated on
WINDOWS_AT_ONCE = 16  # windows in one pass of the layers

Window = tuple[int, float, Tensor]  # number of the recording, severity of its corruption, (WHISPER_MELS, WINDOW_FRAMES)


@dataclass
class Heard:
    """What Whisper's layers make of N windows."""

    values: Tensor  # (N, layers, 2 * width) float16, statistics of the states
    recording: Tensor  # (N,) int64
    severity: Tensor  # (N,)
    windows: Tensor | None = None  # (N, WHISPER_MELS, WINDOW_FRAMES) float16: what they are, if kept

    def subset(self, keep: Tensor) -> Heard:
        windows = None if self.windows is None else self.windows[keep]
        return Heard(self.values[keep], self.recording[keep], self.severity[keep], windows)


def kept_windows(heard: Heard) -> Tensor:
    """The windows themselves, (N, WHISPER_MELS, WINDOW_FRAMES) float16."""
    if heard.windows is None:
        raise ValueError("these windows were heard without being kept")
    return heard.windows


def joined_windows(parts: Sequence[Heard]) -> Heard:
    """All windows as one set."""
    windows = [part.windows for part in parts if part.windows is not None]
    return Heard(
        torch.cat([part.values for part in parts]),
        torch.cat([part.recording for part in parts]),
        torch.cat([part.severity for part in parts]),
        torch.cat(windows) if len(windows) == len(parts) else None,
    )


def window_at(mel: Tensor, middle: int) -> Tensor:
    """(WHISPER_MELS, WINDOW_FRAMES) around a frame of ``mel`` (WHISPER_MELS, frames); NaN outside."""
    window = torch.full((WHISPER_MELS, WINDOW_FRAMES), float("nan"))
    start = middle - WINDOW_FRAMES // 2
    first, last = max(start, 0), min(start + WINDOW_FRAMES, mel.shape[1])
    window[:, first - start : last - start] = mel[:, first:last]
    return window


def random_mel_window(mel: Tensor, spans: Segments, seconds: float, rng: np.random.Generator) -> Tensor:
    """A window centred anywhere in the voice."""
    per_second = mel.shape[1] / seconds
    first, last = int(spans[0][0] * per_second), int(spans[-1][1] * per_second)
    return window_at(mel, int(rng.integers(first, max(last, first + 1))))


def version(utterance: Utterance, spans: Segments, number: int, seed: Sequence[int]) -> tuple[Tensor, Segments, float]:
    """Version ``number`` of a recording, 0 untouched: log-mel (WHISPER_MELS, frames), where the voice is, severity."""
    rng = np.random.default_rng([*seed, number])
    wave, severity = utterance.wave, 0.0
    if number:
        wave = voice_augmentation.another(wave, rng)
        spans = [(a * len(wave) / len(utterance.wave), b * len(wave) / len(utterance.wave)) for a, b in spans]
        if rng.random() < CORRUPTED_WINDOW_SHARE:
            wave, severity = corrupted_wave(wave, rng)
    wave = normalise_level(wave, spans)
    if number:
        wave = voice_augmentation.gain(wave, rng)
    return log_mel(torch.from_numpy(np.ascontiguousarray(wave, np.float32))), spans, severity


def random_windows(recordings: Iterable[tuple[Utterance, Segments]], number: int, seed: int) -> Iterator[Window]:
    """One window of each recording's version ``number``, centred anywhere in its voice."""
    for place, (utterance, voiced) in enumerate(recordings):
        mel, spans, severity = version(utterance, voiced, number, [seed, place])
        seconds = mel.shape[1] / 100
        yield place, severity, random_mel_window(mel, spans, seconds, np.random.default_rng([seed, place, number, 1]))


def step_windows_of(recordings: Iterable[tuple[Utterance, Segments]]) -> Iterator[Window]:
    """Windows of steps with a voice, as the app hears them: ``CHECKED`` of each recording, evenly spread."""
    for place, (utterance, voiced) in enumerate(recordings):
        steps = step_count(len(utterance.wave) / SAMPLE_RATE)
        mel = log_mel(torch.from_numpy(normalise_level(utterance.wave, voiced)))
        windows, there = step_windows(mel, steps), np.flatnonzero(voiced_steps(voiced, steps))
        spread = np.linspace(0, len(there), CHECKED + 2)[1:-1].astype(int) if len(there) > CHECKED else slice(None)
        for step in there[spread]:
            yield place, 0.0, windows[step]


@torch.inference_mode()
def hear(path: Path, model: WhisperEncoder, windows: Callable[[], Iterator[Window]], keep: bool = False) -> Heard:
    """The windows' statistics, from ``path`` if they were computed before; ``keep``: and the windows."""
    if not path.exists():
        device = next(model.parameters()).device
        numbers: list[int] = []
        severities: list[float] = []
        values: list[Tensor] = []
        kept: list[Tensor] = []
        waiting: list[Tensor] = []

        def encode() -> None:
            if waiting:
                values.append(model.statistics(torch.stack(waiting).to(device)).half().cpu())
                kept.extend(window.half() for window in waiting if keep)
                waiting.clear()

        for number, severity, window in windows():
            numbers.append(number)
            severities.append(severity)
            waiting.append(window)
            if len(waiting) == WINDOWS_AT_ONCE:
                encode()
        encode()
        found = {
            "values": torch.cat(values),
            "recording": torch.tensor(numbers),
            "severity": torch.tensor(severities),
        }
        path.parent.mkdir(parents=True, exist_ok=True)
        part = path.with_suffix(".part")  # so that a kill while writing leaves nothing that looks finished
        save_file(found | ({"windows": torch.stack(kept)} if keep else {}), part)
        part.replace(path)
    return Heard(**load_file(path))


def with_voices(utterances: list[Utterance]) -> list[tuple[Utterance, Segments]]:
    return [(utterance, voiced_spans(utterance)) for utterance in progress(utterances, "whisper: finding voices")]


@torch.inference_mode()
def again(model: WhisperEncoder, heard: Heard) -> Heard:
    """The same windows as the model's layers hear them now."""
    device = next(model.parameters()).device
    windows = kept_windows(heard).split(WINDOWS_AT_ONCE)
    parts = [model.statistics(part.float().to(device)).half().cpu() for part in windows]
    return dataclasses.replace(heard, values=torch.cat(parts))
