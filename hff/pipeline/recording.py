"""Reading whatever a person gives - video, sound, picture, words - into raw material on one clock."""

from __future__ import annotations

import copy
import logging
import os
import string
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any

import cv2
import numpy as np
import torch

from hff.cancel import Budget, Cancel, both, checkpoint, current_budget, out_of_time, watching
from hff.clean_text import clean
from hff.config import FACE_SIZE, MAX_CHARACTERS, SAMPLE_RATE, STEP_SECONDS
from hff.detectors.asr import transcribe as recognise
from hff.detectors.faces import FaceTracker
from hff.detectors.vad import certainty, voiced_segments
from hff.encoders.bert import ABOUT_WORDS, is_cut
from hff.encoders.mfcc import HOP_LENGTH
from hff.encoders.mfcc_cnn import pooled_mel_spectrogram
from hff.errors import InputError, NothingToAnalyse
from hff.locale import say
from hff.media.audio import read_audio
from hff.media.files import name_of
from hff.media.image import read_image
from hff.media.probe import MediaInfo, probe
from hff.media.video import read_frames
from hff.pipeline.corrected_words import corrected
from hff.pipeline.features import FRAME_RATE, MIN_WAVE_SAMPLES, Material
from hff.pipeline.language import UNKNOWN_EMOJI, UNKNOWN_LANGUAGE, unknown_to_model
from hff.pipeline.time_grid import step_count
from hff.result import Evidence, FaceSeen, Transcript

log = logging.getLogger(__name__)
Progress = Callable[[float, str], None]
MEL_COLUMNS = 2000  # at most, in the spectrogram kept for the report
NO_WORDS = say("recording.no_words")
MAYBE_NO_SPEECH = say("recording.maybe_no_speech")
UNSURE = 0.5  # certainty below which a voice of which no words are known may be none ...
UNSURE_WITHOUT_WORDS = 0.75  # ... or below this, if words were looked for and not found
BLANK_TEXT = say("recording.blank_text")
TEXT_CUT = say("recording.text_cut", words=ABOUT_WORDS)
SHARES = {"sound": 0.1, "words": 0.25, "face": 0.5}  # of the progress bar


@dataclass
class Recording:
    """A clip's raw material. ``wave`` 16 kHz mono; times in seconds from the start of the clip."""

    seconds: float
    wave: np.ndarray | None = None
    voiced: list[tuple[float, float]] = field(default_factory=list)
    transcript: Transcript | None = None
    faces: list[FaceSeen] = field(default_factory=list)
    still: bool = False  # the face comes from a picture and belongs to every step
    warnings: list[str] = field(default_factory=list)
    timings: dict[str, float] = field(default_factory=dict)  # s of work per stage
    more: dict[str, Any] = field(default_factory=dict)  # raw material of any other modality, by its name

    @property
    def steps(self) -> int:
        return step_count(self.seconds)

    @property
    def material(self) -> Material:
        """What an encoder may look at."""
        return Material(self.wave, self.voiced, self.transcript, self.faces, self.still, self.more)

    def with_text(self, text: str | None) -> Recording:
        """The same clip with other words, as ``read`` gives it for typed ``text``; nothing is decoded again.

        Where words were recognised, the new ones are laid over their times (``hff.pipeline.corrected_words``).
        Empty text leaves the words out. Raises ``NothingToAnalyse`` when no modality is left then.
        """
        about_old_words = (NO_WORDS, TEXT_CUT, BLANK_TEXT, UNKNOWN_EMOJI, UNKNOWN_LANGUAGE)
        warnings = [warning for warning in self.warnings if warning not in about_old_words]
        text = _checked_text(text, warnings.append)
        transcript = corrected(self.transcript, text) if text else None
        changed = replace(self, transcript=transcript, warnings=warnings, timings={})
        changed.check()
        return changed

    def between(self, start: float, end: float | None = None) -> Recording:
        """The stretch from ``start`` to ``end`` s (None: the end) as a clip of its own; a still picture stays.

        Raises ``InputError`` where that lies outside, ``NothingToAnalyse`` when nothing is there.
        """
        end = self.seconds if end is None else min(end, self.seconds)
        if not 0 <= start < end:
            raise InputError(say("recording.no_stretch", start=start, seconds=self.seconds))
        wave = self.wave
        if wave is not None:
            wave = wave[round(start * SAMPLE_RATE) : round(end * SAMPLE_RATE)]
        part = replace(
            self,
            seconds=end - start,
            wave=wave,
            voiced=[(max(a, start) - start, min(b, end) - start) for a, b in self.voiced if b > start and a < end],
            transcript=self.transcript and _words_between(self.transcript, start, end),
            faces=self.faces if self.still else _faces_between(self.faces, start, end),
            timings={},
        )
        part.check()
        return part

    def check(self) -> None:
        """Raise ``NothingToAnalyse`` if there is no voice, no words and no face."""
        if not self.voiced and self.transcript is None and not self.faces and not self.more:
            reasons = tuple(self.warnings) or (say("recording.text_without_words"),)
            raise NothingToAnalyse(say("recording.nothing_there", reasons=reasons))

    def evidence(self) -> Evidence:
        """What the report draws; the spectrogram is averaged down to ``MEL_COLUMNS``."""
        evidence = Evidence(wave=self.wave, voiced=self.voiced, faces=self.faces)
        if self.wave is not None and len(self.wave) >= MIN_WAVE_SAMPLES:
            checkpoint()
            power, stride = pooled_mel_spectrogram(torch.from_numpy(self.wave), MEL_COLUMNS)
            evidence.mel = (10 * torch.log10(power + 1e-10)).numpy()
            evidence.mel_hop = stride * HOP_LENGTH / SAMPLE_RATE
        return evidence


