"""Files of weights: what is written is read back, and anything else is refused with one clear error."""

from __future__ import annotations

import json
import struct
import time
from contextlib import suppress
from pathlib import Path

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from safetensors.torch import save_file

from hff import weights
from hff.config import EMOTIONS, HFFConfig
from hff.encoders.bert import TextEncoder
from hff.encoders.mfcc_cnn import SpeechEncoder
from hff.encoders.resnet import VisionEncoder
from hff.errors import DeviceError, WeightsError
from hff.model.hff import HFF
from hff.pipeline import analyzer
from hff.pipeline.features import Encoders
from tests.support.model_fixtures import assert_same, random_clips, small_config, small_model


def test_a_model_comes_back_as_it_was_saved(tmp_path):
    model = small_model(labels=("negative", "positive"))
    weights.save(tmp_path / "deep" / "fusion.safetensors", model.state_dict(), model.config.to_dict(), half=False)
    state, config = weights.load(tmp_path / "deep" / "fusion.safetensors")
    again = HFF(HFFConfig.from_dict(config)).eval()
    weights.fill(again, state, "fusion")
    clips = random_clips(model.config, 2, 3)
    assert_same(again(**clips), model(**clips), atol=0)


def test_half_precision_on_disk_is_single_in_memory(tmp_path):
    path = tmp_path / "part.safetensors"
    state = {"weight": torch.tensor([1 / 3, 2.0]), "number": torch.tensor(7)}
    weights.save(path, state, {})
    loaded, _ = weights.load(path)
    assert loaded["weight"].dtype == torch.float32
    torch.testing.assert_close(loaded["weight"], state["weight"], atol=1e-3, rtol=0)
    assert loaded["number"].item() == 7  # batch counts stay whole
    assert loaded["number"].dtype == torch.int64


def test_foreign_damaged_and_missing_files(tmp_path):
    foreign, damaged = tmp_path / "foreign.safetensors", tmp_path / "damaged.safetensors"
    save_file({"a": torch.zeros(1)}, foreign)
    weights.save(damaged, {"a": torch.zeros(100)}, {})
    damaged.write_bytes(damaged.read_bytes()[:-50])
    for path in (foreign, damaged, tmp_path / "absent.safetensors"):
        with pytest.raises(WeightsError, match=path.name):
            weights.load(path)


@pytest.mark.parametrize("name", ["x" * 300, "owner/" + "x" * 300, "nul\0byte"])
def test_a_name_that_no_folder_can_have(name, tmp_path):
    with pytest.raises(WeightsError, match="No trained weights in"):
        weights.folder(tmp_path / name)
    with pytest.raises(WeightsError, match="No trained weights in"):
        HFF.from_pretrained(tmp_path / name)
    assert weights.speech_encoders(tmp_path / name) == ()


def test_weights_of_another_shape_or_with_other_tensors(tmp_path):
    model = small_model()
    with pytest.raises(WeightsError, match="fusion weights do not fit"):
        weights.fill(HFF(small_config(d_model=8)), model.state_dict(), "fusion")
    with pytest.raises(WeightsError, match="stranger"):
        weights.fill(model, model.state_dict() | {"stranger": torch.zeros(1)}, "fusion", partial=True)
    without = {name: value for name, value in model.state_dict().items() if "alone" not in name}
    with pytest.raises(WeightsError, match="do not fit"):
        weights.fill(model, without, "fusion")
    weights.fill(model, without, "fusion", partial=True)


def test_folder_is_asked_for_then_the_environment_then_the_shipped_one(tmp_path, monkeypatch):
    for name in weights.part_names():
        (tmp_path / f"{name}.safetensors").touch()
    assert weights.folder(tmp_path) == tmp_path
    monkeypatch.setenv("HFF_WEIGHTS", str(tmp_path))
    assert weights.folder() == tmp_path
    (tmp_path / "text.safetensors").unlink()
    with pytest.raises(WeightsError, match=r"text\.safetensors missing"):
        weights.folder()


def test_the_second_speech_encoder_is_preferred_where_all_its_weights_are(tmp_path):
    assert weights.preferred_speech_encoder(tmp_path) == "mfcc-cnn"
    (tmp_path / "fusion-whisper.safetensors").touch()
    assert weights.preferred_speech_encoder(tmp_path) == "mfcc-cnn"
    (tmp_path / "speech-whisper.safetensors").touch()
    assert weights.preferred_speech_encoder(tmp_path) == "whisper"
    assert weights.speech_encoders(tmp_path) == ("whisper",)
    for name in ("speech", "fusion"):
        (tmp_path / f"{name}.safetensors").touch()
    assert weights.speech_encoders(tmp_path) == ("mfcc-cnn", "whisper")
    (tmp_path / "fusion-whisper.safetensors").unlink()
    assert weights.preferred_speech_encoder(tmp_path) == "mfcc-cnn"


