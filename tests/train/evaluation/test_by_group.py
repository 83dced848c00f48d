"""Tables of groups: a face that is not found counts, and every group is told with its number."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from hff.config import EMOTIONS
from tests.support import corpus_fixtures as made
from train.corpora import fer, london, own_sentences
from train.evaluation import by_group

CPU = torch.device("cpu")


@pytest.fixture
def answers(monkeypatch):
    """What the encoders say, by turns, as label names; each call takes as many as it has items."""

    def set_to(*names: str) -> None:
        def predict(model, items, device) -> np.ndarray:
            return np.stack([np.eye(len(EMOTIONS))[EMOTIONS.index(names[n % len(names)])] for n in range(len(items))])

        monkeypatch.setattr(by_group.vision, "predict", predict)
        monkeypatch.setattr(by_group.text, "predict", predict)

    return set_to


class Encoders:
    vision = text = None


def test_every_emotion_counts_alike_in_the_mean(tmp_path, answers):
    made.fer(tmp_path, public=False)
    answers("happy")
    rows = by_group.faces_table(Encoders(), tmp_path, CPU)["rows"]
    recall = {name: values for name, *values, _ in rows}
    assert recall["happy"] == [1, 1]
    assert recall["mean"] == pytest.approx([1 / 7] * 2)
    counts = {name: count for name, *_, count in rows}
    of_all, everything = counts.pop("mean"), counts.pop("accuracy")
    assert of_all == everything == sum(counts.values())
    assert recall["accuracy"] == pytest.approx([counts["happy"] / everything] * 2)


def test_frequent_emotions_gain_where_their_frequency_is_expected(tmp_path, monkeypatch):
    made.fer(tmp_path, public=False)
    faces = fer.load(tmp_path)
    frequent = int(faces.votes[faces.splits == "train"].sum(0).argmax())
    unsure = np.full(len(EMOTIONS), 0.13)
    unsure[frequent - 1] = 0.15
    monkeypatch.setattr(by_group.vision, "predict", lambda model, items, device: np.tile(unsure, (len(items), 1)))
    monkeypatch.setattr(
        by_group.vision, "log_prior", lambda votes: torch.from_numpy(np.log(np.eye(7)[frequent] + 0.1)).float()
    )
    recall = {name: values for name, *values, _ in by_group.faces_table(Encoders(), tmp_path, CPU)["rows"]}
    assert recall[EMOTIONS[frequent]] == [0, 1]
    assert recall[EMOTIONS[frequent - 1]] == [1, 0]


def test_a_face_that_is_not_found_is_not_told(tmp_path, answers, monkeypatch):
    made.london(tmp_path, public=False)
    monkeypatch.setattr(london, "VALIDATION_EVERY", 1)
    answers("neutral", "happy", "happy")
    rows = {row[0]: row[1:] for row in by_group.portraits_table(Encoders(), tmp_path, CPU)["rows"]}
    assert rows["all"] == [4, 0.75, 0.5, 1.0, 1.0]  # the fourth shows no face
    assert rows["white"] == [2, 1.0, 1.0, 1.0, 1.0]
    assert rows["25 to 34 years"][:2] == [2, 0.5]


def test_sentences_by_kind(answers, tmp_path):
    answers("sad")
    rows = by_group.sentences_table(Encoders(), tmp_path, CPU)["rows"]
    assert [name for name, *_ in rows] == [*own_sentences.OWN_KINDS, "all"]
    assert sum(count for *_, count in rows[:-1]) == rows[-1][-1]
    assert 0 < rows[-1][1] < 0.5
