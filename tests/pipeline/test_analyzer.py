"""The Python API: every kind of input, alone and together, with the shipped weights."""

from __future__ import annotations

import csv
import io
import json
import shutil
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch

import hff
from hff import weights
from hff.cancel import Cancel
from hff.config import EMOTIONS, MAX_STEPS, MODALITIES, SAMPLE_RATE, STEP_SECONDS
from hff.errors import Cancelled
from hff.media.audio import read_audio
from hff.media.image import read_image
from hff.pipeline import fusing
from hff.pipeline.ahead import ToRead

EXAMPLES = Path(hff.__file__).parent / "examples"
CLIP, VOICE, PORTRAIT = EXAMPLES / "clip.mp4", EXAMPLES / "voice.wav", EXAMPLES / "portrait.jpg"
RATE = SAMPLE_RATE


@pytest.fixture(scope="module")
def model():
    return hff.load("cpu")


@pytest.fixture(scope="module")
def whole(model):
    return model.analyze(video=CLIP)


@pytest.fixture(scope="module")
def wave():
    return read_audio(VOICE)


def check_sound(result, present: set[str]) -> None:
    """What must hold for every result, whatever it was made from."""
    assert result.emotion == max(result.probabilities, key=result.probabilities.get)
    assert tuple(result.probabilities) == EMOTIONS
    assert sum(result.probabilities.values()) == pytest.approx(1, abs=1e-5)
    assert sum(result.alpha.values()) == pytest.approx(1, abs=1e-5)
    assert {m for m in MODALITIES if result.present[m]} == present
    line = result.timeline
    for i, m in enumerate(MODALITIES):
        if m in present:
            assert result.alpha[m] > 0
            assert result.variance[m] > 0
            assert result.shapley[m] is not None
        else:
            assert result.alpha[m] == 0
            assert result.variance[m] is None
            assert result.per_modality[m] is None
            assert result.shapley[m] is None
        assert np.all(line.alpha[~line.present[:, i], i] == 0)
    used = line.present.any(1)
    assert np.allclose(line.alpha[used].sum(1), 1, atol=1e-5)
    assert line.beta.sum() == pytest.approx(1, abs=1e-5)
    for values in (
        line.alpha0,
        line.precision,
        line.aleatoric,
        line.epistemic,
        line.probabilities,
        result.attention.values,
    ):
        assert np.isfinite(values).all()
    shares = sum(value for value in result.shapley.values() if value is not None)
    assert shares == pytest.approx(result.probabilities[result.emotion] - 1 / len(EMOTIONS), abs=1e-5)
    json.dumps(result.to_dict(), allow_nan=False)


def test_video_gives_all_three(whole):
    check_sound(whole, {"speech", "text", "vision"})
    assert "wonderful" in whole.transcript.text.lower()
    assert whole.transcript.words[0].start < whole.transcript.words[-1].end <= whole.seconds + 0.5
    steps = len(whole.timeline.times)
    assert steps == pytest.approx(whole.seconds / STEP_SECONDS, abs=1)
    assert whole.attention.shape == (4, 8, steps, 4 * steps)
    assert np.allclose(whole.attention.by_kind().sum((3, 4)), 1, atol=1e-4)
    assert len(whole.subsets) == 7
    assert whole.evidence.mel.shape[0] == 64
    assert 0 <= whole.entropy <= 1


def test_final_alpha_is_alpha0_times_precision(whole):
    line = whole.timeline
    product = line.alpha0 * line.precision
    assert np.allclose(line.alpha, product / product.sum(1, keepdims=True), atol=1e-5)
    assert np.allclose(line.precision[line.present], 1 / (line.variance[line.present] + 1e-2), rtol=1e-4)


