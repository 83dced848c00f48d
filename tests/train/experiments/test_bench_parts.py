"""Parts of the benchmark: figures, grades, leaks, batches of dialogues, encoded transcripts."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from sklearn.metrics import accuracy_score, f1_score

from hff.model.hff import HFF
from tests.support.feature_file_fixtures import split, stored
from train.corpora import mmsa
from train.corpora.base import CorpusError
from train.corpora.conversation import all_labels, stacked
from train.experiments.benchmark import bert_features
from train.experiments.benchmark.dialogues import DialogueModel, Recipe
from train.experiments.benchmark.leaks import Leak, exchanged, find_leaks
from train.experiments.benchmark.tasks import Grades, sentiment_scores
from train.fusion.dialogue_batches import batches
from train.rivals import RIVALS


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return stored(tmp_path, train=split(6, 0), valid=split(3, 1))


def test_scores_are_those_of_scikit_learn():
    rng = np.random.default_rng(0)
    truth, reading = rng.integers(-3, 4, 200).astype(float), rng.normal(size=200)
    found = sentiment_scores(truth, reading, graded=True)
    signed = truth != 0
    positive, said = truth[signed] > 0, reading[signed] > 0
    assert found["accuracy"] == pytest.approx(accuracy_score(positive, said))
    assert found["weighted F1"] == pytest.approx(f1_score(positive, said, average="weighted"))
    assert found["MAE"] == pytest.approx(np.mean(np.abs(truth - reading)))
    assert found["correlation"] == pytest.approx(np.corrcoef(truth, reading)[0, 1])
    assert found["accuracy with zero"] == pytest.approx(accuracy_score(truth >= 0, reading >= 0))
    assert found["weighted F1 with zero"] == pytest.approx(f1_score(truth >= 0, reading >= 0, average="weighted"))
    assert found["ACC-7"] == pytest.approx(accuracy_score(truth, np.round(np.clip(reading, -3, 3))))
    assert sentiment_scores(truth, np.zeros(200), graded=True)["correlation"] == 0
    assert set(sentiment_scores(truth, reading, graded=False)) == {"accuracy", "weighted F1"}


def test_grades_keep_every_label():
    labels = np.array([-2.6, -1.0, 0.25, 3.0])
    grades = Grades(labels)
    assert grades.graded
    assert grades.names == ("-3", "-2", "-1", "0", "1", "2", "3")
    targets = grades.targets(labels)
    np.testing.assert_allclose(targets.sum(1), 1, atol=1e-6)
    np.testing.assert_allclose(grades.sentiment(targets), labels, atol=1e-6)
    signs = Grades(np.array([1.0, -1.0, 1.0]))
    assert not signs.graded
    np.testing.assert_array_equal(signs.targets(np.array([1.0, -1.0])), [[0, 1], [1, 0]])


def test_leaks_are_found_and_spoilt(tmp_path):
    read = mmsa.load_file(stored(tmp_path, train=split(30, 0, leak=4.0), valid=split(5, 1))).splits["train"]
    leaks = {leak.modality: leak for leak in find_leaks(read, {"speech": 4, "text": 6, "vision": 5})}
    assert set(leaks) == {"text", "vision"}  # both tell nearly all; the voice tells nothing
    assert leaks["vision"].share > leaks["text"].share > 0.3
    assert find_leaks(read, {"speech": 4}) == []
    leak = Leak("vision", 3, 0.95, 0.5)
    features = {m: stacked(read, m) for m in ("text", "vision")}
    spoilt = exchanged(features, [leak], np.random.default_rng(0))
    same = (spoilt["vision"] == features["vision"]).all(1)
    assert 0.35 < same.mean() < 0.65
    np.testing.assert_array_equal(spoilt["vision"][:, 3:], features["vision"][:, 3:])
    np.testing.assert_array_equal(spoilt["text"], features["text"])


def test_spoilt_features_are_as_reliable_as_the_share_says(tmp_path):
    read = mmsa.load_file(stored(tmp_path, train=split(60, 0, leak=4.0), valid=split(5, 1))).splits["train"]
    (leak,) = find_leaks(read, {"vision": 5})
    spoilt = exchanged({"vision": stacked(read, "vision")}, [leak], np.random.default_rng(0))["vision"]
    assert ((spoilt[:, 1] > 0) == (all_labels(read) > 0)).mean() == pytest.approx(0.56, abs=0.08)


@pytest.fixture
def dialogues(path):
    training = mmsa.load_file(path).splits["train"]
    return training, Grades(all_labels(training))


def test_batches_are_sequences_of_one_video(dialogues):
    training, grades = dialogues
    (first, second) = batches(training, grades, 4)
    assert first.inputs["text"].shape == (4, 6, 6)
    assert second.inputs["vision"].shape == (2, 6, 5)
    assert first.mask.all()
    np.testing.assert_array_equal(first.inputs["text"][1], training[1].features["text"])
    np.testing.assert_array_equal(first.target[1].argmax(-1), training[1].labels > 0)
    shuffled = next(iter(batches(training, grades, 6, np.random.default_rng(0)))).inputs["text"]
    assert sorted(shuffled.sum((1, 2)).tolist()) == pytest.approx(
        sorted(float(video.features["text"].sum()) for video in training), abs=1e-4
    )


def test_a_video_is_read_the_same_beside_a_longer_one(tmp_path):
    """Padding changes nothing, for a model with steps (HFF) and for one without (late averaging)."""

    splits = mmsa.load_file(stored(tmp_path, train=split(3, 0), valid=split(2, 1, length=9))).splits
    training, grades = splits["train"], Grades(all_labels(splits["train"]))
    for build in (HFF, RIVALS["TFN"]):
        torch.manual_seed(0)
        model = DialogueModel(build, Recipe(), grades, training).eval()
        with torch.no_grad():
            alone = torch.cat([model(batch)[0] for batch in batches(training, grades, 1)])
            together = torch.cat([model(batch)[0] for batch in batches([*training, *splits["validation"]], grades, 16)])
        assert together.shape == (18 + 18, 2)
        torch.testing.assert_close(together[:18], alone, atol=1e-5, rtol=1e-4)


def test_leaking_columns_get_no_mean_over_the_video(dialogues):
    """What one utterance's leaking columns say reaches itself, and no other utterance of its video."""
    training, grades = dialogues

    def moved(leaks: list[Leak], columns: slice, utterance: int = 1) -> float:
        """How far the first utterance's answer goes when these columns of an utterance change."""
        torch.manual_seed(0)
        model = DialogueModel(RIVALS["late averaging"], Recipe(), grades, training, leaks).eval()
        batch = next(batches(training, grades, 1))
        with torch.no_grad():
            before = model(batch)[0]
            batch.features["vision"] = batch.features["vision"].clone()
            batch.features["vision"][0, utterance, columns] *= -3
            return float((model(batch)[0][0] - before[0]).abs().max())

    leaks = [Leak("vision", 2, 0.9, 0.5)]
    assert moved([], slice(0, 2)) > 1e-4
    assert moved(leaks, slice(0, 2)) == 0
    assert moved(leaks, slice(2, None)) > 1e-4
    assert moved(leaks, slice(0, 2), utterance=0) > 1e-4


def test_encodings_are_kept_and_follow_the_words(path, monkeypatch):
    class Encoder:
        calls = 0

        def features(self, texts):
            Encoder.calls += 1
            return torch.tensor([[float(len(text)), text == text.lower()] for text in texts])

    monkeypatch.setattr(bert_features, "load_encoders", lambda folder, device: type("E", (), {"text": Encoder()}))
    splits = mmsa.load_file(path).splits
    cache = path.parent / "cache"
    first = bert_features.encode_transcripts(splits, cache, torch.device("cpu"))
    again = bert_features.encode_transcripts(splits, cache, torch.device("cpu"))
    assert Encoder.calls == 2
    np.testing.assert_array_equal(first["train"], again["train"])
    np.testing.assert_array_equal(
        first["validation"], [[len(text), 1] for video in splits["validation"] for text in video.texts]
    )
    splits["validation"][0].texts[0] = "OTHER"
    assert bert_features.encode_transcripts(splits, cache, torch.device("cpu"))["validation"][0, 0] == 5
    splits["validation"][0].texts.clear()
    with pytest.raises(CorpusError, match=r"raw_text\) in split validation.*--text given"):
        bert_features.encode_transcripts(splits, cache, torch.device("cpu"))
