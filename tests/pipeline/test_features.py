"""From raw material to features on the time grid, with stand-ins for encoders that tell what they were shown."""

from __future__ import annotations

import itertools
import subprocess
import sys

import numpy as np
import pytest
import torch
from torch import nn

from hff.cancel import Budget
from hff.config import STEP_SECONDS
from hff.encoders import bert
from hff.encoders.bert import TextEncoder
from hff.encoders.mfcc import N_MFCC
from hff.encoders.mfcc_cnn import (
    FRAMES_PER_SECOND,
    SAMPLE_RATE,
    STEP_FRAMES,
    WINDOW_FRAMES,
    SpeechEncoder,
    step_windows,
)
from hff.encoders.resnet import VisionEncoder, normalise_faces
from hff.media.level import level_gain
from hff.pipeline import features as clip
from hff.pipeline import utterances as utterances_module
from hff.pipeline.clip_work import ClipWork
from hff.pipeline.utterances import utterances
from hff.result import FaceSeen, Transcript, Word


class StandIn(nn.Module):
    """An encoder whose feature is one number, repeated, read from what it was shown."""

    def __init__(self, size: int, number) -> None:
        super().__init__()
        self.feature_dim, self.number = size, number
        self.weight = nn.Parameter(torch.zeros(()))
        self.shown: list = []

    windows = staticmethod(SpeechEncoder.windows)

    def features(self, inputs) -> torch.Tensor:
        self.shown.append(inputs)
        return torch.tensor([float(self.number(x)) for x in inputs])[:, None].expand(-1, self.feature_dim)

    mirrored_features = features


def stand_ins() -> clip.Encoders:
    """Voice: loudest frame of the window. Words: number of letters. Face: place of the brightest pixel."""
    return clip.Encoders(
        StandIn(128, lambda window: window[0].nan_to_num(-1e9).argmax()),
        StandIn(768, len),
        StandIn(512, lambda face: face.argmax()),
    )


def face_at(time: float, place: int) -> FaceSeen:
    crop = np.full((48, 48), 50, np.uint8)
    crop.flat[place] = 200
    return FaceSeen(time, (0, 0, 1, 1), 1.0, crop)


def tone(seconds: float, start: float, end: float) -> np.ndarray:
    t = np.arange(int(seconds * SAMPLE_RATE)) / SAMPLE_RATE
    return (0.3 * np.sin(2 * np.pi * 300 * t) * ((t >= start) & (t < end))).astype(np.float32)


@pytest.mark.parametrize("frames", [1, 40, 151, 700])
@pytest.mark.parametrize("steps", [1, 2, 9])
def test_windows_are_centred_on_their_steps_and_nan_outside_the_clip(frames, steps):
    coefficients = torch.arange(frames, dtype=torch.float32).expand(N_MFCC, -1)
    windows = step_windows(coefficients, steps)
    assert windows.shape == (steps, N_MFCC, WINDOW_FRAMES)
    for t, window in enumerate(windows[:, 3].numpy()):
        middle = round((t + 0.5) * STEP_SECONDS * FRAMES_PER_SECOND)
        index = np.arange(WINDOW_FRAMES) + middle - WINDOW_FRAMES // 2
        np.testing.assert_array_equal(window, np.where((index >= 0) & (index < frames), index, np.nan))


def test_sound_stands_in_the_window_where_it_was_heard():
    sound = tone(6, 3.0, 3.5)
    windows = clip.speech_windows(sound, level_gain(sound, [(3.0, 3.5)]), 12)
    loudness = windows[:, 0]
    for t in (5, 6, 7):  # the sound fills step 6
        first = WINDOW_FRAMES // 2 + (6 - t) * STEP_FRAMES - STEP_FRAMES // 2
        inside, outside = loudness[t, first + 5 : first + STEP_FRAMES - 5], loudness[t, : first - 5]
        assert inside.min() > outside[~outside.isnan()].max() + 5


def test_level_of_the_recording_does_not_matter():
    wave = tone(2, 0.5, 1.5) + np.random.default_rng(0).normal(0, 0.01, 2 * SAMPLE_RATE).astype(np.float32)
    loud, faint = (
        clip.speech_windows(heard, level_gain(heard, [(0.5, 1.5)]), 4) for heard in (wave, wave * np.float32(0.02))
    )
    torch.testing.assert_close(loud, faint, equal_nan=True, atol=1e-2, rtol=1e-3)