@pytest.mark.parametrize(
    ("inputs", "present"),
    [
        ({"text": "What a wonderful day, I love it!"}, {"text"}),
        ({"image": PORTRAIT}, {"vision"}),
        ({"video": PORTRAIT, "text": "A still picture counts as a picture."}, {"text", "vision"}),
        ({"audio": VOICE, "transcribe": False}, {"speech"}),
        ({"audio": VOICE}, {"speech", "text"}),
        ({"image": PORTRAIT, "text": "I hate this."}, {"text", "vision"}),
        ({"audio": VOICE, "image": PORTRAIT, "text": "Hello there."}, {"speech", "text", "vision"}),
        ({"audio": CLIP, "transcribe": False}, {"speech"}),
        ({"video": EXAMPLES / "no_sound.mp4"}, {"vision"}),
        ({"video": VOICE, "transcribe": False}, {"speech"}),
        ({"text": "🎉🎉 wunderbar 素晴らしい صباح الخير"}, {"text"}),
    ],
)
def test_any_inputs_together(model, inputs, present):
    check_sound(model.analyze(**inputs), present)


def test_arrays_read_as_files_do(model, wave):
    from_file = model.analyze(audio=VOICE, transcribe=False)
    from_array = model.analyze(audio=(RATE, wave), transcribe=False)
    for label in EMOTIONS:
        assert from_array.probabilities[label] == pytest.approx(from_file.probabilities[label], abs=1e-4)
    picture = read_image(PORTRAIT)
    same = model.analyze(image=picture)
    assert same.probabilities == pytest.approx(model.analyze(image=PORTRAIT).probabilities, abs=1e-5)
    frames = np.repeat(picture[None, :256, :256], 8, axis=0)
    check_sound(model.analyze(video=(4, frames)), {"vision"})


def test_picture_that_already_is_a_face(model):
    face = (np.random.default_rng(0).random((60, 50)) * 255).astype(np.uint8)
    check_sound(model.analyze(image=face, detect_faces=False), {"vision"})
    with pytest.raises(hff.NothingToAnalyse, match="No face"):
        model.analyze(image=face)


def test_typed_words_replace_the_transcript(model):
    result = model.analyze(audio=VOICE, text="I am so sad.")
    assert result.transcript.text == "I am so sad."
    assert result.transcript.source == "typed"
    assert result.timeline.present[:, 1].all()


def test_each_modality_alone_is_what_analysing_it_alone_says(model):
    both = model.analyze(audio=VOICE, text="This is terrible, I hate it.")
    voice = model.analyze(audio=VOICE, transcribe=False)
    assert both.per_modality["speech"] == pytest.approx(voice.probabilities, abs=1e-5)
    assert both.subsets["speech"] == both.per_modality["speech"]


def test_same_seed_same_result(model):
    inputs = {"text": "I did not expect that at all!", "image": PORTRAIT}
    first, again = model.analyze(**inputs, seed=3), model.analyze(**inputs, seed=3)
    assert first.probabilities == again.probabilities
    assert first.spread == again.spread
    other = model.analyze(**inputs, seed=4)
    assert other.probabilities != first.probabilities
    assert max(first.spread.values()) > 0
    assert max(model.analyze(**inputs, samples=0).spread.values()) == 0


def test_csv_has_a_row_a_step(whole):
    rows = list(csv.DictReader(io.StringIO(whole.to_csv())))
    assert len(rows) == len(whole.timeline.times)
    total = sum(float(rows[0][f"alpha_{m}"]) for m in MODALITIES)
    assert total == pytest.approx(1, abs=1e-5)


def test_long_clip_keeps_one_block_of_attention(model, wave):
    long = np.tile(wave, int(np.ceil((MAX_STEPS + 30) * STEP_SECONDS * RATE / len(wave))))
    result = model.analyze(audio=(RATE, long), transcribe=False, samples=2)
    check_sound(result, {"speech"})
    queries = result.attention.shape[2]
    assert len(result.timeline.times) > MAX_STEPS
    assert queries <= MAX_STEPS
    assert result.attention.query_times[0] in result.timeline.times


def test_progress_goes_from_start_to_end(model):
    seen = []
    model.analyze(video=CLIP, progress=lambda fraction, message: seen.append((fraction, message)))
    fractions = [fraction for fraction, _ in seen]
    assert fractions == sorted(fractions)
    assert fractions[-1] == 1
    assert all(0 <= fraction <= 1 for fraction in fractions)
    assert any("word" in message.lower() for _, message in seen)


def test_warnings_say_what_is_missing(model):
    assert any("sound" in w for w in model.analyze(video=EXAMPLES / "no_sound.mp4").warnings)


