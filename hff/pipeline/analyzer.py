"""From inputs to a reading: ``hff.load()`` and ``Analyzer.analyze()``."""

from __future__ import annotations

import copy
import logging
import os
import threading
import time
from collections.abc import Iterable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import torch
from huggingface_hub import ModelHubMixin

from hff import device as devices
from hff import modalities, model_hub, weights
from hff.cancel import (
    Budget,
    Cancel,
    budget_in_force,
    current,
    current_budget,
    out_of_time,
    watching,
)
from hff.config import MODALITIES, SAMPLES, SPEECH_ENCODERS
from hff.errors import Cancelled, HFFError
from hff.locale import say
from hff.model.hff import FusionOutput, load_fusion
from hff.numbers import whole
from hff.pipeline import fusing, recording
from hff.pipeline.ahead import CLIPS_TOGETHER, OnShelf, ToRead, batches_ahead
from hff.pipeline.clip_work import ClipWork, attempt
from hff.pipeline.features import ClipFeatures, Encoders, encode, encode_clips
from hff.pipeline.file_kind import inputs_of
from hff.pipeline.fusing import check_draws
from hff.pipeline.recording import Progress, Recording
from hff.pipeline.shapley import Subset
from hff.result import Result

log = logging.getLogger(__name__)
MAX_CLIPS_TOGETHER = 256


def load(device: str = "auto", weights: str | Path | None = None, speech_encoder: str | None = None) -> Analyzer:
    """The model with its trained weights, ready to analyse.

    device: "auto", "cpu", "cuda", "mps". weights: a folder, by default the one shipped. speech_encoder: one of
    ``hff.config.SPEECH_ENCODERS``, by default ``hff.weights.preferred_speech_encoder``; "mfcc-cnn" is the paper's.
    Raises ``DeviceError``, ``WeightsError`` or ``DependencyError``.
    """
    return Analyzer(device, weights, speech_encoder)


def load_encoders(
    folder: Path, device: torch.device, speech_encoder: str = SPEECH_ENCODERS[0], names: Iterable[str] = MODALITIES
) -> Encoders:
    """The encoders of the modalities ``names`` from a folder of weights."""
    built = {}
    for name in names:
        record, path = modalities.of(name), weights.part_path(folder, name, speech_encoder)
        state, config = weights.load(path)
        build = partial(record.encoder(speech_encoder), len(weights.labels(config, path)))
        encoder = weights.filled(build, state, name).to(device).eval()
        built[name] = encoder.for_inference() if hasattr(encoder, "for_inference") else encoder
    return Encoders(**built)