def test_fusion_weights_of_another_version_are_refused(tmp_path, monkeypatch):
    """A config key that this version does not know, as a later version might write."""
    monkeypatch.setattr(analyzer, "load_encoders", lambda *_: Encoders())
    config = small_config().to_dict()
    for changed in (config | {"use_magic": True}, config | {"heads": 0}, config | {"heads": "many"}):
        for name in weights.part_names():
            weights.save(tmp_path / f"{name}.safetensors", small_model().state_dict(), changed)
        with pytest.raises(WeightsError, match="another version"):
            analyzer.Analyzer("cpu", tmp_path)


def test_encoders_take_their_label_count_from_the_file(tmp_path):
    config = {"labels": ["negative", "positive"]}
    weights.save(tmp_path / "speech.safetensors", SpeechEncoder(2).state_dict(), config)
    weights.save(tmp_path / "vision.safetensors", VisionEncoder(2).state_dict(), config)
    texts = TextEncoder(2)
    torch.nn.init.ones_(texts.head[1].weight)
    weights.save(tmp_path / "text.safetensors", texts.state_dict(), config)
    encoders = analyzer.load_encoders(tmp_path, torch.device("cpu"))
    assert not encoders.speech.training
    assert encoders.vision.head[1].out_features == 2
    assert (encoders.text.head[1].weight == 1).all()
    without = {name: value for name, value in texts.state_dict().items() if "layer.0" not in name}
    weights.save(tmp_path / "text.safetensors", without, config)
    with pytest.raises(WeightsError, match="do not fit this version"):  # no layer stays random
        analyzer.load_encoders(tmp_path, torch.device("cpu"), names=["text"])


@pytest.mark.parametrize("encoder", [SpeechEncoder, TextEncoder, VisionEncoder])
def test_a_filled_module_has_what_it_was_given_and_nothing_was_drawn_for_it(encoder):
    wanted = {name: torch.full_like(value, 0.5) for name, value in encoder(2).state_dict().items()}
    before = torch.get_rng_state()
    module = weights.filled(lambda: encoder(2), wanted, "text")
    assert torch.equal(torch.get_rng_state(), before)
    for name, value in module.state_dict().items():
        assert torch.equal(value, wanted[name]), name
    del wanted[name]
    with pytest.raises(WeightsError, match="do not fit"):
        weights.filled(lambda: encoder(2), wanted, "text")


def test_device_names():
    from hff.device import choose

    assert choose("cpu") == torch.device("cpu")
    assert choose("auto").type in ("cpu", "cuda", "mps")
    for name in ("gpu", "cuda:99", "meta", ""):
        with pytest.raises(DeviceError):
            choose(name)


def test_config_in_the_file_is_plain_json(tmp_path):
    from safetensors import safe_open

    path = tmp_path / "fusion.safetensors"
    weights.save(path, {}, HFF(small_config()).config.to_dict())
    with safe_open(path, framework="pt") as file:
        assert json.loads(file.metadata()["config"])["labels"] == list(EMOTIONS)


# ---- broken metadata ----------------------------------------------------------------------------------------


def write_raw(path: Path, header: object, data: bytes = b"") -> Path:
    """A safetensors file with any header: an object for JSON, or the bytes themselves."""
    raw = header if isinstance(header, bytes) else json.dumps(header).encode()
    path.write_bytes(struct.pack("<Q", len(raw)) + raw + data)
    return path


def of_format(config: str | None) -> dict:
    return {"__metadata__": {"format": weights.WEIGHTS_FORMAT} | ({} if config is None else {"config": config})}


BROKEN = {
    "no config": of_format(None),
    "no JSON": of_format("{labels:"),
    "no object": of_format("[1, 2]"),
    "null": of_format("null"),
    "a number of 5000 digits": of_format('{"labels": ' + "9" * 5000 + "}"),
    "a deep nest": of_format("[" * 100_000),
    "metadata of numbers": {"__metadata__": {"format": 1}},
    "metadata is a list": {"__metadata__": []},
    "no metadata": {},
    "another format": {"__metadata__": {"format": "hff-99", "config": "{}"}},
    "header is no JSON": b"\xff\xfe{{{",
    "header is empty": b"",
    "a tensor out of bounds": {"a": {"dtype": "F32", "shape": [10**9], "data_offsets": [0, 4 * 10**9]}},
    "a tensor of nonsense": {"a": {"dtype": "X", "shape": "wide", "data_offsets": [5, 1]}},
}


