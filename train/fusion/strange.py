"""Features of what nothing was trained on, cached: a classroom's corruption, strangers' voices, and what is no speech.

``python -m train strange --data DIR --out DIR [--speech-encoder whisper]``; through the app's own path, as
``train.fusion.feature_files``. Beside the cached features lie
    {modality}-field-{validation,test}.safetensors  clean items (variant 0), each kind of ``field_corruption``
                                                    (1, ...), in the layout of ``feature_files``
    {modality}-strange-{validation,test}.safetensors  GROUP/features (N,T,d), GROUP/there (N,T), GROUP/label (N,), -1
                                                    where there is none: other languages, music, drawings, no faces
Speakers, sentences and pictures of the two halves differ.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from hff import weights
from hff.config import SPEECH_ENCODERS
from hff.errors import HFFError
from hff.locale import say
from hff.pipeline.analyzer import load_encoders
from train.engine import data_files, provenance
from train.fusion.feature_files import folder_of
from train.fusion.field_features import FIELD_CORRUPTED
from train.fusion.strange_features import STRANGE, Group
from train.fusion.strange_inputs import STRANGE_HALVES


def make(data: Path, out: Path, device: torch.device, seed: int = 0, speech_encoder: str = SPEECH_ENCODERS[0]) -> None:
    """Write every file that is not there yet, beside the cached features."""
    encoders = load_encoders(out / "weights", device, speech_encoder)
    folder = folder_of(out, speech_encoder)
    folder.mkdir(parents=True, exist_ok=True)
    provenance.check_provenance(folder, {m: weights.part_path(out / "weights", m, speech_encoder) for m in STRANGE})
    for number, half in enumerate(STRANGE_HALVES):
        for kind, builders in (("strange", STRANGE), ("field", FIELD_CORRUPTED)):
            for modality, build in builders.items():
                path = folder / f"{modality}-{kind}-{half}.safetensors"
                if not path.exists():
                    print(f"strange: {path.stem}", flush=True)
                    stored = build(encoders, data, half, np.random.default_rng([seed, number, 77]))
                    part = path.with_suffix(".part")  # so that a kill while writing leaves nothing that looks finished
                    save_file({name: _small(value) for name, value in stored.items()}, part)
                    part.replace(path)


def _small(value: Tensor) -> Tensor:
    return (value.half() if value.is_floating_point() and value.dim() > 2 else value).contiguous()


def load(folder: Path, modality: str, half: str) -> dict[str, Group]:
    """The strange groups by name, features as float32."""
    path = folder / f"{modality}-strange-{half}.safetensors"
    if not path.exists():
        command = "python -m train strange --data DIR --out DIR"
        raise HFFError(say("features.missing", folder=folder, files=path.name, command=command))
    stored = load_file(data_files.used("features", path))
    groups: dict[str, Group] = {}
    for key, value in stored.items():
        name, part = key.rsplit("/", 1)
        groups.setdefault(name, {})[part] = value.float() if part == "features" else value
    return groups
