"""Each modality's own reading, and an answer that is no surer than those who give it."""

from __future__ import annotations

import copy
import dataclasses

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from hff.model import experts
from tests.support import numpy_model as paper
from tests.support.model_fixtures import random_clips, small_model

settings.register_profile("experts", max_examples=60, deadline=None)
settings.load_profile("experts")

MODEL = small_model(layers=1).requires_grad_(False)
logits = arrays(np.float64, (3, 7), elements=st.floats(-9, 9))
one = arrays(np.float64, (7,), elements=st.floats(-12, 12))


def softmax(x: np.ndarray) -> torch.Tensor:
    return torch.from_numpy(x).softmax(-1)


weights = arrays(np.float64, (3,), elements=st.floats(0.05, 1))


@given(logits, one, weights)
def test_held_answers_are_within_their_bound_and_scaled_alike(said, answer, weight):
    q, trusted = softmax(said), torch.from_numpy(weight / weight.max())
    limit = experts.bound(q, trusted)
    held = experts.hold(torch.from_numpy(answer), limit).softmax(-1)
    np.testing.assert_allclose(limit, paper.bound(q.numpy(), trusted.numpy()), atol=1e-9)
    np.testing.assert_allclose(held, paper.hold(answer, limit.numpy()), atol=2e-5)
    assert (held <= limit + 2e-5).all()
    assert held.sum() == pytest.approx(1)


@given(logits, one)
def test_in_a_contradiction_the_answer_is_no_surer_than_the_surest(said, answer):
    q = softmax(said)[:2]
    held = experts.hold(torch.from_numpy(answer), experts.bound(q, torch.ones(2).double())).softmax(-1)
    if q[0].argmax() != q[1].argmax():
        assert (held <= q.amax(0) + 2e-5).all()


@given(logits, one, weights)
def test_of_three_the_bound_decides_how_sure_the_answer_is_not_which(said, answer, weight):
    q, trusted, z = softmax(said), torch.from_numpy(weight / weight.max()), torch.from_numpy(answer)
    within = experts.within(z, q, trusted).softmax(-1)
    np.testing.assert_allclose(within, paper.within(answer, q.numpy(), trusted.numpy()), atol=2e-5)
    limit, p = experts.bound(q, trusted), z.softmax(-1)
    first = p.argmax()
    assert within[first] <= limit[first] + 2e-5
    if limit[first] > experts.LEAST_LEAD / 7:
        assert within.argmax() == first
        assert (within[p.argsort()].diff() >= -1e-6).all()


def test_a_second_choice_of_all_three_may_be_the_answer():
    """Each modality has a first choice of its own and all the same second one: the answer may be that, no surer."""
    q = torch.tensor([[0.5, 0.1, 0.0, 0.4], [0.1, 0.5, 0.0, 0.4], [0.0, 0.1, 0.5, 0.4]])
    answer = experts.within(torch.tensor([0.0, 0.0, 0.0, 2.0]), q, torch.ones(3)).softmax(-1)
    torch.testing.assert_close(answer, torch.tensor([0.2, 0.2, 0.2, 0.4]))
    two = experts.within(torch.tensor([0.0, 0.0, 0.0, 2.0]), q[:2], torch.ones(2)).softmax(-1)
    assert two[3] <= 0.4 + 1e-5


def test_agreement_may_make_surer_but_not_sure():
    q = torch.tensor([[0.8, 0.1, 0.1], [0.7, 0.2, 0.1]])
    limit = experts.bound(q, torch.ones(2))
    both = 0.8 / 0.2 * 0.7 / 0.3 * 2  # odds, from equal priors of three
    torch.testing.assert_close(limit, torch.tensor([both / (1 + both), 0.2, 0.1]))
    sure = experts.hold(torch.tensor([50.0, 0, 0]), limit).softmax(-1)
    torch.testing.assert_close(sure[0], torch.tensor(both / (1 + both)), atol=1e-4, rtol=0)


def test_the_word_of_the_less_precise_counts_less():
    """Precisions 4 and 2, then 4 and nothing, then 1 and 5: those of the mean sigma^2 up to each step."""
    weight = torch.tensor([[4.0, 2.0], [4.0, 0.0], [1.0, 5.0]])
    trusted = experts.trust(weight)
    means = torch.tensor([[4.0, 2.0], [4.0, 2.0], [3 / (1 / 4 + 1 / 4 + 1), 2 / (1 / 2 + 1 / 5)]])
    torch.testing.assert_close(trusted, (means / means.amax(1, keepdim=True)) ** experts.TRUST_POWER)
    q = torch.tensor([[0.9, 0.1], [0.2, 0.8]])
    small = max(0.1, 0.8 * 0.5**experts.TRUST_POWER)
    torch.testing.assert_close(experts.bound(q, trusted[0]), torch.tensor([0.9, small]))
    answer = experts.hold(torch.tensor([-9.0, 9.0]), experts.bound(q, trusted[0])).softmax(-1)
    torch.testing.assert_close(answer, torch.tensor([1 - small, small]), atol=1e-4, rtol=0)
    assert (experts.trust(torch.zeros(2, 3)) == 0).all()


