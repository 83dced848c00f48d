"""A modality is one record: a fourth, made up here, goes through everything without another file being touched."""

from __future__ import annotations

import dataclasses
import json
import subprocess
import sys
from pathlib import Path

import gradio as gr
import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torch import nn

import hff
from hff import modalities
from hff.arithmetic import in_hundredths
from hff.config import MODALITIES, HFFConfig
from hff.corruption import kinds
from hff.lab.lab import Lab
from hff.lab.state import Corruption, LabState
from hff.live.session import LiveSession
from hff.locale import names, texts
from hff.locale.catalogue import catalogue
from hff.modalities import Modality
from hff.page.blocks import build_page
from hff.page.clip import report
from hff.page.lab.controls import Controls
from hff.page.lab.evidence import evidence
from hff.page.lab.sweep_chart import sweep_chart
from hff.page.live import layout, messages
from hff.page.live.hub import LiveHub
from hff.page.model.architecture import architecture_html
from hff.page.session.sessions import Sessions
from hff.page.shared import cards, theme
from hff.pipeline.ahead import ToRead
from hff.pipeline.analyzer import Analyzer
from hff.pipeline.features import Encoders, Material
from hff.pipeline.recording import Recording
from hff.result import Result, Transcript
from tests.support.live_fixtures import FakeEncoder, engine_of
from tests.support.model_fixtures import SHIPPED, random_clips
from train.engine.loop import Plan
from train.evaluation.cross_modal_conflict import conflicting_clips
from train.evaluation.subset_answers import judge
from train.fusion import calibration, training
from train.fusion.pairing import Mix, PairedClips

LABELS = 7
ROOT = Path(__file__).resolve().parents[1]


class ToyEncoder(nn.Module):
    """Random features, the same for the same beats."""

    feature_dim = 6

    def __init__(self, labels: int = LABELS) -> None:
        super().__init__()
        self.head = nn.Linear(self.feature_dim, labels)


def read_toy(encoder: ToyEncoder, material: Material, steps: int) -> tuple[torch.Tensor, torch.Tensor]:
    there = "toy" in material.more
    seed = torch.Generator().manual_seed(int(material.more["toy"]) if there else 0)
    features = torch.randn(steps, encoder.feature_dim, generator=seed) * there
    return features, torch.full((steps,), there)


TOY = Modality(
    key="toy",
    size=ToyEncoder.feature_dim,
    icon="M2 12h5l3-7 4 14 3-7h5",
    colour="#cc79a7",
    colour_dark="#dd8ab8",
    dash=(12, 3),
    hatch="xx",
    encoders={"random": ToyEncoder},
    encode=read_toy,
    name="Toy",
)


@pytest.fixture
def toy():
    """The fourth beside the paper's three, whatever else is registered."""
    before = tuple(MODALITIES)
    with modalities.only(*SHIPPED), modalities.registered(TOY):
        yield TOY
    assert before == MODALITIES


@pytest.fixture
def analyzer(toy) -> Analyzer:
    """The real pipeline from features on, on a small random model of four modalities."""
    from hff.model.hff import HFF

    made = Analyzer.__new__(Analyzer)
    torch.manual_seed(0)
    made.device, made.config = torch.device("cpu"), HFFConfig(d_model=16, layers=2, heads=2)
    made.model = HFF(made.config).eval()
    made.encoders = Encoders(*map(FakeEncoder, made.config.input_dims[:3]), toy=ToyEncoder())
    return made


@pytest.fixture
def recording() -> Recording:
    return Recording(2.0, transcript=Transcript("I like this"), more={"toy": 72})


@pytest.fixture
def result(analyzer, recording) -> Result:
    return analyzer.analyze_recording(recording, samples=4)


def test_the_model_takes_it(toy):
    from hff.model.hff import HFF

    torch.manual_seed(0)
    config = HFFConfig(d_model=16, layers=2, heads=2)
    assert config.dims == {"speech": 128, "text": 768, "vision": 512, "toy": 6}
    assert HFFConfig.from_dict(json.loads(json.dumps(config.to_dict()))) == config
    clips = random_clips(config, 3, 5, present=np.array([True, False, False, True]))
    output = HFF(config).eval()(**clips)
    assert output.alpha.shape == (3, 5, 4)
    assert output.attention.shape[-1] == 5 * 5
    assert (output.alpha[..., 3] > 0).all()
    assert (output.alpha[..., [1, 2]] == 0).all()
    changed = HFF(config).eval()
    changed.load_state_dict(changed.state_dict())
    other = changed(**(clips | {"toy": clips["toy"] + 1}))
    assert not torch.allclose(other.logits, changed(**clips).logits)


