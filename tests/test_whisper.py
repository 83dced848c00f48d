"""The second speech encoder: Whisper's states on the time grid, the same use as the paper's, its training and files."""

from __future__ import annotations

import dataclasses
import json
import shutil
import struct
from collections import Counter
from pathlib import Path

import corpus_fixtures as made
import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from scipy.special import erf

import app
import hff
from hff import analysis, cli, clip, weights
from hff.config import EMOTIONS, SAMPLE_RATE, SPEECH_ENCODERS, STEP_SECONDS, HFFConfig
from hff.errors import DependencyError, WeightsError
from hff.speech import WINDOW_FRAMES, SpeechEncoder
from hff.whisper import (
    LAYERS,
    N_MELS,
    WIDTH,
    WhisperEncoder,
    WhisperLayers,
    log_mel,
    mel_transform,
    scaled_log,
    statistics,
)
from train import balance, features, fusion, strangers, whisper, whisper_base
from train.__main__ import main
from train.record import read_log

SHIPPED = weights.folder()
KINDS = (LAYERS, 2 * WIDTH)  # of statistics of a window
TINY = {"fusion": 2, "validation": 2, "test": 2, "unseen": 2}


@pytest.fixture(scope="module")
def encoder() -> WhisperEncoder:
    torch.manual_seed(0)
    return WhisperEncoder(7).eval()


def test_mel_is_the_one_that_whisper_learned_from(speech_wave):
    """Against faster-whisper's own, which takes the clip's loudest for granted where we take a constant."""
    from faster_whisper.feature_extractor import FeatureExtractor

    expected = FeatureExtractor()(speech_wave, padding=0)
    power = mel_transform()(torch.from_numpy(speech_wave))[:, : expected.shape[1]]
    found = scaled_log(power, float(power.clamp_min(1e-10).log10().max()))
    np.testing.assert_allclose(found, expected, atol=2e-3)
    # What is heard depends on its own sound alone: a shout elsewhere changes nothing.
    shouted = np.concatenate([speech_wave, 20 * speech_wave[:8000]])
    frames = len(speech_wave) // 160 - 2
    torch.testing.assert_close(log_mel(torch.from_numpy(shouted))[:, :frames], log_mel(torch.from_numpy(speech_wave))[
        :, :frames])  # fmt: skip


def test_windows_are_centred_on_their_steps_and_nan_outside_the_clip(speech_wave):
    wave = torch.from_numpy(speech_wave[:40_000])
    mel, windows = log_mel(wave, 0.5), WhisperEncoder.windows(wave, 6, 0.5)
    assert windows.shape == (6, N_MELS, WINDOW_FRAMES)
    for t, window in enumerate(windows):
        frames = np.arange(WINDOW_FRAMES) + round(100 * (t + 0.5) * STEP_SECONDS) - WINDOW_FRAMES // 2
        inside = (frames >= 0) & (frames < mel.shape[1])
        torch.testing.assert_close(window[:, inside], mel[:, frames[inside]])
        assert window[:, ~inside].isnan().all()


def small(seed: int = 0, pool: int = 1) -> WhisperLayers:
    """Two layers of 16 numbers, with nothing near zero."""
    torch.manual_seed(seed)
    layers = WhisperLayers(2, 16, 4, pool=pool).eval()
    for parameter in layers.parameters():
        torch.nn.init.normal_(parameter, 0.1, 0.3)
    return layers


def gelu(x: np.ndarray) -> np.ndarray:
    return x * 0.5 * (1 + erf(x / np.sqrt(2)))


def convolved(x: np.ndarray, conv: torch.nn.Conv1d, stride: int) -> np.ndarray:
    """(channels, S) with one place of zeros on both sides, window by window."""
    weight, bias = conv.weight.detach().double().numpy(), conv.bias.detach().double().numpy()
    padded = np.pad(x, ((0, 0), (1, 1)))
    places = range(0, x.shape[1], stride)
    return np.stack([np.einsum("ock,ck->o", weight, padded[:, p : p + 3]) + bias for p in places], axis=1)


def normal(x: np.ndarray, norm: torch.nn.LayerNorm) -> np.ndarray:
    spread = np.sqrt(x.var(-1, keepdims=True) + norm.eps)
    scaled = (x - x.mean(-1, keepdims=True)) / spread
    return scaled * norm.weight.detach().double().numpy() + norm.bias.detach().double().numpy()


def linear(x: np.ndarray, layer: torch.nn.Linear) -> np.ndarray:
    return x @ layer.weight.detach().double().numpy().T + layer.bias.detach().double().numpy()