def test_only_steps_with_a_voice_are_encoded():
    encoders = stand_ins()
    features, there = clip.encode_speech(encoders.speech, tone(4, 1.0, 2.0), [(1.0, 2.0)], 8)
    assert there.tolist() == [False, False, True, True, False, False, False, False]
    assert sum(len(part) for part in encoders.speech.shown) == 2
    assert not features[~there].any()


def test_a_long_sound_in_blocks_equals_the_whole(monkeypatch):
    encoder = SpeechEncoder(7).eval()
    wave = np.random.default_rng(2).normal(0, 0.1, 20 * SAMPLE_RATE + 1234).astype(np.float32)
    voiced = [(0.0, 9.0), (13.0, 20.0)]
    whole, there = clip.encode_speech(encoder, wave, voiced, 41)
    monkeypatch.setattr(clip, "BLOCK_STEPS", 7)
    in_blocks, there_too = clip.encode_speech(encoder, wave, voiced, 41)
    torch.testing.assert_close(in_blocks, whole, atol=1e-3, rtol=1e-3)
    assert there.tolist() == there_too.tolist()
    assert not there.all()


@pytest.mark.skipif(sys.platform != "linux", reason="counts memory as Linux does")
def test_long_sound_needs_little_more_memory_than_the_sound():
    """160 MB for forty minutes; whatever is made of them on the way is made part by part."""
    program = """
import resource, numpy as np
from hff.encoders.mfcc_cnn import SpeechEncoder
from hff.pipeline.features import encode_speech
from hff.pipeline.recording import Recording
def peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
encoder = SpeechEncoder(7).eval()
def work(seconds, voiced):
    wave = np.full(seconds * 16_000, 0.1, np.float32)
    encode_speech(encoder, wave, voiced, 2 * seconds)
    Recording(seconds, wave, voiced).evidence()
work(400, [(300.0, 301.0)])
before = peak()
work(2500, [(0.6 * i, 0.6 * i + 0.04) for i in range(4000)] + [(2480.0, 2481.0)])
print(peak() - before)
"""
    told = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=600, check=True)
    assert int(told.stdout) < 160 + 80, told.stdout


@pytest.mark.parametrize("samples", [0, 1, 399, 401])
def test_sound_shorter_than_one_window(samples):
    encoder = SpeechEncoder(7).eval()
    features, there = clip.encode_speech(encoder, np.full(samples, 0.1, np.float32), [(0, 0.2)], 1)
    assert there.all()
    assert features.isfinite().all()


def test_features_already_computed_stay_when_sound_goes_on():
    """A step's window ends 1.5 s after its middle; what comes later does not matter (at the same level)."""
    encoder = SpeechEncoder(7).eval()
    rng = np.random.default_rng(1)
    wave = rng.normal(0, 0.05, 8 * SAMPLE_RATE).astype(np.float32)
    longer = np.concatenate([wave, rng.normal(0, 0.05, 4 * SAMPLE_RATE).astype(np.float32)])
    short, _ = clip.encode_speech(encoder, wave, [(0, 8)], 16)
    long, _ = clip.encode_speech(encoder, longer, [(0, 8)], 24)
    torch.testing.assert_close(short[:13], long[:13])
    assert not torch.allclose(short[15], long[15])


def words(*said: tuple[str, float, float]) -> list[Word]:
    return [Word(word, start, end, 0.9) for word, start, end in said]


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ([], []),
        ([("one", 0, 0.4), ("two", 0.5, 1)], [("one two", 0, 1)]),
        ([("one", 0, 0.4), ("two", 1.3, 2)], [("one", 0, 0.4), ("two", 1.3, 2)]),  # a pause of 0.9 s
        (
            [("Really?", 0, 0.4), ("Yes.", 0.5, 0.9), ("Good", 1, 1.4)],
            [("Really?", 0, 0.4), ("Yes.", 0.5, 0.9), ("Good", 1, 1.4)],
        ),
        ([(" Well,", 0, 0.4), (" then", 0.5, 1)], [("Well, then", 0, 1)]),
    ],
)
def test_utterances_end_at_pauses_and_sentences(said, expected):
    assert [(u.text, u.start, u.end) for u in utterances(words(*said))] == expected


def test_utterances_do_not_grow_without_end():
    """A minute of talk without a pause or a full stop."""
    found = utterances(words(*((f"w{i}", 0.5 * i, 0.5 * i + 0.45) for i in range(120))))
    assert len(found) > 1
    assert all(u.end - u.start <= utterances_module.MAX_UTTERANCE_SECONDS for u in found)
    assert " ".join(u.text for u in found) == " ".join(f"w{i}" for i in range(120))


