"""Reading emotion while it happens: a rolling window over pictures, sound and words as they come.

A ``LiveSession`` takes frames, sound and typed words at any rate and in any order, and gives a ``LiveReading``
of the last seconds whenever it is asked. The window lies on the same grid as a clip's steps and goes through
the same functions, so that its snapshot, analysed as a clip, gives the same reading. Features of what was seen
and heard before are kept; the words are recognised beside it.
"""

from __future__ import annotations

import threading
import time as clock
from collections import deque
from collections.abc import Collection
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from hff import modalities
from hff.clean_text import clean
from hff.config import MODALITIES, SAMPLE_RATE, STEP_SECONDS
from hff.detectors.faces import FaceTracker
from hff.detectors.vad import voiced_segments
from hff.errors import InputError
from hff.live.audio_buffer import SoundTrack
from hff.live.feature_cache import FaceFeatures, KnownTexts, SpeechSteps
from hff.live.pace import Effort, Pace
from hff.live.pauses import Pauses
from hff.live.reading import LIVE_WINDOW_SECONDS, LiveReading, alpha_now, mean_now, now_weights
from hff.live.recogniser import Recogniser
from hff.live.words import RESTART_EVERY, LiveWords
from hff.locale import say
from hff.media.image import resized
from hff.media.video import MAX_FRAME_SIDE
from hff.pipeline.analyzer import Analyzer
from hff.pipeline.features import FRAME_RATE, ClipFeatures, Encoded, Material, encode_one, encode_text
from hff.pipeline.recording import Recording
from hff.pipeline.time_axis import attention_of, timeline_of
from hff.pipeline.time_grid import step_count
from hff.result import FaceSeen, Transcript

MAX_WAITING_FRAMES = 8  # frames not looked at yet; older ones are dropped
SOURCE_LOST_AFTER = 2.0  # s without a frame, or without sound, after which the camera or microphone counts as lost
DARK = 16  # mean grey value (0 to 255) of a picture below which it is dark
SILENT = 10 ** (-60 / 20)  # peak of the last second below which the room is silent
RESTART_GAP = 60.0  # s without anything, or back in time, after which the session begins anew


@dataclass
class _Ears:
    """What was last heard: steps with a voice and their features, from step ``first`` on."""

    until: float = -1.0  # s
    voiced: list[tuple[float, float]] | None = None  # s since the session began


