"""What moved between two readings of one recording, and why: the facts; the page makes a sentence of them."""

from __future__ import annotations

import math
from dataclasses import dataclass

from hff.arithmetic import in_hundredths
from hff.config import MODALITIES
from hff.lab.comparison import clip_means
from hff.result import Result

_TINY = 1e-9  # stands for a factor of 0, which has no logarithm
LEAST_CHANGE = 0.02  # of a weight or a probability, below which nobody would see it move


@dataclass(frozen=True)
class Change:
    """``kind``: "gone", "back", "none" (only the answer moved), "rises" or "falls", or one of these two followed by
    "_explained", where the modality's own sigma^2 moved the other way, or by "_distrusted", where it did, but alpha0
    did more to the weight. ``modality`` is the one to tell of.
    """

    kind: str
    modality: str
    same_answer: bool


def what_changed(before: Result, after: Result) -> Change | None:
    """The weight that moved most and why, and whether the answer stayed; ``None`` where nothing can be seen to move."""
    same = before.emotion == after.emotion
    gone = [m for m in MODALITIES if before.present[m] and not after.present[m]]
    if gone:
        return Change("gone", max(gone, key=lambda m: before.alpha[m]), same)
    moved = _moved(before, after)
    if not before.present[moved] and after.present[moved]:
        return Change("back", moved, same)
    if abs(_alpha_change(before, after, moved)) >= LEAST_CHANGE:
        return _weight_change(before, after, moved, same)
    old, new = before.probabilities, after.probabilities
    if max(abs(new[label] - old[label]) for label in old) < LEAST_CHANGE:
        return None
    return Change("none", moved, same)


def most_moved(before: Result, after: Result) -> str:
    """The modality to look at: the one that the sentence tells of, or whose weight moved most."""
    change = what_changed(before, after)
    return change.modality if change else _moved(before, after)


def _moved(before: Result, after: Result) -> str:
    """The modality whose weight moved most; of those that moved alike the weightier one, so none that is absent."""
    return max(MODALITIES, key=lambda m: (round(abs(_alpha_change(before, after, m)), 3), after.alpha[m]))


def _weight_change(before: Result, after: Result, moved: str, same: bool) -> Change:
    """How the weight moved that moved most; where another modality's sigma^2 explains it, how that one's did."""
    shaken = max(MODALITIES, key=lambda m: abs(_variance_change(before, after, m)))
    change = _alpha_change(before, after, shaken)
    explained = abs(change) >= LEAST_CHANGE and change * _variance_change(before, after, shaken) < 0
    told = shaken if explained else moved
    verb = "rises" if _alpha_change(before, after, told) > 0 else "falls"
    if not explained:
        return Change(verb, told, same)
    return Change(f"{verb}_{'distrusted' if _by_alpha0(before, after, told) else 'explained'}", told, same)


def _by_alpha0(before: Result, after: Result, modality: str) -> bool:
    """Whether alpha, which goes with alpha0 times w, moved more by alpha0 than by w, both counted in factors."""
    old, new = clip_means(before), clip_means(after)
    moved = {
        name: math.log(max(new[name][modality] or 0.0, _TINY) / max(old[name][modality] or 0.0, _TINY))
        for name in ("alpha0", "precision")
    }
    way = 1 if _alpha_change(before, after, modality) > 0 else -1
    return way * moved["alpha0"] > way * moved["precision"]


def _alpha_change(before: Result, after: Result, modality: str) -> float:
    """As it is shown, in hundredths: a change that can be read must not be called none."""
    old, new = (dict(zip(one.alpha, in_hundredths(one.alpha.values()), strict=True)) for one in (before, after))
    return round(new[modality] - old[modality], 2)


def _variance_change(before: Result, after: Result, modality: str) -> float:
    old, new = before.variance[modality], after.variance[modality]
    return 0.0 if old is None or new is None else new - old
