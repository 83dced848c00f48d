"""Equations (16) to (30) in plain NumPy, one clip at a time with loops, to hold the model against.

Nothing here calls the project's code: only parameters are read from its modules. Names as in the paper; T steps,
M modalities, d units, C labels.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch


def numbers(tensor: torch.Tensor) -> np.ndarray:
    return tensor.detach().cpu().double().numpy()


def linear(layer, x: np.ndarray) -> np.ndarray:
    y = x @ numbers(layer.weight).T
    return y if layer.bias is None else y + numbers(layer.bias)


def layer_norm(layer, x: np.ndarray) -> np.ndarray:
    centred = x - x.mean(-1, keepdims=True)
    return centred / np.sqrt((centred**2).mean(-1, keepdims=True) + layer.eps) * numbers(layer.weight) + numbers(
        layer.bias
    )


def softmax(scores: np.ndarray) -> np.ndarray:
    e = np.exp(scores - scores.max())
    return e / e.sum()


def softmax_where(scores: np.ndarray, there: np.ndarray) -> np.ndarray:
    weights = np.zeros(len(scores))
    if there.any():
        weights[there] = softmax(scores[there])
    return weights


def softplus(x: np.ndarray) -> np.ndarray:
    return np.log1p(np.exp(x))


def sigmoid(x: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-x))


def align(alignment, features: list[np.ndarray], present: np.ndarray) -> np.ndarray:
    """(16), and the LayerNorm of section 4.1; zero where absent. (T,M,d)."""
    columns = []
    for m, feature in enumerate(features):
        column = layer_norm(alignment.norm[m], linear(alignment.linear[m], np.where(present[:, m, None], feature, 0)))
        columns.append(column * present[:, m, None])
    return np.stack(columns, axis=1)


def dynamic_weights(w_dyn, aligned: np.ndarray, present: np.ndarray, strange: np.ndarray) -> np.ndarray:
    """(17): softmax(W_dyn [f_s, f_t, f_v]) of each step, times 1 - novelty. (T,M)."""
    trust = np.log(np.maximum(1 - strange, 1e-3))
    return np.stack(
        [softmax_where(linear(w_dyn, f.reshape(-1)) + s, p) for f, p, s in zip(aligned, present, trust, strict=True)]
    )


def bayesian(layer, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean and variance of a linear layer whose weights are independent Gaussians."""
    mean = x @ numbers(layer.weight_mean).T + numbers(layer.bias_mean)
    std, bias_std = softplus(numbers(layer.weight_rho)), softplus(numbers(layer.bias_rho))
    return mean, x**2 @ (std**2).T + bias_std**2


