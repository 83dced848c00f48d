"""What an analysis gives back: plain dataclasses of NumPy arrays, ready for JSON, CSV and drawing.

Axes are named as in the model: T steps of the common time grid, M = 3 modalities in the order of
``hff.config.MODALITIES``, C labels. A modality that is absent from the whole clip has ``None`` where a
figure about it would stand, and alpha exactly 0.
"""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from hff.config import MODALITIES, STEP_SECONDS
from hff.errors import DependencyError
from hff.locale import say


@dataclass
class Word:
    """One recognised word with its time in the clip, in seconds."""

    text: str
    start: float
    end: float
    probability: float


@dataclass
class Transcript:
    """The words of a clip. ``words`` is empty for text typed from the start, which belongs to every step."""

    text: str
    words: list[Word] = field(default_factory=list)
    source: str = "typed"  # or "recognised"


@dataclass
class FaceSeen:
    """The tracked face at one moment: box (left, top, right, bottom) in pixels of the frame."""

    time: float
    box: tuple[float, float, float, float]
    score: float
    crop: np.ndarray  # (48,48) uint8, the aligned grey face the vision encoder sees


@dataclass
class Evidence:
    """What the model was given, kept for the report; not part of ``to_dict``."""

    wave: np.ndarray | None = None  # (N,) float32, 16 kHz mono, as read
    voiced: list[tuple[float, float]] = field(default_factory=list)  # s, where a voice was found
    mel: np.ndarray | None = None  # (n_mels, frames) dB, equation (3) on a log scale
    mel_hop: float = 0.0  # s between mel frames
    faces: list[FaceSeen] = field(default_factory=list)


@dataclass
class Timeline:
    """The model's inner figures on the time grid."""

    times: np.ndarray  # (T,) s, the middle of each step
    present: np.ndarray  # (T,M) bool
    alpha0: np.ndarray  # (T,M) equation (17)
    precision: np.ndarray  # (T,M) equation (19); 0 where absent
    alpha: np.ndarray  # (T,M) the weights that multiply the features
    aleatoric: np.ndarray  # (T,M)
    epistemic: np.ndarray  # (T,M)
    beta: np.ndarray  # (T,) equation (28)
    probabilities: np.ndarray  # (T,C) what each step says, with those before it; the clip's answer weighs them by beta
    step_seconds: float = STEP_SECONDS

    @property
    def variance(self) -> np.ndarray:
        """sigma^2 (T,M), aleatoric plus epistemic; 0 where absent."""
        return self.aleatoric + self.epistemic

    @property
    def mean_alpha(self) -> dict[str, float]:
        """A clip's alpha, by modality (``clip_alpha``)."""
        return dict(zip(MODALITIES, clip_alpha(self.alpha, self.present, self.beta).tolist(), strict=True))

    @property
    def alone_seconds(self) -> dict[str, float]:
        """How long each modality was the only one, s."""
        only = self.present & (self.present.sum(1, keepdims=True) == 1)
        return dict(zip(MODALITIES, (only.sum(0) * self.step_seconds).tolist(), strict=True))

    def mean_present(self, values: np.ndarray) -> dict[str, float | None]:
        """Mean of ``values`` (T,M) over the steps at which each modality is present; None where it never is."""
        return {
            m: float(values[self.present[:, i], i].mean()) if self.present[:, i].any() else None
            for i, m in enumerate(MODALITIES)
        }

    @property
    def mean_precision(self) -> dict[str, float | None]:
        """A clip's w by modality: what equation (19) makes of its mean sigma^2, the harmonic mean over the same steps.

        None where a modality never is.
        """
        inverse = np.divide(1, self.precision, out=np.zeros_like(self.precision), where=self.present)
        return {m: mean and 1 / mean for m, mean in self.mean_present(inverse).items()}

    def rows(self, labels: tuple[str, ...]) -> list[dict[str, float | bool]]:
        """One flat dictionary per step, for CSV."""
        per_modality = {
            "present": self.present,
            "alpha0": self.alpha0,
            "precision": self.precision,
            "alpha": self.alpha,
            "aleatoric": self.aleatoric,
            "epistemic": self.epistemic,
            "variance": self.variance,
        }
        return [
            {"time": round(float(time), 3), "beta": float(self.beta[t])}
            | {
                f"{name}_{m}": values[t, i].item()
                for name, values in per_modality.items()
                for i, m in enumerate(MODALITIES)
            }
            | {f"p_{label}": float(p) for label, p in zip(labels, self.probabilities[t], strict=True)}
            for t, time in enumerate(self.times)
        ]


@dataclass
class Attention:
    """The cross-modal attention maps, with their axes named.

    ``values`` (layers, heads, queries, keys): each row over keys sums to 1. Queries are the fused tokens
    of the steps at ``query_times``; keys are ordered by ``key_kinds``, each kind over the same steps. Of
    a clip longer than ``hff.config.MAX_STEPS`` steps this is the block with the most beta.
    """

    values: np.ndarray
    query_times: np.ndarray  # (queries,) s
    key_kinds: tuple[str, ...] = field(default_factory=lambda: ("fused", *MODALITIES))
    axes: tuple[str, ...] = ("layers", "heads", "queries", "keys")

    @property
    def shape(self) -> tuple[int, ...]:
        return self.values.shape

    def __array__(self, dtype=None, copy=None) -> np.ndarray:
        return np.array(self.values, dtype=dtype, copy=copy)

    def by_kind(self) -> np.ndarray:
        """(layers, heads, queries, kinds, steps): the keys split into kind and time."""
        return self.values.reshape(*self.values.shape[:3], len(self.key_kinds), -1)


