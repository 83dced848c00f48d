"""``python -m train all`` from corpora to weights, on tiny data: every stage, what it leaves, and doing it again."""

from __future__ import annotations

import csv
import hashlib
import json
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from safetensors import safe_open

import hff
from hff import weights
from hff.config import EMOTIONS, MODALITIES, HFFConfig
from hff.encoders.bert import TextEncoder
from hff.model.classifier import EmotionClassifier
from tests.support import corpus_fixtures as made
from tests.support.media_fixtures import write_media
from train.__main__ import main
from train.corpora import ravdess
from train.encoders import speech, speech_whisper, text, whisper_base
from train.engine import learning_curve
from train.evaluation import robustness, truth
from train.fusion import calibration, field_features, strange, strange_features, strange_inputs, training
from train.fusion import feature_files as features
from train.fusion.field_corruption import FIELD
from train.fusion.pairing import Mix, PairedClips
from train.ready_made import plain_minilm

STAGES = ("speech", "text", "vision", "fusion")
WITH_WHISPER = ("speech-whisper", "fusion-whisper")
CLIPS = 42


def run(stage: str, data: Path, out: Path) -> int:
    return main([stage, "--data", str(data), "--out", str(out), "--device", "cpu", "--epochs", "1"])


@pytest.fixture(scope="module")
def data(tmp_path_factory, speech_wave) -> Path:
    """Every corpus, and one face-and-voice clip in which there is neither."""
    root = made.everything(tmp_path_factory.mktemp("data"), speech_wave[: int(1.3 * made.RATE)])
    folder = root / "AV" / "Actor_01"  # sorts before the folder of the sound recordings
    folder.mkdir(parents=True)
    write_media(folder / "01-01-03-01-01-01-01.mp4", video="libx264", audio="aac", seconds=1.0)
    return root


@pytest.fixture(scope="module")
def out(data, tmp_path_factory) -> Path:
    """The finished run."""
    folder = tmp_path_factory.mktemp("run")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(speech_whisper, "ROUNDS", 1)
        patch.setattr(whisper_base, "load", lambda layers: layers)
        patch.setattr(plain_minilm, "load", lambda bert: bert)
        patch.setattr(speech, "COPIES", 2)
        patch.setattr(text, "OWN_REPEATS", 1)
        patch.setattr(features, "PER_CLASS", {"fusion": 3, "validation": 2, "test": 2, "unseen": 2})
        patch.setattr(features, "VARIANTS", {"fusion": 4, "validation": 6, "test": 6, "unseen": 6})
        patch.setattr(training, "BATCHES_PER_EPOCH", 2)
        patch.setattr(training, "VALIDATION_CLIPS", CLIPS)
        patch.setattr(robustness, "CLIPS", CLIPS)
        patch.setattr(robustness, "SHAPLEY_CLIPS", CLIPS)
        patch.setattr(calibration, "CALIBRATION_CLIPS", CLIPS)
        patch.setattr(field_features, "FIELD_PER_CLASS", 2)
        patch.setattr(strange_features, "MADE", 2)
        patch.setattr(truth, "TRUTH_CLIPS", CLIPS)
        assert run("all", data, folder) == 0
    return folder


@pytest.fixture(scope="module")
def report(out) -> dict:
    return json.loads((out / "weights" / "metrics.json").read_text())


def test_every_stage_leaves_weights_with_their_config_and_a_log(out):
    for stage in STAGES:
        with safe_open(out / "weights" / f"{stage}.safetensors", framework="pt") as file:
            config = json.loads(file.metadata()["config"])
            assert config["labels"] == list(EMOTIONS)
            assert all(file.get_tensor(name).isfinite().all() for name in file.keys())  # noqa: SIM118
        with (out / stage / "log.csv").open(newline="") as file:
            (row,) = csv.DictReader(file)
        assert row["epoch"] == "1"
        assert np.isfinite([float(row["loss"]), float(row["score"])]).all()


def test_every_run_tells_what_it_was_made_of(out):
    read = {
        "speech": {"RAVDESS", "EmoDB"},
        "text": {"GoEmotions", "MELD", "EmoryNLP", "DailyDialog", "ISEAR", "dair-ai emotion"},
        "vision": {"FER2013", "FER+"},
        "fusion": {"features"},
    }
    for stage in STAGES:
        told = json.loads((out / stage / "run.json").read_text())
        assert told["data"].keys() == read[stage]
        assert told["plan"]["epochs"] == 1
        assert (out / stage / "curve.png").stat().st_size > 5000
    assert told["config"]["heads"] == 8
    assert told["data"]["features"]["files"] == 3 * len(MODALITIES)  # fusion, validation, strangers


