"""What a live session tells of the last seconds, and how much each step counts for "now"."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from hff.config import MODALITIES, STEP_SECONDS
from hff.result import Attention, FaceSeen, Timeline, Word

LIVE_WINDOW_SECONDS = 8.0  # s that a reading rests on
NOW_SECONDS = STEP_SECONDS  # s over which "alpha now" is a mean
LEAST_OF_STEP = 0.2  # s of a step that must have come in before it counts for "now": a voice is heard late


@dataclass
class LiveReading:
    """What the last seconds show. Times in s since the session began."""

    time: float  # until when anything has come in; the window's end
    looked: float | None  # when the newest picture that was looked at was taken; None without a camera
    heard: float | None  # until when sound was searched for a voice; None without a microphone
    start: float  # where the window begins
    emotion: str | None  # None while nobody is seen, heard or read
    probabilities: dict[str, float]
    spread: dict[str, float]  # standard deviation over the Monte Carlo draws
    alpha: dict[str, float]  # now: the mean over the last ``NOW_SECONDS``; 0 where absent
    aleatoric: dict[str, float | None]  # now; None where absent
    epistemic: dict[str, float | None]
    timeline: Timeline | None  # of the window; times from ``start``
    attention: Attention | None
    words: list[Word]  # times in s since the session began
    typed: str
    face: FaceSeen | None  # the newest
    frame_shape: tuple[int, int] | None  # height, width of the newest frame
    paused: tuple[str, ...]  # modalities whose figures are held through a pause of speech
    notes: tuple[str, ...]  # what is missing: "no_camera", "dark", "no_face", "no_microphone", "silent", "no_voice"

    @property
    def variance(self) -> dict[str, float | None]:
        """sigma^2 now, aleatoric plus epistemic."""
        parts = ((m, self.aleatoric[m], self.epistemic[m]) for m in MODALITIES)
        return {m: None if a is None or e is None else a + e for m, a, e in parts}


def now_weights(seconds: float, steps: int) -> np.ndarray:
    """(T,) how much each step counts for "now": its share of the ``NOW_SECONDS`` that end at ``seconds``."""
    begin = np.arange(steps) * STEP_SECONDS
    into_step = seconds % STEP_SECONDS
    if into_step < LEAST_OF_STEP and seconds > STEP_SECONDS:
        seconds -= into_step
    shared = np.minimum(begin + STEP_SECONDS, seconds) - np.maximum(begin, seconds - NOW_SECONDS)
    weights = np.clip(shared, 0, None)
    return weights / weights.sum() if weights.sum() else np.eye(steps)[-1]


def alpha_now(timeline: Timeline, now: np.ndarray) -> dict[str, float]:
    """Each modality's alpha over the steps, weighted by ``now`` (T,); they add up to 1 where anything is there."""
    mean = now @ timeline.alpha
    total = float(mean.sum())
    return {m: float(mean[i]) / total if total else 0.0 for i, m in enumerate(MODALITIES)}


def mean_now(timeline: Timeline, values: np.ndarray, now: np.ndarray) -> dict[str, float | None]:
    """Each modality's mean of ``values`` (T,M) over the steps in which it is present, weighted by ``now`` (T,)."""
    weights = now[:, None] * timeline.present
    total = weights.sum(0)
    return {m: float(weights[:, i] @ values[:, i] / total[i]) if total[i] else None for i, m in enumerate(MODALITIES)}
