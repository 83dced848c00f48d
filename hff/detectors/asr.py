"""Words from a voice: Whisper tiny.en through faster-whisper, without a network; on a GPU in float16, if there is one.

The model knows English only: speech in another language comes out as English-sounding nonsense, so a typed
text should then be given instead. It has 39 million parameters and errs on noisy or emotional speech.
Radford et al., "Robust Speech Recognition via Large-Scale Weak Supervision", arXiv 2212.04356.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Generator
from contextlib import closing
from functools import cache
from typing import TYPE_CHECKING

import numpy as np

from hff import pretrained
from hff.cancel import checkpoint, out_of_time
from hff.clean_text import clean
from hff.config import SAMPLE_RATE
from hff.detectors.vad import THRESHOLD, Segments, voiced_segments
from hff.locale import say
from hff.result import Transcript, Word

if TYPE_CHECKING:
    from faster_whisper import WhisperModel
    from faster_whisper.transcribe import Segment

log = logging.getLogger(__name__)
ASR_BLOCK_SECONDS = 120.0  # s of sound prepared at once, about half a second of work
LEAST_CERTAIN = 0.15  # probability of a word, or geometric mean of a sentence's, below which it was not said
LEAST_SECONDS = 0.04  # a word as short as this was not said either ...
CERTAIN_ANYWAY = 0.5  # ... unless it is at least this probable
MOST_REPETITIVE = 2.4  # times that zlib makes a text shorter, Whisper's own mark of a failure; such a one ...
FASTEST = 7.0  # words/s ... was not said if it has more than anybody says: then Whisper repeats itself
# Whisper is made for windows of 30 s, whose attention is most of the work: 20 s take a quarter of the time and give as
# many right words, if silence follows what is said; without it words are said again and again.
LEAST_FRAMES = 2000  # of 10 ms, given to the encoder
SILENT_FRAMES = 1200  # of 10 ms, kept after the last sound

_lock = threading.Lock()  # one step of a recognition at a time: the model uses all cores anyway
_loading = threading.Lock()


def recogniser(device: str = "cpu") -> WhisperModel:
    """The model on a device, loaded once (0.5 s) by whoever asks first."""
    with _loading:
        return load_recogniser(device if device.startswith("cuda") else "cpu")


@cache
def load_recogniser(device: str) -> WhisperModel:
    """On "cuda", "cuda:1" ... in float16; else, or with a warning if that GPU cannot be used, on the CPU in int8.

    CTranslate2 looks for NVIDIA's libraries by itself, not for those that PyTorch brings, and only when it computes: so
    a second of silence is encoded here. Raises ``WeightsError`` where its files are not whole.
    """
    import torch

    folder = str(pretrained.whisper_folder())
    kind, _, number = device.partition(":")
    if kind == "cuda":
        try:
            model = _interruptible()(
                folder, device=kind, device_index=int(number or 0), compute_type="float16", local_files_only=True
            )
            model.encode(model.feature_extractor(np.zeros(SAMPLE_RATE, np.float32)))
            return model
        except (RuntimeError, ValueError) as error:
            log.warning("%s", say("asr.no_gpu", device=device, error=str(error).rstrip(".")))
        return load_recogniser("cpu")
    return _interruptible()(
        folder,
        device="cpu",
        compute_type="int8",
        cpu_threads=min(4, torch.get_num_threads()),  # it sets the number for what PyTorch does in that thread, too
        local_files_only=True,
    )


def _interruptible() -> type[WhisperModel]:
    """The recogniser with a checkpoint before each of its steps.

    A window of 30 s takes three steps of about a second; windows without words go by without giving a segment. The
    lock is held for one step only, so that a long recognition that waits for its turn holds up nobody.
    """
    from faster_whisper import WhisperModel

    class Interruptible(WhisperModel):
        def encode(self, features, *arguments, **options):
            return self._step(super().encode, (shortened(features), *arguments), options)

        def generate_with_fallback(self, *arguments, **options):
            return self._step(super().generate_with_fallback, arguments, options)

        def add_word_timestamps(self, *arguments, **options):
            return self._step(super().add_word_timestamps, arguments, options)

        @staticmethod
        def _step(work, arguments, options):
            checkpoint()
            with _lock:
                return work(*arguments, **options)

    return Interruptible


def shortened(features: np.ndarray) -> np.ndarray:
    """(..., 80, frames), padded with zeros to 30 s -> less of the padding, see ``LEAST_FRAMES``."""
    sounding = np.flatnonzero(features.any(axis=tuple(range(features.ndim - 1))))
    end = int(sounding[-1]) + 1 if len(sounding) else 0
    return np.ascontiguousarray(features[..., : max(LEAST_FRAMES, end + end % 2 + SILENT_FRAMES)])


def transcribe(
    wave: np.ndarray,
    progress: Callable[[float, float], None] | None = None,
    voiced: Segments | None = None,
    device: str = "cpu",
) -> Transcript:
    """The English words said in ``wave`` (samples,) float32 at 16 kHz, with their times in s.

    Silence and noise give an empty transcript. ``progress`` is called with (share done, seconds done). What was
    recognised when the budget in force is used up (``hff.cancel``) is the answer.
    ``voiced``: where a voice is, if ``voiced_segments`` has told already. ``device``: as for ``load_recogniser``.
    """
    length = len(wave) / SAMPLE_RATE
    words: list[Word] = []
    for start, end in _blocks(voiced_segments(wave) if voiced is None else voiced):
        block = wave[int(start * SAMPLE_RATE) : int(end * SAMPLE_RATE)]
        if out_of_time():
            break
        with closing(_recognise(np.ascontiguousarray(block, np.float32), device)) as segments:
            for said, until in segments:
                words += [Word(word.text, word.start + start, word.end + start, word.probability) for word in said]
                if progress:
                    done = min(start + until, length)
                    progress(done / length, done)
                if out_of_time():
                    break
    return Transcript(" ".join(word.text for word in words), words, source="recognised")


def _blocks(voiced: Segments) -> Segments:
    """Stretches of at most ``ASR_BLOCK_SECONDS``, cut in silence where there is any; memory grows with them."""
    blocks: Segments = []
    for start, end in voiced:
        if blocks and end - blocks[-1][0] <= ASR_BLOCK_SECONDS:
            blocks[-1] = blocks[-1][0], end
            continue
        while end - start > ASR_BLOCK_SECONDS:
            blocks.append((start, start + ASR_BLOCK_SECONDS))
            start += ASR_BLOCK_SECONDS
        blocks.append((start, end))
    return blocks


def _recognise(wave: np.ndarray, device: str) -> Generator[tuple[list[Word], float], None, None]:
    """(words, how far it is in s) for each segment of the wave, in order."""
    segments, _ = recogniser(device).transcribe(
        wave,
        language="en",
        beam_size=1,  # more beams give the same words on acted speech and cost more
        temperature=0.0,
        condition_on_previous_text=False,
        word_timestamps=True,
        vad_filter=True,
        vad_parameters={"threshold": THRESHOLD, "min_silence_duration_ms": 500, "speech_pad_ms": 200},
    )
    for segment in segments:  # the work is done as this goes on
        if _repeats_itself(segment):
            yield [], float(segment.end)
            continue
        said = [
            Word(clean(word.word), float(word.start), float(word.end), float(word.probability))
            for word in segment.words or []
        ]
        yield believed(said), float(segment.end)


def _repeats_itself(segment: Segment) -> bool:
    fast = len(segment.words or []) > FASTEST * (segment.end - segment.start)
    return fast and segment.compression_ratio > MOST_REPETITIVE


def believed(words: list[Word]) -> list[Word]:
    """The words that were probably said: Whisper likes to end with a "Thank you." of its own.

    Each word is judged by itself, and each sentence: one that was added whole may have a likely word in it.
    """
    kept: list[Word] = []
    sentence: list[Word] = []
    for number, word in enumerate(words, start=1):
        sentence.append(word)
        if number == len(words) or word.text[-1:] in (".", "!", "?"):
            logs = [np.log(max(w.probability, 1e-6)) for w in sentence]
            if np.exp(np.mean(logs)) >= LEAST_CERTAIN:
                kept += filter(_is_believable, sentence)
            sentence = []
    return kept


def _is_believable(word: Word) -> bool:
    if not clean(word.text) or word.probability < LEAST_CERTAIN:
        return False
    return word.end - word.start >= LEAST_SECONDS or word.probability >= CERTAIN_ANYWAY
