"""The weighting lab without a page: corruption to raw input, kept features, hand-set alpha, switches, sweep, state."""

from __future__ import annotations

import dataclasses
import functools
import json

import numpy as np
import pytest
import torch

from hff.config import FACE_SIZE, MODALITIES
from hff.detectors.faces import FaceTracker
from hff.detectors.vad import voiced_segments
from hff.errors import InputError, NothingToAnalyse
from hff.examples.ready import EXAMPLES_FOLDER
from hff.lab.ablation import switch_off, trained_without
from hff.lab.corrupted_material import KINDS, corrupt_transcript, is_trained
from hff.lab.lab import Lab, corrupted_recording, excerpt
from hff.lab.state import COMPONENTS, Corruption, LabState
from hff.lab.sweep_points import severities
from hff.locale import translate, using
from hff.media.image import read_image
from hff.pipeline.fusing import check_draws
from hff.pipeline.recording import Recording
from hff.result import FaceSeen, Transcript, Word
from tests.support.model_fixtures import assert_same, random_clips, small_model
from tests.support.page_browser import real_model

SECONDS = 3.0
SAID = "I am so very glad that you came here today"


def crop(seed: int) -> np.ndarray:
    """A real face as the app sees it, with a camera's noise: a drawn one would be trusted with nothing."""
    noise = np.random.default_rng(seed).normal(0, 4, (FACE_SIZE, FACE_SIZE))
    return np.clip(portrait() + noise, 0, 255).astype(np.uint8)


@functools.cache
def portrait() -> np.ndarray:
    seen = FaceTracker().update(0.0, read_image(EXAMPLES_FOLDER / "portrait.jpg"))
    assert seen is not None
    return seen.crop


@pytest.fixture(scope="module")
def recording(speech_wave: np.ndarray) -> Recording:
    """Three seconds with a synthetic voice, timed words and a face four times a second."""
    wave = speech_wave[: int(SECONDS * 16_000)]
    words = [Word(w, 0.3 * i, 0.3 * i + 0.25, 0.9) for i, w in enumerate(SAID.split())]
    faces = [FaceSeen(t, (0.0, 0.0, 48.0, 48.0), 1.0, crop(i)) for i, t in enumerate(np.arange(0, SECONDS, 0.25))]
    return Recording(SECONDS, wave, voiced_segments(wave), Transcript(SAID, words, "recognised"), faces)


@pytest.fixture
def lab(recording: Recording) -> Lab:
    return Lab(real_model(), recording)


def hurt(modality: str, kind: str, severity: float = 0.8, **changes) -> LabState:
    state = LabState(samples=4)
    return state.but(corruption={**state.corruption, modality: Corruption(kind, severity)}, **changes)


def test_another_ear_hears_the_voice_anew_and_nothing_else(lab):
    state = LabState(samples=4)
    other = state.but(speech_encoder="mfcc-cnn")
    before, after = lab.infer(other.untouched), lab.infer(other)
    assert (before.speech_encoder, after.speech_encoder) == ("whisper", "mfcc-cnn")
    assert lab.encoded == {"speech": 2, "text": 1, "vision": 1}
    assert before.per_modality["speech"] != after.per_modality["speech"]
    switched = lab.infer(other.but(without=("attention",)))
    assert switched.speech_encoder == "mfcc-cnn"
    assert lab.encoded["speech"] == 2
    swept = [point.probabilities for point in lab.sweep(other, "vision", [0.0])]
    assert swept[0] == pytest.approx(after.probabilities, abs=1e-5)


def test_what_was_explained_is_not_explained_again(lab):
    blurred = hurt("vision", "blur")
    plain, found = lab.explain(blurred.untouched, 3), lab.explain(blurred, 3)
    assert [len(one.faces) for one in (plain, found)] == [3, 3]
    assert found.words == plain.words
    assert any((a.heat != b.heat).any() for (_, a), (_, b) in zip(plain.faces, found.faces, strict=True))
    assert lab.explain(blurred.but(alpha=(1.0, 0.0, 0.0)), 3) is found


# ---- corruption ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("modality", "kind"), [(m, kind) for m in MODALITIES for kind in KINDS[m]])
def test_every_kind_corrupts_its_own_modality_and_no_other(recording, modality: str, kind: str):
    corrupted = corrupted_recording(recording, hurt(modality, kind))
    changed = {
        "speech": not np.array_equal(corrupted.wave, recording.wave),
        "text": corrupted.transcript is None or corrupted.transcript.text != recording.transcript.text,
        "vision": any(
            not np.array_equal(a.crop, b.crop) for a, b in zip(corrupted.faces, recording.faces, strict=True)
        ),
    }
    assert changed == {m: m == modality for m in MODALITIES}
    assert corrupted.seconds == recording.seconds


