"""The second speech encoder's training, from recordings to an encoder that the app reads with."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

import hff
from hff import weights
from hff.config import EMOTIONS
from hff.encoders.mfcc_cnn import WINDOW_FRAMES
from hff.encoders.whisper import WHISPER_LAYERS, WHISPER_MELS, WHISPER_WIDTH, WhisperEncoder, WhisperLayers
from tests.support import corpus_fixtures as made
from tests.support.corpus_fixtures import voice_of
from tests.support.model_fixtures import copied_weights
from train.__main__ import main
from train.encoders import speech_whisper, whisper_base, whisper_windows
from train.engine.record import read_log
from train.evaluation import left_out_voices
from train.fusion import feature_files, training

SHIPPED = weights.folder()
KINDS = (WHISPER_LAYERS, 2 * WHISPER_WIDTH)  # of statistics of a window
TINY = {"fusion": 2, "validation": 2, "test": 2, "unseen": 2}


@pytest.fixture(scope="module")
def trained(tmp_path_factory, speech_wave) -> Path:
    """The stages whisper, features and fusion on tiny data; words and faces have features already."""
    data, out = tmp_path_factory.mktemp("voices"), tmp_path_factory.mktemp("run")
    voice = speech_wave[: int(1.3 * made.RATE)]
    made.speech(data, made.ravdess_names((2, 3, 15, 18, 20)), voice, "ravdess", True)
    made.speech(data, made.emodb_names(), voice, "emodb", True)
    made.speech(data, made.nemo_names(("EB0", "MK0")), voice, "nemo", True)
    made.speech(data, made.ased_names(("01",)), voice, "ased", True)
    copied_weights(out / "weights", *weights.part_names())
    rng = np.random.default_rng(0)
    (out / "features").mkdir()
    for split, variants in TINY.items():
        for name, shape in (("text", (768,)), ("vision", (2 if split == "fusion" else 1, 512))):
            stored = {
                "features": torch.from_numpy(rng.normal(size=(14, variants, *shape))).half(),
                "severity": torch.tensor([[0.0, 1.0]] * 14),
                "teacher_logits": torch.from_numpy(rng.normal(size=(14, variants, *shape[:-1], 7))).half(),
                "label": torch.arange(14) % 7,
                "frequency": torch.full((7,), 1 / 7),
                "held_out": torch.ones(14, dtype=torch.bool),
                "fixed": torch.arange(14) >= 12,
            }
            save_file(stored, out / "features" / f"{name}-{split}.safetensors")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(whisper_base, "load", lambda layers: layers)
        patch.setattr(speech_whisper, "ROUNDS", 2)
        patch.setattr(speech_whisper, "TEACHER_FOLDS", 2)
        patch.setattr(speech_whisper, "TUNING_BATCHES", 1)
        patch.setattr(speech_whisper, "TUNING", dataclasses.replace(speech_whisper.TUNING, batch_size=4))
        patch.setattr(feature_files, "VARIANTS", TINY)
        patch.setattr(training, "BATCHES_PER_EPOCH", 2)
        patch.setattr(training, "VALIDATION_CLIPS", 14)
        common = ["--data", str(data), "--out", str(out), "--device", "cpu", "--epochs", "1"]
        assert main(["whisper", *common, "--teach", "--tune"]) == 0
        assert main(["left-out-voices", *common]) == 0
        assert main(["features", *common, "--speech-encoder", "whisper"]) == 0
        assert main(["fusion", *common, "--speech-encoder", "whisper"]) == 0
    return out


def test_training_leaves_an_encoder_that_the_app_reads_with(trained, speech_path):
    model = hff.load("cpu", trained / "weights", speech_encoder="whisper")
    assert model.config.speech_encoder == "whisper"
    assert hff.load("cpu", trained / "weights").config.speech_encoder == "whisper"  # preferred where it is there
    assert hff.load("cpu", trained / "weights", "mfcc-cnn").config.speech_encoder == "mfcc-cnn"
    result = model.analyze(audio=speech_path, text="What a lovely day.", samples=2)
    assert result.speech_encoder == result.to_dict()["speech_encoder"] == "whisper"
    assert result.present["speech"]
    assert sum(result.probabilities.values()) == pytest.approx(1, abs=1e-5)
    assert (trained / "weights" / "fusion.safetensors").read_bytes() == (SHIPPED / "fusion.safetensors").read_bytes()


def test_features_of_words_and_faces_are_those_there_were(trained):
    for path in (trained / "features").glob("*.safetensors"):
        assert (trained / "features-whisper" / path.name).read_bytes() == path.read_bytes()
    stored = feature_files.load(trained / "features-whisper", "speech", "validation")
    assert stored["features"][stored["there"]].isfinite().all()
    assert stored["there"][:, 0].any(1).all()


def test_layers_that_learned_along_are_kept_if_that_gained(trained):
    score = {
        name: max(float(row["score"]) for row in read_log(trained / "whisper" / name)) for name in ("network", "tuning")
    }
    best, network, tuned = (
        load_file(trained / "whisper" / name / "best.safetensors") for name in ("", "network", "tuning")
    )
    expected = tuned if score["tuning"] > score["network"] else network
    for name, value in expected.items():
        torch.testing.assert_close(best[name], value)
    assert f"layers.layers.{WHISPER_LAYERS - 1}.wide.weight" in best


def test_windows_for_training_know_their_corruption(trained):
    for corpus, count in (("ravdess", 14), ("nemo", 6), ("emodb", len(made.EMODB_EMOTIONS) + 1)):
        for number, harmless in ((0, True), (1, False)):
            heard = whisper_windows.Heard(
                **load_file(trained / "whisper" / "heard" / f"{corpus}-0-{number}.safetensors")
            )
            assert heard.recording.tolist() == list(range(count))
            assert (heard.severity == 0).all() == harmless
            assert (heard.severity < 1).all()
            assert heard.values.isfinite().all()
            assert heard.windows.shape == (count, WHISPER_MELS, WINDOW_FRAMES)


def test_each_corpus_is_left_out_in_turn(trained, tmp_path):
    tables = json.loads((trained / "weights" / "metrics.json").read_text())["tables"]
    table = next(table for table in tables if table["command"] == left_out_voices.COMMAND)
    rows = {row[0]: dict(zip(table["columns"], row, strict=True)) for row in table["rows"]}
    assert rows.keys() == {"RAVDESS", "EmoDB", "nEMO", "ASED"}
    assert rows["RAVDESS"]["recordings"] == 3 * 7  # two actors of the training and one that validates
    assert rows["nEMO"]["emotions"] == 6
    assert rows["nEMO"]["disgusted"] is None
    assert all(0 <= row["among its own"] <= 1 and row["accuracy"] <= 1 for row in rows.values())
    plans = json.loads((trained / "whisper" / "without-ravdess" / "run.json").read_text())
    assert plans["plan"]["epochs"] == 1


def test_soft_targets_are_for_every_training_recording(trained):
    soft = np.load(trained / "whisper" / "soft.npz")
    assert len(set(soft["name"])) == len(soft["name"]) == 14 + 6 + len(made.EMODB_EMOTIONS) + 1
    np.testing.assert_allclose(soft["probabilities"].sum(1), 1, atol=1e-5)
    assert soft["probabilities"].shape == (len(soft["label"]), len(EMOTIONS))


def test_soft_targets_come_from_a_network_that_has_not_met_the_speaker(tmp_path, monkeypatch):
    """With random labels, whoever has met a recording tells its label, and nobody else can."""
    monkeypatch.setattr(speech_whisper, "TEACHER_FOLDS", 2)
    rng = np.random.default_rng(0)
    recordings = [made_utterance(n, int(rng.integers(7))) for n in range(80)]
    values = torch.from_numpy(rng.normal(size=(80, *KINDS)).astype(np.float16))
    heard = whisper_windows.Heard(values, torch.arange(80), torch.zeros(80))
    plan = speech_whisper.Plan(epochs=15, learning_rate=1e-3, batch_size=32, schedule="cosine", bf16=False)
    found = speech_whisper.write_soft_targets(recordings, heard, plan, tmp_path, torch.device("cpu"))
    assert found["soft_recall"] < 0.4
    model = speech_whisper.new_model(heard, 0)
    model.load_state_dict(load_file(tmp_path / "fold-0" / "best.safetensors"))
    labels = torch.tensor([u.label for u in recordings])
    met = speech_whisper.predict(model.eval(), heard, 80).argmax(1) == labels
    assert met[1::2].float().mean() > 0.8  # the folds' speakers alternate


def test_two_corpora_that_lack_emotions_teach_all_of_them(tmp_path):
    """One corpus has emotions 0 to 4, the other 3 to 6, and a shift of its own that must not tell the emotion."""
    rng = np.random.default_rng(0)
    centres = rng.normal(size=(7, *KINDS))
    recordings, values = [], []
    for corpus, labels, shift in (("first", range(5), 0.0), ("second", range(3, 7), 1.0)):
        for n in range(140):
            label = list(labels)[n % len(labels)]
            recordings.append(voice_of(corpus, label, n % 4, n))
            values.append(centres[label] + shift + rng.normal(size=KINDS))
    heard = whisper_windows.Heard(torch.from_numpy(np.stack(values)).half(), torch.arange(280), torch.zeros(280))
    material = speech_whisper.VoiceMaterial(recordings, recordings, heard, heard)
    plan = speech_whisper.Plan(epochs=8, learning_rate=2e-3, batch_size=56, schedule="cosine", bf16=False, patience=8)
    model, figures = speech_whisper.fit_network(material, plan, tmp_path / "both", torch.device("cpu"))
    assert figures["first"] > 0.9
    assert figures["second"] > 0.9
    assert figures["score"] == pytest.approx((figures["first"] + figures["second"]) / 2)
    rest = material.without("second")
    assert {u.corpus for u in rest.training + rest.held} == {"first"}
    assert [rest.training[n] for n in rest.heard.recording.tolist()] == recordings[:140]
    utterances, heard = material.clean("second")
    assert len(utterances) == 2 * 140
    assert left_out_voices.measures(speech_whisper.predict(model, heard, len(utterances)), utterances)["accuracy"] > 0.9


def test_layers_learn_more_slowly_than_the_network_and_convolutions_not_at_all(tmp_path, monkeypatch):
    monkeypatch.setattr(speech_whisper, "TUNING_BATCHES", 1)
    recordings = [voice_of("made", n % 7, n % 3, n) for n in range(14)]
    layers = WhisperLayers(1, 16, 4)
    encoder = WhisperEncoder(7, layers=layers).eval()
    windows = torch.randn(14, WHISPER_MELS, WINDOW_FRAMES).half()
    windows[3, :, 200:] = float("nan")
    with torch.inference_mode():
        values = encoder.statistics(windows.float()).half()
    heard = whisper_windows.Heard(values, torch.arange(14), torch.zeros(14), windows)
    model = speech_whisper.quality.add_head(encoder)
    before = {name: value.clone() for name, value in model.state_dict().items()}
    plan = dataclasses.replace(
        speech_whisper.TUNING, epochs=1, batch_size=14, average=0.0, warmup=0.0, weight_decay=0.0
    )
    material = speech_whisper.VoiceMaterial(recordings, recordings, heard, heard)
    speech_whisper.tune_layers(model, material, plan, tmp_path, torch.device("cpu"))
    moved = {name: float((value - before[name]).abs().max()) for name, value in model.state_dict().items()}
    assert moved["layers.conv1.weight"] == moved["layers.conv2.bias"] == 0
    # Adam's first step is the rate itself, whatever the gradient.
    assert moved["layers.layers.0.wide.weight"] == pytest.approx(plan.slow_rate * plan.learning_rate, rel=0.05)
    assert moved["project.1.weight"] == pytest.approx(plan.learning_rate, rel=0.05)
    again = whisper_windows.again(model, heard)
    assert not torch.equal(again.values, heard.values)
    hidden = speech_whisper.hide(windows.float().clone(), np.random.default_rng(1))
    assert torch.equal(hidden.isnan(), windows.isnan())
    changed = hidden.nan_to_num() != windows.float().nan_to_num()
    assert 0 < changed.float().mean() < 0.5


def made_utterance(number: int, label: int) -> speech_whisper.Utterance:
    wave = np.zeros(10, np.float32)
    return speech_whisper.Utterance(f"u{number}", wave, label, f"s{number % 2}", "made", "train")
