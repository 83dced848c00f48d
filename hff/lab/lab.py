"""The weighting lab: break one modality, switch parts off, set alpha by hand, and read the same recording again.

    lab = Lab(analyzer, recording)
    before, after = lab.infer(state.untouched), lab.infer(state)

What a modality is after corruption, and its features, are kept: only the modality that changed is computed again.
The words stay those of the clean voice, so that the three can be corrupted apart from each other.
"""

from __future__ import annotations

import copy
import threading
from collections import OrderedDict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from hff.config import MODALITIES, SAMPLE_RATE, STEP_SECONDS
from hff.detectors.vad import Segments, voiced_segments
from hff.errors import NothingToAnalyse
from hff.lab.ablation import switch_off
from hff.lab.by_hand import clip_weights, given
from hff.lab.corrupted_material import corrupt_faces, corrupt_other, corrupt_transcript, corrupt_wave
from hff.lab.state import LabState
from hff.locale import say
from hff.pipeline.analyzer import Analyzer
from hff.pipeline.corrected_words import corrected
from hff.pipeline.features import ClipFeatures, Encoded, encode_one
from hff.pipeline.recording import Recording
from hff.pipeline.time_axis import timeline_of
from hff.pipeline.time_grid import step_count
from hff.result import FaceSeen, Result, Transcript, evenly
from hff.saliency.explanation import Explanation, explain

MAX_LAB_SECONDS = 60.0  # of a recording that the lab takes; a slider must answer at once
READINGS_KEPT = 8  # and explanations of them
KEPT = 48  # corrupted versions of one modality whose features are kept; two sweeps' worth
SWEEP_POINTS = 21
Part = dict[str, Any]  # fields of a recording that hold one modality; of any other than the three, its own name


def corrupted_recording(recording: Recording, state: LabState) -> Recording:
    """The recording as ``state`` leaves it. Whether a voice is still heard where there was one is decided anew."""
    return _put_together(recording, [_corrupted(m, recording, state) for m in MODALITIES])


def excerpt(recording: Recording, seconds: float = MAX_LAB_SECONDS) -> Recording:
    """The recording's beginning, in whole steps; the recording itself if it is no longer than that."""
    if recording.seconds <= seconds:
        return recording
    seconds = step_count(seconds) * STEP_SECONDS
    wave, transcript = recording.wave, recording.transcript
    if transcript is not None and transcript.words:
        words = [word for word in transcript.words if word.start < seconds]
        transcript = replace(transcript, words=words, text=" ".join(w.text for w in words)) if words else None
    return replace(
        recording,
        seconds=seconds,
        wave=None if wave is None else wave[: round(seconds * SAMPLE_RATE)].copy(),
        voiced=[(start, min(end, seconds)) for start, end in recording.voiced if start < seconds],
        transcript=transcript,
        faces=[face for face in recording.faces if face.time < seconds],
        warnings=[*recording.warnings, say("lab.long", seconds=seconds)],
    )


def _corrupted(modality: str, recording: Recording, state: LabState) -> Part:
    """The recording's fields that hold this modality, as ``state`` leaves them."""
    done = state.corruption[modality]
    if modality == "speech":
        return _voice(recording, state)
    if modality == "text":
        return {"transcript": _words(recording, state)}
    if modality == "vision":
        return {"faces": _faces(recording, state)}
    if done.muted or modality not in recording.more:
        return {}
    return {modality: corrupt_other(modality, recording.more[modality], done.kind, done.severity, state.seed)}


def _put_together(recording: Recording, parts: Iterable[Part]) -> Recording:
    """The recording with the corrupted parts in place of its own."""
    fields = {name: value for part in parts for name, value in part.items()}
    more = {m: fields.pop(m) for m in MODALITIES if m in fields}
    return replace(recording, **fields, more=more)


def _voice(recording: Recording, state: LabState) -> Part:
    done = state.corruption["speech"]
    if recording.wave is None or done.muted:
        return {"wave": None, "voiced": []}
    if done.severity <= 0:
        return {"wave": recording.wave, "voiced": recording.voiced}
    wave = corrupt_wave(recording.wave, done.kind, done.severity, state.seed)
    return {"wave": wave, "voiced": _common(voiced_segments(wave), recording.voiced)}


def _common(first: Segments, second: Segments) -> Segments:
    """What lies in both: corruption can take a voice away, but it puts none where nobody spoke, however loud."""
    parts = ((max(a, c), min(b, d)) for a, b in first for c, d in second)
    return [(start, end) for start, end in parts if start < end]


def _words(recording: Recording, state: LabState) -> Transcript | None:
    done = state.corruption["text"]
    whole = corrected(recording.transcript, state.text) if state.text.strip() else recording.transcript
    if whole is None or done.muted:
        return None
    corrupted = corrupt_transcript(whole, done.kind, done.severity, state.seed)
    return corrupted if corrupted.text.strip() else None


def _faces(recording: Recording, state: LabState) -> list[FaceSeen]:
    done = state.corruption["vision"]
    return [] if done.muted else corrupt_faces(recording.faces, done.kind, done.severity, state.seed)


@dataclass
class SweepPoint:
    """The reading at one severity of the swept modality; clip means, ``None`` where a modality is absent."""

    severity: float
    emotion: str
    alpha: dict[str, float]
    variance: dict[str, float | None]
    probabilities: dict[str, float]

    def row(self) -> dict[str, Any]:
        """Flat, for CSV."""
        return (
            {"severity": round(self.severity, 4), "emotion": self.emotion}
            | {f"alpha_{m}": self.alpha[m] for m in MODALITIES}
            | {f"variance_{m}": self.variance[m] for m in MODALITIES}
            | {f"p_{label}": p for label, p in self.probabilities.items()}
        )


