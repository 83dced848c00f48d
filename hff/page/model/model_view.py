"""The Model view: how it is built, how good it is, what it was trained on, what it must not be used for."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import gradio as gr
from markupsafe import Markup

from hff.config import HFFConfig
from hff.errors import WeightsError
from hff.locale import texts, translate
from hff.page.model.architecture import architecture_html
from hff.page.model.measured import load_measured, metrics_html
from hff.page.shared import cards
from hff.page.shared.render import render


def build_model_view(tab: gr.Tab) -> None:
    """Fill the tab; the measured figures are drawn when it is first opened."""
    with gr.Column(elem_id="hff-model"):
        gr.HTML(_titled(texts.HOW_BUILT, cards.note(texts.HOW_BUILT_NOTE) + architecture_html(HFFConfig())))
        measured = gr.HTML(_titled(texts.MEASURED, Markup()), elem_id="hff-measured")
        gr.HTML(_titled(texts.DATA, cards.note(texts.DATA_NOTE) + _data()), elem_id="hff-data")
        gr.HTML(_titled(texts.LIMITS, _limits()), elem_id="hff-limits")
    tab.select(_measured, None, measured, queue=False, show_progress="hidden", api_visibility="private")


def _measured() -> Markup:
    from hff import weights

    try:
        folder = weights.folder()
    except WeightsError as error:
        return _titled(texts.MEASURED, cards.note(translate(error)))
    return _measured_in(folder)


@cache
def _measured_in(folder: Path) -> Markup:
    return _titled(texts.MEASURED, cards.note(texts.MEASURED_NOTE) + metrics_html(load_measured(folder)))


def _titled(title: str, content: Markup) -> Markup:
    return render("model.html", "titled", title, content)


def _data() -> Markup:
    return render("model.html", "data", texts.DATA_COLUMNS, texts.CORPORA)


def _limits() -> Markup:
    return render("model.html", "items", texts.LIMIT_LINES)