def test_alpha_leaves_the_face_when_the_camera_is_covered(model):
    line = model.analyze(video=EXAMPLES / "camera_covered.mp4").timeline
    seen, heard = line.present[:, 2], line.present[:, 0]
    assert line.alpha[seen, 2].mean() > 0.3  # one of three that are sound
    assert np.all(line.alpha[~seen, 2] == 0)
    covered = heard & ~seen
    assert covered.sum() >= 3
    assert line.alpha[covered, 0].mean() > 1.3 * line.alpha[heard & seen, 0].mean()  # two share what three did


@pytest.mark.parametrize(
    ("inputs", "error", "says"),
    [
        ({}, hff.InputError, "Nothing was given"),
        ({"text": "   "}, hff.InputError, "Nothing was given"),
        ({"text": 7}, hff.InputError, "must be a string"),
        ({"audio": (RATE, np.zeros(RATE, np.float32))}, hff.NothingToAnalyse, "silent"),
        ({"video": "nowhere.mp4"}, hff.InputError, "nowhere.mp4"),
        ({"audio": EXAMPLES / "no_sound.mp4"}, hff.InputError, "no_sound.mp4"),
        ({"image": np.zeros((1, 1, 3), np.uint8)}, hff.InputError, "picture"),
        ({"audio": (RATE, np.full(RATE, np.nan, np.float32))}, hff.InputError, "(?i)nan|number"),
    ],
)
def test_bad_input_is_named(model, inputs, error, says):
    with pytest.raises(error, match=says):
        model.analyze(**inputs)


def test_very_long_text_is_read_as_far_as_it_goes(model):
    result = model.analyze(text="I am happy today. " * 1250)
    check_sound(result, {"text"})
    unspaced = model.analyze(text="今日はとても嬉しいです" * 200)
    check_sound(unspaced, {"text"})
    assert not any("very long" in w for w in unspaced.warnings)
    assert any("very long" in w for w in model.analyze(text="今日はとても嬉しいです" * 2000).warnings)
    endless = model.analyze(text="I am happy today. " * 2200)
    assert any("very long" in w for w in endless.warnings)
    with pytest.raises(hff.InputError, match="at most 40,000"):
        model.analyze(text="I am happy today. " * 6000)


@pytest.mark.parametrize("name", ["cuda:99", "tpu", "gpu", "", "meta"])
def test_unknown_device(name):
    with pytest.raises(hff.DeviceError, match=r"available|Unknown|exist"):
        hff.load(name)


def test_another_ear_shares_all_that_is_not_its_own(model, wave):
    with ThreadPoolExecutor(2) as pool:
        others = list(pool.map(model.hearing_with, 2 * ["mfcc-cnn"]))
    other = others[0]
    assert others[1] is other, "it is loaded once"
    assert model.hearing_with("") is model.hearing_with("whisper") is other.hearing_with("whisper") is model
    assert other.hearing_with("mfcc-cnn") is other
    assert other.encoders.text is model.encoders.text
    assert other.encoders.vision is model.encoders.vision
    assert other.encoders.speech is not model.encoders.speech
    found = other.analyze(audio=(RATE, wave), transcribe=False)
    alone = hff.load("cpu", speech_encoder="mfcc-cnn").analyze(audio=(RATE, wave), transcribe=False)
    assert found.speech_encoder == "mfcc-cnn"
    assert found.probabilities == pytest.approx(alone.probabilities, abs=1e-5)
    assert found.probabilities != pytest.approx(
        model.analyze(audio=(RATE, wave), transcribe=False).probabilities, abs=1e-3
    )
    assert next(csv.DictReader(io.StringIO(found.to_csv())))["speech_encoder"] == "mfcc-cnn"


def test_an_ear_without_weights_is_told(tmp_path):
    for name in ("fusion", "speech", "text", "vision"):
        shutil.copyfile(weights.folder() / f"{name}.safetensors", tmp_path / f"{name}.safetensors")
    with pytest.raises(hff.WeightsError, match=r"whisper.*fusion-whisper|whisper.*speech-whisper"):
        hff.load("cpu", tmp_path).hearing_with("whisper")


