"""Damage to a recording's raw material - sound, words, faces - as a person would hear, read and see it.

The kinds are those of ``hff.corruption``, trained on or not, and two that only exist over time: a microphone
that goes off and a picture that stands still.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np

from hff import corruption
from hff.result import FaceSeen, Transcript, Word

SWITCHED_OFF = "switched off"
FREEZE = "freeze"


def switched_off(wave: np.ndarray, severity: float, rng: np.random.Generator) -> np.ndarray:
    """The microphone goes off: the last ``severity`` share of the sound is silence."""
    damaged = wave.copy()
    damaged[len(wave) - round(severity * len(wave)) :] = 0
    return damaged


KINDS: dict[str, tuple[str, ...]] = {
    "speech": (*corruption.SPEECH, *corruption.UNSEEN["speech"], SWITCHED_OFF),
    "text": (*corruption.TEXT, *corruption.UNSEEN["text"]),
    "vision": (*corruption.FACE, *corruption.UNSEEN["vision"], FREEZE),
}
_WAVE: dict[str, Callable] = corruption.SPEECH | corruption.UNSEEN["speech"] | {SWITCHED_OFF: switched_off}
_WORDS: dict[str, Callable] = corruption.TEXT | corruption.UNSEEN["text"]
_FACE: dict[str, Callable] = corruption.FACE | corruption.UNSEEN["vision"]


def is_trained(modality: str, kind: str) -> bool:
    """Whether the model met this kind of damage while it was trained."""
    trained = {"speech": corruption.SPEECH, "text": corruption.TEXT, "vision": corruption.FACE}
    return kind in trained[modality]


def damage_wave(wave: np.ndarray, kind: str, severity: float, seed: int = 0) -> np.ndarray:
    """(N,) float32 at 16 kHz -> the same, damaged."""
    if severity <= 0 or not len(wave):
        return wave
    return np.asarray(_WAVE[kind](wave, severity, np.random.default_rng(seed)), np.float32)


def damage_transcript(transcript: Transcript, kind: str, severity: float, seed: int = 0) -> Transcript:
    """Each word is damaged where it stands, so that timed words keep their times."""
    if severity <= 0:
        return transcript
    rng = np.random.default_rng(seed)
    if not transcript.words:
        return replace(transcript, text=_WORDS[kind](transcript.text, severity, rng))
    damaged = (replace(word, text=_WORDS[kind](word.text, severity, rng)) for word in transcript.words)
    words: list[Word] = [word for word in damaged if word.text]
    return replace(transcript, words=words, text=" ".join(word.text for word in words))


def damage_faces(faces: Sequence[FaceSeen], kind: str, severity: float, seed: int = 0) -> list[FaceSeen]:
    """The same random draw for every frame: a hand stays where it is, and does not jump about."""
    if severity <= 0:
        return list(faces)
    if kind == FREEZE:
        return freeze(faces, severity)
    return [replace(face, crop=_FACE[kind](face.crop, severity, np.random.default_rng(seed))) for face in faces]


def freeze(faces: Sequence[FaceSeen], severity: float) -> list[FaceSeen]:
    """The picture stands still for the last ``severity`` share of the frames; at 1 from the first on."""
    moving = max(1, len(faces) - round(severity * len(faces)))
    return [face if i < moving else replace(face, crop=faces[moving - 1].crop) for i, face in enumerate(faces)]