def test_a_few_sure_moments_do_not_make_a_modality_the_one_to_believe():
    """sigma^2 .3 at each moment against .7, .7 and .01: the mean says .3 and .47, so the first is believed."""
    weight = 1 / torch.tensor([[0.3, 0.7], [0.3, 0.7], [0.3, 0.01]])
    trusted = experts.trust(weight)[-1]
    assert trusted[0] == 1
    assert trusted[1] == pytest.approx((0.3 / 0.47) ** experts.TRUST_POWER, rel=1e-4)


def test_what_is_not_bound_is_a_plain_softmax():
    z = torch.tensor([3.0, -2.0, 0.5])
    torch.testing.assert_close(experts.hold(z, torch.ones(3)).softmax(-1), z.softmax(-1))
    torch.testing.assert_close(experts.hold(z, torch.zeros(3)).softmax(-1), z.softmax(-1))


def test_readings_are_means_by_precision_of_what_was_said_so_far():
    said = torch.tensor([[[0.9, 0.1]], [[0.2, 0.8]], [[0.5, 0.5]]])  # (T,1,C)
    weight = torch.tensor([[0.0], [3.0], [1.0]])
    expected = torch.tensor([[[0.0, 0.0]], [[0.2, 0.8]], [[0.275, 0.725]]])
    torch.testing.assert_close(experts.readings(said, weight), expected)


def test_the_product_of_experts_is_their_readings_to_the_power_of_the_root_of_their_weights():
    own = torch.rand(2, 1, 4, 3, 5, generator=torch.Generator().manual_seed(0)).softmax(-1)  # (K,B,T,M,C)
    alpha = torch.tensor([[[0.5, 0.3, 0.2], [1.0, 0.0, 0.0], [0.1, 0.1, 0.8], [0.0, 0.6, 0.4]]])
    beta = torch.tensor([[[0.1, 0.2, 0.3, 0.4]], [[1.0, 0.0, 0.0, 0.0]]])
    whole, so_far = experts.product(own, alpha, beta, torch.tensor(1.5))
    expected = (own ** (1.5 * 0.8 * alpha.sqrt()[..., None])).prod(-2)
    torch.testing.assert_close(so_far.exp(), expected)
    # The last step's readings, by each step's weights.
    last = (own[:, :, -1:] ** (1.5 * 0.8 * alpha.sqrt()[..., None])).prod(-2)
    torch.testing.assert_close(whole.exp(), (last ** beta[..., None]).prod(-2))


@given(st.integers(0, 2), st.integers(0, 1000))
def test_one_modality_alone_is_read_as_it_reads_itself(m, seed):
    """With and without draws, at every step; the same it says of itself beside others."""
    clips = random_clips(MODEL.config, 2, 4, seed, np.ones((2, 4, 3)))
    present = torch.zeros_like(clips["present"])
    present[..., m] = True
    for options in ({}, {"samples": 3}):
        draws = lambda: {"generator": torch.Generator().manual_seed(seed)} | options  # noqa: B023, E731
        alone, together = MODEL(**clips | {"present": present}, **draws()), MODEL(**clips, **draws())
        torch.testing.assert_close(alone.probabilities, alone.readings[:, -1, m], atol=1e-5, rtol=1e-4)
        torch.testing.assert_close(alone.readings[..., m, :], together.readings[..., m, :], atol=1e-5, rtol=1e-4)


def test_own_readings_are_those_of_the_whole_model():
    clips = random_clips(MODEL.config, 3, 4, 5)
    output = MODEL(**clips)
    own, variance = MODEL.own(**clips)
    torch.testing.assert_close(own, output.readings)
    torch.testing.assert_close(variance, output.variance)