def test_a_config_does_not_know_what_is_not_registered():
    with pytest.raises(ValueError, match="toy"):
        HFFConfig(dims={"toy": 6})
    with pytest.raises(ValueError, match="taken"):
        modalities.register(modalities.of("speech"))


def test_it_is_read_among_clips_that_go_through_the_other_encoders_together(analyzer, recording):
    other = dataclasses.replace(recording, transcript=Transcript("Quite another"), more={"toy": 5})
    clips = [ToRead(name, lambda given=given: given) for name, given in (("a", recording), ("b", other))]
    for (clip, found), given in zip(analyzer.analyze_ahead(clips, samples=4), (recording, other), strict=True):
        expected = analyzer.analyze_recording(given, samples=4)
        assert found.probabilities == pytest.approx(expected.probabilities, abs=1e-5), clip.name
        assert found.alpha == pytest.approx(expected.alpha, abs=1e-5)
        assert found.present["toy"]


def test_a_reading_has_its_share(result):
    assert list(result.alpha) == ["speech", "text", "vision", "toy"]
    assert sum(result.alpha.values()) == pytest.approx(1)
    assert result.present == {"speech": False, "text": True, "vision": False, "toy": True}
    assert result.alpha["toy"] > 0
    assert set(result.subsets) == {"text", "toy", "text+toy"}
    assert result.attention.key_kinds == ("fused", "speech", "text", "vision", "toy")
    assert result.attention.by_kind().shape[3] == 5
    assert json.loads(json.dumps(result.to_dict()))["timeline"]["modalities"][3] == "toy"
    assert "alpha_toy" in result.to_csv().splitlines()[0]


def test_the_page_and_the_report_show_it(result):
    assert names.modality("toy") == "Toy"
    assert names.modality("toy", "the") == "toy"
    gauges = cards.gauges(result)
    assert gauges.count('class="hff-gauge ') == 4
    assert 'id="hff-gauge-toy"' in gauges
    assert TOY.icon in gauges
    assert "Toy" in gauges
    assert "--hff-toy:#cc79a7" in theme.colours_css()
    page = report.html_page(result)
    assert 'id="hff-gauge-toy"' in page
    assert "--hff-toy:#dd8ab8" in page
    assert "var(--hff-toy, #cc79a7)" in page  # in the drawings
    live = layout.page(10.0)
    for place in ("gauge-toy", "line-alpha-toy", "line-variance-toy"):
        assert f'data-live="{place}"' in live
    assert live.count('stroke-dasharray="12 3"') == 4  # two lines, two legends
    assert live.count('data-live="cells"') == 5
    assert "hff-toy" in architecture_html(HFFConfig())


def test_the_whole_page_is_built_with_it(analyzer, tmp_path: Path):
    engine = engine_of(analyzer)
    page = build_page(engine, Sessions(tmp_path), LiveHub(engine))
    components = page.get_config_file()["components"]
    known = {component["props"].get("elem_id") for component in components}
    assert {"hff-lab-toy-mute", "hff-lab-toy-severity", "hff-lab-alpha-toy"} <= known
    sweeps = [c["props"] for c in components if ("Toy", "toy") in map(tuple, c["props"].get("choices") or [])]
    assert sweeps  # of what a sweep can break
    (live,) = [c["props"]["html_template"] for c in components if c["props"].get("elem_id") == "hff-live"]
    assert 'data-live="gauge-toy"' in live


def test_names_of_modalities_stand_in_one_place():
    """Beside ``MODALITY_FORMS`` no entry may say what each modality is called."""
    known = catalogue("en")
    called = {key: form["name"] for key, form in known["MODALITY_FORMS"].items() if key != "other"}
    again = [key for key, entry in known.items() if isinstance(entry, dict) and called.items() <= entry.items()]
    assert again == []


