"""Before and after side by side: HTML for the lab and the worksheet."""

from __future__ import annotations

from hff.config import MODALITIES
from hff.page import texts
from hff.page.cards import bars, icon, number, percent, text
from hff.page.effects import points
from hff.result import Result

LEAST_CHANGE = 0.02  # of a weight, below which nobody would see it move
_UNKNOWN = (
    '<div class="hff-lab-after hff-lab-cell"><span class="hff-track"></span><span class="hff-value">?</span></div>'
)


def clip_means(result: Result) -> dict[str, dict[str, float | None]]:
    """Every figure of the table by name and modality: clip means, ``None`` where the modality is absent."""
    line = result.timeline

    return {
        "variance": result.variance,
        "precision": line.mean_present(line.precision),
        "alpha0": line.mean_present(line.alpha0),
        "alpha": {m: result.alpha[m] if result.present[m] else None for m in MODALITIES},
        "shapley": result.shapley,
    }


def what_changed(before: Result, after: Result) -> str:
    """One sentence: the weight that moved most and why, and what became of the answer."""
    old, new = before.probabilities, after.probabilities
    moved = max(MODALITIES, key=lambda m: abs(after.alpha[m] - before.alpha[m]))
    change = after.alpha[moved] - before.alpha[moved]
    gone = [m for m in MODALITIES if before.present[m] and not after.present[m]]
    if gone:
        moved = max(gone, key=lambda m: before.alpha[m])
        start = texts.LAB_SENTENCE_ABSENT.format(modality=_name(moved), before=f"{before.alpha[moved]:.2f}")
    elif not before.present[moved] and after.present[moved]:
        start = texts.LAB_SENTENCE_BACK.format(modality=_name(moved), after=f"{after.alpha[moved]:.2f}")
    elif abs(change) < LEAST_CHANGE:
        if max(abs(new[label] - old[label]) for label in old) < LEAST_CHANGE:
            return texts.LAB_SAME
        start = texts.LAB_SENTENCE_NO_WEIGHT
    else:
        start = _weight_sentence(before, after)
    if before.emotion == after.emotion:
        end = texts.LAB_SENTENCE_SAME.format(
            emotion=after.emotion, before=percent(old[after.emotion]), after=percent(new[after.emotion])
        )
    else:
        end = texts.LAB_SENTENCE_OTHER.format(
            old=before.emotion,
            before=percent(old[before.emotion]),
            new=after.emotion,
            after=percent(new[after.emotion]),
        )
    return start + end


def _weight_sentence(before: Result, after: Result) -> str:
    """The weight that moved most; where another modality's sigma^2 explains it, that modality is named instead."""

    def variance_change(modality: str) -> float:
        old, new = before.variance[modality], after.variance[modality]
        return 0.0 if old is None or new is None else new - old

    moved = max(MODALITIES, key=lambda m: abs(after.alpha[m] - before.alpha[m]))
    shaken = max(MODALITIES, key=lambda m: abs(variance_change(m)))
    change = after.alpha[shaken] - before.alpha[shaken]
    explained = abs(change) >= LEAST_CHANGE and change * variance_change(shaken) < 0
    told = shaken if explained else moved
    change = after.alpha[told] - before.alpha[told]
    sentence = texts.LAB_SENTENCE_WEIGHT.format(
        modality=_name(told), verb=_verb(change), before=f"{before.alpha[told]:.2f}", after=f"{after.alpha[told]:.2f}"
    )
    if explained:
        sentence += texts.LAB_SENTENCE_VARIANCE.format(
            verb=_verb(variance_change(told)), before=number(before.variance[told]), after=number(after.variance[told])
        )
    return sentence


def _verb(change: float) -> str:
    return texts.LAB_ROSE if change > 0 else texts.LAB_FELL


def _name(modality: str) -> str:
    return texts.MODALITY_NAMES[modality].lower()


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
        f'<div><h3>{text(title)}</h3><p class="hff-lab-emotion" id="hff-lab-{when}">{text(result.emotion)}</p>'
        f'<p class="hff-percent">{share}</p></div>{bars(result.probabilities, result.spread, result.emotion)}</section>'
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
        f'<th scope="row">{icon(modality)}{text(texts.MODALITY_NAMES[modality])}</th>'
        f"<td>{alone}</td>{cells}</tr>"
    )


def _alone(result: Result, modality: str, when: str) -> str:
    chances = result.per_modality[modality]
    if chances is None:
        return f'<div class="hff-lab-alone hff-lab-{when}">{texts.ABSENT}</div>'
    best = max(chances, key=chances.get)
    return f'<div class="hff-lab-alone hff-lab-{when}">{text(best)} <span>{percent(chances[best])}</span></div>'


def _bar(value: float | None, largest: float, name: str, when: str) -> str:
    if value is None:
        value = f'<span class="hff-value">{texts.ABSENT}</span>'
        return f'<div class="hff-lab-cell hff-lab-{when}" data-value="">{value}</div>'
    shown = {"shapley": points(value), "precision": f"{value:.1f}", "variance": number(value)}.get(name, f"{value:.2f}")
    sign = " hff-lab-negative" if value < 0 else ""
    return (
        f'<div class="hff-lab-cell hff-lab-{when}{sign}" data-value="{value:.4f}">'
        f'<span class="hff-track"><b style="width:{100 * min(1, abs(value) / largest):.1f}%"></b></span>'
        f'<span class="hff-value">{text(shown)}</span></div>'
    )