def test_nothing_is_corrupted_at_severity_0(recording):
    untouched = corrupted_recording(recording, LabState())
    assert untouched.wave is recording.wave
    assert untouched.voiced == recording.voiced
    assert untouched.transcript is recording.transcript
    assert untouched.faces == recording.faces


def test_a_lost_voice_is_an_absent_voice(recording):
    assert recording.voiced
    assert corrupted_recording(recording, hurt("speech", "switched off", 1.0)).voiced == []
    muted = LabState(corruption={**LabState().corruption, "speech": Corruption("babble", 0.0, muted=True)})
    assert (corrupted_recording(recording, muted).wave, corrupted_recording(recording, muted).voiced) == (None, [])


def test_timed_words_are_corrupted_as_the_text_is_and_keep_their_times(recording):
    for kind in KINDS["text"]:
        timed = corrupt_transcript(recording.transcript, kind, 0.5, seed=3)
        assert timed.text == corrupt_transcript(Transcript(SAID), kind, 0.5, seed=3).text
        times = {(word.start, word.end) for word in recording.transcript.words}
        assert {(word.start, word.end) for word in timed.words} <= times


def test_a_frozen_picture_repeats_its_last_moving_frame(recording):
    faces = corrupted_recording(recording, hurt("vision", "freeze", 0.5)).faces
    half = len(faces) // 2
    assert all(np.array_equal(face.crop, faces[half - 1].crop) for face in faces[half:])
    assert [face.time for face in faces] == [face.time for face in recording.faces]
    assert not np.array_equal(faces[0].crop, faces[1].crop)


def test_a_hand_stays_where_it_is_from_frame_to_frame(recording):
    same = dataclasses.replace(recording, faces=[recording.faces[0]] * 4)
    faces = corrupted_recording(same, hurt("vision", "cover", 0.4)).faces
    assert all(np.array_equal(face.crop, faces[0].crop) for face in faces)


def test_kinds_the_model_never_met_are_known():
    assert is_trained("speech", "babble")
    assert not is_trained("speech", "music")
    assert not is_trained("vision", "freeze")


def test_a_long_recording_is_cut_and_says_so(recording):
    short = excerpt(recording, 1.0)
    assert short.seconds == 1.0
    assert len(short.wave) == 16_000
    assert all(face.time < 1 for face in short.faces)
    assert short.transcript.text == "I am so very"
    assert any("first 1 seconds" in warning for warning in short.warnings)
    with using("de"):
        assert any("ersten 1 Sekunden" in translate(warning) for warning in short.warnings)
    assert excerpt(recording) is recording


# ---- reading ------------------------------------------------------------------------------------------------


def test_the_untouched_state_reads_as_the_clip_path_does(lab, recording):
    ours, theirs = lab.infer(LabState()), real_model().analyze_recording(recording)
    assert ours.probabilities == theirs.probabilities
    assert ours.alpha == theirs.alpha
    assert ours.shapley == theirs.shapley


def test_only_what_changed_is_computed_again(lab):
    lab.infer(LabState(samples=4))
    assert lab.encoded == {"speech": 1, "text": 1, "vision": 1}
    lab.infer(hurt("vision", "blur"))
    assert lab.encoded == {"speech": 1, "text": 1, "vision": 2}
    lab.infer(hurt("vision", "blur", alpha=(0.2, 0.3, 0.5), without=("attention",)))
    lab.infer(hurt("vision", "blur"))
    assert lab.encoded == {"speech": 1, "text": 1, "vision": 2}
    lab.infer(hurt("vision", "blur", text="other words"))
    assert lab.encoded == {"speech": 1, "text": 2, "vision": 2}
    lab.infer(hurt("vision", "blur", seed=7))
    assert lab.encoded == {"speech": 1, "text": 2, "vision": 3}


def test_what_is_kept_is_what_would_be_computed(recording):
    state = hurt("speech", "white noise", 0.6)
    used = Lab(real_model(), recording)
    for other in (LabState(samples=4), hurt("speech", "babble"), hurt("text", "masked words")):
        used.infer(other)
    assert used.infer(state).probabilities == Lab(real_model(), recording).infer(state).probabilities


@pytest.mark.parametrize("kind", ["blur", "dark", "cover", "low resolution"])
def test_alpha_leaves_a_broken_face(lab, kind: str):
    clean, broken = lab.infer(LabState(samples=4)), lab.infer(hurt("vision", kind, 1.0))
    assert broken.variance["vision"] > 1.3 * clean.variance["vision"]
    assert broken.alpha["vision"] < 0.85 * clean.alpha["vision"]


