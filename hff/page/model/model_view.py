"""The Model view: what it must not be used for, how it works at a moment of the clip, how good it is, what it knows."""

from __future__ import annotations

import contextlib
from functools import cache
from pathlib import Path

import gradio as gr
from markupsafe import Markup

from hff import weights
from hff.config import HFFConfig
from hff.errors import WeightsError
from hff.examples.ready import EXAMPLES
from hff.locale import language, names, texts, translate
from hff.locale.lists import listed, paragraph
from hff.moment import weightiest
from hff.page.clip.clip_view import QUICK, ClipView
from hff.page.clip.report import source_html
from hff.page.model.architecture import speech_title
from hff.page.model.measured import accuracy_sentence, load_corpora, load_measured, metrics_html
from hff.page.model.recorded import said
from hff.page.model.walk import Story, drawing_html, parts_html
from hff.page.session.background_model import Engine
from hff.page.session.sessions import Session, Sessions
from hff.page.shared import cards
from hff.page.shared.render import render
from hff.result import Result

_SCRIPT = Path(__file__).parents[1] / "static" / "walk.js"


class ModelView:
    """Fills the tab and connects it to the page's last reading; measured figures are drawn when it is first opened."""

    def __init__(self, tab: gr.Tab, engine: Engine, sessions: Sessions, clip: ClipView) -> None:
        self.sessions, self.config = sessions, engine.config()
        with gr.Column(elem_id="hff-model"):
            gr.HTML(_titled(texts.LIMITS, _accuracy(self.config) + _limits()), elem_id="hff-limits")
            with gr.Column(elem_id="hff-walk"):
                gr.HTML(_titled(texts.HOW_BUILT, cards.note(texts.HOW_BUILT_NOTE)))
                self.source = gr.HTML(_no_clip(), elem_id="hff-walk-source")
                self.example = gr.Button(
                    texts.WALK_EXAMPLE.format(example=EXAMPLES[0].title),
                    variant="primary",
                    elem_id="hff-walk-example",
                )
                self.drawing = gr.HTML(
                    drawing_html(self.config),
                    js_on_load=_SCRIPT.read_text(encoding="utf-8"),
                    elem_id="hff-walk-drawing",
                )
                self.moment = gr.Slider(
                    1, 2, value=1, step=1, label=texts.WALK_MOMENT, visible=False, buttons=[], elem_id="hff-moment"
                )
                self.parts = gr.HTML(parts_html(self.config), elem_id="hff-walk-parts")
            measured = gr.HTML(_folded(texts.MEASURED, Markup()), elem_id="hff-measured")
            gr.HTML(_folded(texts.DATA, cards.note(texts.DATA_NOTE) + data_html()), elem_id="hff-data")
        tab.select(_measured, None, measured, **QUICK)
        shown = [self.source, self.example, self.moment, self.drawing, self.parts]
        tab.select(self._arrive, None, shown, **QUICK)
        clip.read_example(self.example, EXAMPLES[0], self.drawing)
        for analysis in clip.analyses:  # somebody may have gone here before it was done
            analysis.then(self._arrive, None, shown, **QUICK)
        self.moment.input(self._show, self.moment, [self.drawing, self.parts], trigger_mode="always_last", **QUICK)

    def _arrive(self, request: gr.Request) -> tuple:
        """The page's last reading, at the moment that was looked at or, of a new one, at the weightiest.

        Which moment that is the session knows: what is hidden does not say what it was set to.
        """
        session = self.sessions.of(request.session_hash)
        result = session.result
        if result is None:
            return _no_clip(), gr.Button(visible=True), gr.Slider(visible=False), *_drawn(self.config, None)
        if session.walked is not session.clip_turn:
            session.walked, session.moment = session.clip_turn, weightiest(result)
        story, count = self._story(session, result), len(result.timeline.times)
        slider = gr.Slider(maximum=max(2, count), value=story.number + 1, visible=count > 1)
        return source_html(result), gr.Button(visible=False), slider, *_drawn(self.config, story)

    def _show(self, number: float, request: gr.Request) -> tuple:
        """``number`` counts from 1."""
        session = self.sessions.of(request.session_hash)
        session.moment = round(number) - 1
        result = session.result
        return _drawn(self.config, None if result is None else self._story(session, result))

    def _story(self, session: Session, result: Result) -> Story:
        return Story(self.config, result, min(max(0, session.moment), len(result.timeline.times) - 1))


def _drawn(config: HFFConfig, story: Story | None) -> tuple[Markup, Markup]:
    return drawing_html(config, story), parts_html(config, story)


def _no_clip() -> Markup:
    return cards.note(texts.WALK_NONE.format(clip=texts.TAB_CLIP))


def _accuracy(config: HFFConfig) -> Markup:
    """One sentence, and whose figures they are where another speech encoder is running; nothing if not known."""
    try:
        folder = weights.folder()
    except WeightsError:
        return Markup()
    told = accuracy_sentence(load_measured(folder))
    measured = weights.preferred_speech_encoder(folder)
    heard = [speech_title(encoder) for encoder in (measured, config.speech_encoder)]
    other = texts.ACCURACY_OF_OTHER.format(measured=heard[0], running=heard[1])
    return render("model.html", "accuracy", paragraph(told, other if config.speech_encoder != measured else ""))


def _measured() -> Markup:
    try:
        folder = weights.folder()
    except WeightsError as error:
        return _folded(texts.MEASURED, cards.note(translate(error)))
    return _measured_in(folder, language())


@cache
def _measured_in(folder: Path, _language: str) -> Markup:
    """Drawn once in each language; ``_language`` is that of the moment."""
    return _folded(texts.MEASURED, cards.note(texts.MEASURED_NOTE) + metrics_html(load_measured(folder)))


def _titled(title: str, content: Markup) -> Markup:
    return render("model.html", "titled", title, content)


def _folded(title: str, content: Markup) -> Markup:
    return render("model.html", "folded", title, content)


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
