"""How sure a difference between two models is: a paired bootstrap over what was tested and over seeds.

Both models have read the same items with the same seeds. A resample draws seeds and items (or whole groups of them, as
the dialogues that utterances belong to) with replacement, the same for both, and measures the difference again (Efron &
Tibshirani 1993; for two systems on one test set, Koehn 2004).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

RESAMPLES = 2000
CONFIDENCE = 0.95
BOOTSTRAP_SEED = 5

Measure = Callable[[np.ndarray], np.ndarray]  # of confusion matrices (...,C,C), true by said -> (...)


def accuracy(confusion: np.ndarray) -> np.ndarray:
    """Share of items read right."""
    return np.trace(confusion, axis1=-2, axis2=-1) / np.maximum(confusion.sum((-2, -1)), 1)


def _f1(confusion: np.ndarray) -> np.ndarray:
    """(...,C), 0 of a label that neither is nor is said."""
    right = np.diagonal(confusion, axis1=-2, axis2=-1)
    return 2 * right / np.maximum(confusion.sum(-1) + confusion.sum(-2), 1)


def macro_f1(confusion: np.ndarray) -> np.ndarray:
    """Mean F1 of the labels that are there or are said."""
    there = (confusion.sum(-1) + confusion.sum(-2)) > 0
    return _f1(confusion).sum(-1) / np.maximum(there.sum(-1), 1)


def weighted_f1(confusion: np.ndarray) -> np.ndarray:
    """Mean F1, each label by how many items have it."""
    count = confusion.sum(-1)
    return (_f1(confusion) * count).sum(-1) / np.maximum(count.sum(-1), 1)


def confusions(said: np.ndarray, truth: np.ndarray, classes: int, groups: np.ndarray | None = None) -> np.ndarray:
    """Confusion matrices by seed and group: said (S,N), truth (N,), groups (N,) numbers -> (S,G,C,C).

    Without groups each item is one of its own.
    """
    groups = np.arange(len(truth)) if groups is None else np.unique(groups, return_inverse=True)[1]
    found = np.zeros((len(said), int(groups.max()) + 1, classes, classes))
    for seed, row in enumerate(said):
        np.add.at(found[seed], (groups, truth, row), 1)
    return found


@dataclass(frozen=True)
class Difference:
    """Of one model's measure over another's, with the interval that ``CONFIDENCE`` of the resamples lie in."""

    mean: float
    low: float
    high: float

    @property
    def verdict(self) -> str:
        """ "ahead", "behind", or "no difference seen" where the interval holds 0."""
        return "ahead" if self.low > 0 else "behind" if self.high < 0 else "no difference seen"

    @property
    def points(self) -> str:
        """ "+1.2 (+0.3 to +2.1)", in hundredths."""
        mean, low, high = (f"{100 * value:+.1f}" for value in (self.mean, self.low, self.high))
        return f"{mean} ({low} to {high})"

    def __str__(self) -> str:
        """ "+1.2 (+0.3 to +2.1): ahead"."""
        return f"{self.points}: {self.verdict}"


def paired(ours: list[np.ndarray], theirs: list[np.ndarray], measure: Measure) -> Difference:
    """The difference of ``measure`` between two models, averaged over tests: for each test two arrays (S,G,C,C) of
    ``confusions``. Seeds are drawn once for all tests, groups for each test by themselves."""
    rng = np.random.default_rng(BOOTSTRAP_SEED)
    seeds = len(ours[0])
    drawn = rng.integers(seeds, size=(RESAMPLES, seeds))
    of_seeds = np.stack([np.bincount(row, minlength=seeds) for row in drawn]) / seeds
    differences, means = [], []
    for a, b in zip(ours, theirs, strict=True):
        groups = a.shape[1]
        counts = rng.multinomial(groups, np.full(groups, 1 / groups), size=RESAMPLES)
        by_seed = measure(_summed(counts, a)) - measure(_summed(counts, b))  # (R,S)
        differences.append((by_seed * of_seeds).sum(1))
        means.append(float((measure(a.sum(1)) - measure(b.sum(1))).mean()))
    tail = (1 - CONFIDENCE) / 2
    low, high = np.quantile(np.mean(differences, axis=0), [tail, 1 - tail])
    return Difference(float(np.mean(means)), float(low), float(high))


def _summed(counts: np.ndarray, matrices: np.ndarray) -> np.ndarray:
    """counts (R,G) of each group, matrices (S,G,C,C) -> (R,S,C,C)."""
    seeds, groups, classes, _ = matrices.shape
    flat = matrices.transpose(1, 0, 2, 3).reshape(groups, -1)
    return (counts.astype(flat.dtype) @ flat).reshape(len(counts), seeds, classes, classes)
