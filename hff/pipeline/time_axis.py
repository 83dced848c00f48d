"""What the model says along a clip: its figures and its attention maps on the time grid, as a ``Result`` has them."""

from __future__ import annotations

import numpy as np
from torch import Tensor

from hff.model.hff import FusionOutput
from hff.pipeline.features import ClipFeatures
from hff.pipeline.time_grid import step_times
from hff.result import Attention, Timeline


def timeline_of(output: FusionOutput, clip: ClipFeatures) -> Timeline:
    """The figures of the first clip of a batch on the time grid."""

    def row(values: Tensor) -> np.ndarray:
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
    if output.attention is None or output.attention_start is None:
        return None
    values = output.attention[0].float().cpu().numpy()
    first = int(output.attention_start[0])
    times = timeline.times[first : first + values.shape[2]]
    if len(times) < values.shape[2]:  # the short last block of a long clip
        kinds = values.shape[3] // values.shape[2]
        by_kind = values.reshape(*values.shape[:3], kinds, -1)[:, :, : len(times), :, : len(times)]
        values = by_kind.reshape(*by_kind.shape[:3], -1)
    return Attention(values, times)