def test_hand_set_alpha_is_what_is_used(lab):
    result = lab.infer(LabState(samples=4, alpha=(0.2, 0.5, 0.3)))
    line = result.timeline
    whole = line.present.all(1)
    np.testing.assert_allclose(line.alpha[whole], [[0.2, 0.5, 0.3]] * whole.sum(), atol=1e-6)
    np.testing.assert_allclose(line.alpha[line.present.any(1)].sum(1), 1, atol=1e-6)
    assert (line.alpha[~line.present] == 0).all()


def test_all_weight_on_what_is_absent_is_refused(lab):
    state = hurt("vision", "blur", 0.0, alpha=(0.0, 0.0, 1.0))
    muted = state.but(corruption={**state.corruption, "vision": Corruption("blur", 0.0, muted=True)})
    with pytest.raises(InputError, match="absent"):
        lab.infer(muted)
    with pytest.raises(InputError, match="absent"):
        list(lab.sweep(muted, "text", [0.0]))


def test_nothing_left_is_told(lab):
    state = LabState(corruption={m: Corruption(KINDS[m][0], 0.0, muted=True) for m in MODALITIES})
    with pytest.raises(NothingToAnalyse, match="Nothing is left"):
        lab.infer(state)


# ---- sweep --------------------------------------------------------------------------------------------------


def test_a_sweep_gives_what_single_readings_give(lab):
    state = hurt("vision", "dark", 0.3)
    points = list(lab.sweep(state, "vision", [0.0, 0.5, 1.0]))
    assert [point.severity for point in points] == [0.0, 0.5, 1.0]
    for point in points:
        reading = lab.infer(state.with_severity("vision", point.severity))
        assert point.emotion == reading.emotion
        assert point.alpha == pytest.approx(reading.alpha)
        assert point.variance == pytest.approx(reading.variance)
        assert point.probabilities == pytest.approx(reading.probabilities)


def test_a_sweep_that_is_not_asked_for_more_computes_no_more(lab):
    points = lab.sweep(LabState(samples=4), "vision", np.linspace(0, 1, 11))
    next(points)
    next(points)
    points.close()
    assert lab.encoded["vision"] == 2


def test_what_a_sweep_loses_on_the_way_is_absent_not_zero(lab):
    *_, last = lab.sweep(hurt("text", "dropped words", 0.0), "text", [0.0, 1.0])
    assert last.variance["text"] is None
    assert last.row()["alpha_text"] == 0
    muted = {m: Corruption(KINDS[m][0], 0.0, muted=m != "text") for m in MODALITIES}
    alone = list(lab.sweep(LabState(samples=4, corruption=muted), "text", [0.0, 1.0]))
    assert [point.severity for point in alone] == [0.0]


# ---- switches -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("part", COMPONENTS)
def test_a_part_switched_off_is_off_and_the_model_stays_whole(part: str):
    model = small_model()
    clips = random_clips(model.config, 2, 4)
    before = model(**clips)
    variant = switch_off(model, [part])
    assert getattr(variant.config, f"use_{part}") is False
    after = variant(**clips)
    assert not torch.allclose(after.logits, before.logits)
    assert_same(model(**clips), before)
    if part == "attention":
        assert after.attention is None
        torch.testing.assert_close(after.alpha, before.alpha)
    if part == "dynamic_weighting":
        shares = clips["present"] / clips["present"].sum(-1, keepdim=True)
        torch.testing.assert_close(after.alpha, shares)
    if part == "temporal":
        used = clips["present"].any(-1)
        torch.testing.assert_close(after.beta, used / used.sum(1, keepdim=True))
    shared = {p.data_ptr() for p in model.parameters()}
    strangers = [name for name, p in variant.named_parameters() if p.data_ptr() not in shared]
    assert all(name.startswith("alignment.linear") for name in strangers)
    assert bool(strangers) == (part == "alignment")
    assert_same(switch_off(model, [part])(**clips), after)


def test_which_parts_the_weights_were_trained_with():
    assert trained_without(small_model()) == ()
    assert trained_without(small_model(use_temporal=False)) == ("temporal",)


# ---- state --------------------------------------------------------------------------------------------------

FULL = LabState(
    source="clip",
    corruption={
        "speech": Corruption("babble", 0.35),
        "text": Corruption("dropped words", 0.0, muted=True),
        "vision": Corruption("freeze", 1.0),
    },
    alpha=(0.25, 0.25, 0.5),
    without=("attention", "temporal"),
    samples=8,
    seed=5,
    text="Grüße & <b>?",
    speech_encoder="mfcc-cnn",
)


