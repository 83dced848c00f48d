"""Whole runs of the benchmark on made-up features and dialogues."""

from __future__ import annotations

import json
import pickle
import shutil
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import pytest
import torch

from hff.errors import InputError
from tests.support import corpus_fixtures
from tests.support.feature_file_fixtures import split, stored
from train.__main__ import main
from train.corpora import meld, mmsa
from train.corpora.conversation import all_labels
from train.engine import learning_curve
from train.evaluation import tables as report
from train.experiments.benchmark import benchmark, bert_features, results
from train.experiments.benchmark import dialogues as dialogues_module
from train.experiments.benchmark.bench_data import BenchData
from train.experiments.benchmark.dialogues import TUNED, Recipe
from train.experiments.benchmark.jobs import Bench, Job
from train.experiments.benchmark.tasks import Grades
from train.experiments.settings import Setting, settings


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return stored(tmp_path, train=split(6, 0), valid=split(3, 1))


def short(monkeypatch: pytest.MonkeyPatch) -> None:
    """A recipe for runs of seconds."""
    plan = replace(Recipe().plan, epochs=8, learning_rate=1e-2, batch_size=4)
    recipe = Recipe(d_model=16, heads=2, dropout=0.1, classifier_dropout=0.1, input_dropout=0.1, plan=plan)
    for kind in ("FOR_OPINIONS", "FOR_EMOTIONS"):
        monkeypatch.setattr(benchmark, kind, recipe)
    monkeypatch.setattr(learning_curve, "draw_curve", lambda folder: None)  # half a second each


def command(path: Path, *more: str) -> int:
    asked = ["benchmark", "--features", str(path), "--out", str(path.parent / "out"), "--device", "cpu"]
    return main([*asked, *(() if "--tries" in more else ("--tries", "1")), *more])


def test_a_whole_run_without_test(path, monkeypatch, capsys):
    short(monkeypatch)
    assert command(path, "--models", "hff,Concatenation", "--seeds", "2", "--text", "given") == 0
    said = capsys.readouterr().out
    assert "validation, text given: mean and deviation of 2 seeds" in said
    assert " test," not in said
    (table,) = (path.parent / "out").rglob("validation.json")
    scores = json.loads(table.read_text())["scores"]
    assert [len(scores[name]) for name in ("HFF", "concatenation", "HFF, seeds together")] == [2, 2, 1]
    # A finished run is not trained again; its figures stay.
    stamps = {p: p.stat().st_mtime_ns for p in (path.parent / "out").rglob("log.csv")}
    assert len(stamps) == 4
    assert command(path, "--models", "hff,Concatenation", "--seeds", "2", "--text", "given") == 0
    assert {p: p.stat().st_mtime_ns for p in (path.parent / "out").rglob("log.csv")} == stamps
    assert json.loads(table.read_text())["scores"] == scores


def test_a_whole_run_with_test_and_graded_labels(tmp_path, monkeypatch, capsys):
    short(monkeypatch)
    path = stored(tmp_path, train=split(24, 0, True), valid=split(6, 1, True), test=split(12, 2, True))
    assert command(path, "--models", "HFF", "--seeds", "1", "--text", "given") == 0
    lines = capsys.readouterr().out.splitlines()
    heads = [n for n, line in enumerate(lines) if line.startswith("features, ")]
    assert ["test" in lines[n] for n in heads] == [False, True]
    rows = [line for line in lines if line.startswith("  HFF ")]
    assert len(rows) == len(heads)
    assert all(word in row for row in rows for word in ("accuracy with zero", "ACC-7", "MAE", "correlation"))
    (table,) = (tmp_path / "out").rglob("test.json")
    (row,) = json.loads(table.read_text())["scores"]["HFF"]
    assert row["accuracy"] > 0.65  # the text tells the sign of nearly all
    assert row["correlation"] > 0.5


def test_cross_validation_with_encoded_text(tmp_path, monkeypatch, capsys):
    short(monkeypatch)
    path = stored(tmp_path, train=split(12, 0), valid=split(4, 1))
    signs = {name: all_labels(split) for name, split in mmsa.load_file(path).splits.items()}
    asked = []

    def encode(splits, cache, device):
        asked.append(cache)
        return {name: np.outer(signs[name], np.ones(7, np.float32)) for name in splits}

    monkeypatch.setattr(bert_features, "encode_transcripts", encode)
    assert command(path, "--models", "HFF", "--seeds", "1", "--text", "both", "--cv") == 0
    assert "cross-validation, text both" in capsys.readouterr().out
    (table,) = (tmp_path / "out").rglob("cross-validation.json")
    assert json.loads(table.read_text())["scores"]["HFF"][0]["accuracy"] > 0.75
    assert len(asked) == 1


def test_unknown_models_and_bad_files_are_one_line(path, tmp_path, capsys):
    with pytest.raises(InputError, match="No model bert; there are: HFF, "):
        benchmark.models("hff, bert")
    assert next(iter(benchmark.models("all"))) == "HFF"
    assert command(tmp_path / "nowhere.pkl") == 1
    error = capsys.readouterr().err.splitlines()
    assert len(error) == 1
    assert "nowhere.pkl" in error[0]


