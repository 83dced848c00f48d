"""The deletion test: intervals, what is removed, and that maps and words of the shipped weights pass it."""

from __future__ import annotations

import numpy as np
import pytest

from hff.config import EMOTIONS
from tests.support import corpus_fixtures as made
from tests.support.page_browser import real_model
from train.evaluation import saliency


def test_the_interval_is_of_the_differences():
    rng = np.random.default_rng(0)
    own = rng.normal(0, 5, 400)  # what items have in common must not widen it
    mean, low, high = saliency.paired_difference(own + 0.5 + rng.normal(0, 0.2, 400), own)
    assert low < mean < high
    assert mean == pytest.approx(0.5, abs=0.05)
    assert high - low == pytest.approx(4 * 0.2 / 20, rel=0.2)


def test_a_row_says_what_is_compared():
    by = {"one": np.array([0.4, 0.6]), "other": np.array([0.1, 0.1])}
    (row,) = saliency.Falls("text", by, (("one", "other"),)).rows("test")
    assert len(row) == len(saliency.DELETION_COLUMNS)
    assert row[:5] == ["text", "test", "one", "other", 2]
    assert row[5:8] == pytest.approx([0.5, 0.1, 0.4])


def test_only_what_is_chosen_is_painted_over():
    crops = np.arange(2 * 48 * 48).reshape(2, 48, 48).astype(np.uint8)
    chosen = np.zeros(crops.shape, bool)
    chosen[1, 3:5] = True
    after = saliency.painted(crops, chosen)
    assert (after == crops)[~chosen].all()
    assert (after[chosen] == round(crops[1].mean())).all()


def test_a_fifth_of_the_words_is_left_out_rounded_up():
    words = [f"w{n}" for n in range(11)]
    assert saliency.without_top(words, np.arange(11.0)) == " ".join(words[:8])


def test_faces_and_sentences_come_from_their_half(tmp_path):
    made.fer(tmp_path, public=False)
    faces = saliency.faces_of(tmp_path, "validation")
    assert faces.shape[1:] == (48, 48)
    assert 0 < len(faces) <= len(EMOTIONS) * saliency.FACES_OF_A_LABEL


def test_every_way_is_compared_with_a_random_fifth(portrait):
    model = real_model()
    crop = model.read(image=portrait).faces[0].crop
    falls = saliency.face_falls(model, np.stack([crop, crop[:, ::-1]]), every=True)
    assert {one for one, other in falls.pairs if other == saliency.RANDOM} == {
        saliency.SHOWN_MAP,
        "the last convolution's hottest fifth",
        "occlusion's hottest fifth",
    }
    assert falls.by[saliency.SHOWN_MAP].mean() > falls.by[saliency.RANDOM].mean()
    sentences = [
        "I was so scared that somebody had followed me".split(),
        "what a wonderful day we had today dear".split(),
    ]
    falls = saliency.word_falls(model, sentences, every=True)
    assert falls.by[saliency.SHOWN_WORDS].mean() > falls.by[saliency.RANDOM].mean() + 0.1
    assert all(len(values) == 2 for values in falls.by.values())
