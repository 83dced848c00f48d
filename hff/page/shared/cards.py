"""HTML fragments shared by the page and the report file: headline, probability bars, alpha gauges, notes.

Plain strings, every value escaped, no script: they look the same on the page and in a file from disk.
"""

from __future__ import annotations

import html
import math
from collections.abc import Iterable

from hff import modalities
from hff.config import MODALITIES
from hff.locale import language, names, number_format, texts
from hff.result import Result

SURE_FROM = (0.8, 0.6, 0.4, 0.0)  # probability from which each word of ``texts.SURENESS`` is said

ARC = "M10 60A50 50 0 0 1 110 60"  # of a gauge: half a circle of radius 50
ARC_LENGTH = math.pi * 50  # what the dash has to fill


def text(value: object) -> str:
    """``value`` as HTML text."""
    return html.escape(str(value), quote=True)


def percent(share: float, places: int = 0) -> str:
    """A share as whole percent; what is not quite 0 or 1 never reads as certain."""
    points = 100 * share
    if not places and 0 < points < 0.5:
        return texts.UNDER_ONE_PERCENT.format(percent=percent(0.01))
    if not places and 99.5 <= points < 100:
        return texts.OVER_99_PERCENT.format(percent=percent(0.99))
    return number_format.percentage(share, places, language())


def number(value: float) -> str:
    """A variance in two decimals; what is not quite 0 never reads as none."""
    return texts.NUMBER_UNDER.format(number=decimal(0.01)) if 0 < value < 0.005 else decimal(value)


def decimal(value: float, places: int = 2) -> str:
    """A figure with a fixed number of places, by the rules of the page's language."""
    return number_format.decimal(value, places, language())


def icon(modality: str) -> str:
    return (
        f'<svg class="hff-icon" viewBox="0 0 24 24" aria-hidden="true"><path d="{modalities.of(modality).icon}" '
        'fill="none" stroke="var(--hff-own, currentColor)" stroke-width="2" stroke-linecap="round" '
        'stroke-linejoin="round"/></svg>'
    )


def empty() -> str:
    """What stands in the report's place before anything was analysed."""
    steps = "".join(f"<li>{text(step)}</li>" for step in texts.EMPTY_STEPS)
    legend = "".join(f'<span class="hff-chip hff-{m}">{icon(m)}{text(names.modality(m))}</span>' for m in MODALITIES)
    return (
        f'<div class="hff-empty"><h2>{text(texts.EMPTY_TITLE)}</h2><ol>{steps}</ol>'
        f'<p class="hff-legend">{legend}</p></div>'
    )


def alert(title: str, message: str, kind: str = "error") -> str:
    role = "alert" if kind == "error" else "status"
    return f'<div class="hff-alert hff-{kind}" role="{role}"><strong>{text(title)}</strong><p>{text(message)}</p></div>'


def warnings(messages: Iterable[str]) -> str:
    """The result's warnings as a list, or nothing."""
    items = "".join(f"<li>{text(message)}</li>" for message in messages)
    if not items:
        return ""
    title = f"<strong>{text(texts.WARNINGS_TITLE)}</strong>"
    return f'<div class="hff-alert hff-warning" role="status">{title}<ul>{items}</ul></div>'


def heading(words: str) -> str:
    """A view's own heading for those who hear the page: the tab shows it to all others."""
    return f'<h2 class="hff-heard">{text(words)}</h2>'


def headline(result: Result) -> str:
    """The emotion, large, with its uncertainty in a sentence, beside all probabilities."""
    share = result.probabilities[result.emotion]
    return (
        f'{heading(texts.REPORT_TITLE)}<section class="hff-headline" aria-live="polite"><div class="hff-answer">'
        f'<p class="hff-kicker">{text(texts.HEADLINE)}</p>'
        f'<p class="hff-emotion"><span id="hff-emotion">{text(names.emotion(result.emotion))}</span> '
        f'<span class="hff-percent">{text(percent(share))}</span></p>'
        f'<p class="hff-sentence">{text(uncertainty_sentence(result))}</p>'
        f'<p class="hff-caution">{text(texts.CAUTION)}</p></div>'
        f'<div class="hff-bars-box">{bars(result.probabilities, result.spread, result.emotion)}</div></section>'
    )


