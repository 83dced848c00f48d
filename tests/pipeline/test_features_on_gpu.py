"""Encoders and a whole clip on a made-up GPU: nothing is left on the CPU or mixed, and the answer is the CPU's."""

from __future__ import annotations

import copy
import threading
from contextlib import nullcontext

import numpy as np
import pytest
import torch

from hff import device as devices
from hff import weights
from hff.config import FACE_SIZE, SAMPLE_RATE, HFFConfig
from hff.encoders.bert import TextEncoder
from hff.encoders.mfcc_cnn import SpeechEncoder
from hff.encoders.resnet import VisionEncoder
from hff.encoders.whisper import WhisperEncoder, WhisperLayers
from hff.live.recogniser import Recogniser
from hff.pipeline.analyzer import Analyzer, load_encoders
from hff.pipeline.features import ClipFeatures, Encoders, encode, encode_faces, encode_speech
from hff.result import FaceSeen, Transcript, Word
from tests.support.made_up_gpu import GPU, OnGpu, made_up_gpu, on_made_up_gpu
from tests.support.model_fixtures import small_model

pytestmark = [
    pytest.mark.filterwarnings("ignore:.*CUDA is not available:UserWarning"),
    pytest.mark.usefixtures("only_the_papers", "full_precision"),
]
STEPS = 9
WAVE = (0.1 * np.random.default_rng(0).standard_normal(round(4.3 * SAMPLE_RATE))).astype(np.float32)
VOICED = [(0.4, 2.1), (3.0, 4.0)]
SAID = (("so", 0.5, 0.8), ("good.", 0.8, 1.4), ("Not", 3.0, 3.3), ("yet.", 3.3, 3.9))
WORDS = [Word(text, start, end, 0.9) for text, start, end in SAID]
FACES = [
    FaceSeen(n / 4, (0.0, 0.0, 48.0, 48.0), 1.0, np.random.default_rng(n).integers(0, 256, (FACE_SIZE,) * 2, np.uint8))
    for n in range(12)
]
MATERIAL = {"wave": WAVE, "voiced": VOICED, "faces": FACES}


@pytest.fixture(scope="module")
def on_cpu() -> dict[str, torch.nn.Module]:
    torch.manual_seed(0)
    whisper = WhisperEncoder(7, layers=WhisperLayers(layers=1, width=32, heads=2))
    parts = {"mfcc-cnn": SpeechEncoder(7), "whisper": whisper, "text": TextEncoder(7), "vision": VisionEncoder(7)}
    return {name: part.eval() for name, part in parts.items()}


@pytest.fixture(scope="module")
def on_gpu(on_cpu: dict[str, torch.nn.Module]) -> dict[str, torch.nn.Module]:
    return {name: on_made_up_gpu(copy.deepcopy(part)) for name, part in on_cpu.items()}


def clip_of(parts: dict[str, torch.nn.Module], speech: str, words: list[Word], still: bool = False) -> ClipFeatures:
    encoders = Encoders(speech=parts[speech], text=parts["text"], vision=parts["vision"])
    return encode(encoders, STEPS, transcript=Transcript("So good. Not yet.", words), still=still, **MATERIAL)


@pytest.mark.parametrize(
    ("speech", "words", "still"), [("mfcc-cnn", WORDS, False), ("whisper", [], True)], ids=["said", "typed"]
)
def test_a_whole_clip_stays_on_the_gpu(on_cpu, on_gpu, speech: str, words: list[Word], still: bool):
    expected = clip_of(on_cpu, speech, words, still)
    with made_up_gpu():
        found = clip_of(on_gpu, speech, words, still)
    for name in ("speech", "text", "vision"):
        values = getattr(found, name)
        assert isinstance(values, OnGpu), name
        torch.testing.assert_close(values.content, getattr(expected, name), msg=name)
    assert not isinstance(found.present, OnGpu)  # what is there is asked on the CPU
    torch.testing.assert_close(found.present, expected.present)


