"""Equations (16) to (30) of the paper, the three levels and the classifier, against ``numpy_model``."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from hff.model.attention import MultiHeadAttention
from hff.model.classifier import EmotionClassifier
from hff.model.hff import HFF
from hff.model.temporal import GatedRecurrentUnit, MeanOverTime, TemporalPooling
from hff.model.uncertainty import BayesianLinear, precision
from hff.model.weighting import Alignment, DynamicWeights, masked_softmax, reweight, weighted_sum
from tests.support import numpy_model as paper
from tests.support.model_fixtures import random_clips, small_config, small_model
from tests.support.numpy_model import numbers

PATTERN = np.array([[1, 1, 1], [1, 0, 1], [0, 0, 1], [0, 0, 0], [0, 1, 0]], bool)  # (T,M), step 3 holds nothing


@pytest.fixture(autouse=True)
def _seed():
    torch.manual_seed(0)


def one_clip(model: HFF, seed: int = 0, present: np.ndarray = PATTERN) -> tuple[dict, list[np.ndarray]]:
    clips = random_clips(model.config, 1, len(present), seed, present)
    return clips, [numbers(clips[name][0]) for name in ("speech", "text", "vision")]


def test_alignment_maps_each_modality_by_its_own_linear_layer():
    alignment = Alignment(small_config()).eval()
    for norm in alignment.norm:
        torch.nn.init.normal_(norm.weight)
        torch.nn.init.normal_(norm.bias)
    clips = random_clips(small_config(), 1, 5, present=PATTERN)
    features = [clips["speech"], clips["text"], clips["vision"]]
    expected = paper.align(alignment, [numbers(f[0]) for f in features], PATTERN)
    np.testing.assert_allclose(numbers(alignment(features, clips["present"])[0]), expected, atol=1e-5)
    assert not expected[~PATTERN].any()


def test_dynamic_weights_are_a_softmax_of_the_joined_features():
    weights = DynamicWeights(small_config())
    torch.nn.init.normal_(weights.w_dyn.weight)
    aligned = torch.randn(1, 5, 3, 16)
    strange = torch.rand(1, 5, 3)
    for novelty in (None, strange):
        alpha0 = weights(aligned, torch.from_numpy(PATTERN)[None], novelty)
        by_hand = np.zeros((5, 3)) if novelty is None else numbers(novelty[0])
        expected = paper.dynamic_weights(weights.w_dyn, numbers(aligned[0]), PATTERN, by_hand)
        np.testing.assert_allclose(numbers(alpha0[0]), expected, atol=1e-6)


def test_fused_feature_is_the_weighted_sum():
    alpha, features = torch.rand(2, 4, 3), torch.randn(2, 4, 3, 6)
    a, f = numbers(alpha), numbers(features)
    expected = a[..., 0, None] * f[..., 0, :] + a[..., 1, None] * f[..., 1, :] + a[..., 2, None] * f[..., 2, :]
    np.testing.assert_allclose(numbers(weighted_sum(alpha, features)), expected, atol=1e-6)


def test_masked_softmax_of_scores_of_any_size():
    scores = torch.tensor([[1e4, -1e4, 3.0], [2.0, 1.0, 0.5], [1.0, 2.0, 3.0]])
    mask = torch.tensor([[False, True, True], [True, True, False], [False, False, False]])
    e = np.exp([2.0, 1.0])
    np.testing.assert_allclose(
        numbers(masked_softmax(scores, mask)), [[0, 0, 1], [*(e / e.sum()), 0], [0, 0, 0]], atol=1e-6
    )


def test_bayesian_layer_mean_and_variance_are_those_of_sampled_weights():
    layer = BayesianLinear(6, 4, prior_std=0.3)
    torch.nn.init.uniform_(layer.weight_rho, -2, 0)
    torch.nn.init.uniform_(layer.bias_rho, -2, 0)
    torch.nn.init.normal_(layer.bias_mean)
    x = torch.randn(3, 6)
    mean, variance = (numbers(value) for value in layer(x))

    rng, draws = np.random.default_rng(0), 40_000
    std, bias_std = (paper.softplus(numbers(rho)) for rho in (layer.weight_rho, layer.bias_rho))
    weights = numbers(layer.weight_mean) + std * rng.standard_normal((draws, 4, 6))
    biases = numbers(layer.bias_mean) + bias_std * rng.standard_normal((draws, 4))
    outputs = np.einsum("kij,nj->kni", weights, numbers(x)) + biases[:, None]
    np.testing.assert_allclose(mean, outputs.mean(0), atol=5 * np.sqrt(variance.max() / draws))
    np.testing.assert_allclose(variance, outputs.var(0), rtol=5 * np.sqrt(2 / draws))


def test_bayesian_layer_kl_by_formula_and_by_sampling():
    layer = BayesianLinear(3, 2, prior_std=0.4)
    torch.nn.init.uniform_(layer.weight_rho, -2, 0)
    mean = np.concatenate([numbers(layer.weight_mean).ravel(), numbers(layer.bias_mean)])
    std = paper.softplus(np.concatenate([numbers(layer.weight_rho).ravel(), numbers(layer.bias_rho)]))
    formula = np.sum(np.log(0.4 / std) + (std**2 + mean**2) / (2 * 0.4**2) - 0.5)
    assert layer.kl().item() == pytest.approx(formula, rel=1e-5)

    w = mean + std * np.random.default_rng(1).standard_normal((200_000, len(mean)))
    log_posterior = -np.log(std) - ((w - mean) / std) ** 2 / 2
    log_prior = -np.log(0.4) - (w / 0.4) ** 2 / 2
    assert layer.kl().item() == pytest.approx((log_posterior - log_prior).sum(1).mean(), rel=0.02)


def test_kl_is_zero_where_the_posterior_is_the_prior():
    layer = BayesianLinear(3, 2, prior_std=0.4)
    rho = float(np.log(np.expm1(0.4)))
    for parameter, value in ((layer.weight_mean, 0), (layer.weight_rho, rho), (layer.bias_rho, rho)):
        torch.nn.init.constant_(parameter, value)
    assert layer.kl().item() == pytest.approx(0, abs=1e-5)


def test_precision_and_final_alpha():
    """Equation (19), then alpha0 times w over their sum; a step without any modality has no weights."""
    variance = torch.tensor([[[0.09, 0.49, 0.99], [0.1, 0.2, 0.3]]])
    w = precision(variance, 0.01)
    np.testing.assert_allclose(numbers(w), 1 / (numbers(variance) + 0.01), rtol=1e-6)
    alpha = reweight(torch.tensor([[[0.2, 0.5, 0.3], [0, 0, 0]]]), w)
    raw = np.array([0.2 / 0.1, 0.5 / 0.5, 0.3 / 1.0])
    np.testing.assert_allclose(numbers(alpha[0]), [raw / raw.sum(), [0, 0, 0]], atol=1e-6)


def test_final_alpha_of_the_model_follows_from_its_own_alpha0_and_variance():
    model = small_model()
    clips, _ = one_clip(model)
    output = model(**clips)
    raw = numbers(output.alpha0[0]) / (numbers(output.variance[0]) + model.config.precision_eps) * PATTERN
    used = PATTERN.any(1)
    np.testing.assert_allclose(numbers(output.alpha[0])[used], raw[used] / raw[used].sum(1, keepdims=True), atol=1e-6)
    assert (output.variance[0].detach().numpy()[PATTERN] > 0).all()


def test_sampled_feature_has_the_mean_and_variance_of_equation_20():
    """Over many draws, at the place where the model uses them: what enters the recurrence."""
    model = small_model()
    clips, features = one_clip(model)
    expected = paper.read(model, features, PATTERN)
    seen = []
    handle = model.recurrence.register_forward_hook(lambda module, inputs, output: seen.append(inputs[0]))
    draws = 20_000
    with torch.inference_mode():
        model(**clips, samples=draws, generator=torch.Generator().manual_seed(5))
    handle.remove()
    f1 = numbers(seen[0])[:, PATTERN.any(1)]
    mean, spread = expected.fused2[PATTERN.any(1)], expected.spread[PATTERN.any(1)]
    assert f1.shape[0] == draws
    np.testing.assert_allclose(f1.mean(0), mean, atol=5 * np.sqrt(spread.max() / draws))
    np.testing.assert_allclose(f1.var(0), spread, rtol=5 * np.sqrt(2 / draws))
    z = (f1 - f1.mean(0)) / f1.std(0)
    assert abs((z**4).mean() - 3) < 0.1  # normal, not merely of that variance
    assert abs(np.mean(z[:, 0, 0] * z[:, 0, 1])) < 0.04  # each unit has its own eps


@pytest.mark.parametrize("heads", [4, 3])
def test_multi_head_attention_with_a_mask(heads):
    """Also with a number of heads that does not divide the size."""
    attention = MultiHeadAttention(small_config(heads=heads)).eval()
    queries, tokens = torch.randn(2, 3, 16), torch.randn(2, 7, 16)
    mask = torch.rand(2, 7) < 0.6
    mask[1] = False
    weight = torch.rand(2, 7)
    result, maps = attention(queries, tokens, mask, weight)
    for b in range(2):
        given = (numbers(queries[b]), numbers(tokens[b]), mask[b].numpy(), numbers(weight[b]))
        expected, expected_maps = paper.multi_head(attention, *given)
        np.testing.assert_allclose(numbers(result[b]), expected, atol=1e-5)
        np.testing.assert_allclose(numbers(maps[b]), expected_maps, atol=1e-6)


def test_gated_recurrent_unit():
    gru = GatedRecurrentUnit(5, 4)
    x = torch.randn(2, 6, 5)
    valid = torch.tensor([[True] * 6, [True, False, True, True, False, False]])
    states = gru(x, valid)
    for b in range(2):
        np.testing.assert_allclose(numbers(states[b]), paper.gru(gru, numbers(x[b]), valid[b].numpy()), atol=1e-6)


def test_pooled_sum_over_time():
    pooling = TemporalPooling(4)
    states, valid = torch.randn(2, 5, 4), torch.tensor([[True] * 5, [True, True, False, True, False]])
    final, beta = pooling(states, valid)
    for b in range(2):
        expected, expected_beta = paper.pool(pooling, numbers(states[b]), valid[b].numpy())
        np.testing.assert_allclose(numbers(final[b]), expected, atol=1e-6)
        np.testing.assert_allclose(numbers(beta[b]), expected_beta, atol=1e-6)


def test_without_temporal_model_every_valid_step_counts_the_same():
    states, valid = torch.randn(1, 4, 3), torch.tensor([[True, False, True, True]])
    mean, beta = MeanOverTime()(states, valid)
    np.testing.assert_allclose(numbers(mean[0]), numbers(states[0])[[0, 2, 3]].mean(0), atol=1e-6)
    np.testing.assert_allclose(numbers(beta[0]), [1 / 3, 0, 1 / 3, 1 / 3], atol=1e-6)


def test_classifier_is_relu_layers_and_a_softmax():
    classifier = EmotionClassifier(6, 5, 0.3).eval()
    classifier.temperature.fill_(1.7)
    final = torch.randn(4, 6)
    expected = [paper.classify(classifier, row) for row in numbers(final)]
    np.testing.assert_allclose(numbers(classifier(final).softmax(-1)), expected, atol=1e-6)


@pytest.mark.parametrize(
    "present", [np.ones((4, 3), bool), PATTERN, np.tile([True, False, False], (3, 1)), np.ones((1, 3), bool)]
)
def test_whole_model_equals_the_paper_in_numpy(present):
    model = small_model(seed=3)
    model.classifier.temperature.fill_(1.3)
    clips, features = one_clip(model, seed=4, present=present)
    output, expected = model(**clips), paper.read(model, features, present)
    for name in ("alpha0", "precision", "alpha", "aleatoric", "epistemic", "beta", "readings", "probabilities"):
        np.testing.assert_allclose(
            numbers(getattr(output, name)[0]), getattr(expected, name), rtol=1e-4, atol=1e-5, err_msg=name
        )
    np.testing.assert_allclose(numbers(output.attention[0]), expected.maps, atol=1e-5)
    heard = present.any(1).cumsum() > 0
    steps = numbers(output.step_logits[0, 0].softmax(-1))
    np.testing.assert_allclose(steps[heard], expected.steps[heard], rtol=1e-3, atol=1e-5)


def test_of_a_dialogue_each_step_says_its_own():
    """Unbounded: the alone heads read each modality's own mean; the step logits are the classifier on each state."""
    model = small_model(seed=6, bounded=False)
    clips, features = one_clip(model)
    seen = []
    handle = model.recurrence.register_forward_hook(lambda module, inputs, output: seen.append(output[0]))
    output = model(**clips)
    handle.remove()
    aligned = paper.align(model.alignment, features, PATTERN)
    for m, layer in enumerate(model.uncertainty):
        mean = paper.bayesian(layer.bayes, aligned[:, m])[0]
        for t in np.flatnonzero(PATTERN[:, m]):
            expected = paper.classify(model.alone[m], mean[t])
            np.testing.assert_allclose(numbers(output.alone_logits[0, t, m].softmax(-1)), expected, atol=1e-5)
            noise = paper.linear(layer.noise[3], np.maximum(paper.linear(layer.noise[0], aligned[t, m]), 0))[0]
            assert numbers(output.aleatoric[0, t, m]) == pytest.approx(paper.softplus(noise), rel=1e-4)
    for t, state in enumerate(numbers(seen[0])):
        np.testing.assert_allclose(
            numbers(output.step_logits[0, 0, t].softmax(-1)), paper.classify(model.classifier, state), atol=1e-5
        )
    assert output.readings is None
