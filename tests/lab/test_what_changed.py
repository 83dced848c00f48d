"""What moved between two readings, as facts: whose weight, how, and whether its own uncertainty explains it."""

from __future__ import annotations

import pytest

from hff.config import EMOTIONS, MODALITIES
from hff.lab.what_changed import LEAST_CHANGE, Change, most_moved, what_changed
from tests.support.page_fixtures import make_result


def reading(alpha: tuple[float, ...], variance: tuple[float, ...] = (1.0, 1.0, 1.0), **changes):
    """A made-up reading with these clip means."""
    result = make_result(3, **changes)
    result.alpha = dict(zip(MODALITIES, alpha, strict=True))
    result.variance = dict(zip(MODALITIES, variance, strict=True))
    return result


EVEN = (0.4, 0.3, 0.3)


@pytest.mark.parametrize(
    ("alpha", "variance", "kind", "modality"),
    [
        ((0.6, 0.2, 0.2), (1.0, 1.0, 1.0), "rises", "speech"),
        ((0.2, 0.4, 0.4), (1.0, 1.0, 1.0), "falls", "speech"),
        ((0.2, 0.4, 0.4), (3.0, 1.0, 1.0), "falls_explained", "speech"),
        ((0.2, 0.5, 0.3), (1.1, 0.2, 1.0), "rises_explained", "text"),
        ((0.2, 0.4, 0.4), (0.5, 1.0, 1.0), "falls", "speech"),
    ],
)
def test_a_weight_that_moved(alpha, variance, kind, modality):
    assert what_changed(reading(EVEN), reading(alpha, variance)) == Change(kind, modality, same_answer=True)


def test_a_weight_that_the_first_weight_moved_more_than_its_own_uncertainty():
    before, after = reading(EVEN), reading((0.1, 0.5, 0.4), (1.2, 1.0, 1.0))
    speech = MODALITIES.index("speech")
    after.timeline.precision[:, speech] /= 1.2
    assert what_changed(before, after).kind == "falls_explained"
    after.timeline.alpha0[:, speech] /= 20
    assert what_changed(before, after) == Change("falls_distrusted", "speech", same_answer=True)
    assert what_changed(after, before).kind == "rises_distrusted"


def test_of_two_weights_that_moved_alike_the_weightier_is_told():
    assert most_moved(reading((0.970, 0.030, 0.0)), reading((0.9799, 0.0200, 0.0))) == "speech"


def test_what_is_gone_or_back_goes_before_all_else():
    whole, blind = make_result(3), make_result(3, there=("speech", "text"))
    assert what_changed(whole, blind) == Change("gone", "vision", whole.emotion == blind.emotion)
    assert what_changed(blind, whole) == Change("back", "vision", whole.emotion == blind.emotion)


def test_changes_that_nobody_would_see():
    before, after = reading(EVEN), reading(EVEN)
    assert what_changed(before, after) is None
    after.probabilities = {
        label: p + 1.5 * LEAST_CHANGE * (label == "sad") for label, p in before.probabilities.items()
    }
    assert what_changed(before, after) == Change("none", "speech", same_answer=True)


def test_another_answer_is_told():
    before = reading(EVEN)
    other = next(label for label in EMOTIONS if label != before.emotion)
    assert what_changed(before, reading((0.6, 0.2, 0.2), emotion=other)) == Change("rises", "speech", same_answer=False)
