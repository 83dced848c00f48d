"""Every stage can be stopped soon, and a clip's budget of work ends in an answer."""

from __future__ import annotations

import itertools
import os
import threading
import time
from pathlib import Path
from types import MethodType

import numpy as np
import pytest
import torch

from hff.cancel import Budget, Cancel, both, checkpoint, current_budget, out_of_time, watching
from hff.config import SAMPLE_RATE, STEP_SECONDS
from hff.detectors.asr import transcribe
from hff.detectors.vad import voiced_segments
from hff.errors import Cancelled, InputError
from hff.examples.ready import EXAMPLES_FOLDER
from hff.media.audio import read_audio
from hff.media.video import read_frames
from hff.pipeline import recording
from hff.pipeline.features import ClipFeatures, encode_faces, encode_speech, encode_text
from hff.result import FaceSeen, Transcript, Word
from tests.support.media_fixtures import speak, write_media
from tests.support.page_browser import real_model

SOON = 2.0  # s of work between two checkpoints, at most
MINUTES = 20  # of the long inputs


class StopsAt(Cancel):
    """Sets itself at its ``last`` look, and knows the longest work between two looks.

    Counted is the processor time of all threads: on an idle machine that is no less than what a person waits, and
    on a busy one it does not grow with other people's work.
    """

    def __init__(self, last: int) -> None:
        super().__init__()
        self.left, self.longest = last, 0.0
        self.before = time.process_time()

    def check(self) -> None:
        now = time.process_time()
        self.longest, self.before = max(self.longest, now - self.before), now
        self.left -= 1
        if self.left <= 0:
            self.set()
        super().check()


def noise(seconds: float) -> np.ndarray:
    return np.random.default_rng(0).normal(0, 0.1, round(seconds * SAMPLE_RATE)).astype(np.float32)


def crops(count: int) -> list[FaceSeen]:
    rng = np.random.default_rng(0)
    return [FaceSeen(i / 4, (0, 0, 1, 1), 1.0, rng.integers(0, 255, (48, 48), np.uint8)) for i in range(count)]


def sound(folder: Path) -> None:
    path = write_media(folder / "long.wav", audio="pcm_s16le", wave=noise(300), rate=SAMPLE_RATE, layout="mono")
    yield
    read_audio(path)


def picture(folder: Path) -> None:
    path = write_media(
        folder / "long.mp4",
        video="mpeg4",
        stamps=[i / 4 for i in range(1200)],
        images=[np.full((96, 128, 3), i % 251, np.uint8) for i in range(1200)],
    )
    yield
    list(read_frames(path, 4))


def voice(folder: Path) -> None:
    wave = noise(60 * MINUTES)
    yield
    voiced_segments(wave)


def words(folder: Path) -> None:
    said = read_audio(speak(folder / "said.wav", "I am so happy to see you today."))
    wave = np.resize(said, 240 * SAMPLE_RATE)
    transcribe(said)  # the model is loaded once, which takes time too
    yield
    transcribe(wave, voiced=[(0.0, 240.0)])


def faces(folder: Path) -> None:
    film = np.random.default_rng(0).integers(0, 255, (400, 180, 320, 3), np.uint8)
    yield
    recording.Reader(None).faces_of_video((4.0, film), True)


def encode_the_voice(folder: Path) -> None:
    wave, encoder = noise(60 * MINUTES), real_model().encoders.speech
    yield
    encode_speech(encoder, wave, [(0.0, 60.0 * MINUTES)], 120 * MINUTES)


def encode_the_words(folder: Path) -> None:
    said = [Word(f"word{i}.", i, i + 0.5, 0.9) for i in range(2000)]
    transcript, encoder = Transcript(" ".join(word.text for word in said), said), real_model().encoders.text
    yield
    encode_text(encoder, transcript, 4000)


def encode_the_faces(folder: Path) -> None:
    seen, encoder = crops(1000), real_model().encoders.vision
    yield
    encode_faces(encoder, seen)


def fuse(folder: Path) -> None:
    steps, model = 14_400, real_model()
    there = torch.ones(steps, 3, dtype=torch.bool)
    clip = ClipFeatures(torch.randn(steps, 128), torch.randn(steps, 768), torch.randn(steps, 512), there)
    yield
    model.fuse(clip)