def test_the_weights_are_fingerprinted_with_their_figures(out):
    told = json.loads((out / "weights" / "fingerprint.json").read_text())
    assert told["weights"].keys() == {f"{stage}.safetensors" for stage in (*STAGES, *WITH_WHISPER)}
    metrics = (out / "weights" / "metrics.json").read_bytes()
    assert told["metrics"] == hashlib.sha256(metrics).hexdigest()


def test_compare_on_the_features_of_the_run(data, out, tmp_path, monkeypatch):
    monkeypatch.setattr(robustness, "CLIPS", CLIPS)
    monkeypatch.setattr(training, "VALIDATION_CLIPS", CLIPS)
    monkeypatch.setattr(learning_curve, "draw_curve", lambda folder: None)  # one a trial, half a second each
    (tmp_path / "features").symlink_to(out / "features")
    (tmp_path / "weights").mkdir()
    arguments = ["compare", "--data", str(data), "--out", str(tmp_path), "--device", "cpu", "--epochs", "1"]
    assert main([*arguments, "--seeds", "1", "--batches", "1"]) == 0
    compared = json.loads((tmp_path / "compare.json").read_text())
    assert "HFF" in json.dumps(compared["models"])
    tables = json.loads((tmp_path / "weights" / "metrics.json").read_text())["tables"]
    assert all(len(row) == len(table["columns"]) for table in tables for row in table["rows"])


def test_text_weights_are_whole(out):
    state, _ = weights.load(out / "weights" / "text.safetensors")
    assert state.keys() == TextEncoder(len(EMOTIONS)).state_dict().keys()
    with safe_open(out / "weights" / "text.safetensors", framework="pt") as file:
        assert file.get_tensor("head.1.weight").dtype == torch.float16


def test_features_hold_every_item_clean_and_corrupted(out):
    for split, voices in (("fusion", 14), ("validation", 7), ("test", 14), ("unseen", 14)):
        stored = {m: features.load(out / "features", m, split) for m in MODALITIES}
        variants = 4 if split == "fusion" else 6
        assert stored["speech"]["features"].shape == (voices, variants, features.MAX_ITEM_STEPS, 128)
        assert stored["text"]["features"].shape[1:] == (variants, 768)
        assert stored["vision"]["features"].shape[1:] == (variants, 2 if split == "fusion" else 1, 512)
        for tensors in stored.values():
            assert set(tensors["label"].tolist()) == set(range(7))
            assert tensors["features"].isfinite().all()
            assert (tensors["severity"][:, 0] == 0).all()
        if split != "fusion":
            torch.testing.assert_close(stored["text"]["severity"][0], torch.linspace(0, 1, 6))
        # Clean voices are heard; their features stand only where they are.
        there = stored["speech"]["there"]
        assert there[:, 0].any(1).all()
        assert not stored["speech"]["features"][~there].any()
        assert stored["text"]["fixed"].sum() == len(ravdess.SENTENCES)


def test_corruption_moves_features_the_more_the_worse(out):
    stored = features.load(out / "features", "vision", "test")["features"][:, :, 0]
    moved = (stored - stored[:, :1]).norm(dim=-1).mean(0)
    assert moved[0] == 0
    assert moved[-1] > moved[1] > 0


def test_fusion_learns_from_people_the_encoder_did_not(data, out):
    stored = features.load(out / "features", "speech", "fusion")
    speakers = [u.speaker for u in ravdess.load(data) if u.split in ("train", "fusion")]
    assert stored["held_out"].tolist() == [speaker == "ravdess15" for speaker in speakers]


