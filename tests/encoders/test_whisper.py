"""The second speech encoder: Whisper's states on the time grid, the same use as the paper's, its training and files."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

import app
import hff
from hff import cli, weights
from hff.config import EMOTIONS, SAMPLE_RATE, SPEECH_ENCODERS, STEP_SECONDS, HFFConfig
from hff.encoders.mfcc_cnn import SpeechEncoder
from hff.encoders.whisper import (
    STATE_DIM,
    STATES_PER_SECOND,
    STEP_SAMPLES,
    WINDOW_SAMPLES,
    WINDOW_STATES,
    WhisperEncoder,
    encoder_states,
    statistics,
    step_waves,
)
from hff.errors import WeightsError
from hff.pipeline import analyzer
from hff.pipeline import features as clip
from tests.support import corpus_fixtures as made
from train.__main__ import main
from train.encoders import speech_whisper
from train.fusion import feature_files, training

SHIPPED = weights.folder()
TINY = {"fusion": 2, "validation": 2, "test": 2, "unseen": 2}


@pytest.fixture(scope="module")
def encoder() -> WhisperEncoder:
    torch.manual_seed(0)
    return WhisperEncoder(7).eval()


@pytest.mark.parametrize("samples", [1, 8_000, 24_321, 90_000])
@pytest.mark.parametrize("steps", [1, 2, 9])
def test_windows_are_centred_on_their_steps_and_nan_outside_the_clip(samples, steps):
    windows = step_waves(torch.arange(samples, dtype=torch.float64), steps)
    assert windows.shape == (steps, WINDOW_SAMPLES)
    for t, window in enumerate(windows.numpy()):
        middle = round((t + 0.5) * STEP_SECONDS * SAMPLE_RATE)
        index = np.arange(WINDOW_SAMPLES) + middle - WINDOW_SAMPLES // 2
        np.testing.assert_array_equal(window, np.where((index >= 0) & (index < samples), index, np.nan))


def test_states_stand_where_the_sound_was(speech_wave):
    """A second of speech in silence changes the states of that second the most."""
    first, last = SAMPLE_RATE, 2 * SAMPLE_RATE
    windows = torch.zeros(2, WINDOW_SAMPLES)
    windows[1, first:last] = torch.from_numpy(speech_wave[SAMPLE_RATE : 2 * SAMPLE_RATE])
    states = encoder_states(windows)
    assert states.shape == (2, WINDOW_STATES, STATE_DIM)
    assert states.isfinite().all()
    moved = (states[1] - states[0]).norm(dim=-1)
    # Attention carries it to all other states as well, but less.
    inside = moved[STATES_PER_SECOND : 2 * STATES_PER_SECOND].mean()
    assert inside > 1.15 * moved[:STATES_PER_SECOND].mean()
    assert inside > 1.15 * moved[2 * STATES_PER_SECOND :].mean()
    fifths = moved.unflatten(0, (-1, STATES_PER_SECOND // 5)).mean(1)
    assert 5 <= int(fifths.argmax()) < 10


def test_states_outside_the_clip_are_nan_and_sound_there_is_silence(speech_wave):
    windows = step_waves(torch.from_numpy(speech_wave[: 2 * STEP_SAMPLES]), 2)
    states = encoder_states(windows)
    heard = ~states.isnan().any(-1)
    before = (WINDOW_SAMPLES - STEP_SAMPLES) // 2
    for t in range(2):
        middle = (np.arange(WINDOW_STATES) + 0.5) * WINDOW_SAMPLES / WINDOW_STATES + t * STEP_SAMPLES - before
        within = (middle > 170) & (middle < 2 * STEP_SAMPLES - 170)  # a state at the edge is left out
        assert heard[t].numpy()[within].all()
        assert not heard[t].numpy()[(middle < 0) | (middle > 2 * STEP_SAMPLES)].any()
    silent = encoder_states(windows.nan_to_num())
    torch.testing.assert_close(states[heard], silent[heard])


def test_statistics_are_the_mean_and_deviation_of_what_was_heard():
    states = torch.randn(3, WINDOW_STATES, STATE_DIM)
    states[0, :100] = float("nan")
    states[2] = float("nan")
    values = statistics(states).numpy()
    for n, kept in ((0, states[0, 100:].numpy()), (1, states[1].numpy())):
        expected = np.concatenate([kept.mean(0), kept.std(0)])
        np.testing.assert_allclose(values[n], expected, atol=1e-5)
    assert not values[2].any()


def test_feature_is_the_network_of_the_normalised_statistics(encoder, speech_wave):
    windows = step_waves(torch.from_numpy(speech_wave), 3)
    encoder.mean.fill_(0.5)
    encoder.std.fill_(2.0)
    with torch.inference_mode():
        expected = encoder.project((statistics(encoder_states(windows)) - 0.5) / 2)
        torch.testing.assert_close(encoder.features(windows), expected)
        torch.testing.assert_close(encoder(windows), encoder.head(expected))


def test_used_like_the_papers_encoder(encoder, speech_wave):
    """The same presence, features only where there is a voice, and nothing computed that is known."""
    voiced = [(0.4, 1.3), (2.6, 3.0)]
    wave = speech_wave[: int(3.2 * SAMPLE_RATE)]
    _, expected = clip.encode_speech(SpeechEncoder(7).eval(), wave, voiced, 7)
    found, there = clip.encode_speech(encoder, wave, voiced, 7)
    assert found.shape == (7, 128)
    assert there.tolist() == expected.tolist()
    assert found[there].isfinite().all()
    assert found[there].any(1).all()
    assert not found[~there].any()
    wanted = np.array([False, True] + [False] * 5)
    part, still_there = clip.encode_speech(encoder, wave, voiced, 7, wanted)
    assert still_there.tolist() == expected.tolist()
    assert part.any(1).tolist() == wanted.tolist()
    torch.testing.assert_close(part[1], found[1], atol=0.02, rtol=0.02)  # int8 rounding depends on the batch


@pytest.mark.parametrize("samples", [0, 1, 401])
def test_sound_shorter_than_one_window(encoder, samples):
    found, there = clip.encode_speech(encoder, np.full(samples, 0.1, np.float32), [(0, 0.2)], 1)
    assert there.all()
    assert found.isfinite().all()


def test_config_carries_the_speech_encoder():
    config = HFFConfig(speech_encoder="whisper")
    assert HFFConfig.from_dict(config.to_dict()) == config
    assert HFFConfig.from_dict({}).speech_encoder == "mfcc-cnn"
    with pytest.raises(ValueError, match="mfcc-cnn"):
        HFFConfig(speech_encoder="hubert")


def copied(folder: Path, *names: str) -> Path:
    """A folder of the shipped weights of these parts."""
    folder.mkdir(parents=True, exist_ok=True)
    for name in names:
        shutil.copyfile(SHIPPED / f"{name}.safetensors", folder / f"{name}.safetensors")
    return folder


def test_missing_weights_are_told_with_what_makes_them(tmp_path, encoder, capsys):
    folder = copied(tmp_path, *weights.part_names())
    with pytest.raises(WeightsError, match=r"speech-whisper\.safetensors.*python -m train whisper`"):
        hff.load("cpu", folder, speech_encoder="whisper")
    weights.save(folder / "speech-whisper.safetensors", encoder.state_dict(), {"labels": list(EMOTIONS)})
    assert cli.main(["analyze", "--text", "Hello", "--weights", str(folder), "--speech-encoder", "whisper"]) == 1
    assert "fusion-whisper.safetensors" in capsys.readouterr().err
    shutil.copyfile(folder / "fusion.safetensors", folder / "fusion-whisper.safetensors")
    with pytest.raises(WeightsError, match="trained on the speech encoder mfcc-cnn, not whisper"):
        hff.load("cpu", folder, speech_encoder="whisper")
    with pytest.raises(WeightsError, match="mfcc-cnn, whisper"):
        hff.load("cpu", folder, speech_encoder="hubert")


def test_page_takes_the_option():
    assert app.parse([]).speech_encoder == "mfcc-cnn"
    assert app.parse(["--speech-encoder", "whisper"]).speech_encoder == "whisper"
    with pytest.raises(SystemExit):
        app.parse(["--speech-encoder", "hubert"])


@pytest.fixture(scope="module")
def trained(tmp_path_factory, speech_wave) -> Path:
    """The stages whisper, features and fusion on tiny data; words and faces have features already."""
    data, out = tmp_path_factory.mktemp("voices"), tmp_path_factory.mktemp("run")
    voice = speech_wave[: int(1.3 * made.RATE)]
    made.speech(data, made.ravdess_names((2, 3, 15, 18, 20)), voice, "ravdess", True)
    made.speech(data, made.emodb_names(), voice, "emodb", True)
    copied(out / "weights", *weights.part_names())
    rng = np.random.default_rng(0)
    (out / "features").mkdir()
    for split, variants in TINY.items():
        for name, shape in (("text", (768,)), ("vision", (2 if split == "fusion" else 1, 512))):
            stored = {
                "features": torch.from_numpy(rng.normal(size=(14, variants, *shape))).half(),
                "severity": torch.tensor([[0.0, 1.0]] * 14),
                "said": torch.from_numpy(rng.normal(size=(14, variants, *shape[:-1], 7))).half(),
                "label": torch.arange(14) % 7,
                "frequency": torch.full((7,), 1 / 7),
                "held_out": torch.ones(14, dtype=torch.bool),
                "fixed": torch.arange(14) >= 12,
            }
            save_file(stored, out / "features" / f"{name}-{split}.safetensors")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(speech_whisper, "ROUNDS", 1)
        patch.setattr(speech_whisper, "TEACHER_FOLDS", 2)
        patch.setattr(feature_files, "VARIANTS", TINY)
        patch.setattr(training, "BATCHES_PER_EPOCH", 2)
        patch.setattr(training, "VALIDATION_CLIPS", 14)
        common = ["--data", str(data), "--out", str(out), "--device", "cpu", "--epochs", "1"]
        assert main(["whisper", *common, "--teach"]) == 0
        assert main(["features", *common, "--speech-encoder", "whisper"]) == 0
        assert main(["fusion", *common, "--speech-encoder", "whisper"]) == 0
    return out


def test_training_leaves_an_encoder_that_the_app_reads_with(trained, speech_path):
    model = hff.load("cpu", trained / "weights", speech_encoder="whisper")
    assert model.config.speech_encoder == "whisper"
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


def test_windows_for_training_know_their_damage(trained):
    heard = speech_whisper.hear(next((trained / "whisper").glob("states-0-0.safetensors")), lambda: iter(()))
    severity = heard.severity.unflatten(0, (-1, 3))
    assert (severity[:, [0, 2]] == 0).all()
    assert (severity[:, 1] > 0).all()
    assert heard.recording.tolist() == sorted(heard.recording.tolist())
    assert heard.values.isfinite().all()


def test_soft_targets_are_for_every_training_recording(trained):
    soft = np.load(trained / "whisper" / "soft.npz")
    assert len(set(soft["name"])) == len(soft["name"]) == 14 + len(made.EMODB_EMOTIONS) + 1
    np.testing.assert_allclose(soft["probabilities"].sum(1), 1, atol=1e-5)
    assert soft["probabilities"].shape == (len(soft["label"]), len(EMOTIONS))


def test_soft_targets_come_from_a_network_that_has_not_met_the_speaker(tmp_path, monkeypatch):
    """With random labels, whoever has met a recording tells its label, and nobody else can."""
    monkeypatch.setattr(speech_whisper, "TEACHER_FOLDS", 2)
    rng = np.random.default_rng(0)
    recordings = [made_utterance(n, int(rng.integers(7))) for n in range(80)]
    values = torch.from_numpy(rng.normal(size=(80, 2 * STATE_DIM)).astype(np.float32))
    heard = speech_whisper.Heard(values, torch.arange(80), torch.zeros(80))
    plan = speech_whisper.Plan(epochs=25, learning_rate=1e-3, batch_size=32, schedule="cosine", bf16=False)
    found = speech_whisper.write_soft_targets(recordings, heard, plan, tmp_path, torch.device("cpu"))
    assert found["soft_recall"] < 0.4
    model = speech_whisper.new_model(heard, 0)
    model.load_state_dict(speech_whisper.load_file(tmp_path / "fold-0" / "best.safetensors"))
    labels = torch.tensor([u.label for u in recordings])
    met = speech_whisper.predict(model.eval(), heard, 80).argmax(1) == labels
    assert met[1::2].float().mean() > 0.8  # the folds' speakers alternate


def made_utterance(number: int, label: int) -> speech_whisper.Utterance:
    wave = np.zeros(10, np.float32)
    return speech_whisper.Utterance(f"u{number}", wave, label, f"s{number % 2}", "made", "train")


def test_every_speech_encoder_has_a_network():
    assert set(analyzer.VOICES) == set(SPEECH_ENCODERS)