@pytest.mark.parametrize("state", [LabState(), LabState(source="voice"), FULL])
def test_a_state_survives_its_json(state: LabState):
    assert LabState.from_json(state.to_json()) == state
    assert LabState.from_dict(json.loads(json.dumps(state.to_dict()))) == state


def test_a_link_stays_short():
    assert len(LabState(source="clip").to_json()) < 40


def test_weights_are_scaled_to_1():
    assert LabState.from_dict({"alpha": [0.5, 0.5, 1.0]}).alpha == (0.25, 0.25, 0.5)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "JSON"),
        ("[1]", "JSON object"),
        ("{}x", "JSON"),
        ('{"colour": "red"}', "colour"),
        ('{"format": 2}', "format"),
        ('{"damage": {"smell": {}}}', "smell"),
        ('{"damage": {"vision": {"kind": "rain"}}}', "rain"),
        ('{"damage": {"vision": {"severity": 2}}}', "between 0 and 1"),
        ('{"damage": {"vision": {"severity": NaN}}}', "number"),
        ('{"damage": {"vision": {"severity": true}}}', "number"),
        ('{"damage": {"vision": {"muted": 1}}}', "muted"),
        ('{"damage": {"vision": {"kind": ["blur"]}}}', "kind"),
        ('{"alpha": [0, 0, 0]}', "all 0"),
        ('{"alpha": {"nose": 1}}', "alpha"),
        ('{"without": "attention"}', "without"),
        ('{"without": ["luck"]}', "without"),
        ('{"samples": 1e9}', "samples"),
        ('{"seed": -1}', "seed"),
        ('{"text": 5}', "text"),
        ('{"speech_encoder": "hubert"}', "mfcc-cnn, whisper"),
        ('{"speech_encoder": 1}', "speech_encoder"),
        (json.dumps({"text": "x" * 3000}), "characters"),
        ('{"samples": -1}', "samples"),
        ('{"samples": NaN}', "samples"),
        ('{"samples": "8"}', "samples"),
        (json.dumps({"seed": 2**70}), "seed"),
        ('{"seed": Infinity}', "seed"),
        ('{"seed": true}', "seed"),
        ('{"seed": %s}' % ("9" * 400), "seed is 9999.*between"),
        ('{"seed": %s}' % ("9" * 5000), "JSON"),
        ('{"samples": -%s}' % ("9" * 400), "samples"),
        ('{"alpha": [%s, 0, 0]}' % ("9" * 400), "alpha"),
        ('{"alpha": [-1, 1, 1]}', "alpha"),
        ('{"damage": {"vision": {"severity": %s}}}' % ("9" * 400), "severity"),
        ('{"format": %s}' % ("9" * 400), "format"),
        ('{"damage": {"vision": {"kind": {"a": 1}}}}', "kind"),
        ('{"without": [["attention"]]}', "without"),
        (json.dumps({"x" * 10_000: 1}), "unknown part"),
        ('{"\\ud800": 1}', "unknown part"),
    ],
)
def test_a_bad_state_is_refused_with_a_sentence(text: str, message: str):
    with pytest.raises(InputError, match=message) as refused:
        LabState.from_json(text)
    assert len(str(refused.value)) < 400
    str(refused.value).encode("utf-8")


@pytest.mark.parametrize(
    "points", ["5", float("nan"), float("inf"), True, False, 0, 1, -3, 1e9, 10**400, None, [5], "NaN"]
)
def test_a_sweep_of_points_that_there_cannot_be(points):
    with pytest.raises(InputError, match="2 to 101 points"):
        severities("vision", points)


def test_a_modality_that_there_is_not():
    with pytest.raises(InputError, match="modality") as refused:
        severities(["vision"] * 1000, 5)
    assert len(str(refused.value)) < 200


def test_the_points_of_a_sweep():
    assert severities("text", 3) == severities("text", 3.0) == [0, 0.5, 1]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("samples", -1),
        ("samples", 1e9),
        ("samples", "8"),
        ("samples", None),
        ("samples", float("nan")),
        ("seed", 2**70),
        ("seed", -1),
        ("seed", float("inf")),
        ("seed", 10**5000),
        ("seed", True),
    ],
    ids=[str(number) for number in range(10)],
)
def test_draws_that_there_cannot_be(name, value):
    with pytest.raises(InputError, match=name):
        check_draws(**({"samples": 8, "seed": 0} | {name: value}))
    assert check_draws(np.int64(8), 5.0) == (8, 5)
