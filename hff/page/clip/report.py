"""The report to keep: JSON, CSV, a PNG of the figures, and one web page that needs nothing but itself."""

from __future__ import annotations

import datetime
import json
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from hff import modalities
from hff.config import MODALITIES
from hff.locale import language, names, texts
from hff.page.clip.attention_map import attention_figure, describe, grid_figure
from hff.page.clip.timeline import HEIGHT, WIDTH, draw_timeline, timeline_figure
from hff.page.shared import cards, effects
from hff.page.shared.drawing import png, svg
from hff.page.shared.theme import FONTS, Palette, modality_css
from hff.result import Result

if TYPE_CHECKING:
    from matplotlib.figure import Figure

STYLE = Path(__file__).parents[1] / "static" / "style.css"


def json_text(result: Result) -> str:
    return json.dumps(result.to_dict(), ensure_ascii=False, allow_nan=False)


def figure_box(drawing: str) -> str:
    """An SVG in a box that scrolls sideways where the screen is too narrow to read it."""
    return f'<div class="hff-scroll" tabindex="0">{drawing}</div>'


def timeline_html(result: Result) -> str:
    drawing = svg(partial(timeline_figure, result), texts.TIMELINE_LABEL)
    sentence = texts.TIMELINE_NOTE if len(result.timeline.times) > 1 else texts.ONE_STEP
    return cards.note(sentence) + figure_box(drawing)


def attention_html(result: Result, layer: int | None = None, head: int | None = None) -> str:
    """The map of one layer and head, or of their means."""
    if result.attention is None:
        return cards.note(texts.ATTENTION_NONE)
    what = describe(layer, head)
    drawing = svg(partial(attention_figure, result, layer, head), texts.ATTENTION_LABEL.format(what=what))
    part = texts.ATTENTION_PART if len(result.attention.query_times) < len(result.timeline.times) else ""
    return cards.note(f"{texts.ATTENTION_NOTE} {part}".strip()) + figure_box(drawing)


def attention_grid_html(result: Result) -> str:
    if result.attention is None:
        return cards.note(texts.ATTENTION_NONE)
    drawing = svg(partial(grid_figure, result), texts.EVERY_HEAD)
    return cards.note(texts.ATTENTION_GRID_NOTE) + figure_box(drawing)


def alone_html(result: Result) -> str:
    return effects.shapley(result) + effects.alone(result) + effects.subsets(result)


def png_bytes(result: Result) -> bytes:
    """Headline, probabilities, weights and timeline in one picture."""
    return png(partial(_report_figure, result))


def _report_figure(result: Result, palette: Palette) -> Figure:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(WIDTH, HEIGHT + 2.9), layout="constrained")
    top, below = figure.subfigures(2, 1, height_ratios=[2.9, HEIGHT])
    share = cards.percent(result.probabilities[result.emotion])
    top.suptitle(
        f"{names.emotion(result.emotion).capitalize()}, {share}", fontsize=22, fontweight="bold", x=0.01, ha="left"
    )
    chances, weights = top.subplots(1, 2)
    _bars(chances, result, palette)
    _weights(weights, result, palette)
    draw_timeline(below, result, palette)
    return figure


def _bars(axis, result: Result, palette: Palette) -> None:
    labels = list(result.probabilities)
    values = np.array(list(result.probabilities.values()))
    axis.barh(
        [names.emotion(label) for label in labels],
        values,
        xerr=[result.spread[label] for label in labels],
        color=palette.muted,
        ecolor=palette.ink,
    )
    axis.set_xlim(0, 1)
    axis.set_xlabel(texts.PROBABILITY_AXIS)
    axis.invert_yaxis()


def _weights(axis, result: Result, palette: Palette) -> None:
    for row, name in enumerate(MODALITIES):
        there = result.present[name]
        own = modalities.of(name)
        axis.barh(row, result.alpha[name] if there else 0, color=own.colour, hatch=own.hatch,
                  edgecolor=palette.paper, linewidth=0)  # fmt: skip
        label = (
            f"α {cards.decimal(result.alpha[name])}, σ² {cards.number(result.variance[name])}"
            if there
            else texts.ABSENT
        )
        axis.text((result.alpha[name] if there else 0) + 0.02, row, label, va="center", clip_on=False)
    axis.set_yticks(range(len(MODALITIES)), [names.modality(name) for name in MODALITIES])
    axis.set_ylim(len(MODALITIES) - 0.5, -0.5)
    axis.set_xlim(0, 1.5)  # room for the words beside a full bar
    axis.set_xticks([0, 0.5, 1])
    axis.set_xlabel(texts.TIMELINE_ROWS["alpha"].replace("\n", " "))


def html_page(result: Result) -> str:
    """The whole report as one page: style, figures and words inside, no script, no request."""
    made = texts.REPORT_MADE.format(
        date=datetime.datetime.now().astimezone().strftime("%Y-%m-%d %H:%M"),
        file=Path(result.file).name if result.file else texts.REPORT_TYPED,
        seconds=f"{cards.decimal(result.seconds, 1)} s",
    )
    said = result.transcript.text if result.transcript else texts.NO_WORDS
    families = ", ".join(f"'{name}'" if " " in name else name for name in FONTS)
    page = (
        f"body{{margin:0 auto;max-width:1020px;padding:24px;background:#fff;color:var(--hff-ink);"
        f"font-family:{families}}}"
        "h1{font-size:26px;margin:0}h2{font-size:21px;margin:30px 0 4px;break-after:avoid}"
        "section,.hff-scroll,.hff-part{break-inside:avoid}.hff-gauges{margin-top:16px}"
        "*{-webkit-print-color-adjust:exact;print-color-adjust:exact;box-sizing:border-box}"
    )
    parts = [
        cards.warnings(result.warnings), cards.headline(result), cards.gauges(result), cards.note(texts.GAUGES_NOTE),
        _titled(texts.SECTION_TIME, timeline_html(result)),
        _titled(texts.SECTION_ATTENTION, attention_html(result) + attention_grid_html(result)),
        _titled(texts.SECTION_ALONE, alone_html(result)),
        _titled(texts.SECTION_WORDS, f"<blockquote>{cards.text(said)}</blockquote>"),
    ]  # fmt: skip
    return (
        f'<!doctype html><html lang="{language()}"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{texts.REPORT_TITLE}: {cards.text(names.emotion(result.emotion))}</title>"
        f"<style>{STYLE.read_text(encoding='utf-8')}{modality_css()}{page}</style></head><body>"
        f"<header><h1>{texts.REPORT_TITLE}</h1>{cards.note(made)}</header><main>{''.join(parts)}</main>"
        f"<footer>{cards.note(texts.FOOTER)}</footer></body></html>"
    )


def _titled(title: str, content: str) -> str:
    return f"<h2>{cards.text(title)}</h2>{content}"
