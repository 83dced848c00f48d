"""Every corpus reader on tiny files in the layouts it reads, and what it says when they are not there."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from markupsafe import escape

from hff.config import EMOTIONS
from hff.detectors.faces import FaceTracker
from hff.errors import HFFError
from tests.support import corpus_fixtures as made
from train.__main__ import main
from train.corpora import (
    ALL,
    ased,
    base,
    dailydialog,
    dairai,
    emodb,
    emorynlp,
    fer,
    goemotions,
    isear,
    korean,
    london,
    meld,
    mustard,
    muxspace,
    nemo,
    own_sentences,
    ravdess,
    sentence_rules,
)

LAYOUTS = pytest.mark.parametrize("public", [True, False], ids=["public", "stored"])


@pytest.fixture(scope="module")
def hum() -> np.ndarray:
    """(N,) a quarter of a second at 16 kHz: readers do not ask whether it is a voice."""
    return (0.3 * np.sin(2 * np.pi * 200 * np.arange(4000) / 16_000)).astype(np.float32)


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
        (said.text, EMOTIONS[said.label], EMOTIONS[meant.label]) for said, meant in mustard.conflicts(tmp_path)
    ]
    assert conflicts == [("Of course, say 0", "happy", "angry"), ("Of course, say 3", "happy", "surprised")]


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
        assert ravdess.sentence(utterance.name).startswith("Dogs" if int(utterance.speaker[-2:]) % 2 else "Kids")


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


@pytest.mark.parametrize("name", [name for name in ALL if name != own_sentences.NAME])
def test_a_missing_corpus_is_named_with_where_to_get_it(tmp_path, name):
    for root in (tmp_path, tmp_path / "nowhere"):
        with pytest.raises(base.CorpusError) as error:
            ALL[name].load(root)
        assert isinstance(error.value, HFFError)
        for part in (name, str(root), ALL[name].SOURCE):
            assert part in str(error.value)
        assert any(ending in str(error.value) for ending in (".csv", ".tsv", ".wav", ".pkl"))


def test_a_partial_corpus_names_the_file_that_lacks(tmp_path):
    made.goemotions(tmp_path, True)
    (tmp_path / "goemotions" / "data" / "dev.tsv").unlink()
    with pytest.raises(base.CorpusError, match=r"dev\.tsv"):
        goemotions.load(tmp_path)


BROKEN = {  # file, what to do to it, what the message must name
    "a column": (lambda root: made.meld(root, True), "dev_sent_emo.csv", lambda b: b.replace(b"Utterance,", b"Line,"),
                 "no column Utterance"),
    "a label": (lambda root: made.meld(root, True), "dev_sent_emo.csv", lambda b: b.replace(b",fear,", b",dread,"),
                "unknown label 'dread'"),
    "an end": (lambda root: made.dairai(root, True), "train.jsonl.gz", lambda b: b[:-20], "train.jsonl.gz"),
    "rows": (lambda root: made.fer(root, True), "fer2013new.csv", lambda b: b[: b.rindex(b"PrivateTest")], "cut short"),
    "a test": (lambda root: made.speech(root, made.ravdess_names((2, 15, 18)), np.zeros(4000, np.float32), "ravdess",
                                        True), "03-01-01-01-01-01-02.wav", lambda b: b, "Actor_20"),
    "a header": (lambda root: made.speech(root, made.emodb_names(), np.zeros(4000, np.float32), "emodb", True),
                 "08a02Nb.wav", lambda b: b[:6], "08a02Nb.wav"),
    "an archive": (lambda root: made.speech(root, made.emodb_names(), np.zeros(4000, np.float32), "emodb", False),
                   "emodb_full4_16k.tar", lambda b: b[:9000], "emodb_full4_16k.tar"),
}  # fmt: skip


@pytest.mark.parametrize("what", BROKEN)
def test_a_damaged_corpus_says_which_file(tmp_path, what):
    make, name, change, message = BROKEN[what]
    make(tmp_path)
    path = next(tmp_path.rglob(name))
    path.write_bytes(change(path.read_bytes()))
    module = {"meld": meld, "dairai": dairai, "fer2013": fer, "ravdess": ravdess, "emodb": emodb}
    corpus = {"a column": "meld", "a label": "meld", "an end": "dairai", "rows": "fer2013", "a test": "ravdess"}
    with pytest.raises(base.CorpusError) as error:
        module[corpus.get(what, "emodb")].load(tmp_path)
    assert message in str(error.value)


def test_goes_on_without_a_corpus_that_others_stand_in_for(tmp_path, capsys):
    made.meld(tmp_path, True)
    found = base.load_found((goemotions, meld), tmp_path)
    assert {s.corpus for s in found} == {"meld"}
    assert capsys.readouterr().out.startswith("note: goes on without GoEmotions: none of")
    with pytest.raises(base.CorpusError, match="ISEAR"):
        base.load_found((isear, dairai), tmp_path)
    assert base.load_found((isear,), tmp_path, none_will_do=True) == []


def test_list_of_corpora(tmp_path, capsys):
    made.isear(tmp_path, True)
    assert main(["data", "--list", "--data", str(tmp_path)]) == 0
    lines = capsys.readouterr().out.splitlines()
    rows = {line.split()[0]: line for line in lines if line[0] != " "}
    assert rows.keys() == ALL.keys()
    for name, row in rows.items():
        assert ALL[name].SOURCE in row
        assert ALL[name].LICENCE in row
    assert "5 items" in rows["ISEAR"]
    assert "not found" in rows["MELD"]
    assert "train_sent_emo.csv" in lines[lines.index(rows["MELD"]) + 1]
    assert main(["data", "--data", str(tmp_path / "nowhere")]) == 1


def test_a_stage_without_its_corpus_gives_one_line(tmp_path, capsys):
    assert main(["vision", "--data", str(tmp_path), "--out", str(tmp_path / "out"), "--device", "cpu"]) == 1
    errors = capsys.readouterr().err.splitlines()
    assert len(errors) == 1
    assert errors[0].startswith("error: FER2013: none of faces/fer2013plus.npz, fer2013.csv")


def test_the_shipped_list_and_card_are_written_from_the_readers():
    """Name, licence, source and purpose stand in the readers alone: what lies beside the weights is made from them."""
    import json
    from pathlib import Path

    from hff.weights import CORPORA_FILE
    from train.corpora import ALL, described
    from train.evaluation import model_card
    from train.evaluation.shipped_parts import SHIPPED_PARTS

    shipped = Path(__file__).parents[3] / "weights"
    assert json.loads((shipped / CORPORA_FILE).read_text(encoding="utf-8")) == described()
    assert model_card.corpora_table(described()) in (shipped / "MODEL_CARD.md").read_text(encoding="utf-8")
    assert {corpus["name"] for corpus in described()} == {name for name, corpus in ALL.items() if corpus.PARTS}
    (terms,) = [
        line
        for line in (shipped / "MODEL_CARD.md").read_text(encoding="utf-8").splitlines()
        if "non-commercial use" in line
    ]
    for corpus in described():
        assert (corpus["name"] in terms) == ("-NC" in corpus["licence"])
    assert "muxspace" in {corpus["name"] for corpus in described()}
    assert {part for corpus in described() for part in corpus["parts"]} == set(SHIPPED_PARTS)


def test_the_page_shows_every_corpus_that_the_weights_were_made_from():
    from hff.locale import using
    from hff.page.model.model_view import data_html
    from hff.page.model.recorded import said
    from train.corpora import described

    for language in ("en", "de"):
        with using(language):
            shown = data_html()
            terms = [said(corpus["licence"]) for corpus in described()]
        for corpus, term in zip(described(), terms, strict=True):
            assert f'<th scope="row">{corpus["name"]}</th>' in shown
            assert escape(term) in shown
