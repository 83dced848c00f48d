"""The second speech encoder: Whisper's layers on the time grid, the same use as the paper's, and its files."""

from __future__ import annotations

import shutil

import numpy as np
import pytest
import torch
from scipy.special import erf

import app
import hff
from hff import cli, modalities, weights
from hff.config import EMOTIONS, SAMPLE_RATE, SPEECH_ENCODERS, STEP_SECONDS, HFFConfig
from hff.encoders.mfcc_cnn import WINDOW_FRAMES, SpeechEncoder
from hff.encoders.whisper import (
    WHISPER_MELS,
    WhisperEncoder,
    WhisperLayers,
    band_power,
    log_mel,
    scaled_log,
    statistics,
)
from hff.errors import WeightsError
from hff.pipeline import features as clip
from tests.support.model_fixtures import copied_weights


@pytest.fixture(scope="module")
def encoder() -> WhisperEncoder:
    torch.manual_seed(0)
    return WhisperEncoder(7).eval()


def test_mel_is_the_one_that_whisper_learned_from(speech_wave):
    """Against faster-whisper's own, which takes the clip's loudest for granted where we take a constant."""
    from faster_whisper.feature_extractor import FeatureExtractor

    expected = FeatureExtractor()(speech_wave, padding=0)
    power = band_power(torch.from_numpy(speech_wave))[:, : expected.shape[1]]
    found = scaled_log(power, float(power.clamp_min(1e-10).log10().max()))
    np.testing.assert_allclose(found, expected, atol=2e-3)
    # What is heard depends on its own sound alone: a shout elsewhere changes nothing.
    shouted = np.concatenate([speech_wave, 20 * speech_wave[:8000]])
    frames = len(speech_wave) // 160 - 2
    torch.testing.assert_close(
        log_mel(torch.from_numpy(shouted))[:, :frames], log_mel(torch.from_numpy(speech_wave))[:, :frames]
    )


def test_windows_are_centred_on_their_steps_and_nan_outside_the_clip(speech_wave):
    wave = torch.from_numpy(speech_wave[:40_000])
    mel, windows = log_mel(wave, 0.5), WhisperEncoder.windows(wave, 6, 0.5)
    assert windows.shape == (6, WHISPER_MELS, WINDOW_FRAMES)
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
    """What the layers make of (WHISPER_MELS, frames), all of it heard: the equations once more, in NumPy."""
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
    model, sound = small(pool=pool), np.random.default_rng(0).normal(size=(WHISPER_MELS, 24))
    with torch.inference_mode():
        found, heard = model(torch.from_numpy(sound).float()[None])
    assert heard.all()
    assert heard.shape == (1, 12 // pool)
    for ours, reference in zip(found, states_of(model, sound), strict=True):
        np.testing.assert_allclose(ours[0], reference, atol=2e-4, rtol=2e-4)


@pytest.mark.parametrize("pool", [1, 2])
def test_what_is_outside_the_clip_has_no_part_in_the_states(pool):
    """The same sound anywhere in a window, beside others or alone, gives the same states."""
    model, sound = small(pool=pool), torch.randn(WHISPER_MELS, 40)
    windows = torch.full((3, WHISPER_MELS, 120), float("nan"))
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
        states, heard = small()(torch.full((1, WHISPER_MELS, 20), float("nan")))
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


def test_missing_weights_are_told_with_what_makes_them(tmp_path, encoder, capsys):
    folder = copied_weights(tmp_path, *weights.part_names())
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
    assert app.parse([]).speech_encoder is None
    assert app.parse(["--speech-encoder", "whisper"]).speech_encoder == "whisper"
    with pytest.raises(SystemExit):
        app.parse(["--speech-encoder", "hubert"])


def test_every_speech_encoder_has_a_network():
    assert set(modalities.of("speech").encoders) == set(SPEECH_ENCODERS)