def states_of(model: WhisperLayers, sound: np.ndarray) -> list[np.ndarray]:
    """What the layers make of (N_MELS, frames), all of it heard: the equations once more, in NumPy."""
    x = gelu(convolved(gelu(convolved(sound, model.conv1, 1)), model.conv2, 2)).T
    x = x.reshape(-1, model.pool, x.shape[1]).mean(1)
    width = x.shape[1]
    angle = np.arange(len(x))[:, None] * model.pool / 10_000 ** (np.arange(width // 2) / (width // 2 - 1))
    states = [x + np.concatenate([np.sin(angle), np.cos(angle)], axis=1)]
    for layer in model.layers:
        x = states[-1]
        q, k, v = np.split(linear(normal(x, layer.attention_norm), layer.qkv), 3, axis=1)
        heads, own = [], width // layer.heads
        for first in range(0, width, own):
            a = slice(first, first + own)
            weight = np.exp(q[:, a] @ k[:, a].T / np.sqrt(own))
            heads.append(weight / weight.sum(1, keepdims=True) @ v[:, a])
        x = x + linear(np.concatenate(heads, axis=1), layer.out)
        states.append(x + linear(gelu(linear(normal(x, layer.norm), layer.wide)), layer.narrow))
    return states


@pytest.mark.parametrize("pool", [1, 2])
def test_layers_are_whispers_equations(pool):
    model, sound = small(pool=pool), np.random.default_rng(0).normal(size=(N_MELS, 24))
    with torch.inference_mode():
        found, heard = model(torch.from_numpy(sound).float()[None])
    assert heard.all()
    assert heard.shape == (1, 12 // pool)
    for ours, reference in zip(found, states_of(model, sound), strict=True):
        np.testing.assert_allclose(ours[0], reference, atol=2e-4, rtol=2e-4)


@pytest.mark.parametrize("pool", [1, 2])
def test_what_is_outside_the_clip_has_no_part_in_the_states(pool):
    """The same sound anywhere in a window, beside others or alone, gives the same states."""
    model, sound = small(pool=pool), torch.randn(N_MELS, 40)
    windows = torch.full((3, N_MELS, 120), float("nan"))
    for window, start in zip(windows, (8, 40, 72), strict=True):
        window[:, start : start + 40] = sound
    with torch.inference_mode():
        together, heard = model(windows)
        alone, _ = model(windows[1:2])
    assert heard.sum(1).tolist() == [20 // pool] * 3
    for of_all, of_one in zip(together, alone, strict=True):
        for window, there in zip(of_all, heard, strict=True):
            torch.testing.assert_close(window[there], of_one[0][heard[1]], atol=1e-5, rtol=1e-4)


def test_layers_take_a_window_in_which_nothing_is_heard():
    with torch.inference_mode():
        states, heard = small()(torch.full((1, N_MELS, 20), float("nan")))
        assert not heard.any()
        assert all(layer.isfinite().all() for layer in states)
        assert statistics(states[-1], heard).abs().max() < 1e-3


def test_statistics_are_the_mean_and_deviation_of_what_was_heard():
    states, heard = torch.randn(2, 30, 16), torch.ones(2, 30, dtype=torch.bool)
    heard[0, :20] = False
    values = statistics(states, heard).numpy()
    for n, kept in ((0, states[0, 20:].numpy()), (1, states[1].numpy())):
        np.testing.assert_allclose(values[n], np.concatenate([kept.mean(0), kept.std(0)]), atol=1e-5)


def test_feature_is_the_network_of_every_layers_statistics(speech_wave):
    encoder = WhisperEncoder(7, layers=small()).eval()
    with torch.inference_mode():
        encoder.mean.normal_()
        encoder.std.uniform_(0.5, 2)
        windows = WhisperEncoder.windows(torch.from_numpy(speech_wave), 3)
        states, heard = encoder.layers(windows)
        of_each = [(statistics(layer, heard) - encoder.mean[n]) / encoder.std[n] for n, layer in enumerate(states[1:])]
        expected = encoder.project(torch.cat(of_each, dim=1))
        torch.testing.assert_close(encoder.features(windows), expected)
        torch.testing.assert_close(encoder(windows), encoder.head(expected))


def model_file(tensors: dict[str, np.ndarray]) -> bytes:
    """As CTranslate2 writes a model, format 6."""

    def text(value: str) -> bytes:
        return struct.pack("<H", len(value) + 1) + value.encode() + b"\0"

    parts = [struct.pack("<I", 6), text("WhisperSpec"), struct.pack("<II", 3, len(tensors))]
    for name, value in tensors.items():
        kind = {"f2": 4, "f4": 0, "i2": 2}[value.dtype.str[1:]]
        parts += [text(name), struct.pack(f"<B{value.ndim}I", value.ndim, *value.shape)]
        parts += [struct.pack("<BI", kind, value.nbytes), value.tobytes()]
    return b"".join(parts)


def test_whispers_own_file_becomes_layers():
    rng = np.random.default_rng(0)
    shapes = {"conv1/weight": (16, N_MELS, 3), "conv1/bias": (16,), "conv2/weight": (16, 16, 3), "conv2/bias": (16,)}
    for n in range(3):
        for part, (rows, columns) in {
            "self_attention/linear_0": (48, 16), "self_attention/linear_1": (16, 16),
            "ffn/linear_0": (64, 16), "ffn/linear_1": (16, 64),
        }.items():  # fmt: skip
            shapes |= {f"layer_{n}/{part}/weight": (rows, columns), f"layer_{n}/{part}/bias": (rows,)}
        for part in ("self_attention", "ffn"):
            shapes |= {f"layer_{n}/{part}/layer_norm/{name}": (16,) for name in ("gamma", "beta")}
    tensors = {f"encoder/{name}": rng.normal(size=shape).astype(np.float16) for name, shape in shapes.items()}
    tensors |= {"encoder/num_heads": np.array(4, np.int16), "decoder/scale": np.array([1.5], np.float32)}
    read = dict(whisper_base.variables(model_file(tensors)))
    assert read.keys() == tensors.keys()
    for name, value in tensors.items():
        np.testing.assert_array_equal(read[name], value)
    model = WhisperLayers(2, 16, 4)
    model.load_state_dict(whisper_base.state_of(read, 2))
    np.testing.assert_array_equal(
        model.layers[1].norm.weight.detach(), tensors["encoder/layer_1/ffn/layer_norm/gamma"].astype(np.float32)
    )
    np.testing.assert_array_equal(model.layers[0].qkv.bias.detach(), tensors["encoder/layer_0/self_attention/linear_0/"
                                  "bias"].astype(np.float32))  # fmt: skip


def test_a_file_that_is_not_whisper_base_is_refused(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(whisper_base, "HALVES", (("made_up_whisper_1", "part1"), ("made_up_whisper_2", "part2")))
    with pytest.raises(DependencyError, match=r"pip install made-up-whisper-1==1\.0\.0"):
        whisper_base.joined_file()
    for package, file in whisper_base.HALVES:
        (tmp_path / package).mkdir()
        (tmp_path / package / "__init__.py").touch()
        (tmp_path / package / file).write_bytes(b"something else")
    with pytest.raises(WeightsError, match="SHA-256"):
        whisper_base.joined_file()
    (tmp_path / "made_up_whisper_2" / "part2").unlink()
    with pytest.raises(DependencyError, match="lacks part2"):
        whisper_base.joined_file()


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
    torch.testing.assert_close(part[1], found[1], atol=1e-4, rtol=1e-4)


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
    folder = copied(tmp_path, *weights.PARTS)
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
    made.speech(data, made.nemo_names(("EB0", "MK0")), voice, "nemo", True)
    made.speech(data, made.ased_names(("01",)), voice, "ased", True)
    copied(out / "weights", *weights.PARTS)
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
        patch.setattr(whisper_base, "load", lambda layers: layers)
        patch.setattr(whisper, "ROUNDS", 2)
        patch.setattr(whisper, "FOLDS", 2)
        patch.setattr(whisper, "TUNING_BATCHES", 1)
        patch.setattr(whisper, "TUNING", dataclasses.replace(whisper.TUNING, batch_size=4))
        patch.setattr(features, "VARIANTS", TINY)
        patch.setattr(fusion, "BATCHES_PER_EPOCH", 2)
        patch.setattr(fusion, "VALIDATION_CLIPS", 14)
        common = ["--data", str(data), "--out", str(out), "--device", "cpu", "--epochs", "1"]
        assert main(["whisper", *common, "--teach", "--tune"]) == 0
        assert main(["strangers", *common]) == 0
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
    stored = features.load(trained / "features-whisper", "speech", "validation")
    assert stored["features"][stored["there"]].isfinite().all()
    assert stored["there"][:, 0].any(1).all()


def test_layers_that_learned_along_are_kept_if_that_gained(trained):
    score = {name: max(float(row["score"]) for row in read_log(trained / "whisper" / name)) for name in
             ("network", "tuning")}  # fmt: skip
    best, network, tuned = (
        whisper.load_file(trained / "whisper" / name / "best.safetensors") for name in ("", "network", "tuning")
    )
    expected = tuned if score["tuning"] > score["network"] else network
    for name, value in expected.items():
        torch.testing.assert_close(best[name], value)
    assert f"layers.layers.{LAYERS - 1}.wide.weight" in best


def test_windows_for_training_know_their_damage(trained):
    for corpus, count in (("ravdess", 14), ("nemo", 6), ("emodb", len(made.EMODB_EMOTIONS) + 1)):
        for number, harmless in ((0, True), (1, False)):
            heard = whisper.Heard(
                **whisper.load_file(trained / "whisper" / "heard" / f"{corpus}-0-{number}.safetensors")
            )
            assert heard.recording.tolist() == list(range(count))
            assert (heard.severity == 0).all() == harmless
            assert (heard.severity < 1).all()
            assert heard.values.isfinite().all()
            assert heard.windows.shape == (count, N_MELS, WINDOW_FRAMES)


def test_each_corpus_is_left_out_in_turn(trained, tmp_path):
    tables = json.loads((trained / "weights" / "metrics.json").read_text())["tables"]
    table = next(table for table in tables if table["command"] == strangers.COMMAND)
    rows = {row[0]: dict(zip(table["columns"], row, strict=True)) for row in table["rows"]}
    assert rows.keys() == {"ravdess", "emodb", "nemo", "ased"}
    assert rows["ravdess"]["recordings"] == 3 * 7  # two actors of the training and one that validates
    assert rows["nemo"]["emotions"] == 6
    assert rows["nemo"]["disgusted"] is None
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
    monkeypatch.setattr(whisper, "FOLDS", 2)
    rng = np.random.default_rng(0)
    recordings = [made_utterance(n, int(rng.integers(7))) for n in range(80)]
    values = torch.from_numpy(rng.normal(size=(80, *KINDS)).astype(np.float16))
    heard = whisper.Heard(values, torch.arange(80), torch.zeros(80))
    plan = whisper.Plan(epochs=15, learning_rate=1e-3, batch_size=32, schedule="cosine", bf16=False)
    found = whisper.write_soft_targets(recordings, heard, plan, tmp_path, torch.device("cpu"))
    assert found["soft_recall"] < 0.4
    model = whisper.new_model(heard, 0)
    model.load_state_dict(whisper.load_file(tmp_path / "fold-0" / "best.safetensors"))
    labels = torch.tensor([u.label for u in recordings])
    met = whisper.predict(model.eval(), heard, 80).argmax(1) == labels
    assert met[1::2].float().mean() > 0.8  # the folds' speakers alternate


def voice_of(corpus: str, label: int, speaker: int, number: int) -> whisper.Utterance:
    name = f"{corpus}-{speaker}-{number}"
    return whisper.Utterance(name, np.zeros(10, np.float32), label, f"{corpus}{speaker}", corpus, "train")


def test_corpora_emotions_and_speakers_are_drawn_alike():
    """A speaker of many recordings, an emotion of few and a large corpus tell nothing by being drawn more."""
    recordings = [voice_of("large", label, speaker, n) for label in range(3) for speaker in range(2)
                  for n in range(1 + 9 * speaker + 20 * (label == 0))]  # fmt: skip
    recordings += [voice_of("small", label, 0, n) for label in (0, 1) for n in range(3)]
    drawn = balance.weights(recordings, power=0).numpy()
    assert drawn.sum() == pytest.approx(1)

    def share(**wanted) -> float:
        return sum(
            w for w, u in zip(drawn, recordings, strict=True) if all(getattr(u, k) == v for k, v in wanted.items())
        )

    assert share(corpus="large") == pytest.approx(1 / 2)
    for label in range(3):
        assert share(corpus="large", label=label) == pytest.approx(1 / 6)
        assert share(speaker="large1", label=label) == pytest.approx(1 / 12)
    assert share(corpus="small", label=1) == pytest.approx(1 / 4)
    by_size = balance.weights(recordings, power=1).numpy()
    assert by_size[-6:].sum() == pytest.approx(6 / len(recordings))


def test_no_more_than_so_many_of_a_speaker_and_an_emotion():
    recordings = [voice_of("made", label, speaker, n) for label in range(2) for speaker in range(2) for n in range(9)]
    kept = balance.thin(recordings, 4)
    assert Counter((u.speaker, u.label) for u in kept) == Counter(
        {("made0", 0): 4, ("made0", 1): 4, ("made1", 0): 4, ("made1", 1): 4}
    )
    assert [u.name for u in kept] == [u.name for u in balance.thin(recordings, 4)]
    assert balance.thin(recordings, 9) == recordings


def test_an_emotion_that_a_corpus_lacks_takes_no_part_in_its_loss():
    recordings = [voice_of("seven", label, 0, 0) for label in range(7)] + [voice_of("two", n, 0, 0) for n in (0, 3)]
    allowed = balance.possible(recordings)
    assert allowed.sum(1).tolist() == [7] * 7 + [2] * 2
    logits = torch.randn(9, 7, requires_grad=True)
    target = torch.eye(7)[[u.label for u in recordings]]
    found = balance.cross_entropy(logits, target, allowed, 0.1)
    expected = torch.nn.functional.cross_entropy(logits[:7], target[:7], label_smoothing=0.1, reduction="none")
    torch.testing.assert_close(found[:7], expected)
    pair = torch.nn.functional.cross_entropy(logits[7:, [0, 3]], torch.eye(2), label_smoothing=0.1, reduction="none")
    torch.testing.assert_close(found[7:], pair)
    found.sum().backward()
    assert not logits.grad[7:, [1, 2, 4, 5, 6]].any()
    assert logits.grad[7:, [0, 3]].all()


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
    heard = whisper.Heard(torch.from_numpy(np.stack(values)).half(), torch.arange(280), torch.zeros(280))
    material = whisper.Material(recordings, recordings, heard, heard)
    plan = whisper.Plan(epochs=8, learning_rate=2e-3, batch_size=56, schedule="cosine", bf16=False, patience=8)
    model, figures = whisper.fit_network(material, plan, tmp_path / "both", torch.device("cpu"))
    assert figures["first"] > 0.9
    assert figures["second"] > 0.9
    assert figures["score"] == pytest.approx((figures["first"] + figures["second"]) / 2)
    rest = material.without("second")
    assert {u.corpus for u in rest.training + rest.held} == {"first"}
    assert [rest.training[n] for n in rest.heard.recording.tolist()] == recordings[:140]
    utterances, heard = material.undamaged("second")
    assert len(utterances) == 2 * 140
    assert strangers.measures(whisper.predict(model, heard, len(utterances)), utterances)["accuracy"] > 0.9


def test_layers_learn_more_slowly_than_the_network_and_convolutions_not_at_all(tmp_path, monkeypatch):
    monkeypatch.setattr(whisper, "TUNING_BATCHES", 1)
    recordings = [voice_of("made", n % 7, n % 3, n) for n in range(14)]
    layers = WhisperLayers(1, 16, 4)
    encoder = WhisperEncoder(7, layers=layers).eval()
    windows = torch.randn(14, N_MELS, WINDOW_FRAMES).half()
    windows[3, :, 200:] = float("nan")
    with torch.inference_mode():
        values = encoder.statistics(windows.float()).half()
    heard = whisper.Heard(values, torch.arange(14), torch.zeros(14), windows)
    model = whisper.quality.add_head(encoder)
    before = {name: value.clone() for name, value in model.state_dict().items()}
    plan = dataclasses.replace(whisper.TUNING, epochs=1, batch_size=14, average=0.0, warmup=0.0, weight_decay=0.0)
    material = whisper.Material(recordings, recordings, heard, heard)
    whisper.tune(model, material, plan, tmp_path, torch.device("cpu"))
    moved = {name: float((value - before[name]).abs().max()) for name, value in model.state_dict().items()}
    assert moved["layers.conv1.weight"] == moved["layers.conv2.bias"] == 0
    # Adam's first step is the rate itself, whatever the gradient.
    assert moved["layers.layers.0.wide.weight"] == pytest.approx(plan.slow_rate * plan.learning_rate, rel=0.05)
    assert moved["project.1.weight"] == pytest.approx(plan.learning_rate, rel=0.05)
    again = whisper.again(model, heard)
    assert not torch.equal(again.values, heard.values)
    hidden = whisper.hide(windows.float().clone(), np.random.default_rng(1))
    assert torch.equal(hidden.isnan(), windows.isnan())
    changed = hidden.nan_to_num() != windows.float().nan_to_num()
    assert 0 < changed.float().mean() < 0.5


def made_utterance(number: int, label: int) -> whisper.Utterance:
    wave = np.zeros(10, np.float32)
    return whisper.Utterance(f"u{number}", wave, label, f"s{number % 2}", "made", "train")


def test_every_speech_encoder_has_a_network():
    assert set(analysis.VOICES) == set(SPEECH_ENCODERS)
