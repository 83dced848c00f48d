"""Readers of dialogues, on small data in the layouts of MELD, EmoryNLP, IEMOCAP's pickles and the CMU SDK."""

from __future__ import annotations

import pickle
from pathlib import Path

import h5py
import numpy as np
import pytest

from hff.config import EMOTIONS
from tests.support import corpus_fixtures as made
from train.corpora import cmu_sdk, emorynlp, iemocap, meld, safe_pickle
from train.corpora.base import CorpusError
from train.corpora.conversation import UNLABELLED, DialogueSet

pytestmark = pytest.mark.usefixtures("only_the_papers")


@pytest.mark.parametrize("public", [True, False])
def test_meld_as_dialogues(tmp_path, public):
    made.meld(tmp_path, public)
    found = meld.dialogues(tmp_path)
    assert found.labels == EMOTIONS
    assert found.counts == {"train": made.TRAINING_LINES, "validation": 7, "test": 7}
    assert len(found.differences) == 3
    assert found.differences[2] == "MELD, test: 7 labelled utterances, 2610 as published"
    first = found.splits["train"][0]
    assert first.ids == [f"dia0_utt{n}" for n in range(5)]
    assert first.speakers == ["Joey", "Chandler", "Joey", "Chandler", "Joey"]
    assert first.texts[0].endswith("isn't it?")
    assert first.labels.tolist() == [0, 1, 2, 3, 4]
    assert not first.present.any()  # words alone, not encoded yet


@pytest.mark.parametrize("layout", ["public", "ours", "authors"])
def test_emorynlp_as_scenes(tmp_path, layout):
    made.emorynlp(tmp_path, layout == "public", own=layout == "authors")
    found = emorynlp.dialogues(tmp_path)
    assert found.labels == ("joyful", "mad", "neutral", "peaceful", "powerful", "sad", "scared")
    for split in ("train", "validation", "test"):
        one, other, last = found.splits[split]
        assert one.labels.tolist() == [0, 1, 2]
        assert [*other.labels, *last.labels] == [3, 4, 5, 6]
        assert one.speakers == ["Joey", "Joey", "Joey and Ross"]
        assert one.texts[1] == "line 1 of a Mad friend"


SPEAKERS = {"a": ["M", "F", "M"], "b": ["F", "M"], "c": ["M"], "d": ["F", "F", "M"]}
SPLITS = [["a", "c"], ["b"], ["d"]]  # training, test, validation


def by_dialogue(value) -> dict:
    return {name: [value(name, n) for n in range(len(said))] for name, said in SPEAKERS.items()}


LABELS = by_dialogue(lambda name, n: (ord(name) + n) % 6)
SENTENCES = by_dialogue(lambda name, n: f"sentence {n} of {name}")


def vectors(size: int, seed: int = 0) -> dict:
    rng = np.random.default_rng(seed)
    return by_dialogue(lambda name, n: rng.normal(size=size).astype(np.float32))


def stored(path: Path, content: object) -> Path:
    path.write_bytes(pickle.dumps(content, protocol=2))
    return path


def conv_emotion(training: set[str], *more: object) -> tuple:
    ids = by_dialogue(lambda name, n: f"{name}_{n}")
    modalities = vectors(10), vectors(12), vectors(8)
    return ids, SPEAKERS, LABELS, *modalities, SENTENCES, training, {"b"}, *more


def test_iemocap_features(tmp_path):
    stored(tmp_path / "IEMOCAP_features.pkl", conv_emotion({"a", "c", "d"}))
    found = iemocap.dialogues(tmp_path)
    assert found.labels == ("happy", "sad", "neutral", "angry", "excited", "frustrated")
    assert [one.name for one in found.splits["test"]] == ["b"]
    rest = {one.name for split in ("train", "validation") for one in found.splits[split]}
    assert rest == {"a", "c", "d"}
    assert len(found.splits["validation"]) == 1  # a tenth, and at least one
    (one,) = found.splits["test"]
    assert {m: x.shape for m, x in one.features.items()} == {"speech": (2, 12), "text": (2, 10), "vision": (2, 8)}
    assert one.speakers == ["F", "M"]
    assert one.labels.tolist() == LABELS["b"]
    assert one.ids == ["b_0", "b_1"]
    assert one.texts == SENTENCES["b"]
    assert one.present.all()
    assert any("1623 as published" in said for said in found.differences)


