"""Pauses of speech: the weight of a voice, and of its words, is held for a moment before they are absent."""

from __future__ import annotations

from dataclasses import dataclass, replace

from hff import modalities
from hff.config import MODALITIES
from hff.live.reading import LiveReading

HELD_SECONDS = 1.0  # s that the weight of what somebody says is held when they pause, before it is absent


@dataclass
class _Held:
    """A modality's figures when it was last there, ``time`` s after the session began."""

    time: float
    alpha: float
    aleatoric: float | None
    epistemic: float | None


class Pauses:
    """What each modality weighed when it was last there, for one session."""

    def __init__(self) -> None:
        self._known: dict[str, _Held] = {}

    def through(self, reading: LiveReading, here: set[str]) -> LiveReading:
        """Hold the weight of a voice, and of its words, through a pause of speech; the others share what is left.

        here: the modalities that are there all through "now".
        """
        known = self._known
        for m in here:
            known[m] = _Held(reading.time, reading.alpha[m], reading.aleatoric[m], reading.epistemic[m])
        if reading.heard is None:
            return reading
        held = {
            m: known[m]
            for m in MODALITIES
            if m not in here and m in known and modalities.of(m).pauses
            if 0 <= reading.time - known[m].time <= HELD_SECONDS
        }
        taken = sum(figures.alpha for figures in held.values())
        others = sum(reading.alpha[m] for m in MODALITIES if m not in held)
        scale = 1 / taken if taken > 1 or (taken and not others) else 1.0  # two may be held from different moments
        rest = (1 - scale * taken) / others if others else 0.0
        alpha = {m: scale * held[m].alpha if m in held else rest * reading.alpha[m] for m in MODALITIES}
        return replace(
            reading,
            alpha=alpha,
            aleatoric=reading.aleatoric | {m: figures.aleatoric for m, figures in held.items()},
            epistemic=reading.epistemic | {m: figures.epistemic for m, figures in held.items()},
            paused=tuple(held),
        )