def test_words_stand_at_the_steps_at_which_they_are_said():
    """Step 3 belongs to the utterance that fills more of it; a gap between utterances has no words."""
    said = words(("Hello", 0.6, 1.0), ("you.", 1.1, 1.6), ("Goodbye.", 1.7, 2.4), ("No!", 4.0, 4.3))
    features, there = clip.encode_text(stand_ins().text, Transcript("...", said), 10)
    lengths = [0, 10, 10, 8, 8, 0, 0, 0, 3, 0]
    assert features[:, 0].tolist() == lengths
    assert there.tolist() == [length > 0 for length in lengths]


def test_a_word_of_no_length_is_still_said():
    """The recogniser gives some words the same start and end."""
    features, there = clip.encode_text(stand_ins().text, Transcript("No!", words(("No!", 1.2, 1.2))), 4)
    assert there.tolist() == [False, False, True, False]
    assert features[2, 0] == 3


def test_typed_text_belongs_to_every_step():
    features, there = clip.encode_text(stand_ins().text, Transcript("four"), 3)
    assert there.all()
    assert features[:, 0].tolist() == [4, 4, 4]
    for nothing in (None, Transcript(""), Transcript("  \n")):
        features, there = clip.encode_text(stand_ins().text, nothing, 3)
        assert not there.any()
        assert not features.any()


def test_faces_of_one_step_are_averaged():
    seen = [face_at(0.1, 100), face_at(0.4, 300), face_at(0.5, 7), face_at(1.99, 11)]
    features, there = clip.encode_vision(stand_ins().vision, seen, 3)
    assert there.tolist() == [True, True, True]  # the last frame, past the last step's end, belongs to it
    assert features[:, 0].tolist() == [200, 7, 11]
    _, there = clip.encode_vision(stand_ins().vision, seen[:1] + seen[3:], 4)
    assert there.tolist() == [True, False, False, True]


def test_a_still_pictures_face_belongs_to_every_step():
    features, there = clip.encode_vision(stand_ins().vision, [face_at(0, 42)], 5, still=True)
    assert there.all()
    assert features[:, 0].tolist() == [42] * 5


GIVEN = {
    "speech": {"wave": tone(2, 0, 2), "voiced": [(0.0, 2.0)]},
    "text": {"transcript": Transcript("hello")},
    "vision": {"faces": [face_at(t, 9) for t in (0.1, 0.6, 1.1, 1.6)]},
}


@pytest.mark.parametrize(
    "names", [(), ("speech",), ("text",), ("vision",), ("speech", "vision"), ("speech", "text", "vision")]
)
def test_what_is_left_out_is_absent(names):
    made = clip.encode(stand_ins(), 4, **{key: value for name in names for key, value in GIVEN[name].items()})
    assert made.steps == 4
    assert (made.speech.shape, made.text.shape, made.vision.shape) == ((4, 128), (4, 768), (4, 512))
    for m, name in enumerate(GIVEN):
        assert made.present[:, m].all() == made.present[:, m].any() == (name in names)
        assert bool(getattr(made, name).any()) == (name in names)


def test_sound_without_a_voice_is_an_absent_voice():
    assert not clip.encode(stand_ins(), 4, wave=tone(2, 0, 2), voiced=[]).present.any()


def test_a_batch_is_what_the_model_takes():
    made = clip.encode(stand_ins(), 4, **GIVEN["text"])
    batch = made.batch(torch.device("cpu"))
    assert {name: tuple(value.shape) for name, value in batch.items()} == {
        "speech": (1, 4, 128),
        "text": (1, 4, 768),
        "vision": (1, 4, 512),
        "present": (1, 4, 3),
    }
    assert batch["present"].dtype == torch.bool


def test_result_is_the_same_whichever_the_batch_size(monkeypatch):
    torch.manual_seed(0)
    encoders = clip.Encoders(SpeechEncoder(7).eval(), TextEncoder(7).eval(), VisionEncoder(7).eval())
    said = words(("Hello", 0.1, 0.5), ("you.", 0.6, 1.2), ("It", 1.3, 1.5), ("rains.", 1.5, 2.0), ("No!", 3.0, 3.4))
    rng = np.random.default_rng(2)
    material = {
        "wave": rng.normal(0, 0.1, 4 * SAMPLE_RATE).astype(np.float32),
        "voiced": [(0.0, 3.0)],
        "transcript": Transcript("Hello you. It rains. No!", said),
        "faces": [
            FaceSeen(t, (0, 0, 1, 1), 1.0, rng.integers(0, 255, (48, 48)).astype(np.uint8))
            for t in (0.1, 0.3, 0.6, 1.2, 3.3)
        ],
    }
    whole = clip.encode(encoders, 8, **material)
    for size in (1, 3):
        monkeypatch.setattr(clip, "INPUTS_AT_ONCE", size)
        monkeypatch.setattr(bert, "PIECES_AT_ONCE", size)
        other = clip.encode(encoders, 8, **material)
        for name in ("speech", "text", "vision"):
            torch.testing.assert_close(getattr(other, name), getattr(whole, name), atol=1e-4, rtol=1e-4)
        assert torch.equal(other.present, whole.present)


