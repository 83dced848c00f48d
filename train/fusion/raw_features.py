"""Recordings of dialogues -> features of each utterance, by the app's own path: voice, words and the speaker's face.

Each utterance is a step: a modality's feature is the mean over the half seconds in which it is there, and what is not
there, or cannot be read, is absent. Every dialogue has a file of its own in the cache, so that a killed command goes on
where it stopped. The encoders are those that ship, frozen.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from hff import weights
from hff.config import MODALITIES, SAMPLE_RATE
from hff.detectors.faces import FaceTracker
from hff.detectors.vad import voiced_segments
from hff.errors import HFFError
from hff.media.audio import read_audio
from hff.media.video import read_frames
from hff.pipeline.analyzer import load_encoders
from hff.pipeline.features import FRAME_RATE, Encoders, encode_faces, encode_speech
from hff.pipeline.time_grid import step_count
from hff.result import FaceSeen
from train.corpora.conversation import Conversation, DialogueSet, RawDialogues, RawUtterance
from train.engine.progress import progress

SIDES = ("left", "right")


def encode_dialogues(raw: RawDialogues, cache: Path, device: torch.device) -> DialogueSet:
    """Every dialogue with the features of its utterances, from the cache where they are there."""
    cache.mkdir(parents=True, exist_ok=True)
    encoders: Encoders | None = None
    speech_encoder = weights.preferred_speech_encoder(weights.folder())
    version = _version(speech_encoder)
    splits: dict[str, list[Conversation]] = {split: [] for split in raw.splits}
    for split, dialogues in raw.splits.items():
        for said in progress(dialogues, f"{raw.name} {split}, dialogue"):
            path = cache / f"{said[0].dialogue.replace(' ', '-')}-{_digest(said, version)}.npz"
            if not path.exists():
                encoders = encoders or load_encoders(weights.folder(), device, speech_encoder)
                _write(path, encode_dialogue(encoders, said))
            splits[split].append(_conversation(said, path))
    _say_what_lacks(raw, splits)
    return DialogueSet(raw.name, raw.labels, splits, raw.published)


def _conversation(said: Sequence[RawUtterance], path: Path) -> Conversation:
    with np.load(path) as stored:
        features = {m: stored[m] for m in MODALITIES if m in stored}
    return Conversation(
        name=said[0].dialogue,
        features=features,
        labels=np.array([one.label for one in said], np.int64),
        speakers=[one.speaker for one in said],
        texts=[one.text for one in said],
        ids=[one.name for one in said],
    )


def encode_dialogue(encoders: Encoders, said: Sequence[RawUtterance]) -> dict[str, np.ndarray]:
    """By modality (T,d) float32, 0 where it is absent."""
    faces = faces_of_utterances(said)
    rows = {
        "speech": [_voice(encoders, one) for one in said],
        "text": [_words(encoders, one) for one in said],
        "vision": [_face(encoders, seen) for seen in faces],
    }
    return {m: torch.stack(x).float().cpu().numpy() for m, x in rows.items()}


def _voice(encoders: Encoders, one: RawUtterance) -> Tensor:
    try:
        wave = read_audio(one.sound)
    except HFFError as error:
        print(f"note: {one.name}: no voice ({error})", flush=True)
        return torch.zeros(encoders.speech.feature_dim)
    steps = step_count(len(wave) / SAMPLE_RATE)
    features, there = encode_speech(encoders.speech, wave, voiced_segments(wave), steps)
    return features[there].mean(0) if there.any() else torch.zeros(encoders.speech.feature_dim)


@torch.inference_mode()
def _words(encoders: Encoders, one: RawUtterance) -> Tensor:
    return encoders.text.features([one.text])[0].cpu() if one.text.strip() else torch.zeros(encoders.text.feature_dim)


def _face(encoders: Encoders, seen: list[FaceSeen]) -> Tensor:
    return encode_faces(encoders.vision, seen).mean(0) if seen else torch.zeros(encoders.vision.feature_dim)


def faces_of_utterances(said: Sequence[RawUtterance]) -> list[list[FaceSeen]]:
    """The speaker's face in the frames of each utterance; a video that several share is read once."""
    found: list[list[FaceSeen]] = [[] for _ in said]
    for video in dict.fromkeys(one.video for one in said if one.video is not None):
        own = [number for number, one in enumerate(said) if one.video == video]
        try:
            _read_faces(video, said, own, found)
        except HFFError as error:
            print(f"note: {video.name}: no face ({error})", flush=True)
    return found


def _read_faces(video: Path, said: Sequence[RawUtterance], own: list[int], found: list[list[FaceSeen]]) -> None:
    trackers = {half: FaceTracker() for half in {said[number].half for number in own}}
    for frame in read_frames(video, FRAME_RATE):
        now = [number for number in own if _is_said_at(said[number], frame.time)]
        for half in {said[number].half for number in now}:
            seen = trackers[half].update(frame.time, half_of(frame.image, half))
            if seen is not None:
                for number in now:
                    if said[number].half == half:
                        found[number].append(seen)


def _is_said_at(one: RawUtterance, time: float) -> bool:
    return one.start <= time and (one.end is None or time < one.end)


def half_of(image: np.ndarray, half: str) -> np.ndarray:
    """The left or right half of a picture (H,W,3), or all of it."""
    middle = image.shape[1] // 2
    if half not in SIDES:
        return image
    return np.ascontiguousarray(image[:, :middle] if half == "left" else image[:, middle:])


def _version(speech_encoder: str) -> str:
    """Names the weights that features are made with."""
    digest = hashlib.sha256()
    for modality in MODALITIES:
        digest.update(weights.part_path(weights.folder(), modality, speech_encoder).read_bytes())
    return digest.hexdigest()


def _digest(said: Sequence[RawUtterance], version: str) -> str:
    what = [(one.name, one.text, one.start, one.end, one.half, one.video is None) for one in said]
    return hashlib.sha256(repr((version, what)).encode()).hexdigest()[:12]


def _write(path: Path, arrays: dict[str, np.ndarray]) -> None:
    part = path.with_suffix(".part.npz")
    np.savez(part, **arrays)  # type: ignore[arg-type]
    part.replace(path)


def _say_what_lacks(raw: RawDialogues, splits: dict[str, list[Conversation]]) -> None:
    there = np.concatenate([one.present for several in splits.values() for one in several])
    for m, share in zip(MODALITIES, there.mean(0), strict=True):
        if share < 1:
            print(f"note: {raw.name}: no {m} in {100 * (1 - share):.1f} % of the utterances", flush=True)
    videos = {one.video for several in raw.splits.values() for said in several for one in said}
    if None in videos:
        print(f"note: {raw.name}: some dialogues have no video; their faces are absent", flush=True)