STAGES = {
    sound: 200,
    picture: 100,
    voice: 3,
    words: 8,
    faces: 60,
    encode_the_voice: 40,
    encode_the_words: 3,
    encode_the_faces: 4,
    fuse: 400,
}


@pytest.mark.parametrize("stage", STAGES, ids=lambda stage: stage.__name__)
def test_each_stage_of_a_long_clip_stops_soon(stage, tmp_path: Path):
    """Each is begun, stopped at one of its looks in the midst, and has looked often enough until then."""
    work = stage(tmp_path)
    next(work)
    cancel = StopsAt(STAGES[stage])
    with pytest.raises(Cancelled), watching(cancel):
        next(work, None)
    assert cancel.left == 0
    # CTranslate2 divides each step among the recogniser's threads.
    threads = min(4, os.cpu_count() or 1) if stage is words else 1
    assert cancel.longest < SOON * threads


def test_stopped_words_leave_the_recogniser_free(tmp_path: Path):
    said = read_audio(speak(tmp_path / "said.wav", "I am so happy to see you today."))
    with pytest.raises(Cancelled), watching(StopsAt(4)):
        transcribe(np.resize(said, 120 * SAMPLE_RATE))
    assert "happy" in transcribe(said).text.lower()


def test_an_analysis_is_stopped_from_another_thread():
    """Four thousand different frames, which would take minutes: the flag is set once the first was looked at."""
    cancel, begun, ended = Cancel(), threading.Event(), []
    film = np.random.default_rng(0).integers(0, 255, (4000, 90, 160, 3), np.uint8)

    def tell(share: float, what: str) -> None:
        begun.set()

    def work() -> None:
        try:
            real_model().analyze(video=(4.0, film), progress=tell, cancel=cancel)
        except Cancelled as error:
            ended.append(str(error))

    thread = threading.Thread(target=work)
    thread.start()
    assert begun.wait(60)
    cancel.set("Enough.")
    thread.join(30)
    assert ended == ["Enough."]


@pytest.mark.parametrize(
    "given", [{"video": str(EXAMPLES_FOLDER / "clip.mp4")}, {"text": "I am fine"}], ids=["film", "words"]
)
def test_a_flag_that_is_set_before_lets_nothing_begin(given):
    cancel = Cancel()
    cancel.set()
    with pytest.raises(Cancelled):
        real_model().analyze(**given, cancel=cancel)
    with pytest.raises(Cancelled):
        real_model().read(**given, cancel=cancel)
    with pytest.raises(Cancelled):
        real_model().analyze_recording(recording.read(text="I am fine"), cancel=cancel)
    assert real_model().analyze(text="I am fine").emotion  # the next work is not touched


def test_the_flag_holds_in_its_own_thread_only():
    cancel, seen = Cancel(), []
    cancel.set()
    with pytest.raises(Cancelled), watching(cancel):
        pass
    with watching(Cancel()):
        thread = threading.Thread(target=lambda: seen.append(out_of_time()))
        thread.start()
        thread.join()
    assert seen == [False]


def ticking(seconds: int) -> Budget:
    """A budget whose clock goes on by one second whenever somebody looks at it."""
    return Budget(seconds, itertools.count().__next__)