def _words_between(transcript: Transcript, start: float, end: float) -> Transcript | None:
    """The words whose middle lies there; words without times belong to every moment."""
    if not transcript.words:
        return transcript
    words = [
        replace(word, start=max(0.0, word.start - start), end=min(word.end, end) - start)
        for word in transcript.words
        if start <= (word.start + word.end) / 2 < end
    ]
    return replace(transcript, text=" ".join(word.text for word in words), words=words) if words else None


def _faces_between(faces: list[FaceSeen], start: float, end: float) -> list[FaceSeen]:
    return [replace(face, time=face.time - start) for face in faces if start <= face.time < end]


class Reader:
    """One pass over the inputs; collects warnings and timings as it goes."""

    def __init__(self, progress: Progress | None, device: str = "cpu") -> None:
        self.progress = progress or (lambda fraction, message: None)
        self.device = device  # that words are recognised on
        self.warnings: list[str] = []
        self.timings: dict[str, float] = {}
        self._infos: dict[str, MediaInfo] = {}
        self._done = dict.fromkeys(SHARES, 0.0)  # of each stage, 0 to 1
        self._telling = threading.Lock()

    def beside(self) -> Reader:
        """One for a part of the same pass in another thread, with warnings and timings of its own until ``join``."""
        other = copy.copy(self)
        other.warnings, other.timings = [], {}
        return other

    def join(self, other: Reader) -> None:
        """Take over what a reader beside this one has collected."""
        for message in other.warnings:
            self.warn(message)
        self.timings |= other.timings

    def info(self, path: str | os.PathLike) -> MediaInfo:
        """What a file holds; each is looked into once, none that somebody looked into before."""
        if isinstance(path, MediaInfo):
            return path
        if str(path) not in self._infos:
            self._infos[str(path)] = probe(path)
        return self._infos[str(path)]

    def warn(self, message: str) -> None:
        if message not in self.warnings:
            self.warnings.append(message)

    def look_at_budget(self) -> None:
        """Say so if the clip has had all the work that it may have."""
        if out_of_time():
            self.warn(current_budget().sentence)

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        begun = time.perf_counter()
        try:
            yield
        finally:
            self.timings[name] = self.timings.get(name, 0.0) + time.perf_counter() - begun

    def report(self, stage: str, fraction: float | None, message: str) -> None:
        with self._telling:  # what is told never goes back, whichever thread tells it
            if stage != "sound":
                self._done["sound"] = 1.0
            self._done[stage] = max(self._done[stage], fraction or 0.0)
            self.progress(sum(share * self._done[name] for name, share in SHARES.items()), message)

    def one_of(self, video, image) -> tuple[Any, Any]:
        """The video and the picture, of which one at most is read; a file given as video may be a picture."""
        if _is_path(video) and self.info(video).is_image:
            if image is not None:
                self.warn(say("recording.video_is_picture"))
            return None, video
        if video is not None and image is not None:
            self.warn(say("recording.picture_not_read"))
            image = None
        return video, image

    def sound(self, video, audio) -> np.ndarray | None:
        """The clip's sound track, or the separate sound that replaces it."""
        source = audio
        if source is None and _is_path(video):
            if not self.info(video).has_audio:
                self.warn(say("recording.no_sound"))
                return None
            source = video
        if source is None:
            return None
        self.report("sound", 0.0, say("progress.sound"))
        with self.stage("decode sound"):
            tracks = self.info(source).sound_tracks if _is_path(source) else ()
            wave = self._best_track(source, tracks) if len(tracks) > 1 else read_audio(source, warn=self.warn)
        self.look_at_budget()
        self.report("sound", 0.6, say("progress.voice"))
        return wave

    def _best_track(self, source: str | os.PathLike, tracks: tuple[int, ...]) -> np.ndarray:
        """Of several sound tracks the first, in order of preference, in which there is a voice; else the preferred."""
        chosen, key = None, "recording.track_preferred"
        for track in tracks:
            about: list[str] = []
            try:
                wave = read_audio(source, warn=about.append, track=track)
            except InputError as error:
                log.debug("track %d: %s", track, error)
                continue
            if voiced := bool(voiced_segments(wave)):
                key = "recording.track_voice"
            if voiced or chosen is None:
                chosen = track, wave, about
            if voiced:
                break
        if chosen is None:
            return read_audio(source)  # raises what is wrong with it
        track, wave, about = chosen
        number = sorted(tracks).index(track) + 1
        self.warn(say(key, name=name_of(source), count=len(tracks), number=number))
        for message in about:
            self.warn(message)
        return wave

    def voice(self, wave: np.ndarray) -> list[tuple[float, float]]:
        """Where there is one, s."""
        with self.stage("find voice"):
            voiced = voiced_segments(wave)
        self.look_at_budget()
        if not voiced:
            self.warn(say("recording.no_voice"))
        return voiced

    def words(self, wave: np.ndarray, voiced: list[tuple[float, float]]) -> Transcript | None:
        if not voiced:
            return None
        self.report("words", 0.0, say("progress.words"))
        with self.stage("recognise words"):
            transcript = recognise(
                wave,
                lambda fraction, seconds: self.report("words", fraction, say("progress.words")),
                voiced,
                self.device,
            )
        self.look_at_budget()
        if not transcript.text.strip():
            self.warn(NO_WORDS)
            return None
        if unknown := unknown_to_model(transcript.text):
            self.warn(unknown)
        return transcript

    def doubt_the_voice(self, wave: np.ndarray, voiced: list[tuple[float, float]], limit: float) -> None:
        """Say that it may be none, where the detector is less certain than ``limit``."""
        with self.stage("find voice"):
            doubtful = certainty(wave, voiced) < limit
        if doubtful:
            self.warnings = [message for message in self.warnings if message != NO_WORDS]
            self.warn(MAYBE_NO_SPEECH)

    def faces(self, video, image, detect_faces: bool) -> tuple[list[FaceSeen], float]:
        """The faces of whichever there is, and the time at which the pictures end, s."""
        if video is None:
            return [] if image is None else self.face_of_image(image, detect_faces), 0.0
        if _is_path(video) and not self.info(video).has_video:
            self.warn(say("recording.no_picture"))
            return [], 0.0
        return self.faces_of_video(video, detect_faces)

    def faces_of_video(self, video, detect_faces: bool) -> tuple[list[FaceSeen], float]:
        """The tracked face in each sampled frame, and the time at which the pictures end, s."""
        tracker, faces, end, frames = FaceTracker(), [], 0.0, 0

        def advance(fraction: float | None, seconds: float) -> None:
            self.report("face", fraction, say("progress.face_seconds", seconds=seconds))

        self.report("face", 0.0, say("progress.face"))
        with self.stage("find faces"):
            info = self.info(video) if _is_path(video) else None
            for frame in read_frames(video, FRAME_RATE, progress=advance, warn=self.warn, info=info):
                seen = tracker.update(frame.time, frame.image) if detect_faces else _whole(frame.image, frame.time)
                frames += 1
                end = frame.time + 1 / FRAME_RATE
                if seen is not None:
                    faces.append(seen)
        self.look_at_budget()
        if tracker.several:
            self.warn(say("recording.faces_followed"))
        if not faces:
            self.warn(say("recording.no_face_video"))
        elif len(faces) < frames / 2:
            self.warn(say("recording.few_faces", faces=len(faces), frames=frames))
        return faces, end

    def face_of_image(self, image, detect_faces: bool) -> list[FaceSeen]:
        self.report("face", 0.0, say("progress.face_picture"))
        with self.stage("find faces"):
            picture = read_image(image)
            tracker = FaceTracker()
            seen = tracker.update(0.0, picture) if detect_faces else _whole(picture, 0.0)
        if tracker.several:
            self.warn(say("recording.faces_read"))
        if seen is None:
            self.warn(say("recording.no_face_picture"))
            return []
        return [seen]


