"""Weights set by hand: how the model takes them, what a clip's alpha is then, and where they were not used as set."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from hff.config import MODALITIES
from hff.errors import InputError
from hff.locale import say
from hff.result import Timeline

if TYPE_CHECKING:  # the page is there before PyTorch is
    from torch import Tensor


@dataclass(frozen=True)
class HandUse:
    """Where weights set by hand could not be used as set."""

    absent: tuple[str, ...] = ()  # modalities that were given a weight and are nowhere in the clip
    shared_seconds: float = 0.0  # s in which some with a weight are absent, so that the others share it
    left_out_seconds: float = 0.0  # s that are not read, since nothing that has a weight is there


def given(weights: Sequence[float] | None, present: Tensor) -> Tensor | None:
    """Weights as the model takes them, (1,T,M), for presence (T,M). Raises ``InputError`` for nothing to read."""
    if weights is None:
        return None
    alpha = present.float().new_tensor(weights).expand(1, len(present), -1)
    if not (alpha * present).any():
        raise InputError(say("lab.absent"))
    return alpha


def clip_weights(weights: Sequence[float], timeline: Timeline) -> dict[str, float]:
    """A clip's alpha under weights set by hand, summing to 1: as set, over what is in the clip.

    Where what has a weight is nowhere there together, the weights are used as set at no moment: then the clip's mean.
    """
    set_here = np.asarray(weights, float) * timeline.present.any(0)
    whole = timeline.present[:, set_here > 0].all(1)
    if not whole.any():
        return timeline.mean_alpha
    return dict(zip(MODALITIES, (set_here / set_here.sum()).tolist(), strict=True))


def hand_use(weights: Sequence[float], timeline: Timeline) -> HandUse:
    """What has to be said about weights set by hand."""
    chosen, here = np.asarray(weights, float) > 0, timeline.present.any(0)
    heard = timeline.present[:, chosen & here]
    return HandUse(
        absent=tuple(m for m, lost in zip(MODALITIES, chosen & ~here, strict=True) if lost),
        shared_seconds=float((heard.any(1) & ~heard.all(1)).sum()) * timeline.step_seconds,
        left_out_seconds=float((timeline.present.any(1) & ~heard.any(1)).sum()) * timeline.step_seconds,
    )
