"""The report to keep: JSON, CSV, a PNG of the figures, and one web page that needs nothing but itself."""

from __future__ import annotations

import datetime
import json
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from markupsafe import Markup

from hff import modalities
from hff.config import MODALITIES
from hff.locale import names, texts
from hff.locale.lists import paragraph
from hff.page.clip.attention_map import attention_figure, grid_figure, map_name
from hff.page.clip.timeline import TIMELINE_HEIGHT, TIMELINE_WIDTH, draw_timeline, timeline_figure
from hff.page.clip.what_counted import what_counted
from hff.page.shared import cards, effects
from hff.page.shared.amounts import decimal, never_none, percent, weight_figures
from hff.page.shared.drawing import picture_address, png, svg
from hff.page.shared.ears import ear_name
from hff.page.shared.render import render
from hff.page.shared.theme import Palette, colours_css, css_fonts
from hff.result import Result

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from hff.saliency.explanation import Explanation

STYLE = Path(__file__).parents[1] / "static" / "style.css"


def json_text(result: Result) -> str:
    return json.dumps(result.to_dict(), ensure_ascii=False, allow_nan=False)


def timeline_html(result: Result, explanation: Explanation | None = None) -> Markup:
    """The timeline, with the maps of an ``explanation`` on its faces."""
    maps = explanation.faces if explanation is not None else ()
    drawing = svg(partial(timeline_figure, result, maps=maps), texts.TIMELINE_LABEL)
    sentence = texts.TIMELINE_NOTE if len(result.timeline.times) > 1 else texts.ONE_STEP
    return render("report.html", "figure", sentence, drawing)


def attention_html(result: Result, layer: int | None = None, head: int | None = None) -> Markup:
    """The map of one layer and head, or of their means."""
    if result.attention is None:
        return cards.note(texts.ATTENTION_NONE)
    what = map_name(layer, head)
    drawing = svg(partial(attention_figure, result, layer, head), texts.ATTENTION_LABEL.format(what=what))
    part = texts.ATTENTION_PART if len(result.attention.query_times) < len(result.timeline.times) else ""
    return render("report.html", "figure", paragraph(texts.ATTENTION_NOTE, part), drawing)


def attention_grid_html(result: Result) -> Markup:
    if result.attention is None:
        return cards.note(texts.ATTENTION_NONE)
    drawing = svg(partial(grid_figure, result), texts.EVERY_HEAD)
    return render("report.html", "figure", texts.ATTENTION_GRID_NOTE, drawing)


def alone_html(result: Result) -> Markup:
    return effects.shapley(result) + effects.alone(result) + effects.subsets_html(result)


def reading_html(result: Result) -> Markup:
    """What was read, warnings, headline, weights, what they mean and what is to be said of these."""
    return (
        source_html(result)
        + cards.warnings(result.warnings)
        + cards.headline(result)
        + cards.gauges(result)
        + cards.note(texts.GAUGES_NOTE)
        + cards.counted(what_counted(result))
    )


def source_html(result: Result) -> Markup:
    """The name of what was read, its length in seconds if it has one, the first face seen in it, and who heard it."""
    faces = result.evidence.faces
    return cards.source(
        source_name(result),
        texts.SECONDS.format(seconds=decimal(result.seconds, 1)) if len(result.timeline.times) > 1 else None,
        picture_address(faces[0].crop) if faces else None,
        _ear(result),
    )


def source_name(result: Result) -> str:
    """The file that was read, or that it was typed words."""
    return Path(result.file).name if result.file else texts.INPUT_NAMES["text"]


def _ear(result: Result) -> str:
    """Who heard the voice, where there is one."""
    return texts.EAR_SAID.format(name=ear_name(result.speech_encoder)) if result.present["speech"] else ""


def png_bytes(result: Result) -> bytes:
    """Headline, probabilities, weights and timeline in one picture."""
    return png(partial(_report_figure, result))


def _report_figure(result: Result, palette: Palette) -> Figure:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(TIMELINE_WIDTH, TIMELINE_HEIGHT + 2.9), layout="constrained")
    top, below = figure.subfigures(2, 1, height_ratios=[2.9, TIMELINE_HEIGHT])
    share = percent(result.probabilities[result.emotion])
    top.suptitle(
        f"{names.emotion(result.emotion).capitalize()}, {share}", fontsize=22, fontweight="bold", x=0.01, ha="left"
    )
    top.text(0.99, 0.97, _ear(result), ha="right", va="top", color=palette.muted)
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
        axis.barh(
            row,
            result.alpha[name] if there else 0,
            color=own.colour,
            hatch=own.hatch,
            edgecolor=palette.paper,
            linewidth=0,
        )
        variance = result.variance[name]
        alpha = weight_figures(result.alpha)[name]
        label = texts.ABSENT if variance is None else f"α {alpha}, σ² {never_none(variance)}"
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
        seconds=texts.SECONDS.format(seconds=decimal(result.seconds, 1)),
    )
    parts = {
        "answer": reading_html(result),
        "time": timeline_html(result),
        "attention": attention_html(result) + attention_grid_html(result),
        "alone": alone_html(result),
    }
    said = result.transcript.text if result.transcript else texts.NO_WORDS
    page = render(
        "report.html",
        "page",
        title=names.emotion(result.emotion),
        made=made,
        parts=parts,
        said=said,
        style=Markup(STYLE.read_text(encoding="utf-8") + colours_css()),
        fonts=Markup(css_fonts()),
    )
    return str(page)