def test_iemocap_with_a_tenth_part_is_read_the_same(tmp_path):
    plain = iemocap.load_file(stored(tmp_path / "plain.pkl", conv_emotion({"a", "c", "d"})))
    more = iemocap.load_file(stored(tmp_path / "more.pkl", conv_emotion({"a", "c", "d"}, {"a": 1})))
    assert plain.counts == more.counts


def test_iemocap_in_words(tmp_path):
    labels = LABELS | {"a": [0, UNLABELLED, 5]}
    stored(tmp_path / "iemocap.pkl", [SPEAKERS, labels, SENTENCES, *SPLITS])
    found = iemocap.dialogues(tmp_path)
    assert {split: [one.name for one in several] for split, several in found.splits.items()} == {
        "train": ["a", "c"],
        "test": ["b"],
        "validation": ["d"],
    }
    assert found.counts == {"train": 3, "test": 2, "validation": 3}  # the unlabelled one is there, and not counted
    first = found.splits["train"][0]
    assert first.labels.tolist() == [0, UNLABELLED, 5]
    assert first.features == {}
    assert first.texts == SENTENCES["a"]


def test_iemocap_in_words_with_text_features(tmp_path):
    layers = [vectors(10, seed) for seed in range(4)]
    stored(tmp_path / "iemocap_features_roberta.pkl", [SPEAKERS, LABELS, *layers, SENTENCES, *SPLITS])
    found = iemocap.dialogues(tmp_path)
    (one,) = found.splits["test"]
    np.testing.assert_allclose(one.features["text"], np.mean([layer["b"] for layer in layers], axis=0), rtol=1e-5)
    assert one.present.tolist() == [[False, True, False]] * 2


BROKEN = {
    "labels must be 0 to 5": [SPEAKERS, LABELS | {"a": [0, 1, 6]}, SENTENCES, *SPLITS],
    "a label is no number": [SPEAKERS, LABELS | {"a": ["joy", 0, 1]}, SENTENCES, *SPLITS],
    "dialogue d: no sentences": [SPEAKERS, LABELS, {"a": SENTENCES["a"], "c": SENTENCES["c"]}, *SPLITS],
    "dialogue a: 3 labels, but 1 sentences": [SPEAKERS, LABELS, SENTENCES | {"a": ["one"]}, *SPLITS],
    "dialogue a is in the training and in the test part": [SPEAKERS, LABELS, SENTENCES, ["a"], ["a"], ["b"]],
    "expected 6, 9 or 10": [SPEAKERS, LABELS, SENTENCES, *SPLITS, []],
    "is not one of the layouts": {"train": []},
}


@pytest.mark.parametrize("message", BROKEN)
def test_what_is_wrong_with_iemocaps_file_is_said(tmp_path, message):
    with pytest.raises(CorpusError, match=message) as error:
        iemocap.load_file(stored(tmp_path / "iemocap.pkl", BROKEN[message]))
    assert "iemocap.pkl" in str(error.value)


def test_sets_are_admitted_and_functions_are_not(tmp_path):
    path = tmp_path / "some.pkl"
    path.write_bytes(b"c__builtin__\nset\n((lVa\natR.")  # as Python 2 wrote them
    assert safe_pickle.load(path, "nowhere") == {"a"}
    path.write_bytes(b"c__builtin__\neval\n(V1\ntR.")
    with pytest.raises(CorpusError, match="not admitted"):
        safe_pickle.load(path, "nowhere")


FOLDS = """
# comments, and code that would be run by an import
standard_train_fold = ['v0', 'v1', 'gone']
standard_valid_fold = ['v2']
standard_test_fold = ['v3']
"""