def uncertainty_sentence(result: Result) -> str:
    sureness = zip(SURE_FROM, texts.SURENESS, strict=True)
    ranked = sorted(result.probabilities, key=result.probabilities.get, reverse=True)
    second = next(label for label in ranked if label != result.emotion)
    points = 100 * result.spread[result.emotion]
    spread = texts.SPREAD_ONE if round(points) == 1 else texts.SPREAD_MANY.format(points=f"{points:.0f}")
    return texts.UNCERTAINTY.format(
        sureness=next(word for least, word in sureness if result.probabilities[result.emotion] >= least),
        emotion=names.emotion(result.emotion),
        percent=percent(result.probabilities[result.emotion]),
        spread=texts.SPREAD_SMALL if points < 1 else spread,
        second=names.emotion(second),
        second_percent=percent(result.probabilities[second]),
    )


def bars(probabilities: dict[str, float], spread: dict[str, float] | None = None, best: str | None = None) -> str:
    """One bar a label; with ``spread`` a line of plus and minus one standard deviation on it."""
    best = best or max(probabilities, key=probabilities.get)
    rows = []
    for label, share in probabilities.items():
        line = ""
        if spread is not None:
            low, high = max(0.0, share - spread[label]), min(1.0, share + spread[label])
            line = f'<i class="hff-whisker" style="left:{100 * low:.2f}%;width:{100 * (high - low):.2f}%"></i>'
        rows.append(
            f'<div class="hff-bar{" hff-best" if label == best else ""}" role="row">'
            f'<span role="rowheader">{text(names.emotion(label))}</span>'
            f'<span class="hff-track" role="presentation"><b style="width:{100 * share:.2f}%"></b>{line}</span>'
            f'<span class="hff-value" role="cell">{text(percent(share))}</span></div>'
        )
    return f'<div class="hff-bars" role="table" aria-label="{text(texts.BARS_TITLE)}">{"".join(rows)}</div>'


def gauges(result: Result) -> str:
    """The alpha gauges with sigma^2 under each."""
    cards = "".join(_gauge(result, modality) for modality in MODALITIES)
    return f'<section class="hff-gauges" aria-label="{text(texts.GAUGES_TITLE)}">{cards}</section>'


def _gauge(result: Result, modality: str) -> str:
    name = names.modality(modality)
    there = result.present[modality]
    alpha = result.alpha[modality] if there else 0.0
    value = decimal(alpha) if there else texts.ABSENT
    filled = f'<path class="hff-arc" d="{ARC}" stroke-dasharray="{alpha * ARC_LENGTH:.2f} 400"/>' if alpha > 0 else ""
    why = texts.ABSENT_REASON.get(modality, texts.ABSENT)
    below = _variance(result, modality) if there else f'<p class="hff-absent-why">{text(why)}</p>'
    label = f"{name}: {texts.ALPHA_LABEL} {value}"
    kind = f"hff-gauge hff-{modality}{'' if there else ' hff-absent'}"
    return (
        f'<div class="{kind}" id="hff-gauge-{modality}" data-alpha="{alpha:.4f}">'
        f'<h3>{icon(modality)}{text(name)}</h3><div class="hff-dial">'
        f'<svg viewBox="0 0 120 68" role="img" aria-label="{text(label)}">'
        f'<path class="hff-arc-track" d="{ARC}"/>{filled}</svg>'
        f'<p class="hff-alpha">{text(value)}</p><p class="hff-unit">{text(texts.ALPHA_LABEL)}</p></div>{below}</div>'
    )


def _variance(result: Result, modality: str) -> str:
    aleatoric, epistemic = result.aleatoric[modality], result.epistemic[modality]
    total = result.variance[modality]
    largest = max(v for v in result.variance.values() if v is not None) or 1.0
    parts = texts.VARIANCE_PARTS.format(aleatoric=number(aleatoric), epistemic=number(epistemic))
    return (
        f'<p class="hff-sigma"><strong>{text(texts.VARIANCE_LABEL.format(total=number(total)))}</strong> '
        f"<span>{text(parts)}</span></p>"
        f'<p class="hff-sigma-bar" aria-hidden="true"><b style="width:{100 * aleatoric / largest:.2f}%"></b>'
        f'<i style="width:{100 * epistemic / largest:.2f}%"></i></p>'
    )


def note(sentence: str) -> str:
    return f'<p class="hff-note">{text(sentence)}</p>'
