"""What the fusion is trained to: each term by hand, and where its minimum lies."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from hff.model.hff import HFF
from tests.support.model_fixtures import random_clips, small_config, small_model
from tests.support.numpy_model import numbers
from train import metrics
from train.fusion import losses

positive = st.floats(0.01, 4)
level = st.floats(0, 1, allow_subnormal=False)  # half of the smallest number is none, and so is a gradient of it


@pytest.mark.parametrize(
    ("p", "label", "expected"),
    [([1, 0, 0], 0, 0), ([0, 1, 0], 0, 2), ([0.5, 0.25, 0.25], 0, 0.375), ([1 / 3] * 3, 2, 2 / 3)],
)
def test_brier_score(p, label, expected):
    assert metrics.brier(torch.tensor([p], dtype=torch.float), torch.tensor([label])).item() == pytest.approx(expected)


@given(st.lists(positive, min_size=1, max_size=6))
@settings(deadline=None)
def test_variance_loss_is_least_at_the_expected_error(errors):
    errors = torch.tensor(errors, dtype=torch.float64)
    best = errors.mean()
    assert losses.variance_nll(best, errors).mean() == pytest.approx(1 + np.log(best.item()))
    for factor in (0.5, 0.9, 1.1, 2.0):
        assert losses.variance_nll(best * factor, errors).mean() > losses.variance_nll(best, errors).mean()


@given(positive, positive, level, level)
@settings(deadline=None)
def test_rank_loss_wants_more_variance_where_more_is_corrupted(variance, other_variance, severity, other_severity):
    values = [torch.tensor(v, dtype=torch.float64) for v in (variance, severity, other_variance, other_severity)]
    here, augmented = values[0].requires_grad_(), values[2].requires_grad_()
    loss = losses.rank_loss(here, values[1], augmented, values[3])
    loss.backward()
    gap = other_severity - severity
    expected = np.log1p(np.exp(np.sign(gap) * np.log(variance / other_variance) + abs(gap))) * abs(gap)
    assert loss.item() == pytest.approx(expected)
    assert np.sign(here.grad.item()) == np.sign(gap)  # descent lowers the variance of the less corrupted one
    assert np.sign(augmented.grad.item()) == -np.sign(gap)
    swapped = losses.rank_loss(values[2], values[3], values[0], values[1])
    assert swapped.item() == pytest.approx(loss.item())


def batch(seed: int = 0):
    model = small_model(seed)
    clips = random_clips(model.config, 6, 4, seed)
    clips["present"][1, 2:] = False
    severity = torch.rand(6, 4, 3, generator=torch.Generator().manual_seed(seed))
    return model, clips, severity, torch.tensor([0, 3, 6, 1, 0, 3])


def log_softmax(x: np.ndarray) -> np.ndarray:
    x = x - x.max(-1, keepdims=True)
    return x - np.log(np.exp(x).sum(-1, keepdims=True))


def ranks_across(variance: np.ndarray, severity: np.ndarray, present: np.ndarray) -> list[float]:
    """The ordinality of each pair of clips, for each modality that both have."""
    ranks = []
    for a, b, m in np.ndindex(len(present), len(present), 3):
        if present[a, :, m].any() and present[b, :, m].any():
            (va, sa), (vb, sb) = (
                (variance[i, present[i, :, m], m].mean(), severity[i, present[i, :, m], m].mean()) for i in (a, b)
            )
            behind = np.sign(sb - sa) * np.log(va / vb) + losses.RANK_MARGIN * abs(sb - sa)
            ranks.append(np.log1p(np.exp(behind)) * abs(sb - sa))
    return ranks


def test_alpha_learns_to_choose_the_modality_that_is_right_and_moves_nothing_else():
    scores = torch.zeros(1, 3, requires_grad=True)
    alone = torch.tensor([[[0.8, 0.2], [0.5, 0.5], [0.1, 0.9]]], requires_grad=True)
    loss = losses.expert_loss(scores.softmax(-1), alone, torch.tensor([0]))
    assert loss.item() == pytest.approx(-np.log((0.8 + 0.5 + 0.1) / 3))
    loss.sum().backward()
    assert alone.grad is None
    assert scores.grad[0, 0] < 0 < scores.grad[0, 2]


def test_alpha_learns_each_modalitys_expected_share_of_the_gain():
    """Two like inputs, one in which the first knows the truth and one in which the second half knows it."""
    scores = torch.zeros(3, requires_grad=True)
    said = torch.tensor([[[0.8, 0.2], [0.5, 0.5], [0.3, 0.7]], [[0.5, 0.5], [0.75, 0.25], [0.1, 0.9]]])
    gain = losses.gains(said, torch.tensor([[1.0, 0.0], [1.0, 0.0]]))
    torch.testing.assert_close(gain, torch.tensor([[0.6, 0, 0], [0, 0.5, 0]]))
    optimizer = torch.optim.Adam([scores], 0.1)
    for _ in range(300):
        optimizer.zero_grad()
        losses.gain_loss(scores.softmax(-1).expand(2, 3), gain).sum().backward()
        optimizer.step()
    torch.testing.assert_close(scores.softmax(-1), torch.tensor([0.6, 0.5, 0]) / 1.1, atol=0.01, rtol=0)


def test_nobody_gains_from_a_guess():
    guess = torch.full((3, 7), 1 / 7)
    gain = losses.gains(guess, torch.eye(7)[2])
    torch.testing.assert_close(gain, torch.zeros(3), atol=1e-6, rtol=0)
    assert losses.gain_loss(torch.tensor([0.2, 0.3, 0.5]), gain) == 0


def test_contradicting_modalities_settle_by_their_precision():
    said = torch.tensor([[0.9, 0.1], [0.2, 0.8]])
    weight = torch.tensor([2.0, 1.0]) ** (1 / losses.CONTRADICTION_POWER)
    torch.testing.assert_close(losses.settled(said, weight), torch.tensor([2 / 3, 1 / 3]))
    torch.testing.assert_close(losses.settled(said, torch.tensor([0.0, 5.0])), said[1])


def test_the_wanted_answer_of_a_contradiction_is_between_its_readings():
    model, clips, _, target = batch(4)
    output = model(**clips)
    contradicts = torch.tensor([True, False] * 3)
    wanted = losses.clip_targets(output, target, contradicts)
    torch.testing.assert_close(wanted.sum(-1), torch.ones(6))
    for b in range(6):
        if contradicts[b]:
            there = clips["present"][b]
            weight = torch.stack(
                [output.precision[b, there[:, m], m].mean() if there[:, m].any() else torch.zeros(()) for m in range(3)]
            )
            share = weight**losses.CONTRADICTION_POWER
            torch.testing.assert_close(wanted[b], (share / share.sum()) @ output.readings[b, -1])
        else:
            smooth = torch.full((7,), losses.FUSION_LABEL_SMOOTHING / 7)
            smooth[target[b]] += 1 - losses.FUSION_LABEL_SMOOTHING
            torch.testing.assert_close(wanted[b], smooth)
    assert not wanted.requires_grad


def test_whole_loss_by_hand():
    """Equation (31) with label smoothing, then every other term with its weight, over what is there."""
    model, clips, severity, target = batch()
    output = model(**clips)
    present, augmented = clips["present"].numpy(), 2
    own = torch.stack([target, (target + 1) % 7, target], 1)
    y, mine = target.numpy(), own.numpy()
    smooth = np.full((6, 7), losses.FUSION_LABEL_SMOOTHING / 7)
    smooth[np.arange(6), y] += 1 - losses.FUSION_LABEL_SMOOTHING
    total = -(smooth * log_softmax(numbers(output.logits[0]))).sum(1).mean()

    step = [
        -(smooth[b] * log_softmax(numbers(output.step_logits[0, b, t]))).sum()
        for b in range(6)
        for t in range(4)
        if present[b, t].any()
    ]
    total += losses.STEP_WEIGHT * np.mean(step)
    alone, nll = [], []
    gain = np.zeros(present.shape)
    for b, t, m in np.argwhere(present):
        log_p = log_softmax(numbers(output.alone_logits[b, t, m]))
        alone.append(-log_p[mine[b, m]])
        error = ((np.exp(log_p) - np.eye(7)[mine[b, m]]) ** 2).sum()
        variance = numbers(output.aleatoric[b, t, m]) + numbers(output.epistemic[b, t, m])
        nll.append(error / variance + np.log(variance))
        gain[b, t, m] = max(np.exp(log_p) @ smooth[b] - 1 / 7, 0) * 7 / 6
    total += losses.UNIMODAL_WEIGHT * np.mean(alone) + losses.VARIANCE_WEIGHT * np.mean(nll)
    alpha, sharp = numbers(output.alpha), gain**losses.GAIN_POWER
    shares = [
        -(sharp[b, t] / max(sharp[b, t].sum(), 1e-6) @ np.log(np.where(gain[b, t] > 0, alpha[b, t], 1)))
        * gain[b, t].max()
        for b in range(6)
        for t in range(4)
        if present[b, t].any()
    ]
    total += losses.GAIN_WEIGHT * np.mean(shares)
    total += losses.ACROSS_WEIGHT * np.mean(ranks_across(numbers(output.variance), severity.numpy(), present))
    total += losses.KL_WEIGHT * sum(layer.bayes.kl().item() for layer in model.uncertainty)
    without_augmented = losses.fusion_loss(model, output, target, clips["present"], severity, 0, own=own)
    assert without_augmented.item() == pytest.approx(total, rel=1e-4)

    ranks = []
    for b, t, m in np.argwhere(present[:augmented] & present[-augmented:]):
        other = 6 - augmented + b
        gap = float(severity[other, t, m] - severity[b, t, m])
        variance = numbers(output.variance)
        behind = np.sign(gap) * np.log(variance[b, t, m] / variance[other, t, m]) + losses.RANK_MARGIN * abs(gap)
        ranks.append(np.log1p(np.exp(behind)) * abs(gap))
    total += losses.RANK_WEIGHT * np.mean(ranks)
    whole = losses.fusion_loss(model, output, target, clips["present"], severity, augmented, own=own)
    assert whole.item() == pytest.approx(total, rel=1e-4)


def test_what_the_encoders_heads_say_is_taught_by_hand():
    """Each modality's own answer where corruption is slight, and the answer to clips of one modality that is sound."""
    model, clips, severity, target = batch(2)
    clips["present"][2] = clips["present"][3] = False
    clips["present"][2, :3, 1] = clips["present"][3, 1, 2] = True
    severity[2, :, 1], severity[3, :, 2] = 0.2, 0.9
    said = torch.randn(6, 4, 3, 7, generator=torch.Generator().manual_seed(3))
    output, present = model(**clips), clips["present"].numpy()

    def kl(teacher: np.ndarray, log_q: np.ndarray) -> float:
        return float((teacher * (np.log(teacher) - log_q)).sum())

    teacher = np.exp(log_softmax(numbers(said)))
    by_modality = [
        kl(teacher[b, t, m], log_softmax(numbers(output.alone_logits[b, t, m])))
        for b, t, m in np.argwhere(present)
        if severity[b, t, m] <= losses.TAUGHT_MAX
    ]
    single = [b for b in range(6) if present[b].any(0).sum() == 1]
    assert {2, 3} <= set(single)
    answers = []
    for b in single:
        places = [(t, m) for t, m in np.argwhere(present[b])]
        if all(severity[b, t, m] <= losses.TAUGHT_MAX for t, m in places):
            mean = np.mean([teacher[b, t, m] for t, m in places], axis=0)
            answers.append(kl(mean, log_softmax(numbers(output.logits[0, b]))))
    expected = np.mean(by_modality) + np.mean(answers)
    taught = losses.teacher_loss(output, said, clips["present"], severity)
    assert taught.item() == pytest.approx(expected, rel=1e-4)
    plain, whole = (losses.fusion_loss(model, output, target, clips["present"], severity, 0, s) for s in (None, said))
    assert (whole - plain).item() == pytest.approx(losses.TEACHER_WEIGHT * expected, rel=1e-3)
    same = losses.divergence(said, said + 3)
    torch.testing.assert_close(same, torch.zeros_like(same), atol=1e-6, rtol=0)


