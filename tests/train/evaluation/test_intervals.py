"""Paired bootstrap intervals: the measures are scikit-learn's, the verdict follows the interval, groups widen it."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import accuracy_score, f1_score

from train.evaluation.intervals import Difference, accuracy, confusions, macro_f1, paired, weighted_f1


def guesses(rng: np.random.Generator, truth: np.ndarray, share: float, seeds: int = 5) -> np.ndarray:
    """(S,N): right in a share of the items, else at random."""
    wrong = rng.integers(3, size=(seeds, len(truth)))
    return np.where(rng.random(wrong.shape) < share, truth, wrong)


def test_measures_are_those_of_scikit_learn():
    rng = np.random.default_rng(0)
    truth = rng.integers(3, size=60)
    (said,) = guesses(rng, truth, 0.4, seeds=1)
    matrix = confusions(said[None], truth, 3).sum(1)[0]
    assert accuracy(matrix) == pytest.approx(accuracy_score(truth, said))
    assert macro_f1(matrix) == pytest.approx(f1_score(truth, said, average="macro"))
    assert weighted_f1(matrix) == pytest.approx(f1_score(truth, said, average="weighted"))
    wider = confusions(said[None], truth, 4).sum(1)[0]  # a label that neither is nor is said
    assert macro_f1(wider) == pytest.approx(macro_f1(matrix))


@pytest.mark.parametrize(
    ("ours", "theirs", "verdict"), [(0.8, 0.6, "ahead"), (0.6, 0.8, "behind"), (0.7, 0.7, "no difference seen")]
)
def test_the_interval_decides(ours, theirs, verdict):
    rng = np.random.default_rng(1)
    truth = rng.integers(3, size=300)
    a, b = (confusions(guesses(rng, truth, share), truth, 3) for share in (ours, theirs))
    found = paired([a], [b], accuracy)
    assert found.verdict == verdict
    assert found.low < found.mean < found.high
    assert found.mean == pytest.approx(float(accuracy(a.sum(1)).mean() - accuracy(b.sum(1)).mean()))
    assert str(found).endswith(f": {verdict}")
    opposite = paired([b], [a], accuracy)
    assert (opposite.mean, opposite.low, opposite.high) == pytest.approx((-found.mean, -found.high, -found.low))


def test_one_model_is_no_different_from_itself():
    rng = np.random.default_rng(2)
    truth = rng.integers(3, size=50)
    one = confusions(guesses(rng, truth, 0.5), truth, 3)
    assert paired([one], [one], macro_f1) == Difference(0, 0, 0)
    assert str(paired([one], [one], macro_f1)) == "+0.0 (+0.0 to +0.0): no difference seen"


def width(found: Difference) -> float:
    return found.high - found.low


def test_items_of_a_dialogue_are_no_independent_witnesses():
    """As many utterances, but those of a dialogue all right or all wrong: groups know less, and say so."""
    rng = np.random.default_rng(3)
    groups = np.repeat(np.arange(20), 15)
    truth = rng.integers(3, size=300)
    right = np.repeat(rng.random((5, 20)) < 0.7, 15, axis=1)
    ours = np.where(right, truth, (truth + 1) % 3)
    theirs = guesses(rng, truth, 0.55)
    by_item, by_group = (
        paired([confusions(ours, truth, 3, g)], [confusions(theirs, truth, 3, g)], accuracy) for g in (None, groups)
    )
    assert by_item.mean == pytest.approx(by_group.mean)
    assert width(by_group) > 1.5 * width(by_item)


def test_seeds_that_disagree_widen_the_interval_and_tests_are_averaged():
    rng = np.random.default_rng(4)
    truth = rng.integers(3, size=400)
    other = confusions(guesses(rng, truth, 0.6), truth, 3)
    steady = confusions(guesses(rng, truth, 0.7), truth, 3)
    shares = np.array([0.4, 0.55, 0.7, 0.85, 1.0])[:, None]
    shaky = np.where(rng.random((5, 400)) < shares, truth, rng.integers(3, size=(5, 400)))
    assert width(paired([confusions(shaky, truth, 3)], [other], accuracy)) > 2 * width(
        paired([steady], [other], accuracy)
    )
    both = paired([steady, other], [other, other], accuracy)
    assert both.mean == pytest.approx(paired([steady], [other], accuracy).mean / 2)