def test_metrics_hold_every_table_with_its_command(report):
    titles = [table["title"] for table in report["tables"]]
    assert len(titles) == len(set(titles)) >= 5
    for table in report["tables"]:
        assert table["command"].startswith("python -m train evaluate")
        assert table["note"]
        assert all(len(row) == len(table["columns"]) for row in table["rows"])
    subsets = next(table for table in report["tables"] if "subset" in table["title"])
    assert len(subsets["rows"]) == 7
    assert np.sum(report["confusion"]["matrix"]) == CLIPS
    assert np.sum(report["confusion"]["matrix"], axis=1).tolist() == [CLIPS // 7] * 7
    assert sum(count for *_, count in report["reliability"]["bins"]) == CLIPS
    subset_accuracy = subsets["rows"][-1][1]
    assert np.trace(report["confusion"]["matrix"]) / CLIPS == pytest.approx(subset_accuracy)


def test_a_joint_clip_that_cannot_be_read_counts_as_wrong(report):
    (clip,) = report["joint_clips"]
    assert clip["clip"] == "01-01-03-01-01-01-01"
    assert clip["truth"] == "happy"
    assert clip["emotion"] is None
    assert "No voice" in clip["error"]
    joint = next(table for table in report["tables"] if "joint" in table["title"].lower())
    assert joint["rows"][-1][:3] == ["all", 1, 0.0]


def test_model_card_shows_the_measured_figures(out, report):
    card = (out / "weights" / "MODEL_CARD.md").read_text()
    for table in report["tables"]:
        assert f"### {table['title']}" in card
        for row in table["rows"]:
            cells = [f"{cell:.3f}" if isinstance(cell, float) else "-" if cell is None else str(cell) for cell in row]
            assert f"| {' | '.join(cells)} |" in card


def test_the_app_reads_with_the_new_weights(out, speech_path):
    model = hff.load("cpu", out / "weights")
    result = model.analyze(audio=speech_path, text="What a lovely day.", samples=4)
    assert result.present == {"speech": True, "text": True, "vision": False}
    assert sum(result.probabilities.values()) == pytest.approx(1, abs=1e-5)
    assert float(model.model.classifier.temperature) != 1  # calibrated


def test_finished_stages_are_not_done_again(data, out, capsys, monkeypatch):
    monkeypatch.setattr(training, "BATCHES_PER_EPOCH", 2)
    monkeypatch.setattr(training, "VALIDATION_CLIPS", CLIPS)
    monkeypatch.setattr(calibration, "CALIBRATION_CLIPS", CLIPS)
    monkeypatch.setattr(speech, "COPIES", 2)

    def state() -> dict[str, object]:
        logs = {str(path): path.read_text() for path in out.glob("*/log.csv")}
        folders = (out / "features", out / "features-whisper")
        features = {str(path): path.read_bytes() for folder in folders for path in folder.iterdir()}
        tensors = {  # not the file's bytes: the order of the header's entries is left to chance
            f"{path.stem}/{name}": (value.dtype, value.shape, value.numpy().tobytes())
            for path in (out / "weights").glob("*.safetensors")
            for name, value in weights.load(path)[0].items()
            if path.stem != "text"
        }
        return logs | features | tensors

    before = state()
    for stage in ("speech", "features", "fusion"):
        assert run(stage, data, out) == 0
    assert state() == before
    # Both speech encoders are there: of the two, the second is gone on with.
    assert "resuming fusion-whisper after epoch 1" in capsys.readouterr().out


def test_a_kill_while_features_are_written_leaves_nothing_half_done(out, tmp_path, monkeypatch):
    def killed(tensors, path):
        Path(path).write_bytes(b"half a file")
        raise KeyboardInterrupt

    (tmp_path / "weights").symlink_to(out / "weights")
    item = {"features": torch.zeros(1, 3), "teacher_logits": torch.zeros(1, 7), "label": torch.zeros(1)}
    for name in MODALITIES:
        monkeypatch.setattr(features, name, lambda encoders, data, split, rng: item)
    with monkeypatch.context() as patch:
        patch.setattr(features, "save_file", killed)
        with pytest.raises(KeyboardInterrupt):
            features.make(tmp_path, tmp_path, torch.device("cpu"))
    features.make(tmp_path, tmp_path, torch.device("cpu"))
    for name in MODALITIES:
        for split in features.SPLITS:
            assert features.load(tmp_path / "features", name, split)["features"].shape == (1, 3)


class Boaster(torch.nn.Module):
    """Right on seven of ten of the balanced clips, and says so with the log-probabilities times ``scale``."""

    def __init__(self, scale: float) -> None:
        super().__init__()
        self.config = SimpleNamespace(labels=EMOTIONS)
        self.scale, self.classifier = scale, EmotionClassifier(4, 7, 0)

    def forward(self, speech: torch.Tensor, **inputs) -> SimpleNamespace:
        clip = torch.arange(len(speech))
        p = torch.full((len(speech), 7), 0.05)
        p[clip, (clip + (clip % 10 >= 7)) % 7] = 0.7
        return SimpleNamespace(probabilities=(self.scale * p.log() / self.classifier.temperature).softmax(-1))


@pytest.mark.parametrize("scale", [1, 2])
def test_calibration_mends_a_model_that_boasts(out, monkeypatch, scale):
    """Logits twice as large get twice the temperature; an honest model keeps its own."""
    monkeypatch.setattr(calibration, "CALIBRATION_CLIPS", CLIPS)
    held = PairedClips(out / "features", "validation", EMOTIONS)
    model = Boaster(scale)
    found = calibration.set_temperature(model, held, torch.device("cpu"), Mix())
    assert found == pytest.approx(scale, rel=0.08)
    assert float(model.classifier.temperature) == pytest.approx(found)


class Doubter(torch.nn.Module):
    """The surer of the truth, the nearer the face's share of the whole discount is to ``best``."""

    def __init__(self, best: float, labels: tuple[str, ...] = EMOTIONS) -> None:
        super().__init__()
        self.config, self.best = HFFConfig(labels=labels), best

    def forward(self, speech: torch.Tensor, **inputs) -> SimpleNamespace:
        whole = 6 * Mix().unfeeling_face / (1 + 6 * Mix().unfeeling_face)
        far = abs(self.config.neutral_discount.get("vision", 0) / whole - self.best)
        clip = torch.arange(len(speech))
        return SimpleNamespace(probabilities=torch.lerp(torch.eye(7)[clip % 7], torch.full((7,), 1 / 7), far))


@pytest.mark.parametrize("best", [0.0, 0.5, 1.0])
def test_the_discount_of_neutral_readings_is_that_with_the_least_error(out, monkeypatch, best):
    monkeypatch.setattr(calibration, "CALIBRATION_CLIPS", CLIPS)
    held, model = PairedClips(out / "features", "validation", EMOTIONS), Doubter(best)
    assert calibration.set_discount(model, held, torch.device("cpu"), Mix()) == best
    found = model.config.neutral_discount
    assert set(found) == (set(MODALITIES) if best else set())
    # Of people of seven emotions, 30 in 100 of whose words say nothing: 6 x 0.3 of 1 + 6 x 0.3 feel something else.
    assert found.get("text", 0) == pytest.approx(best * 1.8 / 2.8, abs=1e-3)


def test_without_a_neutral_label_nothing_is_discounted(out):
    held, model = PairedClips(out / "features", "validation", EMOTIONS), Doubter(1, ("calm", *EMOTIONS[1:]))
    assert calibration.set_discount(model, held, torch.device("cpu"), Mix()) == 0
    assert model.config.neutral_discount == {}


def test_sigma_of_the_new_weights_is_on_the_scale_of_the_error(out):
    model = hff.load("cpu", out / "weights").model
    for scale in model.scale:
        assert (scale.error.diff() > 0).all()
        assert 0 < scale.error.min() <= scale.error.max() <= 2
    assert all((novelty.means != 0).any() for novelty in model.novelty)


def test_what_alpha_means_is_told_of_validation_items_to_choose_by(data, out, capsys, monkeypatch):
    monkeypatch.setattr(truth, "TRUTH_CLIPS", CLIPS)
    before = {path: path.stat().st_mtime_ns for path in (out / "weights").iterdir()}
    assert main(["truth", "--data", str(data), "--out", str(out), "--device", "cpu"]) == 0
    told = capsys.readouterr().out
    assert "What moved the answer" in told
    assert "Known against strange" in told
    assert "kinds never trained on" not in told  # which only test items have
    assert {path: path.stat().st_mtime_ns for path in (out / "weights").iterdir()} == before


def test_strangers_and_a_classrooms_corruption_are_cached(out):
    for m, modality in enumerate(MODALITIES):
        for half in strange_inputs.STRANGE_HALVES:
            groups = strange.load(out / "features", modality, half)
            assert len(groups) >= 2
            for group in groups.values():
                assert len(group["features"]) == len(group["there"]) == len(group["label"]) > 0
                assert group["features"].shape[-1] == model_sizes()[m]
            stored = features.load(out / "features", modality, f"field-{half}")
            assert stored["features"].shape[1] == 1 + len(FIELD[modality])
            assert stored["severity"][0].tolist() == [0.0] + [1.0] * len(FIELD[modality])


def model_sizes() -> tuple[int, ...]:
    return HFFConfig().input_dims
