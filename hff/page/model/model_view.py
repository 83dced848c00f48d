"""The Model view: how it is built, how good it is, what it was trained on, what it must not be used for."""

from __future__ import annotations

import contextlib
from functools import cache
from pathlib import Path

import gradio as gr
from markupsafe import Markup

from hff import weights
from hff.config import HFFConfig
from hff.errors import WeightsError
from hff.locale import language, names, texts, translate
from hff.locale.lists import listed
from hff.page.model.architecture import architecture_html
from hff.page.model.measured import load_corpora, load_measured, metrics_html
from hff.page.model.recorded import said
from hff.page.shared import cards
from hff.page.shared.render import render


def build_model_view(tab: gr.Tab, config: HFFConfig) -> None:
    """Fill the tab; the measured figures are drawn when it is first opened."""
    with gr.Column(elem_id="hff-model"):
        gr.HTML(_titled(texts.HOW_BUILT, cards.note(texts.HOW_BUILT_NOTE) + architecture_html(config)))
        measured = gr.HTML(_titled(texts.MEASURED, Markup()), elem_id="hff-measured")
        gr.HTML(_titled(texts.DATA, cards.note(texts.DATA_NOTE) + data_html()), elem_id="hff-data")
        gr.HTML(_titled(texts.LIMITS, _limits()), elem_id="hff-limits")
    tab.select(_measured, None, measured, queue=False, show_progress="hidden", api_visibility="private")


def _measured() -> Markup:
    try:
        folder = weights.folder()
    except WeightsError as error:
        return _titled(texts.MEASURED, cards.note(translate(error)))
    return _measured_in(folder, language())


@cache
def _measured_in(folder: Path, _language: str) -> Markup:
    """Drawn once in each language; ``_language`` is that of the moment."""
    return _titled(texts.MEASURED, cards.note(texts.MEASURED_NOTE) + metrics_html(load_measured(folder)))


def _titled(title: str, content: Markup) -> Markup:
    return render("model.html", "titled", title, content)


@cache
def _corpora_in(folder: Path | None) -> tuple[dict, ...]:
    return tuple(load_corpora(folder)) if folder is not None else ()


def data_html() -> Markup:
    """What the weights were made from, as a table."""
    folder: Path | None = None
    with contextlib.suppress(WeightsError):
        folder = weights.folder()
    corpora = _corpora_in(folder)
    if not corpora:
        return cards.note(texts.NO_CORPORA)
    rows = [(corpus["name"], *_told(corpus)) for corpus in corpora]
    return render("model.html", "data", texts.DATA_COLUMNS, rows)


def _told(corpus: dict) -> tuple[str, str, str]:
    """What a corpus is, what learned from it, and its terms."""
    parts = dict.fromkeys(texts.CORPUS_PARTS.get(part) or names.modality(part) for part in corpus.get("parts", {}))
    content = texts.CORPUS_CONTENT.get(corpus.get("key")) or corpus.get("content", "")
    return content, listed(parts), said(corpus.get("licence", ""))


def _limits() -> Markup:
    return render("model.html", "items", texts.LIMIT_LINES)