@pytest.mark.parametrize("header", BROKEN.values(), ids=BROKEN)
def test_broken_metadata_is_one_clear_error(header, tmp_path):
    path = write_raw(tmp_path / "part.safetensors", header)
    with pytest.raises(WeightsError, match=r"part\.safetensors"):
        weights.load(path)


@pytest.mark.parametrize("size", [0, 1, 7, 8, 9, 40, 100])
def test_a_file_cut_off_anywhere(size, tmp_path):
    path = tmp_path / "part.safetensors"
    weights.save(path, {"a": torch.zeros(100)}, {"labels": ["a", "b"]})
    path.write_bytes(path.read_bytes()[:size])
    with pytest.raises(WeightsError, match=r"part\.safetensors"):
        weights.load(path)
    with pytest.raises(WeightsError):
        weights.load(tmp_path)  # a folder


LABELS = [None, 7, "ab", [], ["one"], ["a", "a"], ["a", 1], ["a", ""], {"a": 1}, [["a"], ["b"]], ["a"] * 10**5]


@pytest.mark.parametrize("labels", LABELS, ids=lambda labels: repr(labels)[:20])
def test_labels_that_are_none(labels, tmp_path):
    for part in weights.part_names():
        weights.save(tmp_path / f"{part}.safetensors", {}, {"labels": labels})
    with pytest.raises(WeightsError, match="lists no labels"):
        analyzer.load_encoders(tmp_path, torch.device("cpu"))
    with pytest.raises(WeightsError, match="lists no labels"):
        analyzer.Analyzer("cpu", tmp_path)


@pytest.mark.parametrize("layers", [101, 10**6, 2**62, 10**400])
def test_a_config_of_countless_layers_takes_no_time(layers, tmp_path, monkeypatch):
    """Each layer takes memory even before it has weights: a million of them once took all there is."""
    monkeypatch.setattr(analyzer, "load_encoders", lambda *_: Encoders())
    model = small_model()
    for part in weights.part_names():
        changed = model.config.to_dict() | {"layers": layers}
        weights.save(tmp_path / f"{part}.safetensors", model.state_dict(), changed)
    begun = time.process_time()
    with pytest.raises(WeightsError):
        analyzer.Analyzer("cpu", tmp_path)
    assert time.process_time() - begun < 5


OF_ANOTHER_KIND = [
    ("heads", True), ("heads", "8"), ("heads", 2.0), ("precision_eps", None), ("precision_eps", "x"),
    ("precision_eps", 10**400), ("precision_eps", -1), ("precision_eps", float("inf")), ("precision_eps", 0),
    ("prior_std", None), ("prior_std", -1), ("prior_std", []), ("bounded", "x"), ("bounded", 1),
    ("use_attention", "no"), ("dropout", {}), ("novelty_rank", None), ("layers", True),
    ("neutral_discount", None), ("neutral_discount", [0.1]), ("neutral_discount", {"vision": "x"}),
    ("neutral_discount", {"vision": 0.9}), ("neutral_discount", {"vision": float("nan")}),
    ("neutral_discount", {"smell": 0.1}),
]  # fmt: skip


@pytest.mark.parametrize(("name", "value"), OF_ANOTHER_KIND, ids=lambda value: repr(value)[:20])
def test_a_config_value_of_another_kind_is_refused_at_once(name, value):
    with pytest.raises(ValueError, match=name):
        HFFConfig.from_dict(HFFConfig().to_dict() | {name: value})


WRONG = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(max_size=5),
    st.lists(st.integers(), max_size=3),
    st.dictionaries(st.text(max_size=3), st.integers(), max_size=2),
    st.sampled_from([10**6, 10**400, -1, 2**70, 0.5]),
)


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(changes=st.dictionaries(st.sampled_from(sorted(small_config().to_dict())), WRONG, min_size=1, max_size=3))
def test_a_config_of_wrong_values_is_refused_or_changes_nothing(changes, tmp_path_factory, monkeypatch):
    monkeypatch.setattr(analyzer, "load_encoders", lambda *_: Encoders())
    folder = tmp_path_factory.mktemp("weights")
    model = small_model()
    for part in weights.part_names():
        weights.save(folder / f"{part}.safetensors", model.state_dict(), model.config.to_dict() | changes)
    with suppress(WeightsError):
        analyzer.Analyzer("cpu", folder)