@pytest.mark.parametrize("at_once", [1, 2, 6])
def test_subsets_read_together_come_to_what_each_comes_to_by_itself(model, monkeypatch, at_once: int):
    material = model.read(video=EXAMPLES / "actor_angry.mp4")
    clip = model.encode(material)
    monkeypatch.setattr(fusing, "SAMPLED_STEPS", at_once * clip.steps * 8)
    whole = model.infer_clip(clip, material, samples=8, seed=3)
    for name, said in whole.subsets.items():
        alone = model.fuse(clip, frozenset(name.split("+")), samples=8, seed=3).probabilities[0].tolist()
        assert list(said.values()) == pytest.approx(alone, abs=1e-5), name


def test_missing_and_damaged_weights(tmp_path):
    with pytest.raises(hff.WeightsError, match="missing"):
        hff.load("cpu", tmp_path)
    for name in weights.part_names():
        shutil.copy(weights.folder() / f"{name}.safetensors", tmp_path)
    (tmp_path / "vision.safetensors").write_bytes(b"not weights at all")
    with pytest.raises(hff.WeightsError, match="vision"):
        hff.load("cpu", tmp_path)


def test_many_clips_come_one_by_one_and_a_bad_one_is_told(model, tmp_path):
    (tmp_path / "broken.mp4").write_text("this is no video")
    (tmp_path / "letter.txt").write_text("I am so glad you came.")
    paths = [tmp_path / "broken.mp4", tmp_path / "letter.txt", tmp_path / "gone.wav"]
    many = model.analyze_many(iter(paths), samples=0)
    broken, letter, gone = (next(many) for _ in paths)
    assert [path for path, _ in (broken, letter, gone)] == paths
    assert isinstance(broken[1], hff.InputError)
    assert "broken.mp4" in str(broken[1])
    assert isinstance(gone[1], hff.InputError)
    assert letter[1].probabilities == model.analyze(text="I am so glad you came.", samples=0).probabilities
    frame = letter[1].to_frame()
    assert len(frame) == len(letter[1].timeline.times)


def test_many_clips_together_read_as_each_alone(model, tmp_path):
    (tmp_path / "broken.mp4").write_text("this is no video")
    (tmp_path / "letter.txt").write_text("I am so glad you came.")
    names = ("actor_happy.mp4", "voice.wav", "portrait.jpg", "no_sound.mp4")
    paths = [tmp_path / "broken.mp4", *(EXAMPLES / name for name in names), tmp_path / "letter.txt"]
    begun = []

    def slowly():
        for path in paths:
            begun.append(path)
            yield path

    together = list(model.analyze_many(slowly(), samples=8))
    alone = list(model.analyze_many(paths, samples=8, batch=1))
    assert [path for path, _ in together] == [path for path, _ in alone] == paths == begun
    assert str(together[0][1]) == str(alone[0][1])
    for (path, one), (_, other) in zip(together[1:], alone[1:], strict=True):
        assert one.probabilities == pytest.approx(other.probabilities, abs=1e-5), path
        assert one.alpha == pytest.approx(other.alpha, abs=1e-5)
        assert one.present == other.present
        assert one.transcript == other.transcript
        assert one.warnings == other.warnings
        assert one.timings.keys() == other.timings.keys()


def test_clips_that_cannot_be_encoded_together_are_encoded_alone(model, monkeypatch):
    """And of one that cannot be at all, the exception is told."""
    texts = ["I am so glad you came.", "Out of memory.", "Go away!"]
    features = model.encoders.text.features

    def forgetful(given: list[str]) -> torch.Tensor:
        if len(given) > 1 or "Out of memory." in given:
            raise RuntimeError("no memory")
        return features(given)

    monkeypatch.setattr(model.encoders.text, "features", forgetful)
    clips = [ToRead(text, partial(model.read, text=text)) for text in texts]
    found = [found for _, found in model.analyze_ahead(clips, samples=0)]
    assert isinstance(found[1], RuntimeError)
    monkeypatch.undo()
    for text, one in zip(texts[::2], found[::2], strict=True):
        assert one.probabilities == pytest.approx(model.analyze(text=text, samples=0).probabilities, abs=1e-5)


def test_many_clips_end_with_their_flag(model):
    cancel = Cancel()
    many = model.analyze_many([EXAMPLES / "voice.wav"] * 3, samples=0, cancel=cancel)
    next(many)
    cancel.set("Enough.")
    with pytest.raises(Cancelled, match="Enough"):
        list(many)
