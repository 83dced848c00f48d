"""From inputs to a reading: ``hff.load()`` and ``Analyzer.analyze()``."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch

from hff import device as devices
from hff import recording, weights
from hff.clip import Clip, Encoders, encode, step_times
from hff.config import MODALITIES, SAMPLES, SPEECH_ENCODERS, HFFConfig
from hff.errors import HFFError, WeightsError
from hff.model import HFF, FusionOutput
from hff.recording import Recording
from hff.result import Attention, Result, Timeline, normalised_entropy
from hff.shapley import Subset, shapley_values, subsets
from hff.speech import SpeechEncoder
from hff.text import TextEncoder
from hff.vision import VisionEncoder
from hff.whisper import WhisperEncoder

VOICES = {"mfcc-cnn": SpeechEncoder, "whisper": WhisperEncoder}  # of each of ``SPEECH_ENCODERS``
SAMPLED_STEPS = SAMPLES * 240  # draws times steps at most, to bound memory: clips over two minutes get fewer draws


def load(device: str = "auto", weights: str | Path | None = None, speech_encoder: str | None = None) -> Analyzer:
    """The model with its trained weights, ready to analyse.

    device: "auto", "cpu", "cuda", "mps". weights: a folder, by default the one shipped. speech_encoder: one of
    ``hff.config.SPEECH_ENCODERS``, by default the paper's, "mfcc-cnn".
    Raises ``DeviceError``, ``WeightsError`` or ``DependencyError``.
    """
    return Analyzer(device, weights, speech_encoder or SPEECH_ENCODERS[0])


def load_encoders(folder: Path, device: torch.device, speech_encoder: str = SPEECH_ENCODERS[0]) -> Encoders:
    """The three encoders from a folder of weights."""
    built = {}
    for name, kind in (("speech", VOICES[speech_encoder]), ("text", TextEncoder), ("vision", VisionEncoder)):
        state, config = weights.load(weights.part_path(folder, name, speech_encoder))
        encoder = kind(len(config["labels"]))
        # The text file holds only what fine-tuning changed; the rest comes from the BERT package.
        weights.fill(encoder, state, name, partial=name == "text")
        built[name] = encoder.to(device).eval()
    return Encoders(**built)


class Analyzer:
    """The trained model. One instance serves many threads: nothing in it changes after loading."""

    def __init__(
        self, device: str = "auto", folder: str | Path | None = None, speech_encoder: str = SPEECH_ENCODERS[0]
    ) -> None:
        self.device = devices.choose(device)
        self.folder = weights.folder(folder)
        weights.check(self.folder, speech_encoder)
        self.encoders = load_encoders(self.folder, self.device, speech_encoder)
        state, config = weights.load(weights.part_path(self.folder, "fusion", speech_encoder))
        try:
            self.config = HFFConfig.from_dict(config)
        except (TypeError, ValueError) as error:
            raise WeightsError(f"The fusion weights in {self.folder} are of another version: {error}") from error
        if self.config.speech_encoder != speech_encoder:
            raise WeightsError(
                f"The fusion weights in {self.folder} were trained on the speech encoder {self.config.speech_encoder}, "
                f"not {speech_encoder}."
            )
        self.model = HFF(self.config)
        weights.fill(self.model, state, "fusion")
        self.model.to(self.device).eval()

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
        progress: Callable[[float, str], None] | None = None,
    ) -> Result:
        """Read the emotion of one clip, from any of the inputs together or alone.

        video: path, or frames (N,H,W,3) uint8 RGB at 25 a second, or (fps, frames).
        audio: path (a video's sound too), or (sample_rate, array of (N,) or (N,channels)).
        image: path, or (H,W,3) or (H,W) uint8.
        text: typed words; they replace the transcript.
        transcribe: whether words are recognised from the voice when no text is given (English).
        detect_faces: False where the pictures already are face crops.
        samples: Monte Carlo draws for the spread (fewer for clips over two minutes); 0 takes the mean.
        seed: of those draws.
        progress: called with (fraction done, what is being done).

        Raises ``InputError`` for what cannot be read, ``NothingToAnalyse`` when no modality is found.
        """
        material = self.read(
            video, audio, image, text, transcribe=transcribe, detect_faces=detect_faces, progress=progress
        )
        return self.analyze_recording(material, samples=samples, seed=seed, progress=progress)

    def read(self, video=None, audio=None, image=None, text: str | None = None, **options) -> Recording:
        """The first half of ``analyze``: inputs -> raw material; ``options`` as in ``hff.recording.read``."""
        return recording.read(video, audio, image, text, **options)

    def analyze_recording(
        self, material: Recording, *, samples: int = SAMPLES, seed: int = 0,
        progress: Callable[[float, str], None] | None = None,
    ) -> Result:  # fmt: skip
        """The second half of ``analyze``: raw material that was read before -> a reading."""
        progress = progress or (lambda fraction, message: None)
        progress(0.86, "Computing the features")
        begun = time.perf_counter()
        clip = self.encode(material)
        encoded = time.perf_counter()
        progress(0.95, "Fusing voice, words and face")
        result = self.read_clip(clip, material, samples=samples, seed=seed)
        timings = {"encode": encoded - begun, "fuse": time.perf_counter() - encoded}
        result.timings = material.timings | timings
        progress(1.0, "Done")
        return result

    def encode(self, material: Recording) -> Clip:
        """Raw material -> features on the time grid."""
        return encode(
            self.encoders, material.steps, wave=material.wave, voiced=material.voiced,
            transcript=material.transcript, faces=material.faces, still=material.still,
        )  # fmt: skip

    @torch.inference_mode()
    def fuse(self, clip: Clip, keep: Subset = frozenset(MODALITIES), *, samples: int = SAMPLES, seed: int = 0,
             alpha: torch.Tensor | None = None, with_attention: bool = True) -> FusionOutput:  # fmt: skip
        """Run the fusion with only the modalities in ``keep`` present; ``alpha`` (1,T,M) replaces the model's own."""
        batch = clip.batch(self.device)
        batch["present"] = batch["present"] & torch.tensor([m in keep for m in MODALITIES], device=self.device)
        samples = min(samples, max(2, SAMPLED_STEPS // clip.steps))
        generator = torch.Generator().manual_seed(seed)
        alpha = alpha if alpha is None else alpha.to(self.device)
        return self.model(**batch, samples=samples, generator=generator, alpha=alpha, with_attention=with_attention)

    def read_clip(self, clip: Clip, material: Recording, *, samples: int = SAMPLES, seed: int = 0,
                  alpha: torch.Tensor | None = None) -> Result:  # fmt: skip
        """Features -> the full reading, with every subset of the present modalities."""
        labels = self.config.labels
        settings = {"samples": samples, "seed": seed, "alpha": alpha}
        output = self.fuse(clip, **settings)
        probabilities = output.probabilities[0].cpu().numpy()
        if not np.isfinite(probabilities).all():
            raise HFFError("The model gave no finite answer for this clip; please report it with the clip's format.")
        present = {m: bool(clip.present[:, i].any()) for i, m in enumerate(MODALITIES)}
        there = [m for m in MODALITIES if present[m]]
        by_subset: dict[Subset, np.ndarray] = {frozenset(): np.full(len(labels), 1 / len(labels))}
        for subset in subsets(there)[1:]:
            whole = len(subset) == len(there)
            by_subset[subset] = probabilities if whole else self._alone(clip, subset, settings)
        top = int(probabilities.argmax())
        shares = shapley_values(there, lambda subset: float(by_subset[subset][top]))
        timeline = timeline_of(output, clip)

        def named(values: np.ndarray) -> dict[str, float]:
            return {label: float(p) for label, p in zip(labels, values, strict=True)}

        return Result(
            emotion=labels[top],
            probabilities=named(probabilities),
            spread=named(output.logits[:, 0].float().softmax(-1).std(0, correction=0).cpu().numpy()),
            entropy=normalised_entropy(probabilities),
            alpha=timeline.mean_alpha,
            alone_seconds=timeline.alone_seconds,
            variance=timeline.mean_present(timeline.variance),
            aleatoric=timeline.mean_present(timeline.aleatoric),
            epistemic=timeline.mean_present(timeline.epistemic),
            present=present,
            timeline=timeline,
            attention=attention_of(output, timeline),
            per_modality={m: named(by_subset[frozenset({m})]) if present[m] else None for m in MODALITIES},
            subsets={"+".join(m for m in MODALITIES if m in s): named(p) for s, p in by_subset.items() if s},
            shapley={m: shares.get(m) for m in MODALITIES},
            transcript=material.transcript,
            seconds=round(material.seconds, 3),
            warnings=list(material.warnings),
            timings={},
            evidence=material.evidence(),
            speech_encoder=self.config.speech_encoder,
        )

    def _alone(self, clip: Clip, subset: Subset, settings: dict) -> np.ndarray:
        output = self.fuse(clip, subset, **settings, with_attention=False)
        return output.probabilities[0].cpu().numpy()


def timeline_of(output: FusionOutput, clip: Clip) -> Timeline:
    """The figures of the first clip of a batch on the time grid."""

    def row(values: torch.Tensor) -> np.ndarray:
        return values[0].float().cpu().numpy()

    return Timeline(
        times=step_times(clip.steps),
        present=clip.present.numpy(),
        alpha0=row(output.alpha0),
        precision=row(output.precision),
        alpha=row(output.alpha),
        aleatoric=row(output.aleatoric),
        epistemic=row(output.epistemic),
        beta=row(output.beta),
        probabilities=output.step_logits[:, 0].float().softmax(-1).mean(0).cpu().numpy(),
    )


def attention_of(output: FusionOutput, timeline: Timeline) -> Attention | None:
    """The maps of the first clip of a batch; None where the config has attention switched off."""
    if output.attention is None:
        return None
    values = output.attention[0].float().cpu().numpy()
    first = int(output.attention_start[0])
    times = timeline.times[first : first + values.shape[2]]
    if len(times) < values.shape[2]:  # the short last block of a long clip
        kinds = values.shape[3] // values.shape[2]
        by_kind = values.reshape(*values.shape[:3], kinds, -1)[:, :, : len(times), :, : len(times)]
        values = by_kind.reshape(*by_kind.shape[:3], -1)
    return Attention(values, times)