def test_the_lab_takes_it_apart(analyzer, recording):
    lab = Lab(analyzer, recording)
    state = LabState(
        corruption={m: dataclasses.replace(Corruption(""), kind=_first(m)) for m in MODALITIES},
        alpha=(0, 0.25, 0, 0.75),
    )
    assert kinds("toy") == ()
    assert LabState.from_json(state.to_json()) == state
    assert lab.infer(state).alpha["toy"] == pytest.approx(0.75)
    muted = state.but(alpha=None, corruption={**state.corruption, "toy": Corruption("", 0.0, muted=True)})
    assert LabState.from_json(muted.to_json()) == muted
    assert lab.infer(muted).alpha["toy"] == 0
    points = list(lab.sweep(LabState(), "text", [0.0, 1.0]))
    assert "hff-toy" in sweep_chart(points, "text")
    assert set(points[0].row()) >= {"alpha_toy", "variance_toy"}
    with gr.Blocks():
        controls = Controls()
    shown = controls.show(state)
    assert len(shown) == len(controls.values)
    assert controls.state(tuple(shown)) == state
    assert sum(in_hundredths([1 / 3, 1 / 3, 1 / 6, 1 / 6])) == pytest.approx(1)


def test_live_reads_it_and_its_window_is_a_clip_with_it(analyzer):
    session = LiveSession(analyzer)
    session.set_text("I like this")
    session.add_frame(1.9, np.full((60, 60, 3), 120, np.uint8))
    without = session.infer()
    session.set_material("toy", 72)
    reading = session.infer()
    assert without.alpha["toy"] == 0
    assert reading.alpha["toy"] > 0.05
    assert reading.variance["toy"] is not None
    told = messages.state(reading, session)
    assert len(told["alpha"]) == len(told["aleatoric"]) == len(told["paused"]) == 4
    assert told["alpha"][3] == pytest.approx(reading.alpha["toy"], abs=1e-4)
    clip = analyzer.analyze_recording(session.snapshot(), samples=0)
    np.testing.assert_allclose(clip.timeline.alpha[-1], reading.timeline.alpha[-1], atol=1e-5)
    session.set_material("toy", None)
    assert session.infer().alpha["toy"] == 0
    with pytest.raises(KeyError):
        session.set_material("smell", 1)


def test_the_lab_says_of_it_what_it_can(analyzer, recording):
    lab = Lab(analyzer, recording)
    muted = LabState(corruption={**LabState().corruption, "toy": Corruption("", 0.0, muted=True)})
    for state, said in ((LabState(), texts.LAB_UNSHOWN), (muted, texts.ABSENT)):
        shown = evidence(lab.corrupted(LabState()), lab.corrupted(state), LabState(), state)
        box = shown.split('id="hff-lab-evidence-toy"')[1]
        assert "Toy" in box
        assert said in box
    assert 'id="hff-lab-break-toy"' not in shown


def _first(modality: str) -> str:
    return next((kind.name for kind in kinds(modality)), "")


def made_up_features(folder, labels: int) -> None:
    """Feature files of every registered modality, as ``python -m train features`` would write them."""
    rng = torch.Generator().manual_seed(0)
    items, variants, steps = 4 * labels, 3, 4
    for split in ("fusion", "validation"):
        for modality, size in modalities.sizes().items():
            over = {"speech": (steps,), "vision": (2,)}.get(modality, ())
            stored = {
                "features": torch.randn(items, variants, *over, size, generator=rng),
                "teacher_logits": torch.randn(items, variants, *over, labels, generator=rng),
                "severity": torch.linspace(0, 1, variants).expand(items, -1).clone(),
                "label": torch.arange(items) % labels,
                "frequency": torch.full((labels,), 1 / labels),
                "held_out": torch.ones(items, dtype=torch.bool),
            }
            if modality == "speech":
                stored["there"] = torch.ones(items, variants, steps, dtype=torch.bool)
                stored["length"] = torch.full((items,), steps)
            if modality == "text":
                stored["fixed"] = torch.arange(items) == 0
            save_file(stored, folder / f"{modality}-{split}.safetensors")


