"""Readers of recordings, in their public layout and as stored; no speaker crosses a split."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

from hff.config import EMOTIONS
from tests.support import corpus_fixtures as made
from train.corpora import (
    ased,
    base,
    emodb,
    korean,
    nemo,
    ravdess,
)

LAYOUTS = pytest.mark.parametrize("public", [True, False], ids=["public", "stored"])


@pytest.fixture(scope="module")
def hum() -> np.ndarray:
    """(N,) a quarter of a second at 16 kHz: readers do not ask whether it is a voice."""
    return (0.3 * np.sin(2 * np.pi * 200 * np.arange(4000) / 16_000)).astype(np.float32)


@LAYOUTS
def test_ravdess(tmp_path, public, hum):
    made.speech(tmp_path, made.ravdess_names((1, 2, 15, 19, 22, 23)), hum, "ravdess", public)
    found = ravdess.load(tmp_path)
    assert Counter((u.split, u.speaker) for u in found) == dict.fromkeys(
        [
            ("test", "ravdess01"),
            ("train", "ravdess02"),
            ("fusion", "ravdess15"),
            ("validation", "ravdess19"),
            ("test", "ravdess22"),
        ],
        7,
    )
    for utterance in found:
        assert utterance.name.split("-")[2] == made.RAVDESS_EMOTIONS[utterance.label]  # calm is left out
        assert utterance.wave.dtype == np.float32
        assert 3000 < len(utterance.wave) <= 4000
        assert 0.05 < np.abs(utterance.wave).max() < 0.3
        assert ravdess.sentence_spoken(utterance.name).startswith("Dogs" if int(utterance.speaker[-2:]) % 2 else "Kids")


def test_speakers_never_cross_a_split(tmp_path, hum):
    made.speech(tmp_path, made.ravdess_names(tuple(range(1, 25))), hum[:1500], "ravdess", True)
    split_of: dict[str, set[str]] = {}
    for utterance in ravdess.load(tmp_path):
        split_of.setdefault(utterance.speaker, set()).add(utterance.split)
    assert len(split_of) == 22  # 23 and 24 are kept for later checks
    assert all(len(splits) == 1 for splits in split_of.values())


@LAYOUTS
def test_emodb(tmp_path, public, hum):
    made.speech(tmp_path, made.emodb_names(), hum, "emodb", public)
    found = emodb.load(tmp_path)
    assert Counter(EMOTIONS[u.label] for u in found) == Counter(
        ("happy", "neutral", "happy", "sad", "angry", "fearful", "disgusted")  # boredom has no place
    )
    assert {u.speaker for u in found} == {"emodb03", "emodb08"}  # 15 is kept for later checks


def test_emodbs_added_classes_come_with_all_of_their_speakers_in_one_coding(tmp_path, hum):
    made.speech(tmp_path, made.emodb_names(), hum, "emodb", False)
    made.speech(tmp_path, ["03a01Wa", "03a02Ec", "03a01Fa"], hum, "emodb more", False)
    found = {u.name: EMOTIONS[u.label] for u in emodb.load(tmp_path)}
    assert {n: e for n, e in found.items() if n.startswith("03")} == {
        "03a01Wa": "angry",
        "03a02Ec": "disgusted",
        "03a01Fa": "happy",
    }
    assert sum(name.startswith("08") for name in found) == len(made.EMODB_EMOTIONS)


@LAYOUTS
def test_nemo(tmp_path, public, hum):
    made.speech(tmp_path, made.nemo_names(("EB0", "WR0", "MP0", "ZZ9")), hum, "nemo", public)
    found = nemo.load(tmp_path)
    assert Counter((u.split, u.speaker) for u in found) == Counter(
        {("train", "nemoEB0"): 6, ("fusion", "nemoWR0"): 6, ("validation", "nemoMP0"): 6}  # ZZ9 is kept or unknown
    )
    assert {u.name[4:-2]: EMOTIONS[u.label] for u in found if u.speaker == "nemoEB0"} == dict(
        zip(made.NEMO_EMOTIONS, ("neutral", "happy", "sad", "angry", "fearful", "surprised"), strict=True)
    )
    assert all(len(hum) - 1000 < len(u.wave) < len(hum) + 400 for u in found)


@LAYOUTS
def test_korean(tmp_path, public, hum):
    made.speech(tmp_path, made.korean_names(("ema", "nel", "neo")), hum, "korean", public)
    found = korean.load(tmp_path)
    assert {u.speaker[-3:]: u.split for u in found} == {"ema": "train", "nel": "fusion", "neo": "validation"}
    said = {u.name[3:]: EMOTIONS[u.label] for u in found}
    assert said == {"00007": "neutral", "00100": "neutral", "00101": "happy", "00201": "angry", "00400": "sad"}


def test_a_korean_number_without_an_emotion_is_refused(tmp_path, hum):
    made.speech(tmp_path, ["ema00401"], hum, "korean", True)
    with pytest.raises(base.CorpusError, match=r"ema00401.*emotiontts"):
        korean.load(tmp_path)


@LAYOUTS
def test_ased_is_never_for_training(tmp_path, public, hum):
    made.speech(tmp_path, made.ased_names(("01", "30")), hum, "ased", public)
    found = ased.load(tmp_path)
    assert {u.split for u in found} == {"validation"}
    assert Counter((u.speaker, EMOTIONS[u.label]) for u in found) == Counter(
        (f"ased{speaker}", emotion)
        for speaker in ("01", "30")
        for emotion in ("angry", "fearful", "happy", "neutral", "sad")
    )


def test_aseds_table_tells_two_people_of_one_number_apart(tmp_path, hum):
    names = made.ased_names(("01", "09"))
    made.speech(tmp_path, names, hum, "ased", False)
    rows = ["file,speaker", *(f"{name}.opus,{name[-2:]}{'f' if name[0] in 'an' else ''}" for name in names[5:])]
    (tmp_path / "speech" / "ased_16k.csv").write_text("\n".join(rows) + "\n")
    assert Counter(u.speaker for u in ased.load(tmp_path)) == {"ased01": 5, "ased09": 3, "ased09f": 2}
