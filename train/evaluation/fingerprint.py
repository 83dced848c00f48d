"""What a set of weights answers to a few made-up inputs: ``python -m train fingerprint --out DIR``.

Writes ``fingerprint.json`` beside the weights in ``DIR/weights`` (``--out .`` for the shipped ones). Anybody can make
the inputs, without a corpus: humming voices, sentences, drawn faces. So a test can tell whether the weights, and the
code around them, still answer as when their figures (``metrics.json``) were measured.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import torch
from torch import Tensor

from hff.config import EMOTIONS, FACE_SIZE, MODALITIES, SAMPLE_RATE, SPEECH_ENCODERS, STEP_SECONDS
from hff.model.hff import HFF
from hff.pipeline import analyzer
from hff.pipeline.features import Encoders, encode_speech, encode_text, encode_vision
from hff.result import FaceSeen, Transcript
from train.engine.provenance import tensors_digest
from train.engine.whole_files import write_whole

COMMAND = "python -m train fingerprint --out DIR"
STEPS = 4  # of each clip
DIGITS = 5
MADE_UP_SENTENCES = (
    "The train leaves at nine from platform two.",
    "I am so happy that you came, what a wonderful day!",
    "She is gone and I cannot stop crying.",
    "Stop that at once, I have had enough of your lies!",
    "There is somebody in the dark, I am scared.",
    "That is revolting, the milk has gone sour.",
    "Wow, I never expected that, you are here!",
)


@dataclass
class MadeUpClip:
    """A made-up clip of ``STEPS`` steps."""

    wave: np.ndarray  # (N,) float32, 16 kHz mono
    sentence: str
    face: np.ndarray  # (48,48) uint8


def clips() -> list[MadeUpClip]:
    """As many as there are sentences, all different."""
    return [MadeUpClip(voice(n), sentence, face(n)) for n, sentence in enumerate(MADE_UP_SENTENCES)]


def voice(number: int) -> np.ndarray:
    """A hum with the overtones of a vowel, its pitch and loudness moving in syllables."""
    t = np.arange(round(STEPS * STEP_SECONDS * SAMPLE_RATE)) / SAMPLE_RATE
    pitch = (110 + 25 * number) * (1 + 0.15 * np.sin(2 * np.pi * (0.5 + 0.2 * number) * t))
    phase = 2 * np.pi * np.cumsum(pitch) / SAMPLE_RATE
    formants = (500 + 60 * number, 1500 - 90 * number, 2500)  # Hz
    wave = np.zeros_like(t)
    for overtone in range(1, 25):
        level = sum(np.exp(-(((overtone * pitch - f) / 150) ** 2)) for f in formants) + 0.05
        wave += level * np.sin(overtone * phase) * (overtone * pitch < SAMPLE_RATE / 2)
    wave *= 0.55 + 0.45 * np.sin(2 * np.pi * (2 + 0.5 * number) * t)
    noise = np.random.default_rng(number).normal(0, 0.01, len(t))
    return (0.3 * wave / np.abs(wave).max() + noise).astype(np.float32)


def face(number: int) -> np.ndarray:
    """A drawn face: brows, eyes and mouth move with ``number``."""
    scale, bend = 8, number - 3  # drawn large, so that edges are smooth
    picture = np.full((FACE_SIZE * scale,) * 2, 60 + 10 * number, np.uint8)

    def ellipse(x: float, y: float, wide: float, high: float, grey: int, start: int = 0, end: int = 360) -> None:
        centre, axes = (round(x * scale), round(y * scale)), (round(wide * scale), round(high * scale))
        thick = -1 if (start, end) == (0, 360) else scale
        cv2.ellipse(picture, centre, axes, 0, start, end, grey, thick)

    ellipse(24, 25, 19, 23, 190)
    for side in (-1, 1):
        ellipse(24 + 8 * side, 20, 3.5, 1 + 0.4 * number, 40)
        brow = [(24 + x * side, 14 + 0.5 * bend * (x - 8) / 4) for x in (4, 12)]
        start, end = (tuple(round(c * scale) for c in point) for point in brow)
        cv2.line(picture, start, end, 50, scale)
    ellipse(24, 35 - bend, 8, abs(bend) + 1, 45, *((0, 180) if bend > 0 else (180, 359)))
    small = cv2.resize(picture, (FACE_SIZE, FACE_SIZE), interpolation=cv2.INTER_AREA)
    return np.clip(small + np.random.default_rng(number).normal(0, 3, small.shape), 0, 255).astype(np.uint8)


def encode(encoders: Encoders, clip: MadeUpClip) -> dict[str, Tensor]:
    """The features (1,T,d) of each modality, all present."""
    seconds = STEPS * STEP_SECONDS
    seen = [FaceSeen((step + 0.5) * STEP_SECONDS, (0, 0, 1, 1), 1.0, clip.face) for step in range(STEPS)]
    encoded = (
        encode_speech(encoders.speech, clip.wave, [(0.0, seconds)], STEPS),
        encode_text(encoders.text, Transcript(clip.sentence), STEPS),
        encode_vision(encoders.vision, seen, STEPS),
    )
    return {name: features[None] for name, (features, _) in zip(MODALITIES, encoded, strict=True)}


@torch.inference_mode()
def answers(encoders: Encoders, model: HFF, clip: MadeUpClip) -> dict[str, list[float]]:
    """Probabilities of each encoder's own head and of the fusion, clip means of alpha and sigma^2."""
    device = encoders.device
    features = {name: value.to(device) for name, value in encode(encoders, clip).items()}
    found = {name: getattr(encoders, name).head(features[name][0]).float().softmax(-1).mean(0) for name in MODALITIES}
    present = torch.ones(1, STEPS, len(MODALITIES), dtype=torch.bool, device=device)
    output = model(**features, present=present, with_attention=False)
    found |= {"fusion": output.probabilities[0], "alpha": output.alpha[0].mean(0)}
    found["variance"] = output.variance[0].mean(0)
    return {name: [round(float(x), DIGITS) for x in value] for name, value in found.items()}


def _models(folder: Path, device: torch.device) -> Iterator[tuple[str, analyzer.Analyzer]]:
    """The model with each speech encoder that lies in ``folder`` (``speech-NAME`` beside ``fusion-NAME``)."""
    for path in sorted(folder.glob("speech*.safetensors")):
        name = path.stem.removeprefix("speech")
        if (folder / f"fusion{name}.safetensors").is_file():
            yield path.stem, analyzer.Analyzer(str(device), folder, name.removeprefix("-") or SPEECH_ENCODERS[0])


def measure(folder: Path, device: torch.device) -> dict:
    """All that ``fingerprint.json`` holds."""
    return {
        "generated_by": COMMAND,
        "labels": list(EMOTIONS),
        "weights": {path.name: tensors_digest(path) for path in sorted(folder.glob("*.safetensors"))},
        "metrics": hashlib.sha256((folder / "metrics.json").read_bytes()).hexdigest(),
        "answers": _answers(folder, device),
    }


def _answers(folder: Path, device: torch.device) -> dict[str, list[dict[str, list[float]]]]:
    """What each set of weights answers."""
    made = clips()
    return {
        encoder: [answers(model.encoders, model.model, clip) for clip in made]
        for encoder, model in _models(folder, device)
    }


def run(out: Path, device: torch.device) -> dict:
    """The stage ``fingerprint``."""
    path = out / "weights" / "fingerprint.json"
    found = measure(path.parent, device)
    write_whole(path, json.dumps(found, indent=1) + "\n")
    return {encoder: f"{len(each)} clips" for encoder, each in found["answers"].items()}