class Lab:
    """One recording on the bench. Several threads may read at once."""

    def __init__(self, analyzer: Analyzer, recording: Recording) -> None:
        self.analyzer = analyzer
        self.recording = excerpt(recording)
        self.encoded: dict[str, int] = dict.fromkeys(MODALITIES, 0)  # how often each modality was computed
        self._features: dict[str, OrderedDict] = {m: OrderedDict() for m in MODALITIES}
        self._material: dict[str, tuple] = {}  # of each modality the version looked at last, with its key
        self._readings: OrderedDict[str, Result] = OrderedDict()
        self._explained: OrderedDict[tuple, Explanation] = OrderedDict()
        self._lock = threading.RLock()

    def corrupted(self, state: LabState) -> Recording:
        """As ``corrupted_recording``, with what did not change since the last call kept."""
        return _put_together(self.recording, [self._part(m, state) for m in MODALITIES])

    def clip(self, state: LabState) -> ClipFeatures:
        """The features of the corrupted recording; of each modality only what is not known yet is computed."""
        clip = ClipFeatures.of({m: self._encoded(m, state) for m in MODALITIES}, self.recording.steps)
        if not clip.present.any():
            raise NothingToAnalyse(say("lab.nothing_left"))
        return clip

    def infer(self, state: LabState) -> Result:
        """The full reading, as ``Analyzer.analyze`` gives it. Raises ``NothingToAnalyse``."""
        key = state.to_json()
        with self._lock:
            if key in self._readings:
                self._readings.move_to_end(key)
                return self._readings[key]
        clip = self.clip(state)
        analyzer = self._analyzer(state)
        result = analyzer.infer_clip(
            clip, self.corrupted(state), samples=state.samples, seed=state.seed, alpha=given(state.alpha, clip.present)
        )
        if state.alpha is not None:
            result.alpha = clip_weights(state.alpha, result.timeline)
        with self._lock:
            self._readings[key] = result
            while len(self._readings) > READINGS_KEPT:
                self._readings.popitem(last=False)
        return result

    def explain(self, state: LabState, faces: int) -> Explanation:
        """Where the network looked on up to ``faces`` faces from the first to the last, and which words counted."""
        key = *(_key(m, state) for m in ("text", "vision")), state.speech_encoder, state.without, faces
        with self._lock:
            if key in self._explained:
                self._explained.move_to_end(key)
                return self._explained[key]
        corrupted = self.corrupted(state)
        found = explain(self._analyzer(state), evenly(corrupted.faces, faces), corrupted.transcript)
        with self._lock:
            self._explained[key] = found
            while len(self._explained) > READINGS_KEPT:
                self._explained.popitem(last=False)
        return found

    def sweep(self, state: LabState, modality: str, severities: Sequence[float] | None = None) -> Iterator[SweepPoint]:
        """The reading at each severity of one modality, one after the other; stop by not asking for more.

        A severity at which nothing at all is left to read is skipped.
        """
        severities = np.linspace(0, 1, SWEEP_POINTS).tolist() if severities is None else severities
        analyzer = self._analyzer(state)
        for severity in severities:
            at = state.with_severity(modality, float(severity))
            try:
                clip = self.clip(at)
            except NothingToAnalyse:
                continue
            yield _sweep_point(analyzer, clip, at, float(severity))

    # ---- kept parts -----------------------------------------------------------------------------------------

    def _heard_by(self, state: LabState) -> Analyzer:
        return self.analyzer.hearing_with(state.speech_encoder) if state.speech_encoder else self.analyzer

    def _analyzer(self, state: LabState) -> Analyzer:
        whole = self._heard_by(state)
        if not state.without:
            return whole
        variant = copy.copy(whole)
        variant.model = switch_off(whole.model, state.without)
        return variant

    def _part(self, modality: str, state: LabState) -> Part:
        key = _key(modality, state)
        with self._lock:
            kept = self._material.get(modality)
            if kept is None or kept[0] != key:
                kept = self._material[modality] = key, _corrupted(modality, self.recording, state)
            return kept[1]

    def _encoded(self, modality: str, state: LabState) -> Encoded:
        key = _key(modality, state)
        with self._lock:
            known = self._features[modality]
            if key not in known:
                known[key] = self._encode(modality, state)
                self.encoded[modality] += 1
                while len(known) > KEPT:
                    known.popitem(last=False)
            known.move_to_end(key)
            return known[key]

    def _encode(self, modality: str, state: LabState) -> Encoded:
        corrupted = _put_together(self.recording, [self._part(modality, state)])
        return encode_one(self._heard_by(state).encoders, modality, corrupted.material, self.recording.steps)


def _key(modality: str, state: LabState) -> tuple:
    """What decides a modality's material and features: nothing else may make them be computed again."""
    done = state.corruption[modality]
    own = {"text": state.text, "speech": state.speech_encoder}.get(modality, "")
    if done.muted:
        return ("muted",)
    return ("whole", own) if done.severity <= 0 else (done.kind, done.severity, state.seed, own)


def _sweep_point(analyzer: Analyzer, clip: ClipFeatures, state: LabState, severity: float) -> SweepPoint:
    output = analyzer.fuse(
        clip, samples=state.samples, seed=state.seed, alpha=given(state.alpha, clip.present), with_attention=False
    )
    timeline = timeline_of(output, clip)
    probabilities = output.probabilities[0].tolist()
    labels = analyzer.config.labels
    return SweepPoint(
        severity=severity,
        emotion=labels[int(np.argmax(probabilities))],
        alpha=timeline.mean_alpha if state.alpha is None else clip_weights(state.alpha, timeline),
        variance=timeline.mean_present(timeline.variance),
        probabilities=dict(zip(labels, probabilities, strict=True)),
    )
