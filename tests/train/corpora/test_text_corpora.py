"""Readers of sentences and dialogues, in their public layout and as stored."""

from __future__ import annotations

from collections import Counter

import pytest

from hff.config import EMOTIONS
from tests.support import corpus_fixtures as made
from train.corpora import (
    base,
    dailydialog,
    dairai,
    emorynlp,
    goemotions,
    isear,
    meld,
    mustard,
    own_sentences,
    sentence_rules,
)

LAYOUTS = pytest.mark.parametrize("public", [True, False], ids=["public", "stored"])


def by_split(sentences: list[base.Sentence]) -> dict[str, Counter]:
    found: dict[str, Counter] = {}
    for sentence in sentences:
        found.setdefault(sentence.split, Counter())[EMOTIONS[sentence.label]] += 1
    return found


@LAYOUTS
def test_goemotions(tmp_path, public):
    made.goemotions(tmp_path, public)
    sentences = goemotions.load(tmp_path)
    assert by_split(sentences) == {
        "train": Counter(dict.fromkeys(EMOTIONS, 5)),
        "fusion": Counter(EMOTIONS),
        "validation": Counter(EMOTIONS),
        "test": Counter(EMOTIONS),
    }
    assert {s.text for s in sentences} == {
        text for *_, count, start in made.SPLITS for _, text in made.lines(count, start)
    }
    for sentence in sentences:
        assert sentence.text.startswith(made.WORDS[EMOTIONS[sentence.label]])


def test_goemotions_with_several_labels_and_quotes(tmp_path):
    """joy and two kinds of anger: one half each of happy and angry; quotes and tabs as the public files have them."""
    for name, *_ in made.SPLITS:
        path = tmp_path / f"{name}.tsv"
        path.write_text('"""Dude."" Stop."\t2,3,17\tabc\nIt\'s fine, "really"\t27\tdef\n', encoding="utf-8")
    first, second, *_ = goemotions.load(tmp_path)
    assert first.text == '"Dude." Stop.'
    assert first.target[EMOTIONS.index("angry")] == first.target[EMOTIONS.index("happy")] == 0.5
    assert second.text == 'It\'s fine, "really"'
    assert second.target.tolist() == [1, 0, 0, 0, 0, 0, 0]


@LAYOUTS
def test_meld(tmp_path, public):
    made.meld(tmp_path, public)
    sentences = meld.load(tmp_path)
    assert {split: sum(count.values()) for split, count in by_split(sentences).items()} == {
        "train": 35,
        "fusion": 7,
        "validation": 7,
        "test": 7,
    }
    for sentence in sentences:
        assert made.WORDS[EMOTIONS[sentence.label]] in sentence.text
        assert "isn't it?" in sentence.text  # not the control character of the public files


@LAYOUTS
def test_emorynlp(tmp_path, public):
    made.emorynlp(tmp_path, public)
    assert by_split(emorynlp.load(tmp_path)) == {
        "train": Counter(("happy", "angry", "neutral", "sad", "fearful"))  # peaceful and powerful have no place
    }


def test_emorynlp_in_its_authors_layout(tmp_path):
    made.emorynlp(tmp_path / "own", True, own=True)
    made.emorynlp(tmp_path / "table", True)
    own, table = emorynlp.load(tmp_path / "own"), emorynlp.load(tmp_path / "table")
    assert [(s.text, s.label) for s in own] == [(s.text, s.label) for s in table]


@LAYOUTS
def test_isear(tmp_path, public):
    made.isear(tmp_path, public)
    sentences = isear.load(tmp_path)
    assert by_split(sentences) == {"train": Counter(("happy", "fearful", "angry", "sad", "disgusted"))}
    assert sentences[0].text == "When I felt joy, alone."


@LAYOUTS
def test_dailydialog_keeps_one_in_six_neutral_lines(tmp_path, public):
    made.dailydialog(tmp_path, public)
    sentences = dailydialog.load(tmp_path)
    assert by_split(sentences) == {"train": Counter(EMOTIONS) + Counter(["neutral"])}
    assert ("dialogue line 8 , sir .", "happy") in [(s.text, EMOTIONS[s.label]) for s in sentences]


def test_dailydialog_files_that_do_not_belong_together(tmp_path):
    made.dailydialog(tmp_path, True)
    path = tmp_path / "ijcnlp_dailydialog" / "validation" / "dialogues_emotion_validation.txt"
    path.write_text(path.read_text().replace("4 ", "", 1))
    with pytest.raises(base.CorpusError, match="line 2"):
        dailydialog.load(tmp_path)


@LAYOUTS
def test_mustard(tmp_path, public):
    made.mustard(tmp_path, public)
    assert by_split(mustard.load(tmp_path)) == {"train": Counter(("happy", "neutral", "angry", "happy"))}
    conflicts = [
        (said.text, EMOTIONS[said.label], EMOTIONS[meant.label]) for said, meant in mustard.conflicting_lines(tmp_path)
    ]
    assert conflicts == [("Of course, say 0", "happy", "angry"), ("Of course, say 3", "happy", "surprised")]


def plain(text: str) -> str:
    return " ".join("".join(c if c.isalpha() else " " for c in text.lower()).split())


def test_own_sentences_are_many_and_no_validation_sentence_is_learned(tmp_path):
    found = own_sentences.load(tmp_path)  # whatever the folder: they lie beside their module
    written = [s for s in found if s.corpus != "own_rules"]
    assert len(written) > 450
    assert {s.corpus for s in written} == {f"own_{kind}" for kind in own_sentences.OWN_KINDS}
    learned = {plain(s.text) for s in found if s.split == "train"}
    held = [plain(s.text) for s in written if s.split == "validation"]
    assert len(held) == len(set(held)) > 100
    assert not learned & set(held)
    long = [text for text in held if len(text.split()) > 3]
    assert not [(text, other) for text in long for other in learned if text in other]
    for split, least in (("train", 25), ("validation", 8)):
        counts = by_split(written)[split]
        assert set(counts) == set(EMOTIONS)
        assert min(counts.values()) >= least


def test_what_is_denied_means_something_else():
    meant = dict(sentence_rules.pairs())
    assert meant["I am glad"] == {"happy": 1.0}
    assert max(meant["I am not glad at all"], key=meant["I am not glad at all"].get) == "sad"
    for label, words in sentence_rules.FEELINGS.items():
        for word in words:
            assert meant[f"I am {word}"] == {label: 1.0}
            for form in sentence_rules.DENIED:
                denied = meant[form.format(word)]
                assert label not in denied
                assert sum(denied.values()) == pytest.approx(1)
    assert all(set(shares) <= set(EMOTIONS) for shares in meant.values())


@LAYOUTS
def test_dairai(tmp_path, public):
    made.dairai(tmp_path, public)
    sentences = dairai.load(tmp_path)
    assert len(sentences) == 6  # every second one
    for sentence in sentences:
        wanted = {"joy": "happy", "love": "happy", "anger": "angry"}[sentence.text.split()[4]]
        assert EMOTIONS[sentence.label] == wanted
