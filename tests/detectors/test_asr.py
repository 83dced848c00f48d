"""Words from a synthetic voice, and none from silence and noise."""

from __future__ import annotations

import logging
import re
import socket
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace

import faster_whisper
import numpy as np
import pytest
import torch

from hff.config import SAMPLE_RATE
from hff.detectors import asr
from hff.detectors.asr import believed, shortened, transcribe
from hff.detectors.vad import voiced_segments
from hff.result import Word
from tests.support.media_fixtures import SENTENCE

SPOKEN = re.findall(r"[a-z]+", SENTENCE.lower())


def heard(words) -> list[str]:
    return [re.sub(r"[^a-z]", "", word.text.lower()) for word in words]


def wrong_words(found: list[str], said: list[str]) -> int:
    """Edit distance in words."""
    row = list(range(len(said) + 1))
    for i, word in enumerate(found, start=1):
        last, row[0] = row[0], i
        for j, other in enumerate(said, start=1):
            last, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, last + (word != other))
    return row[-1]


@pytest.fixture(scope="module")
def recognised(speech_wave):
    return transcribe(speech_wave)


def test_the_sentence_is_recognised(recognised):
    assert recognised.source == "recognised"
    assert wrong_words(heard(recognised.words), SPOKEN) <= 2
    assert recognised.text == " ".join(word.text for word in recognised.words)


def test_words_have_times_in_order_and_probabilities(recognised, speech_wave):
    length = len(speech_wave) / SAMPLE_RATE
    for word in recognised.words:
        assert 0 <= word.start <= word.end <= length + 0.1
        assert 0 <= word.probability <= 1
        assert word.text == word.text.strip()
    starts = [word.start for word in recognised.words]
    assert starts == sorted(starts)
    assert isinstance(starts[0], float)  # not NumPy's, for JSON


def test_times_count_from_the_start_of_the_wave(recognised, speech_wave):
    later = transcribe(np.concatenate([np.zeros(5 * SAMPLE_RATE, np.float32), speech_wave]))
    assert wrong_words(heard(later.words), heard(recognised.words)) <= 2
    happy = [
        next(w.start for w, h in zip(t.words, heard(t.words), strict=True) if h == "happy") for t in (recognised, later)
    ]
    assert happy[1] - happy[0] == pytest.approx(5, abs=0.4)


def test_the_encoder_is_given_no_more_silence_than_it_needs(speech_wave, recognised):
    sound = np.ones((80, 3000), np.float32)
    for seconds, given in ((0, 2000), (4, 2000), (8, 2000), (9.99, 2200), (25, 3000), (30, 3000)):
        padded = sound * (np.arange(3000) < 100 * seconds)
        short = shortened(padded)
        assert short.shape == (80, given)
        np.testing.assert_array_equal(short, padded[:, :given])
    given: list[np.ndarray] = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(asr, "shortened", lambda features: given.append(shortened(features)) or features)
        whole = transcribe(speech_wave)
    assert given[0].shape[-1] < 3000
    assert wrong_words(heard(whole.words), heard(recognised.words)) <= 1


def test_long_sound_is_recognised_in_blocks(speech_wave, monkeypatch):
    monkeypatch.setattr("hff.detectors.asr.ASR_BLOCK_SECONDS", 7.0)
    pause = np.zeros(2 * SAMPLE_RATE, np.float32)
    wave = np.concatenate([speech_wave, pause] * 3)
    told = []
    found = transcribe(wave, progress=lambda share, seconds: told.append((share, seconds)))
    assert wrong_words(heard(found.words), SPOKEN * 3) <= 5
    starts = [word.start for word in found.words]
    assert starts == sorted(starts)
    period = (len(speech_wave) + len(pause)) / SAMPLE_RATE
    assert starts[-1] > 2 * period
    shares = [share for share, _ in told]
    assert shares == sorted(shares)
    assert 0.5 < shares[-1] <= 1
    assert told[-1][1] <= len(wave) / SAMPLE_RATE


def test_a_voice_that_was_found_is_not_looked_for_again(speech_wave, recognised, monkeypatch):
    voiced = voiced_segments(speech_wave)
    monkeypatch.setattr(asr, "voiced_segments", None)
    assert transcribe(speech_wave, voiced=voiced).text == recognised.text
    assert transcribe(speech_wave, voiced=[]).words == []


@pytest.mark.parametrize("kind", ["silence", "nothing", "ten samples", "hiss", "hum"])
def test_no_words_are_made_up(kind):
    rng = np.random.default_rng(0)
    size = {"nothing": 0, "ten samples": 10}.get(kind, 5 * SAMPLE_RATE)
    wave = np.zeros(size, np.float32)
    if kind == "hiss":
        wave = (0.05 * rng.standard_normal(size)).astype(np.float32)
    if kind == "hum":
        wave = (0.3 * np.sin(2 * np.pi * 100 * np.arange(size) / SAMPLE_RATE)).astype(np.float32)
    found = transcribe(wave)
    assert (found.text, found.words, found.source) == ("", [], "recognised")


@pytest.mark.parametrize(("ratio", "seconds", "words"), [(9.0, 4.0, 12), (2.0, 1.0, 12), (9.0, 1.0, 0)])
def test_what_whisper_repeats_is_not_believed(monkeypatch, ratio: float, seconds: float, words: int):
    """A chant is: it takes its time."""
    starts = np.arange(12) * seconds / 12
    said = [faster_whisper.transcribe.Word(start, start + seconds / 12, " ah", 0.97) for start in starts]
    segment = SimpleNamespace(words=said, start=0.0, end=seconds, compression_ratio=ratio)
    model = SimpleNamespace(transcribe=lambda *_, **__: ([segment], None))
    monkeypatch.setattr(asr, "recogniser", lambda device: model)
    assert len(transcribe(np.zeros(SAMPLE_RATE, np.float32), voiced=[(0.0, 1.0)]).words) == words


