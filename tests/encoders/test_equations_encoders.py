"""Equations (1) to (15) of the paper, the three encoders, each against plain NumPy written from the formulas."""

from __future__ import annotations

import copy

import numpy as np
import pytest
import torch

from hff.config import FACE_SIZE
from hff.encoders import bert as text
from hff.encoders import mfcc, mfcc_cnn
from hff.encoders import resnet as vision

RATE, WINDOW, HOP, BINS = mfcc.SAMPLE_RATE, mfcc.WINDOW_LENGTH, mfcc.HOP_LENGTH, mfcc.N_FFT


def numbers(tensor: torch.Tensor) -> np.ndarray:
    return tensor.detach().double().numpy()


@pytest.fixture(scope="module")
def wave() -> np.ndarray:
    """Half a second of a gliding tone in noise, 16 kHz."""
    t = np.arange(RATE // 2) / RATE
    noise = np.random.default_rng(0).normal(0, 0.02, len(t))
    return (0.4 * np.sin(2 * np.pi * (200 + 900 * t) * t) + noise).astype(np.float32)


def power_by_hand(wave: np.ndarray) -> np.ndarray:
    """Equation (1) as the sum it is: |sum_n x(n) w(n-t) e^(-j 2 pi f n)|^2, (bins, frames)."""
    padded = np.pad(wave.astype(float), BINS // 2, mode="reflect")
    hann = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(WINDOW) / WINDOW)
    window = np.zeros(BINS)
    window[(BINS - WINDOW) // 2 : (BINS + WINDOW) // 2] = hann
    n = np.arange(BINS)
    fourier = np.exp(-2j * np.pi * np.arange(BINS // 2 + 1)[:, None] * n / BINS)
    frames = [padded[t : t + BINS] * window for t in range(0, len(wave) + 1, HOP)]
    return np.abs(fourier @ np.stack(frames, axis=1)) ** 2


def mel_filters_by_hand() -> np.ndarray:
    """Equation (2): triangles whose corners lie evenly on 2595 log10(1 + f/700), (filters, bins)."""

    def mel(f):
        return 2595 * np.log10(1 + f / 700)

    corners = np.linspace(mel(0), mel(RATE / 2), mfcc.N_MELS + 2)
    corners = 700 * (10 ** (corners / 2595) - 1)
    f = np.arange(BINS // 2 + 1) * RATE / BINS
    rows = []
    for left, top, right in zip(corners, corners[1:], corners[2:], strict=False):
        rows.append(np.clip(np.minimum((f - left) / (top - left), (right - f) / (right - top)), 0, None))
    return np.stack(rows)


def test_mel_spectrogram_is_the_filtered_power_of_the_stft(wave):
    expected = mel_filters_by_hand() @ power_by_hand(wave)
    ours = numbers(mfcc.mel_power(torch.from_numpy(wave)))
    assert ours.shape == (mfcc.N_MELS, len(wave) // HOP + 1)
    np.testing.assert_allclose(ours, expected, rtol=2e-3, atol=1e-4)


def test_a_tone_lands_in_the_filter_of_its_mel_frequency():
    tone = np.sin(2 * np.pi * 1000 * np.arange(RATE) / RATE).astype(np.float32)
    loudest = numbers(mfcc.mel_power(torch.from_numpy(tone)))[:, 10:-10].mean(1).argmax()
    spacing = 2595 * np.log10(1 + (RATE / 2) / 700) / (mfcc.N_MELS + 1)
    assert abs((loudest + 1) * spacing - 2595 * np.log10(1 + 1000 / 700)) <= spacing / 2


def test_mfcc_is_the_dct_of_the_log_of_the_mel_spectrogram(wave):
    log_mel = np.log(mel_filters_by_hand() @ power_by_hand(wave) + 1e-6)
    m, n = np.arange(1, mfcc.N_MELS + 1), np.arange(mfcc.N_MFCC)[:, None]
    cosines = np.cos((m - 0.5) * n * np.pi / mfcc.N_MELS)  # equation (5)
    scale = np.where(n == 0, np.sqrt(1 / mfcc.N_MELS), np.sqrt(2 / mfcc.N_MELS))  # orthonormal
    expected = scale * cosines @ log_mel
    ours = numbers(mfcc_cnn.mfcc(torch.from_numpy(wave)))
    np.testing.assert_allclose(ours, expected, atol=5e-3)
    assert np.abs(ours).max() > 5  # the figures compared are not small ones


def test_coefficients_and_differences_are_torchaudios(speech_wave):
    from torchaudio import transforms
    from torchaudio.functional import compute_deltas

    settings = {"n_fft": mfcc.N_FFT, "win_length": mfcc.WINDOW_LENGTH, "hop_length": HOP, "n_mels": mfcc.N_MELS}
    theirs = transforms.MFCC(mfcc.SAMPLE_RATE, mfcc.N_MFCC, log_mels=True, melkwargs=settings)
    given = torch.from_numpy(speech_wave)
    ours = mfcc.coefficients(given)
    torch.testing.assert_close(ours, theirs(given), atol=1e-4, rtol=1e-4)
    windows = ours[:, :400].unflatten(1, (2, 200)).transpose(0, 1)
    torch.testing.assert_close(mfcc.differences(windows), compute_deltas(windows), atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("samples", [-1, 0, 1, 30 * HOP + 7, RATE])
def test_a_long_wave_in_chunks_equals_the_whole(samples, monkeypatch):
    """Also where the last chunk is one frame, or less than a window."""
    long = torch.from_numpy(np.random.default_rng(1).normal(0, 0.1, 3 * RATE + samples).astype(np.float32))
    whole, whole_mel = mfcc_cnn.mfcc(long), mfcc.mel_power(long)
    monkeypatch.setattr(mfcc_cnn, "CHUNK_FRAMES", 100)
    assert whole.shape[1] > 100
    torch.testing.assert_close(mfcc_cnn.mfcc(long), whole, atol=2e-3, rtol=1e-4)
    torch.testing.assert_close(mfcc_cnn.in_chunks(mfcc.mel_power, long), whole_mel, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("columns", [1, 7, 50, 1000])
def test_the_pooled_spectrogram_is_the_mean_of_frames(columns, monkeypatch):
    wave = torch.from_numpy(np.random.default_rng(2).normal(0, 0.1, 3 * RATE).astype(np.float32))
    whole = numbers(mfcc.mel_power(wave))
    monkeypatch.setattr(mfcc_cnn, "CHUNK_FRAMES", 64)
    pooled, stride = mfcc_cnn.pooled_mel_spectrogram(wave, columns)
    assert pooled.shape[1] == whole.shape[1] // stride <= columns
    expected = [whole[:, i * stride : (i + 1) * stride].mean(1) for i in range(pooled.shape[1])]
    np.testing.assert_allclose(numbers(pooled), np.stack(expected, 1), atol=1e-4, rtol=1e-4)


def conv_block_by_hand(x: np.ndarray, block: mfcc_cnn.ConvBlock) -> np.ndarray:
    """Equations (6) and (7) with loops: convolve, normalise, ReLU, the maximum of each pool; x (inputs, frames)."""
    conv, norm, _, pool, _ = block
    weight, bias = numbers(conv.weight), numbers(conv.bias)
    half, frames = weight.shape[2] // 2, x.shape[1]
    padded = np.pad(x, ((0, 0), (half, half)))
    h = np.empty((len(weight), frames))
    for k in range(len(weight)):
        for t in range(frames):
            h[k, t] = (weight[k] * padded[:, t : t + weight.shape[2]]).sum() + bias[k]
    scale = numbers(norm.weight) / np.sqrt(numbers(norm.running_var) + norm.eps)
    h = np.maximum((h - numbers(norm.running_mean)[:, None]) * scale[:, None] + numbers(norm.bias)[:, None], 0)
    size = pool.kernel_size
    return np.stack([h[:, i : i + size].max(1) for i in range(0, frames - size + 1, size)], axis=1)


def test_convolution_block():
    torch.manual_seed(0)
    block = mfcc_cnn.ConvBlock(5, 6, 3, 2, 0.5).eval()
    for name, value in block[1].state_dict().items():
        if value.is_floating_point():
            value.copy_(torch.rand_like(value) + (0.5 if "var" in name or name == "weight" else -0.5))
    x = torch.randn(2, 5, 13)
    expected = np.stack([conv_block_by_hand(row, block) for row in numbers(x)])
    np.testing.assert_allclose(numbers(block(x)), expected, atol=1e-5)


def deltas_by_hand(x: np.ndarray) -> np.ndarray:
    """Regression over two frames on either side, the edges repeated."""
    padded = np.pad(x, ((0, 0), (2, 2)), mode="edge")
    slope = sum(n * (padded[:, 2 + n : 2 + n + x.shape[1]] - padded[:, 2 - n : 2 - n + x.shape[1]]) for n in (1, 2))
    return slope / 10


def test_speech_feature_is_the_cnn_of_the_mfcc():
    """Equation (8): blocks, mean and maximum over time, the fully connected layer."""
    torch.manual_seed(1)
    encoder = mfcc_cnn.SpeechEncoder(7, width=6).eval()
    encoder.mean.normal_()
    encoder.std.uniform_(0.5, 2)
    window = torch.randn(1, mfcc.N_MFCC, 48)
    window[:, :, :9] = float("nan")  # before the clip begins
    x = (numbers(window)[0] - numbers(encoder.mean)) / numbers(encoder.std)
    x = np.where(np.isnan(x), 0, x)  # the training mean
    x = np.concatenate([x, deltas_by_hand(x), deltas_by_hand(deltas_by_hand(x))])
    for block in encoder.blocks:
        x = conv_block_by_hand(x, block)
    pooled = np.concatenate([x.mean(1), x.max(1)])
    expected = numbers(encoder.project.weight) @ pooled + numbers(encoder.project.bias)
    feature = encoder.features(window)
    assert feature.shape == (1, 128)
    np.testing.assert_allclose(numbers(feature)[0], expected, atol=1e-5)


@pytest.fixture(scope="module")
def bert() -> text.TextEncoder:
    torch.manual_seed(2)
    return text.TextEncoder(7).eval()


def test_text_feature_is_cls_joined_with_the_mean_of_the_tokens(bert):
    """Equations (10) to (12): 384 + 384 = 768, padding left out of the mean."""
    batch = text.tokenizer()(["What a day!", "I would never have believed it."], padding=True, return_tensors="pt")
    ids, mask = batch["input_ids"], batch["attention_mask"]
    assert mask[0].sum() < mask.shape[1]  # the first is padded
    states = numbers(bert.bert(input_ids=ids, attention_mask=mask).last_hidden_state)
    expected = [
        np.concatenate([row[0], row[: int(m.sum())].mean(0)]) for row, m in zip(states, mask.numpy(), strict=True)
    ]
    ours = numbers(bert.tokens_to_features(ids, mask))
    assert ours.shape == (2, 768)
    np.testing.assert_allclose(ours, np.stack(expected), atol=1e-5)


def test_texts_of_any_length(bert):
    """A short text is as if encoded alone; a long one the mean of its pieces, weighted by their tokens."""
    long = " ".join(f"word{i} and" for i in range(90))
    pieces = text.split_pieces(long)
    assert len(pieces) > 1
    assert " ".join(pieces) == long
    with torch.inference_mode():
        together = bert.features(["Hello there.", long, ""])
        alone = bert.features(["Hello there."])
        rows, sizes = [], []
        for piece in pieces:
            batch = text.tokenizer()([piece], return_tensors="pt")
            assert batch["input_ids"].shape[1] <= text.MAX_TOKENS
            rows.append(numbers(bert.tokens_to_features(batch["input_ids"], batch["attention_mask"]))[0])
            sizes.append(batch["input_ids"].shape[1])
    torch.testing.assert_close(together[:1], alone, atol=1e-5, rtol=1e-4)
    np.testing.assert_allclose(numbers(together[1]), np.average(rows, axis=0, weights=sizes), atol=1e-5)
    assert not together[2].any()  # no words, no feature


@pytest.fixture(scope="module")
def resnet() -> vision.VisionEncoder:
    torch.manual_seed(3)
    return vision.VisionEncoder(7).eval()


def test_residual_block_adds_its_input(resnet):
    """Equation (13): y = f(x) + x, then ReLU."""
    block = resnet.backbone.layer1[0]
    x = torch.randn(1, 64, 6, 6).relu()
    with torch.no_grad():
        f = block.bn2(block.conv2(torch.relu(block.bn1(block.conv1(x)))))
        np.testing.assert_allclose(numbers(block(x)), np.maximum(numbers(f) + numbers(x), 0), atol=1e-5)


def test_vision_feature_is_the_global_average_over_space(resnet):
    """Equations (14) and (15): the last stage's 512 maps, each averaged over its places."""
    maps = []
    handle = resnet.backbone.layer4.register_forward_hook(lambda module, inputs, output: maps.append(output))
    with torch.no_grad():
        features = resnet.features(torch.randn(3, 1, FACE_SIZE, FACE_SIZE))
    handle.remove()
    assert features.shape == (3, 512)
    assert maps[0].shape[2] > 1
    np.testing.assert_allclose(numbers(features), numbers(maps[0]).mean((2, 3)), atol=1e-5)


def test_the_stages_end_in_the_feature(resnet):
    faces = torch.randn(2, 1, FACE_SIZE, FACE_SIZE)
    with torch.no_grad():
        stages, features = resnet.stages(faces), resnet.features(faces)
    assert [maps.shape[1:] for maps in stages] == [(64, 24, 24), (128, 12, 12), (256, 6, 6), (512, 3, 3)]
    np.testing.assert_allclose(numbers(stages[-1]).mean((2, 3)), numbers(features), atol=1e-5)


def test_frames_of_a_step_are_averaged():
    features = np.random.default_rng(4).normal(size=(5, 512))
    steps = np.array([0, 2, 2, 0, 2])
    pooled, there = vision.pool_frames(torch.from_numpy(features), torch.from_numpy(steps), 4)
    assert there.tolist() == [True, False, True, False]
    np.testing.assert_allclose(pooled[0], features[[0, 3]].mean(0), atol=1e-12)
    np.testing.assert_allclose(pooled[2], features[[1, 2, 4]].mean(0), atol=1e-12)
    assert not pooled[[1, 3]].any()


def test_faces_come_to_the_same_mean_and_contrast():
    rng = np.random.default_rng(5)
    face = rng.integers(60, 180, (48, 48)).astype(np.uint8)
    dim = (face // 3).astype(np.uint8)
    flat = np.full((48, 48), 90, np.uint8)
    bright, dark, none = numbers(vision.normalise_faces(np.stack([face, dim, flat])))[:, 0]
    for picture in (bright, dark):
        assert abs(picture.mean()) < 1e-4
        assert abs(picture.std() - 1) < 1e-4
    assert np.corrcoef(bright.ravel(), dark.ravel())[0, 1] > 0.99
    assert np.abs(none).max() < 1e-4  # a covered lens stays flat instead of becoming noise


def test_an_encoder_of_faces_for_inference_gives_the_same_numbers():
    torch.manual_seed(0)
    encoder = vision.VisionEncoder(7)
    encoder(torch.randn(32, 1, 48, 48))  # running statistics that are not those of the beginning
    faces = torch.randn(4, 1, 48, 48)
    fast = copy.deepcopy(encoder).for_inference()
    assert not any(isinstance(layer, torch.nn.BatchNorm2d) for layer in fast.modules())
    with torch.inference_mode():
        encoder.eval()
        torch.testing.assert_close(
            fast.mirrored_features(faces), encoder.mirrored_features(faces), atol=1e-5, rtol=1e-4
        )
        for stage, before in zip(fast.stages(faces), encoder.stages(faces), strict=True):
            torch.testing.assert_close(stage, before, atol=1e-4, rtol=1e-4)
