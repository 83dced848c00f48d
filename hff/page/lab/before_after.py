"""Before and after side by side: HTML for the lab and the worksheet."""

from __future__ import annotations

from markupsafe import Markup

from hff.config import MODALITIES
from hff.lab.by_hand import hand_use
from hff.lab.comparison import clip_means
from hff.lab.state import LabState
from hff.lab.what_changed import LEAST_CHANGE, what_changed
from hff.locale import names, sentence, texts
from hff.page.shared.amounts import SIGMA_FULL, decimal, guess_variance, number, percent
from hff.page.shared.render import render
from hff.result import Result


def change_sentence(before: Result, after: Result, touched: bool) -> str:
    """One sentence: the weight that moved most and why, and what became of the answer.

    ``touched``: whether anything was set up that could change the reading.
    """
    change = what_changed(before, after)
    if change is None and not touched:
        return texts.LAB_SAME
    if change is None:
        return texts.LAB_NO_EFFECT.format(
            least=decimal(LEAST_CHANGE),
            emotion=names.emotion(after.emotion),
            share=percent(after.probabilities[after.emotion]),
        )
    told, end = change.modality, "same" if change.same_answer else "other"
    return sentence(
        f"WHAT_CHANGED_{change.kind}_{end}",
        The=names.modality(told, "The"),
        of=names.modality(told, "of"),
        old=decimal(before.alpha[told]),
        new=decimal(after.alpha[told]),
        old_variance=number(before.variance[told] or 0.0),
        new_variance=number(after.variance[told] or 0.0),
        old_emotion=names.emotion(before.emotion),
        emotion=names.emotion(after.emotion),
        before=percent(before.probabilities[before.emotion]),
        after=percent(after.probabilities[after.emotion]),
    )


def hand_sentences(state: LabState, after: Result) -> list[str]:
    """Where the weights set by hand could not be used as set; nothing for the model's own."""
    if state.alpha is None:
        return []
    use = hand_use(state.alpha, after.timeline)
    told = [texts.LAB_HAND_ABSENT.format(modality=names.modality(m)) for m in use.absent]
    if use.shared_seconds:
        told.append(texts.LAB_HAND_SHARED.format(seconds=decimal(use.shared_seconds, 1)))
    if use.left_out_seconds:
        told.append(texts.LAB_HAND_LEFT_OUT.format(seconds=decimal(use.left_out_seconds, 1)))
    return told


def comparison(before: Result, after: Result, was: LabState, state: LabState) -> Markup:
    """The sentence, both answers and the table from sigma^2 to Shapley; ``was`` is the state of ``before``."""
    changed, notes = change_sentence(before, after, state != was), hand_sentences(state, after)
    rows, guess = _rows(before, after), _guess(before)
    return render("before_after.html", "comparison", changed, notes, before, after, _columns(), rows, guess)


def unknown_after(before: Result) -> Markup:
    """As ``comparison``, while the class still guesses what comes after."""
    return render("before_after.html", "unknown_after", before, _columns(), _rows(before, None), _guess(before))


def _guess(result: Result) -> float:
    """Where on a bar of sigma^2 the mark of a blind guess is, 0 to 1."""
    return guess_variance(len(result.probabilities)) / SIGMA_FULL


def _columns() -> list[tuple[str, str]]:
    return list(texts.LAB_COLUMNS.values())


def _rows(before: Result, after: Result | None) -> list[dict]:
    """What stands in the table: one row a modality, each cell as (before or after, known, value)."""
    old, new = clip_means(before), clip_means(after) if after is not None else None
    known = [figures for figures in (old, new) if figures is not None]
    largest = {
        name: max((abs(v) for d in known for v in d[name].values() if v is not None), default=1.0) or 1.0
        for name in ("precision", "shapley")
    } | {"alpha": 1.0, "alpha0": 1.0, "variance": SIGMA_FULL}
    return [
        {
            "modality": m,
            "absent": not (after or before).present[m],
            "alone": [
                ("before", True, before.per_modality[m]),
                ("after", after is not None, after.per_modality[m] if after is not None else None),
            ],
            "figures": [
                (
                    name,
                    largest[name],
                    [("before", True, old[name][m]), ("after", new is not None, new[name][m] if new else None)],
                )
                for name in ("variance", "precision", "alpha0", "alpha", "shapley")
            ],
        }
        for m in MODALITIES
    ]
