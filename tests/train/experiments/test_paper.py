"""The page of the paper's tables 2 to 5: which corpora it finds, what stands in it, and beside which figures."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from tests.support import corpus_fixtures as made
from train.__main__ import main
from train.corpora.conversation import all_labels
from train.experiments import paper
from train.experiments.ablate import SUBSETS
from train.experiments.benchmark import benchmark, bert_features
from train.experiments.benchmark.dialogues import Recipe


def command(folder, *more: str) -> int:
    where = ["--data", str(folder), "--out", str(folder / "out"), "--device", "cpu"]
    return main(["paper", *where, "--seeds", "1", "--tries", "1", "--epochs", "1", *more])


@pytest.fixture
def quick(monkeypatch):
    """Small models, and words whose features tell the label."""
    monkeypatch.setattr(paper, "TABLE_3", {name: paper.TABLE_3[name] for name in ("TFN", "HFF")})
    monkeypatch.setattr(paper, "HEAD_COUNTS", (4, 8))
    recipe = replace(Recipe(), d_model=8, heads=2)
    for kind in ("FOR_OPINIONS", "FOR_EMOTIONS"):
        monkeypatch.setattr(benchmark, kind, recipe)
    monkeypatch.setattr(
        bert_features,
        "encode_transcripts",
        lambda splits, cache, device: {
            name: np.eye(7, 9, dtype=np.float32)[all_labels(split)] for name, split in splits.items()
        },
    )


def test_a_page_of_words_alone(tmp_path, quick, capsys):
    made.meld(tmp_path, public=True)
    assert command(tmp_path) == 0
    said = capsys.readouterr().out
    for missing in ("CMU-MOSEI", "CMU-MOSI", "IEMOCAP"):
        assert f"note: goes on without {missing}" in said
    page = (tmp_path / "out" / "paper.md").read_text(encoding="utf-8")
    assert "Not found, and so not here: mosei, mosi, iemocap." in page
    heads = [line for line in page.splitlines() if line.startswith("## ")]
    assert heads == ["## Table 3: MELD", "## Table 4: MELD, weighted F1", "## Table 5: attention heads"]
    table = [line.split(" | ") for line in page.split("## Table ")[1].splitlines() if line.startswith("| ")]
    assert [row[0].strip("| ") for row in table] == ["model", "TFN", "HFF"]
    assert len({len(row) for row in table}) == 1
    assert "| model | T |" in page.split("## Table 4")[1]
    assert "python -m train paper --data DIR --out DIR --corpora meld --seeds 1 --tries 1 --epochs 1" in page
    assert "MELD, test: 7 labelled utterances, 2610 as published" in page
    assert "HFF's weighted F1 over: TFN" in page
    assert "(paper" not in page  # the paper has no figures for MELD
    shown = (tmp_path / "out" / "paper.html").read_text(encoding="utf-8")
    assert shown.count("<table>") == 3
    assert "<h2>Table 4: MELD, weighted F1</h2>" in shown


def test_the_papers_own_figures_are_whole():
    assert {len(row) for row in paper.TABLE_3.values()} == {8}
    assert {len(row) for row in paper.TABLE_4.values()} == {len(SUBSETS)}
    assert set(paper.TABLE_4) == {"HFF", *(name for name in benchmark.HFF_VARIANTS if "without" in name)}
    assert {f"HFF {heads} heads" for heads in paper.TABLE_5} <= set(benchmark.HFF_VARIANTS)
    for models in (paper.TABLE_2, paper.TABLE_3, paper.TABLE_4):
        benchmark.models(",".join(models))  # raises for a name that there is not


def test_without_any_corpus_it_says_what_it_looks_for(tmp_path, capsys):
    assert command(tmp_path) == 1
    assert "None of mosei, mosi, iemocap, meld is under" in capsys.readouterr().err
    assert command(tmp_path, "--corpora", "friends") == 1
    assert "there are: mosei, mosi, iemocap, meld" in capsys.readouterr().err