def test_the_fusion_takes_it_as_it_is(on_cpu, on_gpu):
    model = small_model(**{f"{name}_dim": size for name, size in HFFConfig().dims.items()})
    with torch.inference_mode():
        expected = model(**clip_of(on_cpu, "mfcc-cnn", WORDS).batch(devices.CPU))
        with made_up_gpu() as gpu:
            clip = clip_of(on_gpu, "mfcc-cnn", WORDS)
            gpu.copies.update(dict.fromkeys(gpu.copies, 0))
            batch = clip.batch(GPU)
            assert gpu.copies == {"pinned": 1, "not pinned": 0}  # which modality is there; all else is there already
            found = on_made_up_gpu(model)(**batch)
            torch.testing.assert_close(found.probabilities.cpu(), expected.probabilities)


def test_what_is_kept_elsewhere_comes_back(on_cpu, on_gpu):
    """By the live view, and by what trains on features."""
    with made_up_gpu():
        features, there = encode_speech(on_gpu["mfcc-cnn"], WAVE, VOICED, STEPS)
        faces = encode_faces(on_gpu["vision"], FACES)
    expected = encode_speech(on_cpu["mfcc-cnn"], WAVE, VOICED, STEPS)
    torch.testing.assert_close((features, there), expected)
    torch.testing.assert_close(faces, encode_faces(on_cpu["vision"], FACES))


def test_batches_are_copied_from_pinned_memory(on_gpu, monkeypatch):
    monkeypatch.setattr("hff.pipeline.features.INPUTS_AT_ONCE", 5)
    with made_up_gpu() as gpu:
        encode_faces(on_gpu["vision"], FACES)
        assert gpu.copies == {"pinned": 3, "not pinned": 0}  # 12 faces, as bytes
        with torch.inference_mode():
            on_gpu["text"].features(["So good.", "Not yet."])
        assert gpu.copies["pinned"] == 6  # ids, mask, and whose they are


def test_what_is_left_on_the_cpu_is_found():
    with made_up_gpu():
        there = torch.ones(3, device="cuda")
        assert (there + 1).device.type == "cuda"
        assert (2 * there).cpu().tolist() == [2, 2, 2]
        with pytest.raises(RuntimeError, match="some on the CPU"):
            there + torch.ones(3)
        with pytest.raises(RuntimeError, match="numpy"):
            there.numpy()


def test_words_are_recognised_where_the_model_is(monkeypatch):
    """Of a clip, and of Live, whose recogniser is one for all sessions."""
    asked, answered = [], threading.Event()

    def recognise(wave, progress=None, voiced=None, device="cpu") -> Transcript:
        asked.append(device)
        return Transcript("", [], source="recognised")

    monkeypatch.setattr("hff.pipeline.recording.recognise", recognise)
    monkeypatch.setattr("hff.pipeline.recording.voiced_segments", lambda wave: VOICED)
    monkeypatch.setattr("hff.detectors.asr.transcribe", recognise)
    model = Analyzer.__new__(Analyzer)
    model.device = torch.device("cuda:1")
    model.read(audio=(SAMPLE_RATE, WAVE))
    live = Recogniser()
    live.ask(1, WAVE, lambda transcript: answered.set(), "cuda:1")
    assert answered.wait(60)
    live.close()
    assert asked == ["cuda:1", "cuda:1"]


@pytest.mark.parametrize(("kind", "share"), [(torch.float16, 0.01), (torch.bfloat16, 0.03)])  # 11 and 8 bits
def test_the_shipped_encoders_say_the_same_in_half_precision(monkeypatch, kind: torch.dtype, share: float):
    """As a GPU or a CPU's matrix units compute them: no number is too large, and none is lost."""
    monkeypatch.setattr(devices, "half_precision", lambda device: nullcontext())
    folder = weights.folder()
    built = vars(load_encoders(folder, devices.CPU, "whisper"))
    expected = clip_of(built | {"whisper": built["speech"]}, "whisper", WORDS)
    monkeypatch.setattr(devices, "half_precision", lambda device: torch.autocast("cpu", kind))
    found = clip_of(built | {"whisper": built["speech"]}, "whisper", WORDS)
    for name in ("speech", "text", "vision"):
        one, other = getattr(expected, name), getattr(found, name)
        assert not torch.equal(one, other)
        assert (one - other).abs().max() < share * one.abs().max(), name
