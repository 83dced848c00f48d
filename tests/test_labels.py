"""Labels come from the loaded weights: models of three and of six labels, neither of them the shipped seven."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from hff import weights
from hff.config import HFFConfig
from hff.errors import HFFError, WeightsError
from hff.lab.lab import Lab
from hff.lab.lesson_files import LESSONS_FOLDER, load_lessons
from hff.lab.state import LabState
from hff.live.session import LiveSession
from hff.model.hff import HFF
from hff.page.blocks import build_page
from hff.page.clip import report
from hff.page.lab.sweep_chart import sweep_chart
from hff.page.live import layout, messages
from hff.page.live.hub import LiveHub
from hff.page.model.architecture import architecture_html
from hff.page.session.background_model import Engine
from hff.page.session.sessions import Sessions
from hff.page.shared import cards, effects
from hff.pipeline.analyzer import Analyzer
from hff.pipeline.recording import Recording
from hff.result import Transcript
from tests.support.live_fixtures import FakeAnalyzer, engine_of
from tests.test_modalities import made_up_features, train_two_steps
from train.engine.loop import Plan
from train.fusion import calibration, feature_files, training
from train.fusion.pairing import Mix, PairedClips

SETS = (("calm", "bored", "thrilled"), ("calm", "bored", "thrilled", "angry", "proud", "shy"))
SMALL = {"d_model": 16, "layers": 1, "heads": 2}


@pytest.fixture(params=SETS, ids=len)
def labels(request) -> tuple[str, ...]:
    return request.param


@pytest.fixture
def analyzer(labels) -> Analyzer:
    """The real fusion on a small random model behind fake encoders."""
    made = FakeAnalyzer()
    torch.manual_seed(1)
    made.model = HFF(HFFConfig(labels=labels, **sizes_of(made))).eval()
    made.config = made.model.config
    return made


def sizes_of(analyzer: Analyzer) -> dict:
    return SMALL | {f"{m}_dim": size for m, size in analyzer.config.dims.items()}


@pytest.fixture
def recording() -> Recording:
    return Recording(2.0, transcript=Transcript("I like this"))


def test_page_and_report_name_them(analyzer, recording, labels):
    result = analyzer.analyze_recording(recording, samples=4)
    assert tuple(result.probabilities) == labels
    for html in (cards.headline(result), effects.alone(result), report.html_page(result)):
        assert all(f'<span role="rowheader">{label}</span>' in html for label in labels)
        assert "surprised" not in html
    assert result.to_csv().splitlines()[0].endswith(",".join(f"p_{label}" for label in labels) + ",speech_encoder")
    assert f"{len(labels)} emotions" in architecture_html(analyzer.config)


def test_the_lab_names_them(analyzer, recording, labels):
    lab = Lab(analyzer, recording)
    state = LabState()
    before, after = lab.infer(state.untouched), lab.infer(state.with_severity("text", 0.5))
    assert tuple(after.probabilities) == labels
    assert before.emotion in labels
    points = list(lab.sweep(state, "text", [0.0, 0.5, 1.0]))
    assert all(tuple(point.probabilities) == labels for point in points)
    assert sum(label in sweep_chart(points, "text") for label in labels) == 3  # the three leading ones


def test_the_live_view_names_them(analyzer, labels):
    engine = Engine(lambda: analyzer)
    engine.model()
    assert engine.config().labels == labels
    html = layout.page(10.0, engine.config().labels)
    assert [f'data-label="{label}"' in html for label in labels] == [True] * len(labels)
    assert html.count('data-live="bar"') == len(labels)
    session = LiveSession(analyzer)
    session.set_text("I like this")
    session.add_frame(0.4, np.full((60, 60, 3), 120, np.uint8))
    said = messages.state(session.infer(), session)
    assert said["labels"] == list(labels)
    assert len(said["probabilities"]) == len(labels)


def test_the_whole_page_is_built_of_them(analyzer, labels, tmp_path: Path):
    engine = engine_of(analyzer)
    components = build_page(engine, Sessions(tmp_path), LiveHub(engine)).get_config_file()["components"]
    (live,) = [c["props"]["html_template"] for c in components if c["props"].get("elem_id") == "hff-live"]
    assert [f'data-label="{label}"' in live for label in labels] == [True] * len(labels)
    assert live.count("data-label=") == len(labels)
    drawn = [c["props"].get("value") for c in components]
    assert any(f"{len(labels)} emotions" in value for value in drawn if isinstance(value, str))


def test_they_stand_in_the_header_of_the_weights(tmp_path: Path, labels):
    model = HFF(HFFConfig(labels=labels, **SMALL))
    weights.save(tmp_path / "fusion.safetensors", model.state_dict(), model.config.to_dict())
    assert weights.stored_config(tmp_path) == model.config
    assert Engine(lambda: None, config=lambda: weights.stored_config(tmp_path)).config().labels == labels
    (tmp_path / "fusion.safetensors").write_bytes(b"no weights at all")
    with pytest.raises(WeightsError, match=r"fusion\.safetensors"):
        weights.stored_config(tmp_path)


def test_lessons_are_about_emotions_that_the_model_knows(tmp_path: Path, labels):
    def claims(lesson) -> set[str]:
        return lesson.emotions - set(labels)

    assert not any(claims(lesson) for lesson in load_lessons(labels=labels))
    shipped = load_lessons()
    path = tmp_path / "en" / "own.json"
    path.parent.mkdir()
    values = json.loads((LESSONS_FOLDER / f"{shipped[0].key}.json").read_text(encoding="utf-8"))
    values["expect"] = [{"figure": "probability", "of": labels[1], "change": "rises"}]
    values["choices"] = [{"text": t, "when": {"figure": "alone", "of": "text", "emotion": labels[2]}} for t in "ab"]
    path.write_text(json.dumps(values), encoding="utf-8")
    assert load_lessons(path.parent, labels)[0].emotions == set(labels[1:3])


def test_two_batches_of_training(tmp_path, monkeypatch, labels):
    config = HFFConfig(labels=labels, **SMALL)
    model, figures = train_two_steps(tmp_path, monkeypatch, config, len(labels))
    assert model.classifier.out.out_features == len(labels)
    assert 0 <= figures["mixed_accuracy"] <= 1
    assert 0 <= figures["mixed_brier"] <= 2
    folder = tmp_path / "features"
    pairs, rng = PairedClips(folder, "fusion", labels), np.random.default_rng(0)
    draws = [pairs.choose(rng, Mix(alone=0, conflict=0, contradiction=0, unfeeling_face=1.0)) for _ in range(30)]
    faces = pairs.stored["vision"]["label"]
    assert all(int(faces[draw.items[2]]) == draw.target for draw in draws)  # none is neutral, so none says nothing
    with pytest.raises(HFFError, match=f"{len(labels)} labels"):
        training.train(folder, tmp_path / "other", torch.device("cpu"), HFFConfig(**SMALL))


def test_the_stage_trains_for_the_labels_of_the_encoders(tmp_path, monkeypatch, labels):
    made_up_features(tmp_path, len(labels))
    weights.save(tmp_path / "weights" / "speech.safetensors", {"head": torch.zeros(1)}, {"labels": list(labels)})
    monkeypatch.setattr(training, "BATCHES_PER_EPOCH", 1)
    for module, name in ((training, "VALIDATION_CLIPS"), (calibration, "CALIBRATION_CLIPS")):
        monkeypatch.setattr(module, name, len(labels))
    plan = Plan(epochs=1, learning_rate=1e-3, batch_size=training.AUGMENTED, bf16=False)
    training.train_and_export(tmp_path, tmp_path, torch.device("cpu"), plan)
    assert weights.stored_config(tmp_path / "weights").labels == labels


@pytest.mark.parametrize("given", [[0, 1, 1], [2, 2]])
def test_the_share_of_each_label_is_over_those_that_the_encoder_knows(given, labels):
    share = feature_files.label_frequency(given, torch.zeros(2, 5, len(labels)))
    assert share.shape == (len(labels),)
    assert share.sum() == pytest.approx(1)
