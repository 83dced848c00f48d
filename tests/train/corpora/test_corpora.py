"""What all corpora share: a missing or damaged one is named, and the list of them is written from the readers."""

from __future__ import annotations

import numpy as np
import pytest
from markupsafe import escape

from hff.errors import HFFError
from tests.support import corpus_fixtures as made
from train.__main__ import main
from train.corpora import (
    ALL,
    base,
    dairai,
    emodb,
    fer,
    goemotions,
    isear,
    meld,
    own_sentences,
    ravdess,
)
from train.evaluation.shipped_parts import SHIPPED_PARTS


@pytest.mark.parametrize("name", [name for name in ALL if name != own_sentences.NAME])
def test_a_missing_corpus_is_named_with_where_to_get_it(tmp_path, name):
    for root in (tmp_path, tmp_path / "nowhere"):
        with pytest.raises(base.CorpusError) as error:
            ALL[name].load(root)
        assert isinstance(error.value, HFFError)
        for part in (name, str(root), ALL[name].SOURCE):
            assert part in str(error.value)
        assert any(ending in str(error.value) for ending in (".csv", ".tsv", ".wav", ".pkl", ".csd"))


@pytest.mark.parametrize("name", ALL)
def test_a_reader_says_what_it_reads_and_where_it_is_from(name):
    corpus = ALL[name]
    assert corpus.__doc__
    assert all((corpus.CONTENT, corpus.LICENCE, corpus.SOURCE))
    assert set(corpus.PARTS) <= set(SHIPPED_PARTS)
    assert all(corpus.PARTS.values())
    assert callable(corpus.load)


def test_a_partial_corpus_names_the_file_that_lacks(tmp_path):
    made.goemotions(tmp_path, True)
    (tmp_path / "goemotions" / "data" / "dev.tsv").unlink()
    with pytest.raises(base.CorpusError, match=r"dev\.tsv"):
        goemotions.load(tmp_path)


BROKEN = {  # file, what to do to it, what the message must name
    "a column": (
        lambda root: made.meld(root, True),
        "dev_sent_emo.csv",
        lambda b: b.replace(b"Utterance,", b"Line,"),
        "no column Utterance",
    ),
    "a label": (
        lambda root: made.meld(root, True),
        "dev_sent_emo.csv",
        lambda b: b.replace(b",fear,", b",dread,"),
        "unknown label 'dread'",
    ),
    "an end": (lambda root: made.dairai(root, True), "train.jsonl.gz", lambda b: b[:-20], "train.jsonl.gz"),
    "rows": (lambda root: made.fer(root, True), "fer2013new.csv", lambda b: b[: b.rindex(b"PrivateTest")], "cut short"),
    "a test": (
        lambda root: made.speech(root, made.ravdess_names((2, 15, 18)), np.zeros(4000, np.float32), "ravdess", True),
        "03-01-01-01-01-01-02.wav",
        lambda b: b,
        "Actor_20",
    ),
    "a header": (
        lambda root: made.speech(root, made.emodb_names(), np.zeros(4000, np.float32), "emodb", True),
        "08a02Nb.wav",
        lambda b: b[:6],
        "08a02Nb.wav",
    ),
    "an archive": (
        lambda root: made.speech(root, made.emodb_names(), np.zeros(4000, np.float32), "emodb", False),
        "emodb_full4_16k.tar",
        lambda b: b[:9000],
        "emodb_full4_16k.tar",
    ),
}


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
    assert (shipped / "MODEL_CARD.md").read_text(encoding="utf-8").endswith(model_card.limits(described()))
    assert "muxspace" in {corpus["name"] for corpus in described()}
    assert {part for corpus in described() for part in corpus["parts"]} == set(SHIPPED_PARTS)


def test_the_readme_names_the_corpora_for_non_commercial_use():
    from pathlib import Path

    from train.corpora import described
    from train.evaluation.model_card import non_commercial

    readme = " ".join((Path(__file__).parents[3] / "README.md").read_text(encoding="utf-8").split())
    assert f"this repository. {non_commercial(described())} are for non-commercial use" in readme


def test_the_limits_name_each_voice_that_an_encoder_has_heard():
    from train.corpora import described
    from train.evaluation import model_card

    corpora = [
        {"name": "A", "content": "acted Greek speech", "parts": {"speech": "all"}},
        {"name": "B", "content": "acted Thai speech", "parts": {"whisper": "all"}},
        {"name": "C", "content": "tweets", "parts": {"text": "all"}},
    ]
    told = model_card.limits(corpora)
    assert "has heard A (acted Greek speech);" in told
    assert "the second also B (acted Thai speech)." in told
    assert "tweets" not in told
    assert "EmoDB (acted German speech)" in model_card.limits(described())


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