def test_no_network_is_asked(monkeypatch, speech_wave, recognised):
    def refuse(*_):
        raise AssertionError("the network was asked")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    asr.load_recogniser.cache_clear()
    try:
        assert transcribe(speech_wave).text == recognised.text
    finally:
        asr.load_recogniser.cache_clear()


def test_several_threads_share_the_model(speech_wave, recognised):
    with ThreadPoolExecutor(3) as pool:
        found = list(pool.map(transcribe, [speech_wave] * 3))
    assert [result.text for result in found] == [recognised.text] * 3


def test_a_callback_that_stops_the_work_frees_the_model(speech_wave, recognised):
    def stop(*_):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        transcribe(speech_wave, progress=stop)
    assert transcribe(speech_wave).text == recognised.text


def words(*said: tuple[str, float, float]) -> list[Word]:
    """Words one after the other, from (text, seconds, probability)."""
    made, at = [], 0.0
    for text, seconds, probability in said:
        made.append(Word(text, at, at + seconds, probability))
        at += seconds
    return made


REAL = (("I", 0.2, 0.9), ("am", 0.2, 0.95), ("so", 0.3, 0.9), ("tired.", 0.4, 0.8))


@pytest.mark.parametrize(
    "added",
    [
        (("Thank", 0.02, 0.02), ("you.", 0.02, 0.02)),
        (("Thank", 0.3, 0.02), ("you.", 0.2, 0.3)),
        (("Thank", 0.02, 0.3), ("you.", 0.02, 0.4)),
        (("Bye", 0.2, 0.1),),
        (("\0", 0.2, 0.9),),
        (("you", 0.0, 0.4),),
    ],
)
def test_an_ending_that_was_not_said_goes_by_its_own_probability(added):
    """The mean over the whole segment is high: it would have stayed."""
    said = words(*REAL, *added)
    assert believed(said) == said[:4]


def test_what_was_said_stays():
    for said in (words(*REAL), words(("Thank", 0.2, 0.9), ("you.", 0.02, 0.9)), words(("No!", 0.3, 0.16)), []):
        assert believed(said) == said
    mumbled = words(("I", 0.2, 0.9), ("hate", 0.3, 0.2), ("Giovanni.", 0.5, 0.3))
    assert believed(mumbled) == mumbled


class NoWhisper:
    """Stands in for faster-whisper's model: notes how it is loaded; its GPU fails as it is told to."""

    loaded: list[dict]
    fault: dict[str, Exception]

    def __init__(self, folder: str, **options) -> None:
        self.loaded.append(options)
        self.device = options["device"]
        self._fail("load")

    def feature_extractor(self, wave: np.ndarray) -> np.ndarray:
        return np.zeros((80, len(wave) // 160), np.float32)

    def encode(self, features: np.ndarray) -> None:
        self._fail("encode")

    def _fail(self, stage: str) -> None:
        if self.device == "cuda" and stage in self.fault:
            raise self.fault[stage]


@pytest.fixture
def whisper(monkeypatch):
    monkeypatch.setattr(NoWhisper, "loaded", [], raising=False)
    monkeypatch.setattr(NoWhisper, "fault", {}, raising=False)
    monkeypatch.setattr(faster_whisper, "WhisperModel", NoWhisper)
    asr.load_recogniser.cache_clear()
    yield NoWhisper
    asr.load_recogniser.cache_clear()


@pytest.mark.parametrize(
    ("device", "kind", "number", "precision"),
    [
        ("cuda", "cuda", 0, "float16"),
        ("cuda:1", "cuda", 1, "float16"),
        ("cpu", "cpu", None, "int8"),
        ("mps", "cpu", None, "int8"),
    ],
)
def test_words_are_recognised_on_the_models_device(whisper, device, kind, number, precision):
    model = asr.recogniser(device)
    assert asr.recogniser(device) is model
    (options,) = whisper.loaded
    assert (options["device"], options.get("device_index"), options["compute_type"]) == (kind, number, precision)
    assert options["local_files_only"]


@pytest.mark.parametrize(("torchs", "own"), [(1, 1), (3, 3), (16, 4)])
def test_it_takes_no_more_threads_than_pytorch(whisper, monkeypatch, torchs: int, own: int):
    monkeypatch.setattr(torch, "get_num_threads", lambda: torchs)
    asr.recogniser("cpu")
    assert whisper.loaded[0]["cpu_threads"] == own


@pytest.mark.parametrize(
    ("stage", "fault"),
    [
        ("load", ValueError("Requested float16 compute type, but the target device does not support it.")),
        ("load", RuntimeError("CUDA driver version is insufficient for CUDA runtime version")),
        ("encode", RuntimeError("Library libcublas.so.12 is not found or cannot be loaded")),
    ],
)
def test_a_gpu_that_cannot_be_used_is_told_once_and_the_cpu_taken(whisper, caplog, stage, fault):
    whisper.fault[stage] = fault
    with caplog.at_level(logging.WARNING, logger="hff"):
        model = asr.recogniser("cuda")
        assert asr.recogniser("cuda") is model
    assert model.device == "cpu"
    assert asr.recogniser("cpu") is model  # one model, not two
    assert [options["device"] for options in whisper.loaded] == ["cuda", "cpu"]
    (said,) = [record.getMessage() for record in caplog.records]
    assert said.startswith("Words are recognised on the CPU: the recogniser cannot use cuda (")
    assert str(fault).rstrip(".") in said
