"""What the measures of alpha and sigma^2 say of answers whose truth is known."""

from __future__ import annotations

import numpy as np
import pytest

from hff.config import MODALITIES
from hff.pipeline.shapley import subsets
from train.evaluation.cross_modal_conflict import conflict_row
from train.evaluation.faithfulness import alpha_row, shares
from train.evaluation.out_of_distribution import told_apart
from train.evaluation.subset_answers import Judged
from train.evaluation.uncertainty_calibration import variance_scale


def judged(said: dict[str, list[float]], alpha: list[float], variance: list[float], target: int = 0) -> Judged:
    """Two like clips, from probabilities by subset ("speech+text"); what is not named is a guess."""
    each = {
        s: np.array(said.get("+".join(m for m in MODALITIES if m in s), [1 / 3] * 3)) for s in subsets(MODALITIES) if s
    }
    twice = {s: np.stack([p, p]) for s, p in each.items()}
    row = np.array([alpha, alpha])
    spread = np.array([variance, variance])
    return Judged(twice, row, spread, spread, np.full(2, target), np.full((2, 3), target), ~np.isnan(spread))


FACE_KNOWS = {
    "vision": [0.9, 0.05, 0.05],
    "speech+vision": [0.9, 0.05, 0.05],
    "text+vision": [0.95, 0.03, 0.02],
    "speech+text": [0.5, 0.25, 0.25],
    "text": [0.5, 0.25, 0.25],
    "speech+text+vision": [0.95, 0.03, 0.02],
}


def test_alpha_that_goes_by_what_moved_the_answer():
    clips = judged(FACE_KNOWS, [0.1, 0.3, 0.6], [0.8, 0.5, 0.2])
    shapley, removal = shares(clips)
    np.testing.assert_allclose(shapley.sum(1), 0.95 - 1 / 3)
    np.testing.assert_allclose(removal[0], [0, 0.05, 0.45])
    assert alpha_row(clips) == [2, pytest.approx(1), 1, 1]
    assert alpha_row(judged(FACE_KNOWS, [0.6, 0.3, 0.1], [0.8, 0.5, 0.2])) == [2, pytest.approx(-1), 0, 0]


def test_clips_without_a_modality_have_no_order_of_three():
    clips = judged(FACE_KNOWS, [0, 0.3, 0.7], [np.nan, 0.5, 0.2])
    assert alpha_row(clips) == [0, None, None, None]


@pytest.mark.parametrize(
    ("whole", "variance", "expected"),
    [
        ([0.6, 0.3, 0.1], [0.7, np.nan, 0.2], [0, 0, 1, 1]),  # the surer one wins, less sure than alone
        ([0.85, 0.1, 0.05], [0.7, np.nan, 0.2], [1, 1, 1, 1]),  # surer than the surest
        ([0.2, 0.7, 0.1], [0.7, np.nan, 0.2], [1, 0, 0, 1]),  # surer of it than the voice, which had the larger sigma^2
        ([0.2, 0.2, 0.6], [0.7, np.nan, 0.2], [1, 0, 0, 0]),  # what nobody said
        ([0.2, 0.5, 0.3], [0.2, np.nan, 0.7], [0, 0, 1, 1]),
    ],
)
def test_contradictions(whole, variance, expected):
    said = {"speech": [0.2, 0.6, 0.2], "vision": [0.8, 0.1, 0.1], "speech+text+vision": whole}
    assert conflict_row(judged(said, [0.5, 0, 0.5], variance), (0, 2)) == [2, *expected]


def test_modalities_that_agree_are_no_contradiction():
    said = {"speech": [0.6, 0.2, 0.2], "vision": [0.8, 0.1, 0.1], "speech+text+vision": [0.9, 0.05, 0.05]}
    assert conflict_row(judged(said, [0.5, 0, 0.5], [0.2, np.nan, 0.7]), (0, 2)) == [0, None, None, None, None]


def test_the_scale_is_the_gap_to_the_own_error():
    said = {"text": [1.0, 0.0, 0.0]}
    assert variance_scale(judged(said, [0, 1, 0], [np.nan, 0.3, np.nan]), 1) == pytest.approx((0.3, 0.3, 0.3, 0.0))
    assert variance_scale(judged(said, [0, 1, 0], [np.nan, 2.0, np.nan], target=1), 1)[0] == pytest.approx(0)


def test_auroc_is_one_where_all_that_is_strange_lies_above():
    assert told_apart(np.array([0.1, 0.2]), np.array([0.3, 0.4])) == 1
    assert told_apart(np.array([0.1, 0.4]), np.array([0.1, 0.4])) == 0.5