def clips_of_all_kinds() -> list[tuple[clip.Material, int]]:
    """Speech, words and faces in several lengths, each missing somewhere; one clip with nothing at all."""
    rng = np.random.default_rng(3)

    def seen(count: int) -> list[FaceSeen]:
        crops = rng.integers(0, 255, (count, 48, 48)).astype(np.uint8)
        return [FaceSeen(i / 4, (0, 0, 1, 1), 1.0, crop) for i, crop in enumerate(crops)]

    def noise(seconds: float) -> np.ndarray:
        return rng.normal(0, 0.1, round(seconds * SAMPLE_RATE)).astype(np.float32)

    said = words(("Hello", 0.1, 0.5), ("you.", 0.6, 1.2), ("It", 1.3, 1.5), ("rains.", 1.5, 2.0), ("No!", 3.0, 3.4))
    return [
        (clip.Material(noise(4), [(0.0, 3.0)], Transcript("Hello you. It rains. No!", said), seen(16)), 8),
        (clip.Material(transcript=Transcript("typed, and rather longer than what the others say")), 2),
        (clip.Material(noise(25), [(0.0, 25.0)], faces=seen(70)), 50),
        (clip.Material(), 1),
        (clip.Material(faces=seen(1), still=True, transcript=Transcript("typed")), 3),
    ]


@pytest.mark.usefixtures("full_precision")
def test_clips_together_are_encoded_as_each_alone():
    torch.manual_seed(0)
    encoders = clip.Encoders(SpeechEncoder(7).eval(), TextEncoder(7).eval(), VisionEncoder(7).eval())
    given = clips_of_all_kinds()
    works = [ClipWork() for _ in given]
    for (material, steps), made in zip(given, clip.encode_clips(encoders, given, works), strict=True):
        expected = clip.encode(encoders, steps, **vars(material))
        assert torch.equal(made.present, expected.present)
        for name in ("speech", "text", "vision"):
            torch.testing.assert_close(getattr(made, name), getattr(expected, name), atol=1e-5, rtol=1e-5)


def test_clips_together_go_through_each_encoder_in_one_pass():
    encoders, given = stand_ins(), clips_of_all_kinds()
    clip.encode_clips(encoders, given, [ClipWork() for _ in given])
    # Windows 6 and 32, then 18 that are left; faces 16, 32 and 1, then 32, then 6: at most 32 in a batch.
    assert [len(part) for part in encoders.speech.shown] == [32, 6, 18]
    assert [len(part) for part in encoders.text.shown] == [5]
    assert [len(part) for part in encoders.vision.shown] == [32, 17, 32, 6]


def test_a_clip_whose_budget_is_used_up_leaves_the_others_whole():
    given = clips_of_all_kinds()
    spent = ClipWork(budget=Budget(1, itertools.count(step=2).__next__))
    works = [ClipWork(), ClipWork(), spent, ClipWork(), ClipWork()]
    made = clip.encode_clips(stand_ins(), given, works)
    assert not made[2].present[:, 0].any()
    assert made[0].present[:6, 0].all()
    assert made[4].present[:, 2].all()
    assert all(work.now() > 0 for work in works[:2])


def test_a_face_and_its_mirror_image_are_one():
    torch.manual_seed(0)
    encoder = VisionEncoder(7).eval()
    crop = np.random.default_rng(0).integers(0, 255, (48, 48), np.uint8)
    seen = [FaceSeen(0.0, (0, 0, 1, 1), 1.0, c) for c in (crop, np.ascontiguousarray(crop[:, ::-1]))]
    one, mirror = (clip.encode_vision(encoder, [face], 1)[0] for face in seen)
    torch.testing.assert_close(one, mirror, rtol=1e-4, atol=1e-5)
    assert not torch.allclose(one, encoder.features(normalise_faces(crop[None])), rtol=1e-3)