def sequence(path: Path, name: str, videos: dict[str, tuple]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with h5py.File(path, "w") as file:
        for video, (features, intervals) in videos.items():
            group = file.create_group(f"{name}/data/{video}")
            group["features"], group["intervals"] = features, np.asarray(intervals, float)
        file.create_group(f"{name}/metadata")


@pytest.fixture
def sdk(tmp_path) -> Path:
    """Four videos of two segments, 0 to 1 s and 1 to 2 s, the later one stored first; frames each 0.25 s."""
    videos = [f"v{n}" for n in range(4)]
    times = [[t, t + 0.25] for t in np.arange(0, 2, 0.25)]
    segments = [[1.0, 2.0], [0.0, 1.0]]
    sequence(
        tmp_path / "labels" / "CMU_MOSEI_Labels.csd",
        "All Labels",
        {v: (np.array([[2.4] + [0] * 6, [-1.0] + [0] * 6]), segments) for v in videos},
    )
    frames = np.arange(8, dtype=np.float32)[:, None] * np.ones(5)
    for file, name in (("COVAREP", "COVAREP"), ("TimestampedWordVectors", "glove"), ("VisualFacet42", "FACET 4.2")):
        sequence(
            tmp_path / f"CMU_MOSEI_{file}.csd",
            name,
            {v: (frames, times) for v in videos if file[0] != "V" or v != "v3"},
        )
    words = np.array([[b"sp"], [b"what"], [b"a"], [b"sp"], [b"day"], [b"it"], [b"is"], [b"sp"]])
    sequence(tmp_path / "CMU_MOSEI_TimestampedWords.csd", "words", dict.fromkeys(videos, (words, times)))
    (tmp_path / "cmu_mosei_std_folds.py").write_text(FOLDS)
    return tmp_path


def test_cmu_sdk(sdk):
    found = cmu_sdk.dialogues(sdk)
    assert isinstance(found, DialogueSet)
    assert found.labels == ()
    assert found.counts == {"train": 4, "validation": 2, "test": 2}
    assert found.differences[0] == "CMU-MOSEI, train: 4 labelled utterances, 16327 as published"
    first = found.splits["train"][0]
    assert first.labels.tolist() == pytest.approx([-1.0, 2.4])  # in the order they were said
    assert first.texts == ["what a", "day it is"]
    np.testing.assert_allclose(first.features["speech"][:, 0], [1.5, 5.5])
    (without,) = found.splits["test"]
    assert without.features["vision"].shape == (2, 5)
    assert without.present.tolist() == [[True, True, False]] * 2
    assert cmu_sdk.load(sdk)[:2] == ["v0[0]", "v0[1]"]


@pytest.mark.parametrize("name", ["CMU_MOSEI_Labels.csd", "CMU_MOSEI_COVAREP.csd", "cmu_mosei_std_folds.py"])
def test_a_missing_or_damaged_file_of_the_sdk_is_named(sdk, name):
    path = next(sdk.rglob(name))
    path.write_bytes(b"neither")
    with pytest.raises(CorpusError, match=f"{name}.*is not"):
        cmu_sdk.dialogues(sdk)
    path.unlink()
    with pytest.raises(CorpusError, match=rf"CMU-MOSEI: none of .*{name}.*cmu_mosei|CMU-MOSEI: none of .*{name}"):
        cmu_sdk.dialogues(sdk)


def test_mosi_of_the_sdk_has_its_own_files(sdk):
    for path in list(sdk.rglob("*MOSEI*")) + list(sdk.rglob("*mosei*")):
        name = (
            path.name.replace("MOSEI_Labels", "MOSI_Opinion_Labels").replace("MOSEI", "MOSI").replace("mosei", "mosi")
        )
        path.rename(path.parent / name.replace("VisualFacet42", "Visual_Facet_42"))
    found = cmu_sdk.dialogues(sdk, cmu_sdk.MOSI)
    assert found.counts["train"] == 4
    assert found.name == "CMU-MOSI"