def iemocap_file(folder: Path) -> Path:
    """Dialogues of two people; the voice tells the emotion, the words do not, and there is no face."""
    rng = np.random.default_rng(0)
    names = [f"Ses0{n % 5 + 1}_{n}" for n in range(24)]
    labels = {name: rng.integers(0, 6, rng.integers(3, 7)).tolist() for name in names}

    def table(value) -> dict:
        return {name: [value(label, n) for n, label in enumerate(said)] for name, said in labels.items()}

    content = (
        table(lambda label, n: f"u{n}"),
        table(lambda label, n: "FM"[n % 2]),
        labels,
        table(lambda label, n: rng.normal(size=5)),
        table(lambda label, n: 4 * np.eye(6)[label] + rng.normal(size=6)),
        table(lambda label, n: np.zeros(3)),
        table(lambda label, n: "words"),
        set(names[:18]),
        set(names[18:]),
    )
    path = folder / "IEMOCAP_features.pkl"
    path.write_bytes(pickle.dumps(content, protocol=2))
    return path


def test_emotions_of_dialogues_with_speakers_and_the_past_alone(tmp_path, monkeypatch, capsys):
    short(monkeypatch)
    iemocap_file(tmp_path)
    arguments = ["benchmark", "--corpus", "iemocap", "--data", str(tmp_path), "--out", str(tmp_path / "out")]
    asked = ["--models", "hff without attention,hff,late averaging", "--seeds", "1", "--text", "given", "--tries", "1"]
    assert main([*arguments, *asked, "--past-only", "--speakers", "2", "--device", "cpu"]) == 0
    said = capsys.readouterr().out
    assert "note: IEMOCAP, train: " in said
    assert "5146 as published" in said
    stored_at = {path.name: json.loads(path.read_text()) for path in (tmp_path / "out").rglob("*.json")}
    test = stored_at["test.json"]
    assert test["recipe"]["past_only"]
    assert test["recipe"]["speakers"] == 2
    assert set(test["HFF over"]) == {"late averaging", "HFF without attention"}
    assert test["scores"]["HFF"][0]["weighted F1"] > 0.3  # six classes, few dialogues; the voice tells
    assert {"accuracy", "weighted F1", "F1 happy", "F1 frustrated"} <= set(test["scores"]["HFF"][0])
    assert stored_at["validation.json"]["counts"] == test["counts"]
    folders = {path.parent.parent.name.split()[0] for path in (tmp_path / "out").rglob("log.csv")}
    assert folders == {"HFF", "late"}  # validation and test are scored by one training each
    assert len(list((tmp_path / "out").rglob("log.csv"))) == 3


def test_what_to_run_on_is_said_once_and_by_a_known_name(tmp_path, capsys):
    for wrong, message in (
        (["--corpus", "meld", "--features", "x.pkl"], "either --corpus NAME"),
        ([], "either --corpus NAME"),
        (["--corpus", "friends"], "there are: mosei, iemocap, mosi, meld, emorynlp"),
        (["--features", str(iemocap_file(tmp_path)), "--modalities", "SX"], "No modality X"),
        (["--features", str(iemocap_file(tmp_path)), "--only", "test", "--cv", "--models", "none"], "No model none"),
    ):
        assert main(["benchmark", *wrong, "--data", str(tmp_path), "--out", str(tmp_path / "out")]) == 1
        assert message in capsys.readouterr().err


def tiny_bert(folder: Path) -> Path:
    """An encoder of one small layer, with the words of the real one, in Hugging Face's layout."""
    from transformers import BertConfig, BertModel

    from hff import pretrained

    shutil.copytree(pretrained.bert_folder(), folder, ignore=shutil.ignore_patterns("*.safetensors", "*.bin"))
    sizes = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 32}
    BertModel(BertConfig(vocab_size=30522, **sizes), add_pooling_layer=False).save_pretrained(folder)
    return folder


def test_an_encoder_that_learns_along(tmp_path, monkeypatch, capsys):
    corpus_fixtures.meld(tmp_path, public=True)
    plan = replace(TUNED.plan, epochs=2, batch_size=4)
    monkeypatch.setattr(benchmark, "TUNED", replace(TUNED, d_model=16, plan=plan))
    asked = ["--corpus", "meld", "--models", "hff,concatenation", "--seeds", "1", "--text", "tuned", "--only", "test"]
    where = ["--data", str(tmp_path), "--out", str(tmp_path / "out"), "--encoder", str(tiny_bert(tmp_path / "bert"))]
    assert main(["benchmark", *asked, *where, "--speakers", "2", "--past-only", "--device", "cpu"]) == 0
    said = capsys.readouterr().out
    assert "epoch=2" in said  # of an encoder's training the lines are shown
    assert "MELD, test, text tuned" in said
    (table,) = (tmp_path / "out").rglob("test.json")
    found = json.loads(table.read_text())
    assert set(found["scores"]) == {"HFF", "concatenation"}
    assert found["recipe"]["words"].endswith("bert")


