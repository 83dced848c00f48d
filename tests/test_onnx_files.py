"""ONNX files answer what PyTorch answers, for any number of clips and moments; small models, traced once."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import sys
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
import torch
from torch import Tensor, nn

from hff import cli, onnx_files, weights
from hff.config import EMOTIONS
from hff.encoders.mfcc_cnn import SpeechEncoder
from hff.errors import DependencyError, HFFError, InputError
from tests.support.model_fixtures import SHIPPED, random_clips, small_model


def session_of(path: Path) -> onnxruntime.InferenceSession:
    return onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])


def answers(session: onnxruntime.InferenceSession, given: dict[str, Tensor]) -> dict[str, np.ndarray]:
    names = [output.name for output in session.get_outputs()]
    return dict(zip(names, session.run(names, {name: x.numpy() for name, x in given.items()}), strict=True))


@pytest.fixture(scope="module")
def fusion(tmp_path_factory, only_the_papers):
    """A small fusion and the file of it: tracing it takes most of this module's time."""
    folder, model = tmp_path_factory.mktemp("fusion"), small_model(layers=1)
    source = folder / "fusion-whisper.safetensors"
    weights.save(source, model.state_dict(), model.config.to_dict(), half=False)
    return model, onnx_files.write_graph(onnx_files.fusion_graph(source, model), folder), source


def test_the_fusions_file_says_what_it_is(fusion):
    model, written, source = fusion
    assert written.path.name == "fusion-whisper.onnx"
    assert 0 < written.difference < 1e-5
    assert {path.name for path in written.path.parent.iterdir()} == {source.name, written.path.name}
    session = session_of(written.path)
    told = session.get_modelmeta().custom_metadata_map
    assert json.loads(told["labels"]) == list(EMOTIONS)
    assert told["weights_sha256"] == hashlib.sha256(source.read_bytes()).hexdigest()
    assert told["step_seconds"] == "0.5"
    shapes = {x.name: x.shape for x in (*session.get_inputs(), *session.get_outputs())}
    assert shapes["speech"] == ["batch", "time", model.config.dims["speech"]]
    assert shapes["present"] == shapes["alpha"] == ["batch", "time", len(SHIPPED)]
    assert shapes["probabilities"] == ["batch", len(EMOTIONS)]


