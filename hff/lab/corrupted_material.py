"""Corruption of a recording's raw material - sound, words, faces - as a person would hear, read and see it.

The kinds are those of ``hff.corruption``, trained on or not.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from hff import corruption
from hff.config import MODALITIES
from hff.result import FaceSeen, Transcript, Word

NO_KIND = ""  # of a modality that nothing is known to corrupt


class _Kinds(Mapping[str, tuple[str, ...]]):
    """The names of all kinds by modality, as they are registered now."""

    def __getitem__(self, modality: str) -> tuple[str, ...]:
        if modality not in MODALITIES:
            raise KeyError(modality)
        return tuple(kind.name for kind in corruption.kinds(modality)) or (NO_KIND,)

    def __iter__(self) -> Iterator[str]:
        return iter(MODALITIES)

    def __len__(self) -> int:
        return len(MODALITIES)


KINDS: Mapping[str, tuple[str, ...]] = _Kinds()


def is_trained(modality: str, kind: str) -> bool:
    """Whether the model met this kind of corruption while it was trained."""
    return kind in corruption.trained(modality)


def corrupt_wave(wave: np.ndarray, kind: str, severity: float, seed: int = 0) -> np.ndarray:
    """(N,) float32 at 16 kHz -> the same, corrupted."""
    if severity <= 0 or not len(wave):
        return wave
    return np.asarray(corruption.kind("speech", kind).apply(wave, severity, np.random.default_rng(seed)), np.float32)


def corrupt_transcript(transcript: Transcript, kind: str, severity: float, seed: int = 0) -> Transcript:
    """Each word is corrupted where it stands, so that timed words keep their times."""
    if severity <= 0:
        return transcript
    apply, rng = corruption.kind("text", kind).apply, np.random.default_rng(seed)
    if not transcript.words:
        return replace(transcript, text=apply(transcript.text, severity, rng))
    corrupted = (replace(word, text=apply(word.text, severity, rng)) for word in transcript.words)
    words: list[Word] = [word for word in corrupted if word.text]
    return replace(transcript, words=words, text=" ".join(word.text for word in words))


def corrupt_faces(faces: Sequence[FaceSeen], kind: str, severity: float, seed: int = 0) -> list[FaceSeen]:
    """The same random draw for every frame: a hand stays where it is, and does not jump about."""
    if severity <= 0:
        return list(faces)
    done = corruption.kind("vision", kind)
    if done.over_time:
        crops = done.apply([face.crop for face in faces], severity, np.random.default_rng(seed))
    else:
        crops = [done.apply(face.crop, severity, np.random.default_rng(seed)) for face in faces]
    return [replace(face, crop=crop) for face, crop in zip(faces, crops, strict=True)]


def corrupt_other(modality: str, material: Any, kind: str, severity: float, seed: int = 0) -> Any:
    """Any other modality's raw material; a kind that is not registered leaves it as it is."""
    if severity <= 0 or kind == NO_KIND:
        return material
    return corruption.kind(modality, kind).apply(material, severity, np.random.default_rng(seed))