class Analyzer(ModelHubMixin, library_name=model_hub.LIBRARY, tags=[*model_hub.TAGS]):
    """The trained model. One instance serves many threads: nothing in it changes after loading.

    ``save_pretrained`` and ``push_to_hub`` are those of huggingface_hub's ``ModelHubMixin``: the files of weights as
    they are, for all speech encoders, and their model card as README.md.
    """

    def __init__(
        self, device: str = "auto", folder: str | Path | None = None, speech_encoder: str | None = None
    ) -> None:
        self.device = devices.choose(device)
        self.folder = weights.folder(folder)
        self._others: dict[str, Analyzer] = {}  # by speech encoder, this one too
        self._loading = threading.Lock()
        self._load(speech_encoder or weights.preferred_speech_encoder(self.folder), Encoders())

    @classmethod
    def from_pretrained(
        cls,
        pretrained_model_name_or_path: str | Path,
        *,
        device: str = "auto",
        speech_encoder: str | None = None,
        **options: Any,
    ) -> Analyzer:
        """As ``hff.load``, of a folder of weights or of a repository on the Hugging Face Hub ("owner/name").

        options: revision, token and others of the Hub's, see ``hff.model_hub``; a folder is read without asking the
        Hub for anything. Raises ``DeviceError``, ``WeightsError`` or ``DependencyError``.
        """
        folder = model_hub.fetched_folder(pretrained_model_name_or_path, model_hub.ALL_PARTS, **options)
        return cls(device, folder, speech_encoder)

    def _save_pretrained(self, save_directory: Path) -> None:
        weights.copy(self.folder, save_directory)

    def _load(self, speech_encoder: str, shared: Encoders) -> None:
        """Read the fusion for a speech encoder, and all encoders that are not among those ``shared``."""
        weights.check(self.folder, speech_encoder)
        model = load_fusion(self.folder, speech_encoder)
        self.config = model.config
        # A modality that was registered after these weights were trained is absent from what they read.
        wanted = [name for name in self.config.dims if name not in vars(shared)]
        new = load_encoders(self.folder, self.device, speech_encoder, wanted)
        self.encoders = Encoders(**vars(shared), **vars(new))
        self.model = model.to(self.device)
        self._others[speech_encoder] = self

    def hearing_with(self, speech_encoder: str) -> Analyzer:
        """The same with another speech encoder and the fusion that was trained with it, loaded at the first need.

        The encoders of all other modalities are the very same objects. "" is its own. Raises ``WeightsError``.
        """
        if speech_encoder in ("", self.config.speech_encoder):
            return self
        with self._loading:
            if speech_encoder not in self._others:
                other = copy.copy(self)
                other._load(speech_encoder, Encoders(**{m: e for m, e in vars(self.encoders).items() if m != "speech"}))
            return self._others[speech_encoder]

    def analyze(
        self,
        video=None,
        audio=None,
        image=None,
        text: str | None = None,
        *,
        transcribe: bool = True,
        detect_faces: bool = True,
        samples: int = SAMPLES,
        seed: int = 0,
        progress: Progress | None = None,
        cancel: Cancel | None = None,
        budget: Budget | None = None,
    ) -> Result:
        """Read the emotion of one clip, from any of the inputs together or alone.

        A path may also be what ``hff.media.probe.probe`` found at it.

        video: path, or frames (N,H,W,3) uint8 RGB at 25 a second, or (fps, frames).
        audio: path (a video's sound too), or (sample_rate, array of (N,) or (N,channels)).
        image: path, or (H,W,3) or (H,W) uint8.
        text: typed words; they replace the transcript.
        transcribe: whether words are recognised from the voice when no text is given (English).
        detect_faces: False where the pictures already are face crops.
        samples: Monte Carlo draws for the spread (fewer for clips over two minutes); 0 takes the mean.
        seed: of those draws.
        progress: called with (fraction done, what is being done).
        cancel: set by another thread, it ends the work within two seconds with ``Cancelled``.
        budget: seconds of work for reading and encoding, by default ``hff.cancel.BUDGET_SECONDS``; when they are used
            up, a warning says so and the answer is to what was read until then.

        Raises ``InputError`` for what cannot be read, ``NothingToAnalyse`` when no modality is found, ``Cancelled``.
        """
        check_draws(samples, seed)
        with watching(cancel, budget or current_budget()):
            material = self.read(
                video, audio, image, text, transcribe=transcribe, detect_faces=detect_faces, progress=progress
            )
            return self.analyze_recording(material, samples=samples, seed=seed, progress=progress)

    def analyze_many(
        self,
        paths: Iterable[str | os.PathLike],
        *,
        batch: int = CLIPS_TOGETHER,
        samples: int = SAMPLES,
        seed: int = 0,
        progress: Progress | None = None,
        cancel: Cancel | None = None,
        budget: Budget | None = None,
        **options,
    ) -> Iterator[tuple[str | os.PathLike, Result | HFFError]]:
        """Read many clips in their order, each a file of any kind: (path, its reading or what was wrong with it).

        A generator. While it answers threads read the next clips, and those that are read already go through the
        encoders together, at most ``batch``; with 1, or with ``progress``, each is read when it is asked for. All else
        as in ``analyze``; without ``budget`` each clip has its own. For several processes, and a table that survives a
        kill, there is ``hff.corpus.run``.
        """
        told = options if progress is None else options | {"progress": progress}

        def read(path: str | os.PathLike) -> Recording:
            return self.read(**inputs_of(path), **told)

        clips = (ToRead(path, partial(read, path)) for path in paths)
        answers = self.analyze_ahead(
            clips,
            batch=batch if progress is None else 1,
            samples=samples,
            seed=seed,
            progress=progress,
            cancel=cancel,
            budget=budget,
        )
        for clip, found in answers:
            if isinstance(found, Exception) and not isinstance(found, HFFError):
                raise found
            yield clip.name, found

    def analyze_ahead(
        self,
        clips: Iterable[ToRead],
        *,
        batch: int = CLIPS_TOGETHER,
        samples: int = SAMPLES,
        seed: int = 0,
        progress: Progress | None = None,
        cancel: Cancel | None = None,
        budget: Budget | None = None,
    ) -> Iterator[tuple[ToRead, Result | Exception]]:
        """As ``analyze_many``, of clips that say themselves how they are read; whatever is wrong with one is told.

        Raises ``Cancelled``, and ``InputError`` for a number of clips or draws, or a seed, that there cannot be.
        """
        samples, seed = check_draws(samples, seed)
        most = whole(batch, "batch", 1, MAX_CLIPS_TOGETHER)
        cancel = cancel or current()
        for ready in batches_ahead(clips, most, cancel, budget or budget_in_force()):
            yield from self._answers(ready, samples, seed, progress, cancel)

    def _answers(
        self, clips: list[OnShelf], samples: int, seed: int, progress: Progress | None, cancel: Cancel | None
    ) -> Iterator[tuple[ToRead, Result | Exception]]:
        read = [attempt(one.material) for one in clips]
        if progress is not None:
            progress(0.86, say("progress.features"))
        with watching(cancel):
            encoded = self._encoded(
                {one.work: found for one, found in zip(clips, read, strict=True) if isinstance(found, Recording)}
            )
        for one, found in zip(clips, read, strict=True):
            if isinstance(found, Exception):
                yield one.clip, found
                continue
            features, seconds = encoded[one.work]
            if isinstance(features, Exception):
                yield one.clip, features
                continue
            yield one.clip, attempt(one.work.run, self._answer, features, found, seconds, samples, seed, progress)

    def _encoded(self, clips: dict[ClipWork, Recording]) -> dict[ClipWork, tuple[ClipFeatures | Exception, float]]:
        """The features of each, or what was wrong, and the seconds of work that they took."""
        before = {work: work.now() for work in clips}
        made: list[ClipFeatures | Exception] = []
        try:
            made += encode_clips(self.encoders, [(found.material, found.steps) for found in clips.values()], [*clips])
        except Cancelled:
            raise
        except Exception:  # one of them, or all at once are too much: only its own row may say so
            log.debug("encoding %d clips at once failed", len(clips), exc_info=True)
        if not made:
            made = [attempt(work.run, self.encode, found) for work, found in clips.items()]
        begun = time.perf_counter()
        devices.wait_for(self.device)
        waited = time.perf_counter() - begun
        for work in clips:
            work.charge(waited / len(clips))
        return {work: (one, work.now() - before[work]) for work, one in zip(clips, made, strict=True)}

    def read(self, video=None, audio=None, image=None, text: str | None = None, **options) -> Recording:
        """The first half of ``analyze``: inputs -> raw material; ``options`` as in ``hff.pipeline.recording.read``."""
        return recording.read(video, audio, image, text, **({"device": str(self.device)} | options))

    def analyze_recording(
        self,
        material: Recording,
        *,
        samples: int = SAMPLES,
        seed: int = 0,
        progress: Progress | None = None,
        cancel: Cancel | None = None,
        budget: Budget | None = None,
    ) -> Result:
        """The second half of ``analyze``: raw material that was read before -> a reading."""
        samples, seed = check_draws(samples, seed)
        with watching(cancel, budget or current_budget()):
            return self._analyze_recording(material, samples, seed, progress)

    def _analyze_recording(self, material: Recording, samples: int, seed: int, progress: Progress | None) -> Result:
        if progress is not None:
            progress(0.86, say("progress.features"))
        begun = time.perf_counter()
        clip = self.encode(material)
        devices.wait_for(self.device)
        return self._answer(clip, material, time.perf_counter() - begun, samples, seed, progress)

    def _answer(
        self,
        clip: ClipFeatures,
        material: Recording,
        encode_seconds: float,
        samples: int,
        seed: int,
        progress: Progress | None,
    ) -> Result:
        """The reading of features, with what its making took and whether the budget was used up before."""
        progress = progress or (lambda fraction, message: None)
        warnings = [current_budget().sentence] if out_of_time() else []
        begun = time.perf_counter()
        progress(0.95, say("progress.fusing"))
        result = self.infer_clip(clip, material, samples=samples, seed=seed)
        timings = {"encode": encode_seconds, "fuse": time.perf_counter() - begun}
        result.warnings += [warning for warning in warnings if warning not in result.warnings]
        result.timings = material.timings | timings
        progress(1.0, say("progress.done"))
        return result

    def encode(self, material: Recording) -> ClipFeatures:
        """Raw material -> features on the time grid."""
        return encode(
            self.encoders,
            material.steps,
            wave=material.wave,
            voiced=material.voiced,
            transcript=material.transcript,
            faces=material.faces,
            still=material.still,
            more=material.more,
        )

    def fuse(self, clip: ClipFeatures, keep: Subset | None = None, **settings) -> FusionOutput:
        """Run the fusion, as ``hff.pipeline.fusing.fuse``."""
        return fusing.fuse(self.model, clip, keep, **settings)

    def infer_clip(self, clip: ClipFeatures, material: Recording, **settings) -> Result:
        """Features -> the full reading, as ``hff.pipeline.fusing.read_features``."""
        return fusing.read_features(self.model, clip, material, **settings)
