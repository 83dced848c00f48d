"""The Live view's fixed markup: every place that the script fills has a ``data-live`` name and never changes size."""

from __future__ import annotations

from hff import modalities
from hff.config import EMOTIONS, MODALITIES, STEP_SECONDS
from hff.locale import names, texts
from hff.page.shared.cards import ARC, heading, icon, text

HISTORY_SECONDS = 30  # s that the timelines go back
PLOT_WIDTH, PLOT_HEIGHT = 400, 100  # units of a timeline's drawing; it is stretched to its box
_CELL = 10  # units of a cell of the attention map


def page(window: float, labels: tuple[str, ...] = EMOTIONS, native: bool = False) -> str:
    """The whole view; ``window`` s is what a reading rests on."""
    return (
        '<div class="hff-live" data-state="idle" data-updates="0" data-age="" data-count="0">'
        f"{heading(texts.TAB_LIVE)}"
        f'<div class="hff-live-left">{_picture(native)}{_controls(native)}{_words()}</div>'
        f'<div class="hff-live-right">{_gauges()}'
        f'<div class="hff-live-middle">{_answer(labels)}{_attention(round(window / STEP_SECONDS), window)}</div>'
        f'<div class="hff-live-lines">{_timeline("alpha", texts.LIVE_TIMELINE_ALPHA)}'
        f"{_timeline('variance', texts.LIVE_TIMELINE_VARIANCE)}</div>"
        f'<p class="hff-live-small"><span>{text(texts.LIVE_NOTE)}</span><span data-live="figures"></span></p>'
        "</div></div>"
    )


def _picture(native: bool) -> str:
    source = (
        f'<img data-live="picture" alt="{text(texts.LIVE_VIDEO_LABEL)}" hidden>'
        if native
        else f'<video data-live="video" aria-label="{text(texts.LIVE_VIDEO_LABEL)}" muted playsinline></video>'
    )
    return (
        f'<div class="hff-live-picture">{source}<p class="hff-live-hint">{text(texts.LIVE_VIDEO_HINT)}</p>'
        '<div class="hff-live-face" data-live="face" hidden><span data-live="face-age"></span></div></div>'
    )


def _controls(native: bool) -> str:
    start = texts.LIVE_NATIVE_START if native else texts.LIVE_START
    return (
        '<div class="hff-live-controls">'
        f'<button type="button" class="hff-live-start" data-live="start" data-stop="{text(texts.LIVE_STOP)}" '
        f'data-start="{text(start)}">{text(start)}</button>'
        f'<button type="button" class="hff-live-send" data-live="send" disabled>{text(texts.LIVE_SEND)}</button></div>'
        f'<p class="hff-live-status" data-live="status" role="status">{text(texts.LIVE_SAYS["idle"])}</p>'
    )


def _words() -> str:
    return (
        f'<section class="hff-live-words hff-text"><h3>{icon("text")}{text(texts.LIVE_WORDS_TITLE)}</h3>'
        f'<p data-live="words" data-hint="{text(texts.LIVE_WORDS_HINT)}">{text(texts.LIVE_WORDS_HINT)}</p>'
        f'<input type="text" data-live="text" maxlength="2000" aria-label="{text(texts.LIVE_TYPE_LABEL)}" '
        f'placeholder="{text(texts.LIVE_TYPE_HINT)}"></section>'
    )


def _gauges() -> str:
    return (
        f'<section class="hff-gauges hff-live-gauges" aria-label="{text(texts.GAUGES_TITLE)}">'
        f"{''.join(_gauge(modality) for modality in MODALITIES)}</section>"
    )


def _gauge(modality: str) -> str:
    return (
        f'<div class="hff-gauge hff-{modality} hff-absent" data-live="gauge-{modality}">'
        f"<h3>{icon(modality)}{text(names.modality(modality))}</h3>"
        f'<div class="hff-dial"><svg viewBox="0 0 120 68" aria-hidden="true"><path class="hff-arc-track" d="{ARC}"/>'
        f'<path class="hff-arc" d="{ARC}" stroke-dasharray="0 400"/></svg>'
        f'<p class="hff-alpha">–</p><p class="hff-unit">{text(texts.ALPHA_LABEL)}</p></div>'
        '<p class="hff-sigma"><strong>σ² –</strong></p>'
        '<p class="hff-sigma-bar" aria-hidden="true"><b></b><i></i></p></div>'
    )