def test_what_is_absent_has_no_part_in_the_loss():
    model, clips, severity, target = batch(1)
    before = losses.fusion_loss(model, model(**clips), target, clips["present"], severity, 2)
    longer = {name: torch.nn.functional.pad(value, (0, 0, 0, 3)) for name, value in clips.items()}
    junk = torch.rand(6, 7, 3)
    junk[:, :4] = torch.where(clips["present"], severity, junk[:, :4])
    after = losses.fusion_loss(model, model(**longer), target, longer["present"], junk, 2)
    torch.testing.assert_close(after, before)


def test_uncertainty_learns_to_tell_which_modality_is_wrong():
    """Trained on clips whose voice is noise half the time, sigma^2 of such a voice becomes the larger."""
    torch.manual_seed(0)
    model = HFF(small_config(use_attention=False, use_temporal=False)).train()
    optimizer = torch.optim.Adam(model.parameters(), 1e-2)
    codes = torch.randn(7, model.config.speech_dim)

    def make(count: int, seed: int):
        clips = random_clips(model.config, count, 1, seed, np.ones((1, 3), bool))
        target = torch.randint(7, (count,), generator=torch.Generator().manual_seed(seed))
        broken = torch.arange(count) % 2 == 0
        clips["speech"] = torch.where(
            broken[:, None, None], 1.5 * clips["speech"], codes[target][:, None] + 0.3 * clips["speech"]
        )
        severity = torch.zeros(count, 1, 3)
        severity[..., 0] = broken[:, None].float()
        return clips, target, severity, broken

    for number in range(90):
        clips, target, severity, _ = make(64, number)
        output = model(**clips, samples=1, with_attention=False)
        losses.fusion_loss(model, output, target, clips["present"], severity, 0).backward()
        optimizer.step()
        optimizer.zero_grad()
    clips, target, _, broken = make(200, 999)
    with torch.inference_mode():
        output = model.eval()(**clips)
    variance = output.variance[..., 0].mean(1)
    assert variance[broken].mean() > 2 * variance[~broken].mean()
    assert output.alpha[broken][..., 0].mean() < 0.7 * output.alpha[~broken][..., 0].mean()
    assert (output.probabilities.argmax(1) == target)[~broken].float().mean() > 0.8


def test_calibration_error_by_hand():
    """Two bins: 0.95 sure and always right; 0.6 sure (three times) and right once."""
    p = torch.tensor([[0.95, 0.05], [0.6, 0.4], [0.4, 0.6], [0.6, 0.4]])
    target = torch.tensor([0, 0, 0, 1])
    expected = 1 / 4 * abs(1 - 0.95) + 3 / 4 * abs(1 / 3 - 0.6)
    assert metrics.expected_calibration_error(p, target, bins=10) == pytest.approx(expected, abs=1e-6)


def test_calibration_error_of_honest_and_of_boastful_answers():
    generator = torch.Generator().manual_seed(0)
    p = torch.softmax(2 * torch.randn(20_000, 7, generator=generator), -1)
    target = torch.multinomial(p, 1, generator=generator).squeeze(1)
    assert metrics.expected_calibration_error(p, target) < 0.02
    sharper = torch.softmax(3 * p.log(), -1)
    assert metrics.expected_calibration_error(sharper, target) > 0.15
    sure = torch.eye(7)[target]
    assert metrics.expected_calibration_error(sure, target) == 0  # certainty falls into the last bin
