"""Files of trimodal features: read safely, by video and number, and a fault is named."""

from __future__ import annotations

import pickle
from pathlib import Path

import numpy as np
import pytest

from tests.support.feature_file_fixtures import split, stored
from train.corpora import mmsa
from train.corpora.base import CorpusError
from train.corpora.conversation import folds, stacked


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return stored(tmp_path, train=split(6, 0), valid=split(3, 1))


class Danger:
    """A pickle that creates a file when it is read."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self):
        return Path.touch, (self.mark,)


@pytest.mark.parametrize("where", ["whole", "split", "inside an array"])
def test_a_pickle_that_runs_code_is_refused_and_does_not_run(tmp_path, where):
    danger = Danger(tmp_path / "mark")
    held = {"whole": danger, "split": {"train": danger}, "inside an array": np.array([danger], dtype=object)}[where]
    path = tmp_path / "bad.pkl"
    path.write_bytes(pickle.dumps(held))
    with pytest.raises(CorpusError, match=r"bad\.pkl.*not admitted.*[Ff]or safety"):
        mmsa.load_file(path)
    assert not (tmp_path / "mark").exists()


@pytest.mark.parametrize("command", [b"cbuiltins\neval\n(V1\ntR.", b"cnumpy\nload\n(Vx\ntR.", b"cos\nsystem\n(Vx\ntR."])
def test_functions_by_name_are_refused(tmp_path, command):
    path = tmp_path / "bad.pkl"
    path.write_bytes(command)
    with pytest.raises(CorpusError, match="not admitted"):
        mmsa.load_file(path)


@pytest.mark.parametrize("content", [b"", b"no pickle at all", pickle.dumps({"train": 1})[:-3]])
def test_a_damaged_file_is_one_clear_error(tmp_path, content):
    path = tmp_path / "bad.pkl"
    path.write_bytes(content)
    with pytest.raises(CorpusError, match=r"bad\.pkl"):
        mmsa.load_file(path)
    with pytest.raises(CorpusError, match="cannot be opened"):
        mmsa.load_file(tmp_path / "nowhere.pkl")


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_every_protocol_of_pickle_is_read(tmp_path, protocol):
    made = split(2, 0) | {"lengths": [np.float32(3), np.int64(2)], "kind": b"\xff"}
    path = tmp_path / "features.pkl"
    path.write_bytes(pickle.dumps({"train": made, "valid": split(2, 1)}, protocol=protocol))
    (first, _) = mmsa.load_file(path).splits["train"]
    row = made["id"].index("v0_0$_$3")
    np.testing.assert_array_equal(first.features["speech"][first.ids.index("v0_0$_$3")], made["audio"][row, 0])


@pytest.mark.parametrize("key", ["id", "text", "audio", "vision", "regression_labels"])
def test_a_missing_key_is_named(tmp_path, key):
    lacking = split(2, 0)
    del lacking[key]
    with pytest.raises(CorpusError, match=rf"split valid: no key {key}; found"):
        mmsa.load_file(stored(tmp_path, train=split(2, 1), valid=lacking))


def test_wrong_layouts_are_named(tmp_path):
    good = split(2, 0)
    cases = {
        "no split valid": {"train": good},
        "differ in size": {"train": good, "valid": good | {"audio": good["audio"][..., :2]}},
        "12 ids, but 5 of audio": {"train": good, "valid": good | {"audio": good["audio"][:5]}},
        r"VIDEO\$_\$NUMBER": {"train": good, "valid": good | {"id": ["video"] * 12}},
        "no utterance": {"train": good, "valid": good | {"id": []}},
        "expected": {"train": good, "valid": good | {"text": np.zeros(12)}},
        "not an array of numbers": {"train": good, "valid": good | {"text": ["words"] * 12}},
        "must be signed": {"train": good | {"regression_labels": np.arange(12) % 2}, "valid": good},
        "are all 0": {"train": good, "valid": good | {"regression_labels": np.zeros(12)}},
        "not a dictionary": {"train": good, "valid": [1, 2]},
    }
    for message, splits in cases.items():
        with pytest.raises(CorpusError, match=message):
            mmsa.load_file(stored(tmp_path, **splits))


def test_utterances_by_video_and_number(tmp_path):
    made = split(2, 0, length=11)
    videos = mmsa.load_file(stored(tmp_path, train=made, valid=split(2, 1))).splits["train"]
    assert [video.name for video in videos] == ["v0_0", "v0_1"]
    for v, video in enumerate(videos):
        assert video.ids == [f"v0_{v}$_${n}" for n in range(1, 12)]  # 10 after 9, not after 1
        for i, name in enumerate(video.ids):
            row = made["id"].index(name)
            np.testing.assert_array_equal(video.features["vision"][i], made["vision"][row, 0])
            assert video.labels[i] == made["regression_labels"][row]
            assert video.texts[i] == made["raw_text"][row]


def test_frames_are_averaged_without_padding(tmp_path):
    made = split(2, 0)
    frames = np.zeros((12, 5, 4), np.float32)
    frames[:, :2] = [[1, -np.inf, 3, 4], [3, 2, 5, np.nan]]
    read = mmsa.load_file(stored(tmp_path, train=made | {"audio": frames}, valid=made | {"audio": frames}))
    np.testing.assert_allclose(stacked(read.splits["train"], "speech"), np.tile([2, 1, 4, 2], (12, 1)))


def test_folds_hold_out_every_video_once_and_whole(path):
    read = mmsa.load_file(path).splits
    masks = np.array(list(folds([*read["train"], *read["validation"]])))
    assert masks.shape == (5, 9)
    assert (masks.sum(0) == 1).all()
    assert masks.any(1).all()
    with pytest.raises(CorpusError, match="too few"):
        list(folds(read["validation"]))