@given(st.integers(0, 2000))
def test_weights_set_by_hand_say_whom_to_believe(seed):
    """Of a pair that contradicts itself the one with nearly all the weight is followed, whichever is the surer."""
    clips = random_clips(MODEL.config, 8, 3, seed, np.ones((8, 3, 3)))
    clips["present"][..., seed % 3] = False
    pair = [m for m in range(3) if m != seed % 3]
    for believed, other in (pair, pair[::-1]):
        alpha = torch.zeros(8, 3, 3)
        alpha[..., believed], alpha[..., other] = 1.0, 1e-3
        output = MODEL(**clips, alpha=alpha)
        own, against = (output.readings[:, -1, m] for m in (believed, other))
        apart = experts.witness(own).amax(-1).eq(1) & experts.witness(against).amax(-1).eq(1)
        apart &= own.argmax(-1) != against.argmax(-1)
        most = torch.maximum(own, 1e-3 * against)
        assert (output.probabilities[apart] <= most[apart] + 1e-4).all()
        assert (output.step_logits[0, apart, -1].softmax(-1) <= most[apart] + 1e-4).all()


@given(st.integers(0, 2000))
def test_no_pair_that_contradicts_itself_makes_the_model_surer(seed):
    clips = random_clips(MODEL.config, 8, 3, seed, np.ones((8, 3, 3)))
    clips["present"][..., seed % 3] = False
    output = MODEL(**clips)
    pair = [m for m in range(3) if m != seed % 3]
    first, second = (output.readings[:, -1, m] for m in pair)
    apart = first.argmax(-1) != second.argmax(-1)
    surest = torch.maximum(first, second)
    assert (output.probabilities[apart] <= surest[apart] + 1e-4).all()


@given(logits, arrays(np.float64, (3,), elements=st.floats(0, 0.85)), st.integers(0, 6))
def test_a_neutral_reading_counts_less_and_neutral_stays_first(said, shares, neutral):
    q = softmax(said)
    counted = experts.discount(q, neutral, torch.from_numpy(shares))
    np.testing.assert_allclose(counted, paper.discount(q.numpy(), neutral, list(shares)), atol=1e-12)
    np.testing.assert_allclose(counted.sum(-1), 1)
    assert (counted > 0).all()
    firsts = q.argmax(-1)
    assert (counted.argmax(-1) == firsts)[q.topk(2).values.diff().abs().squeeze(-1) > 1e-9].all()
    torch.testing.assert_close(counted[firsts != neutral], q[firsts != neutral])


def test_a_neutral_face_is_outvoted_by_a_voice_as_sure():
    q = torch.tensor([[0.05, 0.9, 0.05], [0.92, 0.04, 0.04]])  # an angry voice, a neutral face
    plain, counted = (
        (0.5 * x.log()).sum(0).softmax(-1) for x in (q, experts.discount(q, 0, torch.tensor([0.2, 0.25])))
    )
    assert plain.argmax() == 0
    assert counted.argmax() == 1
    nobody = experts.discount(torch.zeros(2, 3), 0, torch.tensor([0.2, 0.25]))
    assert (nobody == 0).all()


def test_the_discount_is_of_readings_beside_others_alone():
    """One modality is read as it reads itself; what each says by itself is shown undiscounted."""
    plain = copy.deepcopy(MODEL)
    plain.alone[2].out.bias[0] += 4  # a face that seems neutral
    counted = copy.deepcopy(plain)
    counted.config = dataclasses.replace(plain.config, neutral_discount={"vision": 0.5})
    clips = random_clips(plain.config, 3, 4, 8, np.ones((3, 4, 3)))
    together, beside = plain(**clips), counted(**clips)
    torch.testing.assert_close(beside.readings, together.readings)
    less = together.probabilities[:, 0] - beside.probabilities[:, 0]
    assert (less > -1e-6).all()
    assert less.max() > 0.1  # a face that is strange to the model says nothing either way
    clips["present"] = torch.tensor([False, False, True]).expand(3, 4, 3)
    torch.testing.assert_close(counted(**clips).probabilities, plain(**clips).probabilities)


def test_two_that_agree_count_more_than_one_of_them_does():
    own = torch.tensor([[0.6, 0.4], [0.6, 0.4]])[None, None, None]
    both, one = (
        experts.product(own, torch.tensor([[alpha]]), torch.ones(1, 1, 1), torch.tensor(1.25))[0].softmax(-1)[0, 0]
        for alpha in ([0.5, 0.5], [1.0, 0.0])
    )
    torch.testing.assert_close(one[0], torch.tensor(0.6))
    assert both[0] > 0.63


def test_a_weight_of_nothing_has_a_slope_that_is_a_number():
    alpha = torch.tensor([[[1.0, 0.0]]], requires_grad=True)
    own = torch.tensor([[0.6, 0.4], [0.5, 0.5]])[None, None, None]
    experts.product(own, alpha, torch.ones(1, 1, 1), torch.tensor(1.0))[0][..., 0].sum().backward()
    assert torch.isfinite(alpha.grad).all()
