"""Before and after side by side: HTML for the lab and the worksheet."""

from __future__ import annotations

from hff.config import MODALITIES
from hff.lab.comparison import clip_means
from hff.locale import names, sentence, texts
from hff.page.shared.amounts import decimal, number, percent
from hff.page.shared.amounts import signed_points as points
from hff.page.shared.cards import bars, icon, text
from hff.result import Result

LEAST_CHANGE = 0.02  # of a weight, below which nobody would see it move
_UNKNOWN = (
    '<div class="hff-lab-after hff-lab-cell"><span class="hff-track"></span><span class="hff-value">?</span></div>'
)


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
        f"WHAT_CHANGED_{kind}_{end}", The=names.modality(told, "The"), of=names.modality(told, "of"),
        old=decimal(before.alpha[told]), new=decimal(after.alpha[told]),
        old_variance=number(before.variance[told] or 0.0), new_variance=number(after.variance[told] or 0.0),
        old_emotion=names.emotion(before.emotion), emotion=names.emotion(after.emotion),
        before=percent(old[before.emotion]), after=percent(new[after.emotion]),
    )  # fmt: skip


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


def comparison(before: Result, after: Result) -> str:
    """The sentence, both answers and the table from sigma^2 to Shapley."""
    return (
        f'<p class="hff-lab-sentence" id="hff-lab-sentence" aria-live="polite">{text(what_changed(before, after))}</p>'
        f'<div class="hff-lab-two">{answer(before, texts.LAB_BEFORE, "before")}'
        f"{answer(after, texts.LAB_AFTER, 'after')}</div>{table(before, after)}"
    )


def unknown_after(before: Result) -> str:
    """As ``comparison``, while the class still guesses what comes after."""
    after = (
        f'<section class="hff-lab-answer hff-lab-after" aria-label="{text(texts.LAB_AFTER)}"><div>'
        f'<h3>{text(texts.LAB_AFTER)}</h3><p class="hff-lab-emotion" id="hff-lab-unknown">?</p></div></section>'
    )
    return (
        f'<p class="hff-lab-sentence">{text(texts.LESSON_WAITING)}</p>'
        f'<div class="hff-lab-two">{answer(before, texts.LAB_BEFORE, "before")}{after}</div>{table(before, None)}'
    )


def answer(result: Result, title: str, when: str) -> str:
    """One reading: the emotion, large, and all probabilities."""
    share = percent(result.probabilities[result.emotion])
    return (
        f'<section class="hff-lab-answer hff-lab-{when}" aria-label="{text(title)}">'
        f'<div><h3>{text(title)}</h3><p class="hff-lab-emotion" id="hff-lab-{when}">'
        f'{text(names.emotion(result.emotion))}</p><p class="hff-percent">{share}</p></div>'
        f"{bars(result.probabilities, result.spread, result.emotion)}</section>"
    )


def table(before: Result, after: Result | None) -> str:
    """One row a modality, read from left to right as the equations go; ``after`` may not be known yet."""
    old, new = clip_means(before), clip_means(after) if after is not None else None
    head = "".join(
        f'<th scope="col"><b>{text(name)}</b> <span>{text(how)}</span></th>' for name, how in texts.LAB_COLUMNS.values()
    )
    rows = "".join(_row(m, before, after, old, new) for m in MODALITIES)
    return (
        f'<table class="hff-table hff-lab-table" aria-label="{text(texts.LAB_TABLE)}">'
        f"<thead><tr><td></td>{head}</tr></thead><tbody>{rows}</tbody></table>"
    )


def _row(modality: str, before: Result, after: Result | None, old: dict, new: dict | None) -> str:
    known = [figures for figures in (old, new) if figures is not None]
    largest = {
        name: max((abs(v) for d in known for v in d[name].values() if v is not None), default=1.0) or 1.0
        for name in ("variance", "precision", "alpha0", "shapley")
    } | {"alpha": 1.0, "alpha0": 1.0}
    cells = "".join(
        f'<td data-figure="{name}">{_bar(old[name][modality], largest[name], name, "before")}'
        f"{_bar(new[name][modality], largest[name], name, 'after') if new else _UNKNOWN}</td>"
        for name in ("variance", "precision", "alpha0", "alpha", "shapley")
    )
    absent = "" if (after or before).present[modality] else " hff-absent"
    alone = _alone(before, modality, "before") + (_alone(after, modality, "after") if after else _UNKNOWN)
    return (
        f'<tr class="hff-{modality}{absent}" id="hff-lab-row-{modality}">'
        f'<th scope="row">{icon(modality)}{text(names.modality(modality))}</th>'
        f"<td>{alone}</td>{cells}</tr>"
    )


def _alone(result: Result, modality: str, when: str) -> str:
    chances = result.per_modality[modality]
    if chances is None:
        return f'<div class="hff-lab-alone hff-lab-{when}">{texts.ABSENT}</div>'
    best = max(chances, key=chances.get)
    says = text(names.emotion(best))
    return f'<div class="hff-lab-alone hff-lab-{when}">{says} <span>{percent(chances[best])}</span></div>'


def _bar(value: float | None, largest: float, name: str, when: str) -> str:
    if value is None:
        value = f'<span class="hff-value">{texts.ABSENT}</span>'
        return f'<div class="hff-lab-cell hff-lab-{when}" data-value="">{value}</div>'
    special = {"shapley": points(value), "precision": decimal(value, 1), "variance": number(value)}
    shown = special.get(name, decimal(value))
    sign = " hff-lab-negative" if value < 0 else ""
    return (
        f'<div class="hff-lab-cell hff-lab-{when}{sign}" data-value="{value:.4f}">'
        f'<span class="hff-track"><b style="width:{100 * min(1, abs(value) / largest):.1f}%"></b></span>'
        f'<span class="hff-value">{text(shown)}</span></div>'
    )