def train_two_steps(tmp_path, monkeypatch, config: HFFConfig, labels: int):
    """One epoch of two batches on made-up features; the model, and the clips' figures."""
    folder = tmp_path / "features"
    folder.mkdir()
    made_up_features(folder, labels)
    monkeypatch.setattr(training, "BATCHES_PER_EPOCH", 2)
    monkeypatch.setattr(training, "VALIDATION_CLIPS", 2 * labels)
    monkeypatch.setattr(training, "AUGMENTED", 2)
    plan = Plan(epochs=1, learning_rate=1e-3, batch_size=6, bf16=False)
    return training.train(folder, tmp_path / "run", torch.device("cpu"), config, plan, Mix())


def test_two_steps_of_training(toy, tmp_path, monkeypatch):
    config = HFFConfig(d_model=16, layers=1, heads=2)
    torch.manual_seed(Plan().seed)
    from hff.model.hff import HFF

    before = HFF(config).alignment.linear[3].weight.detach().clone()
    model, figures = train_two_steps(tmp_path, monkeypatch, config, LABELS)
    assert 0 <= figures["clean_accuracy"] <= 1
    assert not torch.equal(model.alignment.linear[3].weight, before)  # it learns from its own features
    monkeypatch.setattr(calibration, "CALIBRATION_CLIPS", 2 * LABELS)
    found = calibration.calibrate(model, tmp_path / "features", torch.device("cpu"))
    assert found.keys() == {
        "speech_temperature",
        "text_temperature",
        "vision_temperature",
        "toy_temperature",
        "neutral_discount",
        "temperature",
    }
    assert (model.novelty[3].means != 0).any()
    assert model.scale[3].error[-1] < 2  # no longer the identity
    pairs = PairedClips(tmp_path / "features", "fusion", config.labels)
    for pair, clips in conflicting_clips(pairs, 3):
        read = judge(model, clips, torch.device("cpu"))
        assert set(map(len, read.probabilities)) == {1, 2, 3, 4}
        np.testing.assert_array_equal(read.present, [[m in pair for m in range(4)]] * 3)
    rng = np.random.default_rng(0)
    batch = pairs.collate([pairs.choose(rng, Mix()) for _ in range(8)], rng)
    assert batch.inputs()["toy"].shape[-1] == 6
    assert batch.present.shape[-1] == 4


# ---- the shipped weights, which know three ------------------------------------------------------------------

WITH_A_FOURTH = """
import torch

import hff
from hff import modalities
from hff.lab.lab import Lab
from hff.lab.state import LabState
from hff.live.session import LiveSession
from hff.page.clip import report
from hff.page.live import messages
from hff.page.model.architecture import architecture_html
from tests.support.model_fixtures import SHIPPED
from tests.test_modalities import TOY

with modalities.only(*SHIPPED), modalities.registered(TOY):
    model = hff.load("cpu")
    assert list(model.config.dims) == ["speech", "text", "vision"], model.config.dims
    result = model.analyze(text="I am so glad that you came", samples=4)
    page = report.html_page(result)
    sweep = list(Lab(model, model.read(text="I am so glad")).sweep(LabState(samples=2), "text", [0.0]))
    live = LiveSession(model)
    live.set_text("I am so glad that you came")
    live.add_sound(0.0, 16000, torch.zeros(16000).numpy())
    assert messages.state(live.infer(), live)["alpha"][1:] == [1.0, 0.0, 0.0]
    print(result.emotion, result.alpha, result.present, result.attention.by_kind().shape[3], sweep[0].alpha["toy"])
    assert 'id="hff-gauge-toy"' in page
    assert "hff-toy" not in architecture_html(model.config)  # it is no part of this model
    print(list(result.probabilities.values()))
"""


def test_the_shipped_weights_go_on_working_without_it():
    ran = subprocess.run([sys.executable, "-c", WITH_A_FOURTH], capture_output=True, text=True, timeout=300, cwd=ROOT)
    assert ran.returncode == 0, ran.stderr[-2000:]
    answer, figures = ran.stdout.strip().splitlines()
    expected = (
        "happy {'speech': 0.0, 'text': 1.0, 'vision': 0.0, 'toy': 0.0} "
        "{'speech': False, 'text': True, 'vision': False, 'toy': False} 5 0.0"
    )
    assert answer == expected
    without = hff.load("cpu").analyze(text="I am so glad that you came", samples=4)
    assert without.emotion == "happy"
    np.testing.assert_allclose(json.loads(figures), list(without.probabilities.values()), atol=1e-6)