def read(
    video=None,
    audio=None,
    image=None,
    text: str | None = None,
    *,
    transcribe: bool = True,
    detect_faces: bool = True,
    progress: Progress | None = None,
    cancel: Cancel | None = None,
    budget: Budget | None = None,
    device: str = "cpu",
) -> Recording:
    """Read any combination of inputs; see ``hff.pipeline.analyzer.Analyzer.analyze`` for what each may be.

    A separate ``audio`` replaces the video's own sound, typed ``text`` the transcript, and a ``video`` the
    picture. ``cancel`` and ``budget`` as there. ``device``: what words are recognised on, "cpu", "cuda", "cuda:1" ...

    Raises ``InputError`` for what cannot be read, ``NothingToAnalyse`` when no modality is found, ``Cancelled``.
    """
    with watching(cancel, budget or current_budget()):
        return _read(Reader(progress, device), video, audio, image, text, transcribe, detect_faces)


def _read(reader: Reader, video, audio, image, text, transcribe: bool, detect_faces: bool) -> Recording:
    untyped = text is None or (isinstance(text, str) and not text.strip(string.whitespace))
    if video is None and audio is None and image is None and untyped:
        raise InputError(say("recording.nothing_given"))
    text = _checked_text(text, reader.warn)
    video, image = reader.one_of(video, image)
    wave = reader.sound(video, audio)
    voiced = [] if wave is None else reader.voice(wave)
    transcript = Transcript(text) if text else None
    listened = transcript is None and transcribe and wave is not None
    looker = reader.beside()
    if wave is not None and listened:
        transcript, (faces, pictures_end) = both(
            lambda: reader.words(wave, voiced), lambda: looker.faces(video, image, detect_faces)
        )
    else:
        faces, pictures_end = looker.faces(video, image, detect_faces)
    if wave is not None and voiced and not (listened and transcript):
        reader.doubt_the_voice(wave, voiced, UNSURE_WITHOUT_WORDS if listened else UNSURE)
    reader.join(looker)
    seconds = max(0.0 if wave is None else len(wave) / SAMPLE_RATE, pictures_end)
    material = Recording(
        seconds=seconds or STEP_SECONDS,
        wave=wave,
        voiced=voiced,
        transcript=transcript,
        faces=faces,
        still=image is not None,
        warnings=reader.warnings,
        timings=reader.timings,
    )
    material.check()
    return material