@pytest.mark.parametrize(("clips", "steps"), [(1, 1), (4, 7), (2, 120)])
def test_the_fusion_answers_as_pytorch_does(fusion, clips: int, steps: int):
    """The last moments of a clip are padding, and some in the middle have nobody: the state passes over them."""
    model, written, _ = fusion
    given = random_clips(model.config, clips, steps)
    given["present"][:, 2 * steps // 3 + 1 :] = False
    given["present"][0, steps // 2] = steps == 1
    with torch.inference_mode():
        expected = model(**given)
    found = answers(session_of(written.path), given)
    for name in ("probabilities", "alpha", "aleatoric", "epistemic", "beta", "readings", "attention"):
        np.testing.assert_allclose(found[name], getattr(expected, name).numpy(), atol=1e-5, err_msg=name)
    steps_say = expected.step_logits.softmax(-1)[0].numpy()
    np.testing.assert_allclose(found["step_probabilities"], steps_say, atol=1e-5)


def test_an_encoder_answers_as_pytorch_does(tmp_path: Path):
    torch.manual_seed(0)
    encoder, source = SpeechEncoder(2).eval(), tmp_path / "speech.safetensors"
    weights.save(source, encoder.state_dict(), {"labels": ["negative", "positive"]})
    written = onnx_files.write_graph(onnx_files.encoder_graph(source, "speech", encoder), tmp_path)
    windows = encoder.windows(torch.randn(5 * 8000), 5)
    assert windows.isnan().any()  # beyond the ends of the sound
    found = answers(session_of(written.path), {"windows": windows})
    with torch.inference_mode():
        np.testing.assert_allclose(found["features"], encoder.features(windows).numpy(), atol=1e-5)
        np.testing.assert_allclose(found["probabilities"], encoder(windows).softmax(-1).numpy(), atol=1e-5)


class Doubler(nn.Module):
    def forward(self, x: Tensor) -> dict[str, Tensor]:
        return {"y": 2 * x}


@pytest.mark.parametrize("difference", [2e-4, float("nan")])
def test_a_file_that_answers_otherwise_is_not_kept(tmp_path: Path, monkeypatch, difference: float):
    source = tmp_path / "speech.safetensors"
    weights.save(source, {}, {"labels": ["negative", "positive"]})
    graph = onnx_files.Graph(
        source, Doubler(), {"x": {0: torch.export.Dim("batch")}}, lambda size: (torch.ones(size, 2),)
    )
    monkeypatch.setattr(onnx_files, "largest_difference", lambda *_: difference)
    with pytest.raises(HFFError, match=r"speech\.onnx is not kept"):
        onnx_files.write_graph(graph, tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == [source.name]


def test_a_difference_is_found(tmp_path: Path):
    """Not only that of what is traced: the file of one module against another."""
    source = tmp_path / "speech.safetensors"
    weights.save(source, {}, {"labels": ["negative", "positive"]})
    axes = {"x": {0: torch.export.Dim("batch")}}
    written = onnx_files.write_graph(
        onnx_files.Graph(source, Doubler(), axes, lambda size: (torch.ones(size, 2),)), tmp_path
    )

    class OtherForOneSize(Doubler):
        def forward(self, x: Tensor) -> dict[str, Tensor]:
            return {"y": 2 * x + 0.25 * (len(x) == onnx_files.SIZES[-1])}

    other = onnx_files.Graph(source, OtherForOneSize(), axes, lambda size: (torch.ones(size, 2),))
    assert onnx_files.largest_difference(other, written.path) == 0.25


def test_nothing_is_written_over(tmp_path: Path):
    (tmp_path / "vision.onnx").write_bytes(b"mine")
    with pytest.raises(InputError, match=r"vision\.onnx is already in"):
        next(onnx_files.export(tmp_path))
    assert (tmp_path / "vision.onnx").read_bytes() == b"mine"


@pytest.mark.parametrize("name", ["taken", "taken/below", "x" * 300])
def test_a_folder_that_cannot_be_made_is_one_clear_line(tmp_path: Path, capsys, name: str):
    (tmp_path / "taken").write_bytes(b"mine")
    assert cli.main(["export", str(tmp_path / name)]) == 1
    said = capsys.readouterr().err
    assert said.startswith("hff: Cannot write to ")
    assert said.count("\n") == 1
    assert [path.name for path in tmp_path.iterdir()] == ["taken"]


def test_a_full_disk_is_told(tmp_path: Path, monkeypatch):
    def full(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr("torch.onnx.ONNXProgram.save", full)
    with pytest.raises(InputError, match="No space left on device"):
        next(onnx_files.export(tmp_path))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", onnx_files.NEEDED)
def test_a_library_that_is_missing_is_told(tmp_path: Path, monkeypatch, capsys, name: str):
    monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(DependencyError, match=rf"library {name}\. .*hff\[export\]"):
        next(onnx_files.export(tmp_path))
    assert cli.main(["export", str(tmp_path)]) == 1
    assert "pip install" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_the_command_prints_each_file_and_its_difference(tmp_path: Path, monkeypatch, capsys):
    def export(folder: Path, source: Path | None, speech_encoder: str | None):
        assert (source, speech_encoder) == (None, "whisper")
        (folder / "text.onnx").write_bytes(bytes(1_500_000))
        yield onnx_files.Written(folder / "text.onnx", 1.3e-6)

    monkeypatch.setattr(onnx_files, "export", export)
    assert cli.main(["export", str(tmp_path), "--speech-encoder", "whisper"]) == 0
    assert capsys.readouterr().out.splitlines()[1].split() == ["text.onnx", "1.5", "1.3e-06"]
