"""Readers of faces, in their public layout and as stored."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

from hff.config import EMOTIONS
from hff.detectors.faces import FaceTracker
from tests.support import corpus_fixtures as made
from train.corpora import (
    fer,
    london,
    muxspace,
)

LAYOUTS = pytest.mark.parametrize("public", [True, False], ids=["public", "stored"])


@LAYOUTS
def test_muxspace(tmp_path, public):
    made.muxspace(tmp_path, public)
    faces = muxspace.load(tmp_path)
    assert [EMOTIONS[label] for label in faces.labels] == ["happy", "angry"]
    assert faces.images.dtype == np.uint8
    np.testing.assert_array_equal(faces.images, [made.face(1, 1), made.face(3, 3)])
    np.testing.assert_array_equal(faces.votes.argmax(1), faces.labels)
    assert set(faces.splits) == {"train"}


@LAYOUTS
def test_london(tmp_path, public):
    made.london(tmp_path, public)
    people = london.portraits(tmp_path)
    assert [(p.person, EMOTIONS[p.label], p.age, p.ethnicity, p.split) for p in people] == [
        ("001", "neutral", 24, "white", "validation"),
        ("002", "neutral", 31, "black", "train"),
        ("001", "happy", 24, "white", "validation"),
        ("002", "happy", 31, "black", "train"),
    ]
    assert all(p.picture.shape[2] == 3 for p in people)


def test_portraits_are_cropped_as_the_app_crops_them(tmp_path):
    made.london(tmp_path, public=False)
    faces = london.load(tmp_path)
    assert [EMOTIONS[label] for label in faces.labels] == ["neutral", "happy", "happy"]  # one has no face in it
    portrait = london.portraits(tmp_path)[0].picture
    seen = FaceTracker().update(0.0, portrait)
    np.testing.assert_array_equal(faces.images[0], seen.crop)


def test_fer2013s_first_label_is_kept_beside_the_votes(tmp_path):
    made.fer(tmp_path, public=True)
    assert set(fer.load(tmp_path).first) == {EMOTIONS.index("angry")}  # 0 in its table


@LAYOUTS
def test_fer(tmp_path, public):
    made.fer(tmp_path, public)
    faces = fer.load(tmp_path)
    assert faces.images.shape == (len(faces), 48, 48)
    assert faces.images.dtype == np.uint8
    # Of 58 training faces one shows contempt, and one stands in the test split too.
    assert Counter(faces.splits.tolist()) == {"train": 49, "fusion": 7, "validation": 14, "test": 14}
    assert set(faces.labels[faces.splits == "fusion"]) == set(range(7))
    np.testing.assert_allclose(faces.votes.sum(1), 1, atol=1e-6)
    assert (faces.votes.argmax(1) == faces.labels).all()
    number = 5  # of the first cycle: disgusted by seven votes, surprised by two
    row = np.flatnonzero((faces.images == made.face(number, number)).all((1, 2))).item()
    np.testing.assert_allclose(faces.votes[row], [0, 0, 0, 0, 0, 7 / 9, 2 / 9], atol=1e-6)