def searched(folder: Path, part: str) -> dict:
    (path,) = (folder / "out").rglob(f"{part}.json")
    return json.loads(path.read_text())


def test_a_search_never_looks_at_what_is_scored(tmp_path, monkeypatch):
    """In each fold of a cross-validation the setting comes from dialogues that are trained on there."""
    short(monkeypatch)
    looked: list[tuple[set, set, str]] = []
    train = dialogues_module.train

    def watched(build, recipe, task, training, leaks, seed, folder, device, chooses=()):
        plan = replace(recipe.plan, epochs=1)
        looked.append(({one.name for one in training}, folder.parts[-3], f"{recipe.plan.learning_rate:g}"))
        return train(build, replace(recipe, plan=plan), task, training, leaks, seed, folder, device, chooses)

    monkeypatch.setattr(dialogues_module, "train", watched)
    path = stored(tmp_path, train=split(20, 0, length=2), valid=split(5, 1, length=2))
    assert command(path, "--models", "late averaging", "--seeds", "1", "--text", "given", "--cv", "--tries", "2") == 0
    everyone = {one.name for part in mmsa.load_file(path).splits.values() for one in part}
    scored = {where: everyone - names for names, where, _ in looked if "search" not in where}
    assert len(scored) == 5
    searches = [(names, where.split(",")[0]) for names, where, _ in looked if "search" in where]
    assert len(searches) == 10  # two settings for each fold
    for names, fold in searches:
        assert not names & scored[fold]
        assert len(names) == 16
    found = searched(tmp_path, "cross-validation")
    assert [len(fold["late averaging"]["scores"]) for fold in found["settings"]] == [2] * 5
    rates = {rate for _, where, rate in looked if "search" in where}
    assert len(rates) == 2


def test_the_setting_that_read_best_is_taken_and_what_it_costs_is_told(tmp_path, monkeypatch):
    short(monkeypatch)
    path = stored(tmp_path, train=split(5, 0), valid=split(5, 1))
    asked = ("--models", "HFF,late averaging", "--seeds", "2", "--text", "given", "--tries", "2", "--epochs", "1")
    assert command(path, *asked) == 0
    found = searched(tmp_path, "validation")
    for model, tuned in found["settings"][0].items():
        scores = tuned["scores"]
        usual = Setting(1e-2, 16, 0.1)
        assert tuned["setting"] == asdict(settings(usual, 2)[scores.index(max(scores))])
        assert found["costs"][model].keys() == {"parameters", "bytes", "seconds"}
    assert found["command"] == (
        "python -m train benchmark --features features.pkl --out DIR --seeds 2 --tries 2 --text given --epochs 1 "
        '--models "HFF,late averaging"'
    )
    (table,) = json.loads((tmp_path / "out" / "weights" / "metrics.json").read_text())["tables"]
    assert table["title"] == "features: HFF and its rivals, validation"
    assert table["command"] == found["command"]
    assert "30 utterances of 5 dialogues or videos; 2 seeds" in table["note"]
    assert "2 settings, by 5 folds of what it trains on" in table["note"]
    hff, other = table["rows"]
    assert hff[-1] is None
    over = found["HFF over"]["late averaging"]
    assert other[-1].startswith(f"{100 * over['mean']:+.1f} (")
    assert hff[4] == report.mean_and_deviation([row["accuracy"] for row in found["scores"]["HFF"]])


def test_the_note_says_what_our_bert_learned_from(tmp_path):
    read = mmsa.load_file(stored(tmp_path, train=split(2, 0), valid=split(1, 1)))
    for name, note in (("features", "has not met these labels"), (meld.NAME, f"learned from {meld.PARTS['text']}")):
        assert note in results.words_note(BenchData(replace(read, name=name), {}, "bert"))
    assert "BERT" not in results.words_note(BenchData(replace(read, name=meld.NAME), {}, "given"))


def test_a_job_reads_the_same_in_another_process(tmp_path):
    """There a bench and its jobs come as pickles: the readings are the same, and what is done is not done again."""
    path = stored(tmp_path, train=split(5, 0, length=3), valid=split(2, 1, length=3))
    recipe = Recipe(d_model=8, heads=2, plan=replace(Recipe().plan, epochs=1))
    data = BenchData(mmsa.load_file(path), {}, "given")
    task = Grades(all_labels(data.dialogues.splits["train"]))
    here = Bench(data, task, recipe, [], torch.device("cpu"), tmp_path / "here", 1)
    training, held = here.places("train"), here.places("validation")
    assert [one.name for one in here.at(held)] == [one.name for one in data.dialogues.splits["validation"]]
    job = Job(
        "HFF without attention",
        benchmark.models("HFF without attention")["HFF without attention"],
        here.usual,
        training,
        held,
        0,
        "validation",
    )
    there, same = pickle.loads(pickle.dumps((replace(here, out=tmp_path / "there"), job)))
    np.testing.assert_array_equal(here.read(job), there.read(same))
    (log,) = (tmp_path / "here").rglob("log.csv")
    log.unlink()
    np.testing.assert_array_equal(here.read_all([job])[0], there.read(same))
    assert not log.exists()