@dataclass
class Result:
    """The reading of one clip."""

    emotion: str
    probabilities: dict[str, float]
    spread: dict[str, float]  # standard deviation of each probability over the Monte Carlo samples
    entropy: float  # of ``probabilities``, as a share of the largest possible: 0 certain, 1 a guess
    alpha: dict[str, float]  # of the clip (``clip_alpha``); they sum to 1
    variance: dict[str, float | None]  # clip means over the steps where the modality is present
    aleatoric: dict[str, float | None]
    epistemic: dict[str, float | None]
    present: dict[str, bool]
    timeline: Timeline
    attention: Attention | None  # None where the config has attention switched off
    per_modality: dict[str, dict[str, float] | None]  # probabilities with only that modality present
    subsets: dict[str, dict[str, float]]  # probabilities of each non-empty subset, "speech+text" etc.
    shapley: dict[str, float | None]  # exact share of each modality in p(emotion) - 1/C
    transcript: Transcript | None
    seconds: float  # length of the clip
    warnings: list[str]
    timings: dict[str, float]  # s of work per stage
    evidence: Evidence = field(repr=False, default_factory=Evidence)
    file: str | None = None
    speech_encoder: str = "mfcc-cnn"
    alone_seconds: dict[str, float] = field(default_factory=dict)  # s, each modality the only one: not in ``alpha``

    def to_dict(self) -> dict:
        """Everything but the evidence, as JSON-ready values."""
        timeline = {
            name: np.round(np.asarray(getattr(self.timeline, name), float), 6).tolist()
            for name in (
                "times",
                "alpha0",
                "precision",
                "alpha",
                "aleatoric",
                "epistemic",
                "variance",
                "beta",
                "probabilities",
            )
        } | {
            "present": self.timeline.present.tolist(),
            "step_seconds": self.timeline.step_seconds,
            "modalities": list(MODALITIES),
        }
        attention = self.attention and {
            "axes": list(self.attention.axes),
            "key_kinds": list(self.attention.key_kinds),
            "query_times": self.attention.query_times.tolist(),
            "values": np.round(self.attention.values.astype(float), 5).tolist(),
        }
        transcript = self.transcript and {
            "text": self.transcript.text,
            "source": self.transcript.source,
            "words": [vars(word) for word in self.transcript.words],
        }
        plain = {
            name: getattr(self, name)
            for name in (
                "file",
                "emotion",
                "probabilities",
                "spread",
                "entropy",
                "alpha",
                "alone_seconds",
                "variance",
                "aleatoric",
                "epistemic",
                "present",
                "seconds",
                "warnings",
                "per_modality",
                "subsets",
                "shapley",
                "timings",
                "speech_encoder",
            )
        }
        return plain | {"transcript": transcript, "timeline": timeline, "attention": attention}

    def rows(self) -> list[dict[str, float | bool | str]]:
        """One flat dictionary a step, with the speech encoder that heard it."""
        heard = {"speech_encoder": self.speech_encoder}
        return [row | heard for row in self.timeline.rows(tuple(self.probabilities))]

    def to_csv(self) -> str:
        """The timeline as CSV text, one line per step."""
        rows = self.rows()
        text = io.StringIO(newline="")
        writer = csv.DictWriter(text, fieldnames=list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
        return text.getvalue()

    def to_frame(self):
        """The timeline as a pandas DataFrame: one row a step, by time in seconds. Raises ``DependencyError``."""
        try:
            import pandas
        except ImportError as error:
            raise DependencyError(say("pandas.missing")) from error
        return pandas.DataFrame(self.rows()).set_index("time")


def clip_alpha(alpha: np.ndarray, present: np.ndarray, beta: np.ndarray) -> np.ndarray:
    """A clip's alpha (M,): the mean over the moments in which there was a choice, by how much the answer rests on each.

    alpha (T,M), present (T,M) bool, beta (T,). Sums to 1; zeros where nothing is present.
    """
    mean = moment_weights(alpha, present, beta) @ alpha
    return mean / mean.sum() if mean.sum() > 0 else mean


def moment_weights(alpha: np.ndarray, present: np.ndarray, beta: np.ndarray) -> np.ndarray:
    """How much each moment counts in ``clip_alpha``, (T,): beta over the moments with a choice; inputs as there.

    With one modality present alpha is 1 whatever it is worth, so such moments count only where there are no others.
    Sums to 1; zeros where nothing is present.
    """
    weight = np.where(alpha.sum(1) > 0, beta, 0.0)
    choice = weight * (present.sum(1) > 1)
    weight = choice if choice.any() else weight
    return weight / weight.sum() if weight.sum() > 0 else weight


def normalised_entropy(probabilities: np.ndarray) -> float:
    """Shannon entropy over its largest possible value, log C."""
    p = np.clip(np.asarray(probabilities, float), 1e-12, 1)
    return float(-(p * np.log(p)).sum() / math.log(len(p)))


def evenly(faces: Sequence[FaceSeen], count: int) -> list[FaceSeen]:
    """At most ``count`` faces from the first to the last."""
    if not faces:
        return []
    return [faces[place] for place in sorted(set(np.linspace(0, len(faces) - 1, count).round().astype(int)))]
