"""Recordings of dialogues: IEMOCAP's folders and MELD's clips, halves of pictures, features of utterances."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from tests.support import corpus_fixtures as made
from tests.support.media_fixtures import write_media
from train.corpora import iemocap_raw, meld
from train.corpora.base import CorpusError
from train.corpora.conversation import UNLABELLED, RawDialogues
from train.fusion import raw_features


@pytest.fixture(scope="module")
def iemocap(tmp_path_factory, speech_wave, portrait) -> Path:
    return made.iemocap_raw(tmp_path_factory.mktemp("iemocap"), speech_wave[: made.RATE], portrait)


def test_iemocaps_folders(iemocap):
    found = iemocap_raw.raw(iemocap)
    assert {split: len(several) for split, several in found.splits.items()} == {"train": 7, "validation": 1, "test": 2}
    assert {said[0].dialogue[:5] for said in found.splits["test"]} == {"Ses05"}
    (worn, other) = (found.splits["test"][0], found.splits["test"][1])
    assert [one.start for one in worn] == [0, 1, 2, 3]
    assert [one.speaker for one in worn] == ["F", "M", "F", "M"]
    assert [one.half for one in worn] == ["left", "right", "left", "right"]  # the woman wears the markers
    assert [one.half for one in other] == ["right", "left", "right", "left"]
    assert [one.label for one in worn] == [2, 5, UNLABELLED, 4]  # neutral, frustrated, surprised, excited
    assert worn[1].text == "words of Ses05F_impro01_M001"
    assert worn[1].sound.name == "Ses05F_impro01_M001.wav"


@pytest.mark.parametrize(
    "what", ["sentences/wav/*/Ses03M_impro01_F002.wav", "dialog/transcriptions/Ses03M_impro01.txt"]
)
def test_what_is_missing_of_iemocap_is_named(iemocap, what):
    path = next((iemocap / "IEMOCAP_full_release" / "Session3").glob(what))
    aside = path.rename(path.with_suffix(".aside"))
    with pytest.raises(CorpusError, match=path.name):
        iemocap_raw.raw(iemocap)
    aside.rename(path)


def test_features_of_a_dialogue_are_those_of_who_speaks(iemocap, tmp_path, capsys):
    found = iemocap_raw.raw(iemocap)
    one = RawDialogues("two", found.labels, {"test": found.splits["test"]})
    encoded = raw_features.encode_dialogues(one, tmp_path, torch.device("cpu"))
    (worn, other) = encoded.splits["test"]
    sizes = {m: x.shape for m, x in worn.features.items()}
    assert sizes == {"speech": (4, 128), "text": (4, 768), "vision": (4, 512)}
    assert worn.present[:, :2].all()
    assert worn.present[:, 2].tolist() == [True, False, True, False]  # the grey half has no face
    assert other.present[:, 2].tolist() == [False, True, False, True]
    assert worn.labels.tolist() == [2, 5, UNLABELLED, 4]
    assert "no vision in 50.0 % of the utterances" in capsys.readouterr().out
    assert worn.features["text"][0].tolist() != worn.features["text"][1].tolist()
    stamps = {path: path.stat().st_mtime_ns for path in tmp_path.iterdir()}
    again = raw_features.encode_dialogues(one, tmp_path, torch.device("cpu"))
    np.testing.assert_array_equal(again.splits["test"][0].features["speech"], worn.features["speech"])
    assert {path: path.stat().st_mtime_ns for path in tmp_path.iterdir()} == stamps


def test_halves_of_a_picture():
    image = np.arange(2 * 5 * 3, dtype=np.uint8).reshape(2, 5, 3)
    assert raw_features.half_of(image, "left").tolist() == image[:, :2].tolist()
    assert raw_features.half_of(image, "right").tolist() == image[:, 2:].tolist()
    assert raw_features.half_of(image, "") is image


def test_melds_clips(tmp_path):
    made.meld(tmp_path, public=True)
    for split, folder in meld.CLIP_FOLDERS.items():
        (tmp_path / "MELD.Raw" / folder).mkdir(parents=True)
        for one in meld.dialogues(tmp_path).splits[split]:
            for name in one.ids:
                (tmp_path / "MELD.Raw" / folder / f"{name}.mp4").write_bytes(b"")
    found = meld.raw(tmp_path)
    first = found.splits["test"][0][1]
    assert first.sound == first.video == tmp_path / "MELD.Raw" / "output_repeated_splits_test" / "dia0_utt1.mp4"
    assert (first.half, first.start, first.end) == ("", 0, None)
    first.sound.unlink()
    with pytest.raises(CorpusError, match=r"dia0_utt1\.mp4 is missing"):
        meld.raw(tmp_path)


def test_a_damaged_recording_is_said_and_absent(tmp_path, capsys):
    made.meld(tmp_path, public=True)
    path = tmp_path / "dia0_utt0.mp4"
    path.write_bytes(b"no film at all")
    whole = write_media(tmp_path / "whole.mp4", video="libx264", audio="aac", seconds=1)
    said = [
        raw_features.RawUtterance("one", "talk", "A", 0, "hello", path, path),
        raw_features.RawUtterance("two", "talk", "B", 0, "hello", whole, whole),
    ]
    assert raw_features.faces_of_utterances(said) == [[], []]
    assert "dia0_utt0.mp4: no face" in capsys.readouterr().out