class LiveSession:
    """One viewer's stream. Any thread may add and read; one reading is made at a time."""

    def __init__(
        self,
        analyzer: Analyzer,
        recogniser: Recogniser | None = None,
        *,
        window: float = LIVE_WINDOW_SECONDS,
        pace: Pace | None = None,
    ) -> None:
        """recogniser: shared by all sessions; None reads only typed words. window: s, a multiple of the step."""
        self.analyzer, self.recogniser = analyzer, recogniser
        self.window = window
        self.pace = pace or Pace()
        self._lock = threading.RLock()  # of what comes in
        self._working = threading.Lock()  # of a reading in the making
        self._begin()

    def _begin(self) -> None:
        self._track = SoundTrack(self.window + 2 * STEP_SECONDS)
        self._frames: deque[tuple[float, np.ndarray]] = deque(maxlen=MAX_WAITING_FRAMES)
        self._newest_frame: tuple[float, np.ndarray] | None = None
        self._tracker = FaceTracker()
        self._looked = -1.0  # s, the newest frame looked at
        self._last_face: FaceSeen | None = None  # in that frame
        self._heard_anything = False
        self._speech, self._faces = SpeechSteps(), FaceFeatures()
        self._texts = KnownTexts(self.analyzer.encoders.text)
        self._ears = _Ears()
        self._words = LiveWords()
        self._typed = getattr(self, "_typed", "")
        self._more: dict[str, Any] = getattr(self, "_more", {})
        self._next_words = 0.0
        self._spread: dict[str, float] | None = None
        self._pauses = Pauses()

    # ---- what comes in ----------------------------------------------------------------------------------

    def add_frame(self, time: float, image: np.ndarray) -> None:
        """A picture (H,W,3) uint8 RGB, taken ``time`` s after the session began; it is kept small."""
        time, image = _checked_time(time), np.asarray(image)
        if image.ndim != 3 or image.shape[2] != 3 or image.dtype != np.uint8 or not image.size:
            raise InputError(say("live.picture", shape=str(image.shape), kind=str(image.dtype)))
        image = resized(image, MAX_FRAME_SIDE)
        with self._lock:
            self._restart_after_gap(time)
            if self._frames and time < self._frames[-1][0]:
                self._frames = deque(sorted([*self._frames, (time, image)], key=lambda f: f[0]), MAX_WAITING_FRAMES)
            else:
                self._frames.append((time, image))
            if self._newest_frame is None or time >= self._newest_frame[0]:
                self._newest_frame = (time, image)

    def add_sound(self, time: float, rate: int, samples: np.ndarray) -> None:
        """Sound (N,) float in [-1, 1] or int16, mono, whose first sample was heard at ``time`` s."""
        samples = np.asarray(samples)
        if samples.dtype == np.int16:
            samples = samples.astype(np.float32) / 32768
        time = _checked_time(time)
        with self._lock:
            self._restart_after_gap(time)
            start, end = self._track.add(time, int(rate), samples)
            self._heard_anything = True
            self._speech.forget(start, end)
            if start < self._ears.until:
                self._ears.until = -1.0

    def set_text(self, text: str) -> None:
        """Typed words; they replace the recognised ones until they are emptied again."""
        with self._lock:
            self._typed = clean(text)

    def set_material(self, modality: str, material: Any) -> None:
        """Raw material of a modality that neither camera, microphone nor words give, as the clip's ``more`` holds it.

        It holds for the whole window until other material replaces it; None takes it away. Raises ``KeyError``.
        """
        key = modalities.of(modality).key
        with self._lock:
            self._more = {name: value for name, value in (self._more | {key: material}).items() if value is not None}

    def hear_with(self, analyzer: Analyzer) -> None:
        """Go on with another speech encoder and its fusion: ``Analyzer.hearing_with`` of the one so far.

        Faces and words that are encoded stay, since their encoders are the same objects.
        """
        with self._working:
            if analyzer is not self.analyzer:
                self.analyzer = analyzer
                self._speech, self._spread, self._pauses = SpeechSteps(), None, Pauses()

    def close(self) -> None:
        """Forget everything; nothing may be added afterwards."""
        if self.recogniser is not None:
            self.recogniser.forget(id(self))
        with self._lock:
            self._begin()

    @property
    def time(self) -> float:
        """s since the session began until which something has come in."""
        newest = self._newest_frame[0] + 1 / FRAME_RATE if self._newest_frame else 0.0
        return max(newest, self._track.end)

    @property
    def newest_picture(self) -> np.ndarray | None:
        """(H,W,3) uint8 RGB; None before the first."""
        frame = self._newest_frame
        return None if frame is None else frame[1]

    def _restart_after_gap(self, time: float) -> None:
        if self.time and abs(time - self.time) > RESTART_GAP:
            self._begin()

    # ---- what comes out ---------------------------------------------------------------------------------

    def infer(self) -> LiveReading:
        """Read the window that ends now."""
        with self._working:
            begun = clock.perf_counter()
            reading = self._infer(self.pace.effort)
            self.pace.spent(clock.perf_counter() - begun)
            return reading

    def snapshot(self) -> Recording:
        """The window as a recording, as if it were a clip; its times count from the window's beginning.

        Raises ``InputError`` while nothing has come in yet.
        """
        with self._working:
            self._look(0.0)
            with self._lock:
                if not self.time:
                    raise InputError(say("live.nothing"))
                start, end = self._bounds()
                wave = self._wave(start, end)
                transcript = self._transcript(start, end)
                faces, more = self._faces_from(start), dict(self._more)
            voiced = voiced_segments(wave) if wave is not None else []
            return Recording(end - start, wave, voiced, transcript, faces, more=more)

    def _faces_from(self, start: float) -> list[FaceSeen]:
        """The faces of a window that begins at ``start`` s, with times in it."""
        return [replace(face, time=face.time - start) for face in self._faces.faces if face.time >= start]

    def _bounds(self) -> tuple[float, float]:
        end = self.time
        steps = step_count(end)
        first = max(0, steps - round(self.window / STEP_SECONDS))
        return first * STEP_SECONDS, end

    def _wave(self, start: float, end: float) -> np.ndarray | None:
        return self._track.window(start, end) if self._heard_anything and self._track.end > start else None

    def _transcript(self, start: float, end: float, voice: float = 0.0) -> Transcript | None:
        """The words of the window; ``voice`` s is where the last voice that was heard ends."""
        if self._typed:
            return Transcript(self._typed)
        words = self._words.within(start, end, voice)
        return Transcript(" ".join(word.text for word in words), words, "recognised") if words else None

    def _infer(self, effort: Effort) -> LiveReading:
        self._look(effort.look_every)
        with self._lock:
            start, end = self._bounds()
            wave = self._wave(start, end)
            self._faces.forget_before(start)
            self._words.forget_before(start)
        steps = step_count(max(end - start, STEP_SECONDS))
        speech = self._listen(wave, start, end, steps, effort.listen_every)
        self._ask_for_words(wave, start, end)
        with self._lock:
            transcript = self._transcript(start, end, self._ears.voiced[-1][1] if self._ears.voiced else 0.0)
            words, typed = list(self._words.words), self._typed
        text = encode_text(self._texts, transcript, steps)
        vision = self._faces.encode(self.analyzer.encoders, start, steps)
        kept = {"speech": speech, "text": text, "vision": vision}  # of which features were kept from before
        clip = ClipFeatures.of(kept | self._encode_others(kept, wave, transcript, start, steps), steps)
        common = self._around(clip, start, end) | {"words": words, "typed": typed}
        return self._fuse(clip, effort.samples, common) if clip.present.any() else _nothing_there(common)

    def _encode_others(
        self, kept: Collection[str], wave, transcript: Transcript | None, start: float, steps: int
    ) -> dict[str, Encoded]:
        """Features of every modality that is not among ``kept``, as its record makes them of a clip."""
        voiced = [(max(0.0, a - start), b - start) for a, b in self._ears.voiced or [] if b > start]
        material = Material(wave, voiced, transcript, self._faces_from(start), more=self._more)
        return {m: encode_one(self.analyzer.encoders, m, material, steps) for m in MODALITIES if m not in kept}

    def _look(self, every: float) -> None:
        """Find and encode the faces of the frames that wait, at most one every so many seconds."""
        with self._lock:
            frames, self._frames = list(self._frames), deque(maxlen=MAX_WAITING_FRAMES)
        seen = []
        for time, image in frames:
            new_step = time // STEP_SECONDS > self._looked // STEP_SECONDS  # no step may lack a face only to save work
            if time <= self._looked or (time - self._looked < every and not new_step):
                continue
            face = self._tracker.update(time, image)
            seen += self._held(time)
            if face is not None:
                seen.append(face)
            self._looked, self._last_face = time, face
        self._faces.add(self.analyzer.encoders, seen)

    def _held(self, time: float) -> list[FaceSeen]:
        """The last picture's face in the steps without a picture before ``time``: as in a clip, it stays on display."""
        if self._last_face is None or time - self._looked > SOURCE_LOST_AFTER:
            return []
        between = range(int(self._looked // STEP_SECONDS) + 1, int(time // STEP_SECONDS))
        return [replace(self._last_face, time=(step + 0.5) * STEP_SECONDS) for step in between]

    def _listen(self, wave, start: float, end: float, steps: int, every: float):
        """Speech features and presence; between two searches for a voice the last one's segments stand."""
        ears = self._ears
        if wave is None or not len(wave):
            return self._speech.encode(self.analyzer.encoders, np.zeros(0, np.float32), [], 0, steps)
        heard = start + len(wave) / SAMPLE_RATE
        if ears.voiced is None or ears.until < 0 or heard - ears.until >= every:
            ears.voiced = [(a + start, b + start) for a, b in voiced_segments(wave)]
            ears.until = heard
        known = wave[: max(0, round((ears.until - start) * SAMPLE_RATE))]
        voiced = [(max(0.0, a - start), b - start) for a, b in ears.voiced if b > start]
        return self._speech.encode(self.analyzer.encoders, known, voiced, round(start / STEP_SECONDS), steps)

    def _ask_for_words(self, wave, start: float, end: float) -> None:
        """Have new sound with a voice in it recognised, in the recogniser's own time."""
        if self.recogniser is None or self._typed or wave is None or end < self._next_words:
            return
        begin = max(start, self._words.start_of_next(start))
        if not any(b > begin + 0.1 for _, b in self._ears.voiced or []):
            return
        self._next_words = end + RESTART_EVERY
        part = wave[round((begin - start) * SAMPLE_RATE) :]
        until = begin + len(part) / SAMPLE_RATE
        words = self._words

        def answer(found: Transcript) -> None:
            with self._lock:
                if self._words is words:  # not those of before a restart
                    words.take(begin, until, found)

        self.recogniser.ask(id(self), part, answer, str(self.analyzer.device))

    def _around(self, clip: ClipFeatures, start: float, end: float) -> dict[str, Any]:
        """What a ``LiveReading`` says of where it stands and what came in, whether or not anything is there to read."""
        frame = self._newest_frame
        return {
            "time": end,
            "start": start,
            "face": self._faces.faces[-1] if self._faces.faces else None,
            "looked": self._looked if self._camera_on(end) else None,
            "heard": self._ears.until if self._microphone_on(end) else None,
            "frame_shape": None if frame is None else frame[1].shape[:2],
            "notes": self._notes(clip, end),
        }

    def _fuse(self, clip: ClipFeatures, samples: int, common: dict[str, Any]) -> LiveReading:
        """The reading of a window; ``common`` as ``_around`` gives it, with the words."""
        output = self.analyzer.fuse(clip, samples=samples)
        labels = self.analyzer.config.labels
        probabilities = dict(zip(labels, output.probabilities[0].tolist(), strict=True))
        if samples or self._spread is None:
            deviation = output.logits[:, 0].float().softmax(-1).std(0, correction=0)
            self._spread = dict(zip(labels, deviation.tolist(), strict=True))
        timeline = timeline_of(output, clip)
        until = min([t for t in (common["looked"], common["heard"]) if t is not None], default=common["time"])
        now = now_weights(until - common["start"], clip.steps)
        reading = LiveReading(
            emotion=max(probabilities, key=probabilities.__getitem__),
            probabilities=probabilities,
            spread=self._spread,
            alpha=alpha_now(timeline, now),
            aleatoric=mean_now(timeline, timeline.aleatoric, now),
            epistemic=mean_now(timeline, timeline.epistemic, now),
            timeline=timeline,
            attention=attention_of(output, timeline),
            paused=(),
            **common,
        )
        whole = {m for m, share in zip(MODALITIES, now @ timeline.present, strict=True) if share > 1 - 1e-6}
        return self._pauses.through(reading, whole)

    def _camera_on(self, end: float) -> bool:
        return self._newest_frame is not None and end - self._newest_frame[0] <= SOURCE_LOST_AFTER

    def _microphone_on(self, end: float) -> bool:
        return self._heard_anything and end - self._track.end <= SOURCE_LOST_AFTER

    def _notes(self, clip: ClipFeatures, end: float) -> tuple[str, ...]:
        """What is missing from the last moment, by name."""
        notes = []
        frame = self._newest_frame
        recent = clip.present[-3:].any(0)
        if not self._camera_on(end):
            notes.append("no_camera")
        elif not recent[MODALITIES.index("vision")]:
            notes.append("dark" if frame is not None and frame[1][::8, ::8].mean() < DARK else "no_face")
        if not self._microphone_on(end):
            notes.append("no_microphone")
        elif not recent[MODALITIES.index("speech")]:
            last = self._track.window(end - 1, end)
            notes.append("silent" if np.abs(last).max(initial=0) < SILENT else "no_voice")
        return tuple(notes)


def _nothing_there(common: dict[str, Any]) -> LiveReading:
    """The reading of a window in which nobody is seen, heard or read."""
    nothing = dict.fromkeys(MODALITIES)
    return LiveReading(
        emotion=None,
        probabilities={},
        spread={},
        alpha=dict.fromkeys(MODALITIES, 0.0),
        aleatoric=nothing,
        epistemic=nothing,
        timeline=None,
        attention=None,
        paused=(),
        **common,
    )


def _checked_time(time: float) -> float:
    time = float(time)
    if not np.isfinite(time) or time < 0:
        raise InputError(say("live.time", time=time))
    return time