def positions(steps: int, size: int) -> np.ndarray:
    codes = np.zeros((steps, size))
    for t in range(steps):
        for i in range(size):
            angle = t / 10000 ** (2 * (i // 2) / size)
            codes[t, i] = math.cos(angle) if i % 2 else math.sin(angle)
    return codes


def multi_head(
    attention, queries: np.ndarray, tokens: np.ndarray, there: np.ndarray, weight: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """(21), (22) with ``weight`` (K,) before each exponential: result (Q,d) and maps (H,Q,K)."""
    q, k, v = linear(attention.query, queries), linear(attention.key, tokens), linear(attention.value, tokens)
    width = q.shape[1] // attention.heads
    maps, mixed = np.zeros((attention.heads, len(q), len(k))), np.zeros_like(q)
    for h in range(attention.heads):
        part = slice(h * width, (h + 1) * width)
        for i in range(len(q)):
            each = np.where(there, weight * np.exp(k[:, part] @ q[i, part] / math.sqrt(width)), 0)
            maps[h, i] = each / max(each.sum(), 1e-300)
            mixed[i, part] = maps[h, i] @ v[:, part]
    return linear(attention.out, mixed), maps


def encoder(module, aligned: np.ndarray, alpha: np.ndarray, present: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(18) and MultiHead of (23): fused tokens ask, every modality's tokens answer. (T,d), maps (L,H,T,(1+M)T)."""
    steps, modalities, size = aligned.shape
    codes, kinds = positions(steps, size), numbers(module.kinds)
    fused = np.einsum("tm,tmd->td", alpha, aligned) + codes + kinds[0]
    share = alpha / np.maximum(alpha.max(1, keepdims=True), 1e-300)
    others = [share[:, m, None] * aligned[:, m] + codes + kinds[1 + m] for m in range(modalities)]
    there = np.concatenate([present.any(1), *present.T])
    weight = np.concatenate([np.ones(steps), *share.T])
    maps = []
    for layer in module.layers:
        tokens = layer_norm(layer.norm_tokens, np.concatenate([fused, *others]))
        attended, layer_maps = multi_head(layer.attention, tokens[:steps], tokens, there, weight)
        fused = fused + attended
        hidden = np.maximum(linear(layer.feed_forward[0], layer_norm(layer.norm_hidden, fused)), 0)
        fused = fused + linear(layer.feed_forward[3], hidden)
        maps.append(layer_maps)
    return layer_norm(module.norm, fused), np.stack(maps)


def gru(module, x: np.ndarray, valid: np.ndarray) -> np.ndarray:
    """(24) to (27), with W_z, W_r and W_h acting on the joined vector [h, x]."""
    d = module.hidden
    from_x, b = numbers(module.from_input.weight), numbers(module.from_input.bias)
    gates_h, candidate_h = numbers(module.gates_from_hidden.weight), numbers(module.candidate_from_hidden.weight)
    w_z, w_r = np.hstack([gates_h[:d], from_x[:d]]), np.hstack([gates_h[d:], from_x[d : 2 * d]])
    w_h = np.hstack([candidate_h, from_x[2 * d :]])
    h, states = np.zeros(d), []
    for x_t, there in zip(x, valid, strict=True):
        z = sigmoid(w_z @ np.concatenate([h, x_t]) + b[:d])
        r = sigmoid(w_r @ np.concatenate([h, x_t]) + b[d : 2 * d])
        candidate = np.tanh(w_h @ np.concatenate([r * h, x_t]) + b[2 * d :])
        h = (1 - z) * h + z * candidate if there else h
        states.append(h)
    return np.stack(states)


def pool(module, states: np.ndarray, valid: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(28): f_final (d,), beta (T,)."""
    scores = linear(module.score[2], np.tanh(linear(module.score[0], states)))[:, 0]
    beta = softmax_where(scores, valid)
    return sum(b * h for b, h in zip(beta, states, strict=True)), beta


def classify(module, final: np.ndarray) -> np.ndarray:
    """(29), (30): probabilities (C,)."""
    hidden = np.maximum(linear(module.hidden[0], final), 0)
    return softmax(linear(module.out, hidden) / float(module.temperature))


def novelty(layer, x: np.ndarray) -> float:
    """How unlike the training one feature (d,) is."""
    white = (x - numbers(layer.centre)) @ numbers(layer.whiten)
    nearest = min(np.mean((white - mean) ** 2) for mean in numbers(layer.means))
    basis = numbers(layer.basis)
    outside = (x - numbers(layer.centre)) - sum(((x - numbers(layer.centre)) @ b) * b for b in basis.T)
    scores = np.log(np.maximum([nearest, np.mean(outside**2)], 1e-8))
    return sigmoid(float(scores @ numbers(layer.weights) + float(layer.bias)))


def own_reading(said: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """What one modality says at each step (T,C), by its precision there (T,) -> its reading so far (C,)."""
    return np.zeros(said.shape[1]) if not weight.any() else weight @ said / weight.sum()


def trust(weight: np.ndarray) -> np.ndarray:
    """(T,M) precisions up to now -> (M,): the fifth power of each one's harmonic mean where heard, over the largest."""
    means = np.array([1 / np.mean(1 / w[w > 0]) if (w > 0).any() else 0.0 for w in weight.T])
    return (means / max(means.max(), 1e-300)) ** 5


def bound(readings: np.ndarray, trusted: np.ndarray) -> np.ndarray:
    """The most that each class may get, from readings (M,C) of the modalities heard so far and trust in each (M,)."""
    limits, classes = [], readings.shape[1]
    for c in range(classes):
        witnesses = []
        for q in readings:
            next_best = max(np.delete(q, c).max(), 1e-6)
            lead = min(max((q[c] / next_best - 1) / 0.25, 0), 1)
            odds = q[c] / max(1 - q[c], 1e-6)
            witnesses.append((lead * q[c], max(odds * (classes - 1), 1.0) ** lead, lead))
        apart = 1 - (sorted(lead for _, _, lead in witnesses)[-2] if len(witnesses) > 1 else 0)
        apart = apart if sum(q.any() for q in readings) <= 2 else 0
        most = max(t**apart * q[c] for q, t in zip(readings, trusted, strict=True))
        witnesses.remove(max(witnesses, key=lambda each: each[0]))
        further = math.prod(factor for _, factor, _ in witnesses)
        together = most / max(1 - most, 1e-6) * further
        limits.append(together / (1 + together) if further > 1 else most)
    return np.array(limits)


def hold(logits: np.ndarray, limit: np.ndarray) -> np.ndarray:
    """min(k p, limit) with the k at which it sums to 1, found by halving."""
    p = np.maximum(softmax(logits), 1e-6)
    low, high = 0.0, 1e8
    for _ in range(200):
        k = (low + high) / 2
        low, high = (k, high) if np.minimum(k * p, limit).sum() < 1 else (low, k)
    return np.minimum(high * p, limit)


def discount(readings: np.ndarray, neutral: int, shares: list[float]) -> np.ndarray:
    """Readings (M,C) as they count beside others: a share of neutral's lead is given to the other classes alike."""
    counted = readings.copy()
    for q, share in zip(counted, shares, strict=True):
        taken = share * max(q[neutral] - np.delete(q, neutral).max(), 0)
        q += taken / (len(q) - 1)
        q[neutral] -= taken + taken / (len(q) - 1)
    return counted


def within(logits: np.ndarray, readings: np.ndarray, trusted: np.ndarray) -> np.ndarray:
    """The answer (C,): of one or two heard modalities held within the bound, of more eased until its first class is."""
    limit, p = bound(readings, trusted), softmax(logits)
    guess, first = 1 / len(p), int(p.argmax())
    if sum(q.any() for q in readings) <= 2 or limit[first] <= 1.05 * guess:
        return hold(logits, limit)
    kept = min((limit[first] - guess) / (p[first] - guess), 1)
    return guess + kept * (p - guess)


@dataclass
class Reading:
    """What the whole model gives for one clip, without Monte Carlo noise."""

    alpha0: np.ndarray
    precision: np.ndarray
    alpha: np.ndarray
    aleatoric: np.ndarray
    epistemic: np.ndarray
    fused1: np.ndarray  # (T,d), mu of (20)
    spread: np.ndarray  # (T,d), sigma^2 of (20)
    fused2: np.ndarray  # (T,d), mean of (23)
    maps: np.ndarray
    beta: np.ndarray
    probabilities: np.ndarray
    readings: np.ndarray  # (T,M,C), each modality's own, up to each step
    steps: np.ndarray  # (T,C), what each step says with those before it


def read(model, features: list[np.ndarray], present: np.ndarray) -> Reading:
    """The whole of (16) to (30) for one clip: features M x (T,d_m), present (T,M)."""
    aligned = align(model.alignment, features, present)
    guess = 1 - 1 / len(model.config.labels)
    mean, unit = np.zeros_like(aligned), np.zeros_like(aligned)
    aleatoric, epistemic, strange = np.zeros(present.shape), np.zeros(present.shape), np.zeros(present.shape)
    for t, m in np.argwhere(present):
        layer, scale = model.uncertainty[m], model.scale[m]
        mean[t, m], unit[t, m] = bayesian(layer.bayes, aligned[t, m])
        hidden = np.maximum(linear(layer.noise[0], aligned[t, m]), 0)
        noise = 2 * sigmoid(linear(layer.noise[3], hidden)[0])
        strange[t, m] = novelty(model.novelty[m], features[m][t])
        raw = noise + strange[t, m] * max(guess - noise, 0) + unit[t, m].mean()
        whole = np.interp(raw, numbers(scale.raw), numbers(scale.error))
        share = strange[t, m] + (1 - strange[t, m]) * (raw - noise) / raw
        aleatoric[t, m], epistemic[t, m] = whole * (1 - share), whole * share
    alpha0 = dynamic_weights(model.dynamic_weights.w_dyn, aligned, present, strange)
    precision = np.where(present, 1 / (aleatoric + epistemic + model.config.precision_eps), 0)  # (19)
    weighted = alpha0 * precision
    alpha = weighted / np.maximum(weighted.sum(1, keepdims=True), 1e-300)
    fused1 = np.einsum("tm,tmd->td", alpha, mean)
    spread = np.einsum("tm,tmd->td", alpha**2, aleatoric[..., None] + unit)
    encoded, maps = encoder(model.attention, aligned, alpha, present)
    fused2 = encoded + fused1
    valid = present.any(1)
    states = gru(model.recurrence, fused2, valid)
    final, beta = pool(model.pooling, states, valid)
    labels, product = len(model.config.labels), float(model.product) / float(model.classifier.temperature)
    said = np.full((*present.shape, labels), 1 / labels)
    for t, m in np.argwhere(present):
        said[t, m] = (1 - strange[t, m]) * classify(model.alone[m], mean[t, m]) + strange[t, m] / labels
    readings = np.array(
        [
            [own_reading(said[: t + 1, m], precision[: t + 1, m]) for m in range(present.shape[1])]
            for t in range(len(present))
        ]
    )
    trusted = [trust(precision[: t + 1]) for t in range(len(readings))]
    shares = [model.config.neutral_discount.get(m, 0) for m in model.config.dims]
    counted = np.log(np.maximum([discount(r, model.config.labels.index("neutral"), shares) for r in readings], 1e-6))
    experts = product * np.einsum("tm,tmc->tc", 0.8 * np.sqrt(alpha), counted)
    whole = product * 0.8 * np.sqrt(alpha) @ counted[-1]
    answer = np.log(classify(model.classifier, final)) + beta @ whole
    steps = [np.log(classify(model.classifier, h)) + e for h, e in zip(states, experts, strict=True)]
    return Reading(
        alpha0,
        precision,
        alpha,
        aleatoric,
        epistemic,
        fused1,
        spread,
        fused2,
        maps,
        beta,
        within(answer, readings[-1], trusted[-1]),
        readings,
        np.stack([within(*each) for each in zip(steps, readings, trusted, strict=True)]),
    )
