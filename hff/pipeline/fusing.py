"""From features to a reading: the fusion of a clip, and of every subset of its modalities."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch

from hff.cancel import checkpoint
from hff.config import MODALITIES, SAMPLES
from hff.errors import HFFError
from hff.locale import say
from hff.model.hff import HFF, FusionOutput
from hff.numbers import whole
from hff.pipeline.features import ClipFeatures
from hff.pipeline.known_modalities import among_all, known_places
from hff.pipeline.recording import Recording
from hff.pipeline.shapley import Subset, shapley_values, subsets
from hff.pipeline.time_axis import attention_of, timeline_of
from hff.result import Result, normalised_entropy

MAX_DRAWS = 10_000  # more change nothing one could see
SAMPLED_STEPS = SAMPLES * 240  # draws times steps at most, to bound memory: clips over two minutes get fewer draws


@torch.inference_mode()
def fuse(
    model: HFF,
    clip: ClipFeatures,
    keep: Subset | None = None,
    *,
    samples: int = SAMPLES,
    seed: int = 0,
    alpha: torch.Tensor | None = None,
    with_attention: bool = True,
) -> FusionOutput:
    """Run the fusion with only the modalities in ``keep`` present (by default all).

    ``alpha`` (1,T,M) replaces the model's own. M counts all registered modalities, those too that the weights do
    not know.
    """
    output = _together(model, clip, [keep], samples, seed, alpha, with_attention)
    return among_all(output, known_places(model.config))


def read_features(
    model: HFF,
    clip: ClipFeatures,
    material: Recording,
    *,
    samples: int = SAMPLES,
    seed: int = 0,
    alpha: torch.Tensor | None = None,
) -> Result:
    """Features -> the full reading, with every subset of the present modalities."""
    labels = model.config.labels
    settings = {"samples": samples, "seed": seed, "alpha": alpha}
    output = fuse(model, clip, **settings)
    probabilities = output.probabilities[0].cpu().numpy()
    if not np.isfinite(probabilities).all():
        raise HFFError(say("model.no_answer"))
    present = {m: bool(clip.present[:, i].any()) for i, m in enumerate(MODALITIES)}
    there = [m for m in MODALITIES if present[m]]
    by_subset = _by_subset(model, clip, there, probabilities, settings)
    own = {m: _own(model, m, clip, by_subset[frozenset({m})], settings) for m in there}
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
        per_modality={m: named(own[m]) if present[m] else None for m in MODALITIES},
        subsets={"+".join(m for m in MODALITIES if m in s): named(p) for s, p in by_subset.items() if s},
        shapley={m: shares.get(m) for m in MODALITIES},
        transcript=material.transcript,
        seconds=round(material.seconds, 3),
        warnings=list(material.warnings),
        timings={},
        evidence=material.evidence(),
        speech_encoder=model.config.speech_encoder,
    )


def _by_subset(
    model: HFF, clip: ClipFeatures, there: list[str], of_all: np.ndarray, settings: dict[str, Any]
) -> dict[Subset, np.ndarray]:
    """Probabilities (C,) of every subset of the modalities that are there; ``of_all`` are those of all of them."""
    guess = np.full(len(of_all), 1 / len(of_all))
    found = dict.fromkeys(subsets(there), guess)  # of one in which nobody is asked, too
    if there:
        found[frozenset(there)] = of_all
    asked = [s for s in subsets(there)[1:-1] if _weighs(settings["alpha"], clip, s)]
    return found | dict(zip(asked, _of_subsets(model, clip, asked, settings), strict=True))


def _own(model: HFF, modality: str, clip: ClipFeatures, read: np.ndarray, settings: dict[str, Any]) -> np.ndarray:
    """What a modality says alone, whatever weight it was given by hand; ``read`` is what it says with that."""
    if _weighs(settings["alpha"], clip, frozenset({modality})):
        return read
    return _of_subsets(model, clip, [frozenset({modality})], settings | {"alpha": None})[0]


@torch.inference_mode()
def _of_subsets(model: HFF, clip: ClipFeatures, chosen: Sequence[Subset], settings: dict[str, Any]) -> list[np.ndarray]:
    """What a clip comes to with only a subset of its modalities, (C,) for each; of a short clip many at once."""
    at_once = max(1, SAMPLED_STEPS // max(1, clip.steps * draws(settings["samples"], clip.steps)))
    found: list[np.ndarray] = []
    for first in range(0, len(chosen), at_once):
        checkpoint()
        output = _together(model, clip, chosen[first : first + at_once], **settings, with_attention=False)
        found += [*output.probabilities.cpu().numpy()]
    return found


def draws(samples: int, steps: int) -> int:
    """Of the draws that are asked for, those that a clip of so many steps gets."""
    return min(samples, max(2, SAMPLED_STEPS // steps))


def _together(
    model: HFF,
    clip: ClipFeatures,
    kept: Sequence[Subset | None],
    samples: int,
    seed: int,
    alpha: torch.Tensor | None,
    with_attention: bool,
) -> FusionOutput:
    """A batch of one clip as often as there are subsets in ``kept``; the modalities are those the weights know."""
    device = next(model.parameters()).device
    batch, known = clip.batch(device), known_places(model.config)
    there = [[keep is None or m in keep for m in MODALITIES] for keep in kept]
    batch = {name: values.expand(len(kept), *values.shape[1:]) for name, values in batch.items()}
    batch["present"] = (batch["present"] & torch.tensor(there, device=device)[:, None])[..., known]
    generator = torch.Generator().manual_seed(seed)
    alpha = alpha if alpha is None else alpha[..., known].to(device)
    samples = draws(samples, clip.steps)
    return model(**batch, samples=samples, generator=generator, alpha=alpha, with_attention=with_attention)


def check_draws(samples: object, seed: object) -> tuple[int, int]:
    """Raises ``InputError`` for a number of draws, or a seed, that there cannot be."""
    return whole(samples, "samples", 0, MAX_DRAWS), whole(seed, "seed", 0, 2**63 - 1)


def _weighs(alpha: torch.Tensor | None, clip: ClipFeatures, subset: Subset) -> bool:
    """Whether weights set by hand, (1,T,M), leave anything of a subset to read."""
    if alpha is None:
        return True
    kept = torch.tensor([m in subset for m in MODALITIES])
    return bool((alpha[0].cpu() * clip.present * kept).any())