def _checked_text(text: str | None, warn: Callable[[str], None]) -> str | None:
    """The typed words, cleaned; None where there are none. ``warn`` is told what is odd about them."""
    if text is None:
        return None
    if not isinstance(text, str):
        raise InputError(say("recording.no_text", kind=type(text).__name__))
    if len(text) > MAX_CHARACTERS:
        raise InputError(say("recording.text_too_long", count=len(text), most=MAX_CHARACTERS))
    words = clean(text)
    if not words:
        if text.strip():
            warn(BLANK_TEXT)
        return None
    if is_cut(words):
        warn(TEXT_CUT)
    if unknown := unknown_to_model(words):
        warn(unknown)
    return words


def _is_path(source) -> bool:
    return isinstance(source, str | os.PathLike)


def _whole(image: np.ndarray, at: float) -> FaceSeen:
    """A picture that already is a face crop: its middle square, scaled to the encoder's size."""
    height, width = image.shape[:2]
    side = min(height, width)
    top, left = (height - side) // 2, (width - side) // 2
    grey = cv2.cvtColor(image[top : top + side, left : left + side], cv2.COLOR_RGB2GRAY)
    crop = cv2.resize(grey, (FACE_SIZE, FACE_SIZE), interpolation=cv2.INTER_AREA)
    return FaceSeen(at, (float(left), float(top), float(left + side), float(top + side)), 1.0, crop)