def test_a_budget_ends_in_what_was_read_until_then():
    """Each look costs a second: the film's faces are looked at up to some moment, and the sentence says why."""
    film = np.stack([np.asarray(frame.image) for frame in read_frames(EXAMPLES_FOLDER / "clip.mp4", 4)])
    film = np.concatenate([film] * 4)
    whole = real_model().analyze(video=(4.0, film), transcribe=False)
    cut = real_model().analyze(video=(4.0, film), transcribe=False, budget=ticking(len(film) // 2))
    assert not any("of computing" in warning for warning in whole.warnings)
    assert any(f"more than {len(film) // 2} seconds of computing" in warning for warning in cut.warnings)
    assert 0 < cut.seconds < 0.6 * whole.seconds
    assert cut.present["vision"]
    assert cut.emotion in cut.probabilities


def test_a_budget_that_is_used_up_while_encoding_leaves_the_rest_absent():
    steps = 400
    with watching(budget=ticking(2)):
        features, there = encode_speech(real_model().encoders.speech, noise(200), [(0.0, 200.0)], steps)
    assert 0 < int(there.sum()) < steps
    assert not features[~there].any()
    assert there[: int(there.sum())].all()
    with watching(budget=ticking(2)):
        assert 0 < len(encode_faces(real_model().encoders.vision, crops(400))) < 400


@pytest.mark.parametrize("stage", [voiced_segments, transcribe], ids=lambda stage: stage.__name__)
def test_voice_and_words_end_with_the_budget(stage, speech_wave):
    wave = np.resize(speech_wave, 700 * SAMPLE_RATE)
    with watching(budget=ticking(2)):
        found = stage(wave) if stage is voiced_segments else transcribe(wave, voiced=[(0.0, 700.0)]).words
    last = found[-1][1] if stage is voiced_segments else found[-1].end
    assert 0 < last < 650


def test_a_budget_counts_the_clock_of_the_work():
    class Rested(Cancel):
        worked = 0.0

        def now(self) -> float:
            return self.worked

    cancel = Rested()
    with watching(cancel), watching(budget=Budget(5.0)):
        assert not out_of_time()
        cancel.worked = 4.9
        assert not out_of_time()
        cancel.worked = 5.1
        assert out_of_time()


def test_a_face_that_stays_on_display_is_encoded_once(monkeypatch):
    encoder, shown = real_model().encoders.vision, []

    def seen(self, x):
        shown.append(len(x))
        return x.flatten(1)[:, :512]

    monkeypatch.setattr(encoder, "mirrored_features", MethodType(seen, encoder))
    a, b = (face.crop for face in crops(2))
    faces = [FaceSeen(i * STEP_SECONDS, (0, 0, 1, 1), 1.0, a if i % 3 else b) for i in range(300)]
    features = encode_faces(encoder, faces)
    assert sum(shown) == 2
    assert len(features) == 300
    assert torch.equal(features[0], features[3])
    assert torch.equal(features[1], features[2])
    assert not torch.equal(features[0], features[1])


def work_on() -> None:
    """Until it is stopped, for a minute at most."""
    for _ in range(6000):
        checkpoint()
        time.sleep(0.01)


def fail() -> None:
    raise InputError("broken")


def test_words_and_faces_are_looked_for_at_the_same_time(monkeypatch):
    """Each waits for the other to have begun."""
    begun, first = threading.Barrier(2), threading.Event()
    recognise, find = recording.recognise, recording.FaceTracker.update

    def together(*arguments):
        begun.wait(60)
        return recognise(*arguments)

    def update(self, *arguments):
        if not first.is_set():
            first.set()
            begun.wait(60)
        return find(self, *arguments)

    monkeypatch.setattr(recording, "recognise", together)
    monkeypatch.setattr(recording.FaceTracker, "update", update)
    material = recording.read(video=EXAMPLES_FOLDER / "clip.mp4")
    assert material.transcript
    assert material.faces
    assert {"recognise words", "find faces"} <= set(material.timings)


@pytest.mark.parametrize("works", [(fail, work_on), (work_on, fail)], ids=["the first", "the second"])
def test_of_two_that_go_on_together_one_that_fails_ends_the_other(works):
    with pytest.raises(InputError, match="broken"):
        both(*works)


def test_two_that_go_on_together_stop_with_the_whole():
    cancel = Cancel()
    with watching(cancel), pytest.raises(Cancelled, match="Enough"):
        both(lambda: cancel.set("Enough."), work_on)
    with watching(cancel := Cancel()), pytest.raises(Cancelled, match="Enough"):
        both(work_on, lambda: cancel.set("Enough."))


def test_two_that_go_on_together_share_what_is_in_force():
    budget = Budget(5.0)
    with watching(budget=budget):
        assert both(current_budget, current_budget) == (budget, budget)
    here, there = both(threading.get_ident, threading.get_ident)
    assert here == threading.get_ident() != there
