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

import numpy as np
import torch
from torch import Tensor

from hff import weights
from hff.config import SPEECH_ENCODERS, STEP_SECONDS
from hff.device import same_on_every_cpu
from hff.model.hff import HFF
from hff.pipeline import analyzer
from hff.pipeline.features import Encoders, encode_speech, encode_text, encode_vision
from hff.result import FaceSeen, Transcript
from train.corpora.made_up import MADE_UP_SECONDS, face, voice
from train.engine.provenance import tensors_digest
from train.engine.whole_files import write_whole

COMMAND = "python -m train fingerprint --out DIR"
STEPS = round(MADE_UP_SECONDS / STEP_SECONDS)  # of each clip
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


def encode_made_up(encoders: Encoders, clip: MadeUpClip) -> dict[str, Tensor]:
    """The features (1,T,d) of each modality, all present."""
    seconds = STEPS * STEP_SECONDS
    seen = [FaceSeen((step + 0.5) * STEP_SECONDS, (0, 0, 1, 1), 1.0, clip.face) for step in range(STEPS)]
    encoded = {
        "speech": encode_speech(encoders.speech, clip.wave, [(0.0, seconds)], STEPS),
        "text": encode_text(encoders.text, Transcript(clip.sentence), STEPS),
        "vision": encode_vision(encoders.vision, seen, STEPS),
    }
    return {name: features[None] for name, (features, _) in encoded.items()}


@torch.inference_mode()
def fingerprint_answers(encoders: Encoders, model: HFF, clip: MadeUpClip) -> dict[str, list[float]]:
    """Probabilities of each encoder's own head and of the fusion, clip means of alpha and sigma^2."""
    device = encoders.device
    features = {name: value.to(device) for name, value in encode_made_up(encoders, clip).items()}
    found = {name: getattr(encoders, name).head(features[name][0]).float().softmax(-1).mean(0) for name in features}
    present = torch.ones(1, STEPS, len(features), dtype=torch.bool, device=device)
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


@same_on_every_cpu()
def measure(folder: Path, device: torch.device) -> dict:
    """All that ``fingerprint.json`` holds."""
    return {
        "generated_by": COMMAND,
        "labels": list(weights.stored_config(folder).labels),
        "weights": {path.name: tensors_digest(path) for path in sorted(folder.glob("*.safetensors"))},
        "metrics": hashlib.sha256((folder / weights.MEASURED_FILE).read_bytes()).hexdigest(),
        "answers": _answers(folder, device),
    }


def _answers(folder: Path, device: torch.device) -> dict[str, list[dict[str, list[float]]]]:
    """What each set of weights answers."""
    made = clips()
    return {
        encoder: [fingerprint_answers(model.encoders, model.model, clip) for clip in made]
        for encoder, model in _models(folder, device)
    }


def run(out: Path, device: torch.device) -> dict:
    """The stage ``fingerprint``."""
    path = out / "weights" / weights.FINGERPRINT_FILE
    found = measure(path.parent, device)
    write_whole(path, json.dumps(found, indent=1) + "\n")
    return {encoder: f"{len(each)} clips" for encoder, each in found["answers"].items()}
