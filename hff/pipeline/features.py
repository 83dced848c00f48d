"""The one place where a clip becomes tensors, for training and app alike.

A clip is cut into T steps of ``STEP_SECONDS``. Each modality gives a feature per step and says at which
steps it is present: a voice where voice activity was found, words where an utterance is being said (typed
text belongs to every step), a face where one was found in a frame (a still picture belongs to every step).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor

from hff import device as devices
from hff import modalities
from hff.cancel import checkpoint, out_of_time
from hff.config import MODALITIES, SAMPLE_RATE, STEP_SECONDS
from hff.encoders.bert import TextEncoder
from hff.encoders.mfcc_cnn import SPEECH_WINDOW_SECONDS, SpeechEncoder
from hff.encoders.resnet import VisionEncoder, normalise_faces, pool_frames
from hff.encoders.whisper import WhisperEncoder
from hff.media.level import level_gain
from hff.pipeline.clip_work import ClipWork
from hff.pipeline.passes import Encoded, Encoding, Pass, run_alone, run_together
from hff.pipeline.time_grid import said_most, voiced_steps
from hff.pipeline.utterances import utterances
from hff.result import FaceSeen, Transcript

FRAMES_PER_STEP = 2  # video frames looked at in each step
FRAME_RATE = FRAMES_PER_STEP / STEP_SECONDS  # Hz
MIN_WAVE_SAMPLES = 400  # one analysis window; shorter sound is padded with silence
BLOCK_STEPS = 600  # five minutes: of so many steps the windows of sound are cut at once ...
REACH_STEPS = math.ceil(SPEECH_WINDOW_SECONDS / 2 / STEP_SECONDS) + 1  # ... and this far they reach beyond
STEP_SAMPLES = round(STEP_SECONDS * SAMPLE_RATE)
INPUTS_AT_ONCE = 32  # windows, utterances or faces in one pass of an encoder, at most a second of work
INPUTS_AT_ONCE_ON_GPU = 256  # where several clips have so many

SpeechWindows = Callable[[Tensor, int, float], Tensor]  # (samples,), T, gain -> (T, ...)


@dataclass
class ClipFeatures:
    """Features on the time grid: what the fusion model takes, without the batch axis.

    The features of a whole clip lie on the encoders' GPU, if they have one, the presence always on the CPU.
    """

    speech: Tensor  # (T,128)
    text: Tensor  # (T,768)
    vision: Tensor  # (T,512)
    present: Tensor  # (T,M) bool
    more: dict[str, Tensor] = field(default_factory=dict)  # of any other modality

    @classmethod
    def of(cls, parts: Mapping[str, Encoded], steps: int) -> ClipFeatures:
        """Features (T,d) and presence (T,) of each modality; one that is left out is absent."""
        nothing = torch.zeros(steps, dtype=torch.bool)
        full = {m: parts.get(m) or (torch.zeros(steps, size), nothing) for m, size in modalities.sizes().items()}
        present = torch.stack([there for _, there in full.values()], dim=1)
        features = {m: values for m, (values, _) in full.items()}
        speech, text, vision = (features.pop(m) for m in ("speech", "text", "vision"))
        return cls(speech, text, vision, present, features)

    @property
    def steps(self) -> int:
        return len(self.present)

    def batch(self, device: torch.device) -> dict[str, Tensor]:
        """The keyword arguments of ``HFF.forward`` for a batch of this one clip."""
        given = vars(self) | self.more
        return {name: devices.to_device(given[name][None], device) for name in (*MODALITIES, "present")}


@dataclass
class Material:
    """What each modality is read from: the parts of a ``Recording`` that an encoder may look at."""

    wave: np.ndarray | None = None
    voiced: list[tuple[float, float]] = field(default_factory=list)
    transcript: Transcript | None = None
    faces: list[FaceSeen] = field(default_factory=list)
    still: bool = False
    more: Mapping[str, Any] = field(default_factory=dict)  # raw material of any other modality


class EncodesTexts(Protocol):
    """A ``TextEncoder``, or what stands in for one and remembers."""

    feature_dim: int

    def features(self, texts: list[str]) -> Tensor: ...


class Encoders:
    """The trained encoder of each modality under its name, on one device and in evaluation mode."""

    speech: SpeechEncoder | WhisperEncoder
    text: TextEncoder
    vision: VisionEncoder

    def __init__(self, *encoders: torch.nn.Module, **by_name: torch.nn.Module) -> None:
        """In the order of ``MODALITIES``, or by name."""
        vars(self).update(dict(zip(MODALITIES, encoders, strict=False)) | by_name)

    @property
    def device(self) -> torch.device:
        return next(self.vision.parameters()).device


def speech_windows(
    wave: np.ndarray,
    gain: float,
    steps: int,
    cut: SpeechWindows = SpeechEncoder.windows,
    device: torch.device = devices.CPU,
) -> Tensor:
    """16 kHz mono -> the windows (T, ...) of ``gain`` times it that an encoder takes, as its own ``windows`` cuts them.

    gain: brings the whole clip to the common level, ``hff.media.level.level_gain``. device: where they are made.
    """
    if len(wave) < MIN_WAVE_SAMPLES:  # padding copies, and an hour of sound is 230 MB
        wave = np.pad(wave, (0, MIN_WAVE_SAMPLES - len(wave)))
    return cut(devices.to_device(torch.from_numpy(np.ascontiguousarray(wave, np.float32)), device), steps, gain)


def encode_speech(
    encoder: SpeechEncoder | WhisperEncoder,
    wave: np.ndarray,
    voiced: list[tuple[float, float]],
    steps: int,
    wanted: np.ndarray | None = None,
) -> Encoded:
    """Features (T,128) and presence (T,), on the CPU; steps without a voice are not computed and stay 0.

    ``wanted`` (T,) bool leaves out the features, not the presence, of steps whose features are known already. Steps
    that are not reached before the budget in force is used up (``hff.cancel``) are absent.
    """
    return _on_cpu(run_alone(_speech(encoder, wave, voiced, steps, wanted)))


def _speech(
    encoder: SpeechEncoder | WhisperEncoder,
    wave: np.ndarray,
    voiced: list[tuple[float, float]],
    steps: int,
    wanted: np.ndarray | None = None,
) -> Encoding:
    there = torch.from_numpy(voiced_steps(voiced, steps))
    computed = there if wanted is None else there & torch.from_numpy(wanted)
    home = devices.keeps(_device(encoder))
    features = torch.zeros(steps, encoder.feature_dim, device=home)
    if not computed.any():
        return features, there
    gain = level_gain(wave, voiced)
    for begin in range(0, steps, BLOCK_STEPS):
        end = min(begin + BLOCK_STEPS, steps)
        if not computed[begin:end].any():
            continue
        # A block with the sound around it that its windows reach into: what is made of two hours would not fit.
        before, after = max(0, begin - REACH_STEPS), min(end + REACH_STEPS, steps)
        sound = wave[before * STEP_SAMPLES : None if after == steps else after * STEP_SAMPLES]
        windows = speech_windows(sound, gain, after - before, encoder.windows, home)
        # Indexing part by part: the windows overlap, and copies of all of them would be many times the clip.
        for part in computed[begin:end].nonzero().squeeze(1).split(INPUTS_AT_ONCE):
            if out_of_time():
                there[begin + part[0] :] = False
                return features, there
            features[begin + part] = yield Pass(_features_of, encoder, windows[begin - before + part])
    return features, there


def encode_text(encoder: EncodesTexts, transcript: Transcript | None, steps: int) -> Encoded:
    """Features (T,768) and presence (T,), on the CPU: the utterance being said at each step, or typed text at all."""
    return _on_cpu(run_alone(_text(encoder, transcript, steps)))


def _text(encoder: EncodesTexts, transcript: Transcript | None, steps: int) -> Encoding:
    there = torch.zeros(steps, dtype=torch.bool)
    if transcript is None or not transcript.text.strip():
        return torch.zeros(steps, encoder.feature_dim), there
    if not transcript.words:
        of_text = yield Pass(_features_of_texts, encoder, [transcript.text])
        return of_text.repeat(steps, 1), ~there
    said = utterances(transcript.words)
    which = said_most(said, steps)
    there = torch.from_numpy(which >= 0)
    parts = []
    for first in range(0, len(said), INPUTS_AT_ONCE):
        part = [one.text for one in said[first : first + INPUTS_AT_ONCE]]
        parts.append((yield Pass(_features_of_texts, encoder, part)))
    vectors = torch.cat(parts)
    features = vectors.new_zeros(steps, encoder.feature_dim)
    features[there] = vectors[torch.from_numpy(which)[there]]
    return features, there


def encode_vision(encoder: VisionEncoder, faces: list[FaceSeen], steps: int, still: bool = False) -> Encoded:
    """Features (T,512) and presence (T,), on the CPU; a ``still`` picture's face is there at every step.

    Faces that are not reached before the budget in force is used up (``hff.cancel``) are absent.
    """
    return _on_cpu(run_alone(_vision(encoder, faces, steps, still)))


def _vision(encoder: VisionEncoder, faces: list[FaceSeen], steps: int, still: bool) -> Encoding:
    if not faces:
        return torch.zeros(steps, encoder.feature_dim), torch.zeros(steps, dtype=torch.bool)
    features = yield from _faces(encoder, faces)
    if still:
        return features.mean(0).expand(steps, -1).clone(), torch.ones(steps, dtype=torch.bool)
    return place_faces(features, [face.time for face in faces[: len(features)]], steps)


def encode_faces(encoder: VisionEncoder, faces: list[FaceSeen]) -> Tensor:
    """Features (N,512), on the CPU, of N >= 1 faces; a face on a picture that stays, the very same array, is encoded
    once.

    Of many, those come that are reached before the budget in force is used up, the first batch in any case.
    """
    return run_alone(_faces(encoder, faces)).cpu()


def _faces(encoder: VisionEncoder, faces: list[FaceSeen]) -> Encoding:
    row = {id(crop): i for i, crop in reversed(list(enumerate(face.crop for face in faces)))}
    first = sorted(row.values())
    crops = [faces[i].crop for i in first]
    parts: list[Tensor] = []
    # Part by part: an hour's faces as float32, and the copies on the way there, would take 400 MB.
    for start in range(0, len(crops), INPUTS_AT_ONCE):
        if out_of_time() and parts:
            break
        part = torch.from_numpy(np.stack(crops[start : start + INPUTS_AT_ONCE]))
        parts.append((yield Pass(_features_of_faces, encoder, part)))
    features = torch.cat(parts)
    place = {i: n for n, i in enumerate(first[: len(features)])}
    known = [place.get(row[id(face.crop)]) for face in faces]
    known = known[: known.index(None)] if None in known else known
    return features[torch.tensor(known)]


def place_faces(features: Tensor, times: list[float], steps: int) -> tuple[Tensor, Tensor]:
    """Features (N,512) of faces seen at ``times``, s, averaged per step: (T,512) and presence (T,)."""
    step = torch.tensor([min(steps - 1, int(time / STEP_SECONDS)) for time in times])
    there = torch.zeros(steps, dtype=torch.bool)
    there[step] = True
    return pool_frames(features, step.to(features.device), steps)[0], there


def encode(
    encoders: Encoders,
    steps: int,
    *,
    wave: np.ndarray | None = None,
    voiced: list[tuple[float, float]] | None = None,
    transcript: Transcript | None = None,
    faces: list[FaceSeen] | None = None,
    still: bool = False,
    more: Mapping[str, Any] | None = None,
) -> ClipFeatures:
    """Raw material on a grid of ``steps`` -> features. Whatever is left out is absent."""
    material = Material(wave, voiced or [], transcript, faces or [], still, more or {})
    return ClipFeatures.of({m: encode_one(encoders, m, material, steps) for m in MODALITIES}, steps)


def encode_clips(
    encoders: Encoders, clips: Sequence[tuple[Material, int]], works: Sequence[ClipWork]
) -> list[ClipFeatures]:
    """As ``encode`` of each, the raw material and the steps of one clip; through an encoder they go together.

    works: that of each clip, see ``hff.pipeline.passes.run_together``.
    """
    parts: list[dict[str, Encoded]] = [{} for _ in clips]
    for m in MODALITIES:
        encoded = run_together([_encoding(encoders, m, material, steps) for material, steps in clips], works)
        for part, made in zip(parts, encoded, strict=True):
            part[m] = made
    return [ClipFeatures.of(part, steps) for part, (_, steps) in zip(parts, clips, strict=True)]


def encode_one(encoders: Encoders, modality: str, material: Material, steps: int) -> Encoded:
    """One modality of the raw material, as its record says; absent where there is no encoder for it."""
    return run_alone(_encoding(encoders, modality, material, steps))


def _encoding(encoders: Encoders, modality: str, material: Material, steps: int) -> Encoding:
    record = modalities.of(modality)
    if not hasattr(encoders, modality):
        return torch.zeros(steps, record.size), torch.zeros(steps, dtype=torch.bool)
    made = modalities.imported(record.encode)(getattr(encoders, modality), material, steps)
    return (yield from made) if isinstance(made, Generator) else made


def speech_of(encoder: SpeechEncoder | WhisperEncoder, material: Material, steps: int) -> Encoding:
    wave = np.zeros(0, np.float32) if material.wave is None else material.wave
    return _speech(encoder, wave, material.voiced, steps)


def text_of(encoder: EncodesTexts, material: Material, steps: int) -> Encoding:
    return _text(encoder, material.transcript, steps)


def vision_of(encoder: VisionEncoder, material: Material, steps: int) -> Encoding:
    return _vision(encoder, material.faces, steps, material.still)


def _features_of(encoder: SpeechEncoder | WhisperEncoder, windows: Tensor) -> Tensor:
    return _in_batches(encoder.features, windows)


def _features_of_texts(encoder: EncodesTexts, texts: list[str]) -> Tensor:
    order = list(range(len(texts)))
    if len(order) > INPUTS_AT_ONCE:
        order.sort(key=lambda i: len(texts[i]))  # so that little of a pass is padding
    parts = []
    for first in range(0, len(order), INPUTS_AT_ONCE):
        checkpoint()
        with devices.half_precision(_device(encoder)):
            parts.append(encoder.features([texts[i] for i in order[first : first + INPUTS_AT_ONCE]]))
    features = torch.cat(parts)
    return features[torch.tensor(order).argsort()].to(devices.keeps(features.device))


def _features_of_faces(encoder: VisionEncoder, crops: Tensor) -> Tensor:
    faces = devices.to_device(crops, devices.keeps(_device(encoder)))
    return _in_batches(encoder.mirrored_features, normalise_faces(faces))


def _in_batches(features, inputs: Tensor) -> Tensor:
    """Run an encoder's ``features`` over inputs in bounded batches; the result stays on a GPU, else is on the CPU."""
    device = _device(features.__self__)
    size = INPUTS_AT_ONCE_ON_GPU if device.type == "cuda" else INPUTS_AT_ONCE
    parts = []
    for part in inputs.split(size):
        checkpoint()
        with devices.half_precision(device):
            parts.append(features(devices.to_device(part, device)).float())
    return torch.cat(parts).to(devices.keeps(device))


def _device(encoder: object) -> torch.device:
    """An encoder's; what stands in for one (``hff.live.feature_cache.KnownTexts``) has its answers on the CPU."""
    return next(encoder.parameters()).device if isinstance(encoder, torch.nn.Module) else devices.CPU


def _on_cpu(encoded: Encoded) -> Encoded:
    features, there = encoded
    return features.cpu(), there
