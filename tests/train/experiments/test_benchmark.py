"""The benchmark on files of trimodal features: reading them safely, dialogues, figures, and whole runs."""

from __future__ import annotations

import json
import pickle
import shutil
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import pytest
import torch
from sklearn.metrics import accuracy_score, f1_score

from hff.errors import InputError
from hff.model.hff import HFF
from tests.support import corpus_fixtures
from train.__main__ import main
from train.corpora import mmsa
from train.corpora.base import CorpusError
from train.corpora.conversation import all_labels, folds, stacked
from train.engine import learning_curve
from train.evaluation import tables as report
from train.experiments.benchmark import benchmark, bert_features
from train.experiments.benchmark import dialogues as dialogues_module
from train.experiments.benchmark.bench_data import BenchData
from train.experiments.benchmark.dialogues import TUNED, DialogueModel, Recipe
from train.experiments.benchmark.jobs import Bench, Job
from train.experiments.benchmark.leaks import Leak, exchanged, find_leaks
from train.experiments.benchmark.tasks import Grades, sentiment_scores
from train.experiments.settings import Setting, settings
from train.fusion.dialogue_batches import batches
from train.rivals import RIVALS

SIZES = {"text": 6, "audio": 4, "vision": 5}


def split(videos: int, seed: int, graded: bool = False, length: int = 6, leak: float = 0.0) -> dict:
    """Utterances out of order; the text tells the sentiment, the voice and the face do not unless they ``leak``."""
    rng = np.random.default_rng(seed)
    ids = [f"v{seed}_{v}$_${n}" for v in range(videos) for n in range(length, 0, -1)]
    count = len(ids)
    labels = rng.uniform(-3, 3, count) if graded else rng.choice([-1.0, 1.0], count)
    features = {key: rng.normal(size=(count, 1, size)) for key, size in SIZES.items()}
    features["text"][:, 0, 0] += 1.5 * labels
    features["vision"][:, 0, 1] += leak * labels
    made = {key: x.astype(np.float32) for key, x in features.items()}
    return made | {"id": ids, "raw_text": [f"WORD {i}" for i in ids], "regression_labels": labels.astype(np.float32)}


def stored(folder: Path, **splits: dict) -> Path:
    path = folder / "features.pkl"
    path.write_bytes(pickle.dumps(splits))
    return path


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


def short(monkeypatch: pytest.MonkeyPatch) -> None:
    """A recipe for runs of seconds."""
    plan = replace(Recipe().plan, epochs=8, learning_rate=1e-2, batch_size=4)
    recipe = Recipe(d_model=16, heads=2, dropout=0.1, classifier_dropout=0.1, input_dropout=0.1, plan=plan)
    monkeypatch.setattr(benchmark, "Recipe", lambda: recipe)
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