def _answer(labels: tuple[str, ...]) -> str:
    rows = "".join(
        f'<div class="hff-bar" data-live="bar" data-label="{text(label)}"><span>{text(names.emotion(label))}</span>'
        '<span class="hff-track"><b></b><i class="hff-whisker" hidden></i></span><span class="hff-value">–</span></div>'
        for label in labels
    )
    return (
        '<section class="hff-live-answer"><div><p class="hff-kicker">' + text(texts.HEADLINE) + "</p>"
        f'<p class="hff-live-emotion" data-live="emotion">{text(texts.LIVE_NOTHING)}</p>'
        f'<p class="hff-live-sure" data-live="sure"></p>'
        f'<p class="hff-live-caution">{text(texts.LIVE_CAUTION)}</p></div>'
        f'<div class="hff-bars" role="group" aria-label="{text(texts.BARS_TITLE)}">{rows}</div></section>'
    )


def _attention(columns: int, window: float) -> str:
    rows = []
    for number, (kind, name) in enumerate(_kinds()):
        cells = "".join(
            f'<rect x="{column * _CELL}" y="0" width="{_CELL - 0.5}" height="10" fill-opacity="0"/>'
            for column in range(columns)
        )
        rows.append(
            f'<span>{text(name)}</span><svg viewBox="0 0 {columns * _CELL} 10" preserveAspectRatio="none" '
            f'class="hff-live-cells hff-{kind}" data-live="cells" data-row="{number}">{cells}</svg>'
        )
    return (
        f'<section class="hff-live-attention"><h3>{text(texts.LIVE_ATTENTION)}</h3>'
        f'<div class="hff-live-map" role="img" aria-label="{text(texts.LIVE_ATTENTION_LABEL)}">{"".join(rows)}'
        f"{_axis(round(window))}</div></section>"
    )


def _kinds() -> list[tuple[str, str]]:
    """The rows of the map: key and name."""
    said = texts.LIVE_KINDS
    return [("fused", said["fused"]), *((m, said.get(m) or names.modality(m)) for m in MODALITIES)]


def _axis(seconds: int) -> str:
    past = texts.LIVE_AXIS_PAST.format(seconds=seconds)
    return (
        f'<span></span><p class="hff-live-axis"><span>{text(past)}</span><span>{text(texts.LIVE_AXIS_NOW)}</span></p>'
    )


def _timeline(name: str, title: str) -> str:
    lines = "".join(
        f'<path class="hff-live-line hff-{m}" data-live="line-{name}-{m}" '
        f'stroke-dasharray="{modalities.of(m).stroke}" d=""/>'
        for m in MODALITIES
    )
    grid = "".join(
        f'<path class="hff-live-grid" d="M0 {y}H{PLOT_WIDTH}"/>' for y in (1, PLOT_HEIGHT / 2, PLOT_HEIGHT - 1)
    )
    legend = "".join(
        f'<span class="hff-{m}"><svg viewBox="0 0 26 6" aria-hidden="true"><path class="hff-live-line" d="M1 3H25" '
        f'stroke-dasharray="{modalities.of(m).stroke}"/></svg>{text(names.modality(m))}</span>'
        for m in MODALITIES
    )
    return (
        f'<section class="hff-live-timeline"><h3>{text(title)}</h3><p class="hff-live-legend">{legend}</p>'
        '<div class="hff-live-plot"><div class="hff-live-scale"><span>1</span><span>½</span><span>0</span></div>'
        f'<svg viewBox="0 0 {PLOT_WIDTH} {PLOT_HEIGHT}" preserveAspectRatio="none" role="img" '
        f'aria-label="{text(title)}">{grid}{lines}</svg>{_axis(HISTORY_SECONDS)}</div></section>'
    )
