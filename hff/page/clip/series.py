"""Figures over time made short enough to draw, whatever the clip's length."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from hff.result import Evidence, Result

MAX_COLUMNS = 480  # steps drawn; more would not be seen at the figure's width
MAX_MEL_COLUMNS = 1200


@dataclass
class Series:
    """The timeline in S <= MAX_COLUMNS columns, NaN where there is nothing to show."""

    edges: np.ndarray  # (S+1,) s
    alpha: np.ndarray  # (S,M); all NaN where no modality is present
    variance: np.ndarray  # (S,M)
    beta: np.ndarray  # (S,), summed over what a column holds
    probabilities: np.ndarray  # (S,C)

    @property
    def nothing(self) -> list[tuple[float, float]]:
        """Spans of time, s, in which no modality is present."""
        return spans(np.isnan(self.alpha).all(1), self.edges)


def thinned_columns(result: Result) -> Series:
    """Average neighbouring steps until at most ``MAX_COLUMNS`` are left."""
    line = result.timeline
    steps = len(line.times)
    size = -(-steps // MAX_COLUMNS)
    first = np.arange(0, steps, size)
    half = line.step_seconds / 2
    edges = np.append(line.times[first] - half, line.times[-1] + half)
    there = line.present.any(1, keepdims=True)
    return Series(
        edges=edges,
        alpha=_mean(np.where(there, line.alpha, np.nan), first),
        variance=_mean(np.where(line.present, line.variance, np.nan), first),
        beta=np.add.reduceat(line.beta, first),
        probabilities=_mean(line.probabilities, first),
    )


def mel_columns(evidence: Evidence) -> np.ndarray:
    """The mel spectrogram (n_mels, S <= MAX_MEL_COLUMNS), the mean over what a column holds."""
    assert evidence.mel is not None, "only of a clip with sound"
    frames = evidence.mel.shape[1]
    first = np.arange(0, frames, -(-frames // MAX_MEL_COLUMNS))
    return _mean(np.asarray(evidence.mel, float).T, first).T


def spans(flags: np.ndarray, edges: np.ndarray) -> list[tuple[float, float]]:
    """The stretches in which ``flags`` (S,) is true, as times from ``edges`` (S+1,)."""
    change = np.flatnonzero(np.diff(np.concatenate([[False], flags, [False]]).astype(int)))
    return [(float(edges[a]), float(edges[b])) for a, b in change.reshape(-1, 2)]


def _mean(values: np.ndarray, first: np.ndarray) -> np.ndarray:
    """Mean over the rows from each of ``first`` to the next, leaving NaN out."""
    known = ~np.isnan(values)
    total = np.add.reduceat(np.where(known, values, 0), first, axis=0)
    count = np.add.reduceat(known, first, axis=0, dtype=float)
    return np.divide(total, count, out=np.full(total.shape, np.nan), where=count > 0)
