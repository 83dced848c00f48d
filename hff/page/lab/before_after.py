"""Before and after side by side: HTML for the lab and the worksheet."""

from __future__ import annotations

from markupsafe import Markup

from hff.config import MODALITIES
from hff.lab.comparison import clip_means
from hff.locale import names, sentence, texts
from hff.page.shared.amounts import decimal, number, percent
from hff.page.shared.render import render
from hff.result import Result

LEAST_CHANGE = 0.02  # of a weight, below which nobody would see it move


def what_changed(before: Result, after: Result) -> str:
    """One sentence: the weight that moved most and why, and what became of the answer."""
    old, new = before.probabilities, after.probabilities
    moved = max(MODALITIES, key=lambda m: abs(after.alpha[m] - before.alpha[m]))
    change = after.alpha[moved] - before.alpha[moved]
    gone = [m for m in MODALITIES if before.present[m] and not after.present[m]]
    if gone:
        moved = max(gone, key=lambda m: before.alpha[m])
        kind, told = "gone", moved
    elif not before.present[moved] and after.present[moved]:
        kind, told = "back", moved
    elif abs(change) < LEAST_CHANGE:
        if max(abs(new[label] - old[label]) for label in old) < LEAST_CHANGE:
            return texts.LAB_SAME
        kind, told = "none", moved
    else:
        kind, told = _weight_change(before, after)
    end = "same" if before.emotion == after.emotion else "other"
    return sentence(
        f"WHAT_CHANGED_{kind}_{end}",
        The=names.modality(told, "The"),
        of=names.modality(told, "of"),
        old=decimal(before.alpha[told]),
        new=decimal(after.alpha[told]),
        old_variance=number(before.variance[told] or 0.0),
        new_variance=number(after.variance[told] or 0.0),
        old_emotion=names.emotion(before.emotion),
        emotion=names.emotion(after.emotion),
        before=percent(old[before.emotion]),
        after=percent(new[after.emotion]),
    )


def _weight_change(before: Result, after: Result) -> tuple[str, str]:
    """How the weight moved that moved most, and whose; where another modality's sigma^2 explains it, that one's."""

    def variance_change(modality: str) -> float:
        old, new = before.variance[modality], after.variance[modality]
        return 0.0 if old is None or new is None else new - old

    moved = max(MODALITIES, key=lambda m: abs(after.alpha[m] - before.alpha[m]))
    shaken = max(MODALITIES, key=lambda m: abs(variance_change(m)))
    change = after.alpha[shaken] - before.alpha[shaken]
    explained = abs(change) >= LEAST_CHANGE and change * variance_change(shaken) < 0
    told = shaken if explained else moved
    verb = "rises" if after.alpha[told] > before.alpha[told] else "falls"
    return f"{verb}_explained" if explained else verb, told


def comparison(before: Result, after: Result) -> Markup:
    """The sentence, both answers and the table from sigma^2 to Shapley."""
    changed = what_changed(before, after)
    return render("before_after.html", "comparison", changed, before, after, _columns(), _rows(before, after))


def unknown_after(before: Result) -> Markup:
    """As ``comparison``, while the class still guesses what comes after."""
    return render("before_after.html", "unknown_after", before, _columns(), _rows(before, None))


def _columns() -> list[tuple[str, str]]:
    return list(texts.LAB_COLUMNS.values())


def _rows(before: Result, after: Result | None) -> list[dict]:
    """What stands in the table: one row a modality, each cell as (before or after, known, value)."""
    old, new = clip_means(before), clip_means(after) if after is not None else None
    known = [figures for figures in (old, new) if figures is not None]
    largest = {
        name: max((abs(v) for d in known for v in d[name].values() if v is not None), default=1.0) or 1.0
        for name in ("variance", "precision", "shapley")
    } | {"alpha": 1.0, "alpha0": 1.0}
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
