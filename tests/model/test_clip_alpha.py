"""A clip's alpha: over the moments in which there was a choice, by how much the answer rests on them."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from hff.config import MODALITIES
from hff.pipeline.features import ClipFeatures
from hff.pipeline.time_axis import timeline_of
from hff.result import clip_alpha
from tests.support.model_fixtures import random_clips, small_model

pytestmark = pytest.mark.usefixtures("only_the_papers")


def test_moments_without_a_choice_do_not_count():
    """A face that is alone in the pauses has alpha 1 there, which says nothing about it."""
    present = np.array([[1, 0, 1], [0, 0, 1], [0, 0, 1], [1, 0, 1]], bool)
    alpha = np.array([[0.9, 0, 0.1], [0, 0, 1], [0, 0, 1], [0.7, 0, 0.3]])
    beta = np.array([0.1, 0.4, 0.2, 0.3])
    np.testing.assert_allclose(clip_alpha(alpha, present, beta), [0.75, 0, 0.25])


def test_without_any_choice_the_moments_count_as_the_answer_rests_on_them():
    present = np.array([[1, 0, 0], [0, 0, 1], [0, 0, 0]], bool)
    np.testing.assert_allclose(clip_alpha(present.astype(float), present, np.array([0.25, 0.75, 0])), [0.25, 0, 0.75])
    np.testing.assert_allclose(clip_alpha(np.zeros((2, 3)), np.zeros((2, 3), bool), np.zeros(2)), 0)


@given(
    arrays(bool, (5, 3)),
    arrays(float, (5, 3), elements=st.floats(0.01, 1)),
    arrays(float, 5, elements=st.floats(0.001, 1)),
)
@settings(deadline=None)
def test_it_is_a_distribution_over_what_was_there(present, weights, beta):
    alpha = weights * present
    alpha /= np.maximum(alpha.sum(1, keepdims=True), 1e-9)
    mean = clip_alpha(alpha, present, beta)
    assert mean.sum() == pytest.approx(float(present.any()))
    assert (mean[~present.any(0)] == 0).all()
    choice = present.sum(1) > 1
    if choice.any():
        assert (mean >= alpha[choice].min(0) - 1e-9).all()
        assert (mean <= alpha[choice].max(0) + 1e-9).all()


def reading(present: np.ndarray, alpha: torch.Tensor | None = None):
    model = small_model()
    clips = random_clips(model.config, 1, len(present), present=present)
    clip = ClipFeatures(*(clips[name][0] for name in (*MODALITIES, "present")))
    with torch.inference_mode():
        output = model(**clips, alpha=alpha)
    return output, timeline_of(output, clip)


def test_the_core_says_both_and_how_long_each_was_the_only_one():
    present = np.array([[1, 1, 0], [0, 1, 0], [0, 1, 0], [0, 0, 1], [0, 0, 0]], bool)
    _, line = reading(present)
    assert line.mean_alpha == pytest.approx(dict(zip(MODALITIES, line.alpha[0].tolist(), strict=True)))
    assert line.alone_seconds == {"speech": 0.0, "text": 1.0, "vision": 0.5}


def test_weights_set_by_hand_are_the_clips_alpha_and_decide_alone():
    """Where nothing is there that has a weight, the moment is left out."""
    present = np.array([[1, 1, 1], [1, 0, 1], [0, 1, 1], [1, 0, 0]], bool)
    output, line = reading(present, torch.tensor([0.0, 1.0, 0.0]))
    assert line.mean_alpha == {"speech": 0, "text": 1, "vision": 0}
    np.testing.assert_array_equal(line.beta[[1, 3]], 0)
    assert line.beta.sum() == pytest.approx(1, abs=1e-6)
    np.testing.assert_array_equal(line.alpha[[1, 3]], 0)
    without = present.copy()
    without[:, [0, 2]] = False
    torch.testing.assert_close(output.probabilities, reading(without)[0].probabilities, atol=1e-3, rtol=1e-3)
    assert (line.variance[present] > 0).all()  # what has no weight has its uncertainty all the same
