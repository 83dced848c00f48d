"""The whole page: header and tabs. New views get a tab here."""

from __future__ import annotations

import gradio as gr
from markupsafe import Markup

from hff.locale import DEFAULT, language, languages, speaking, texts, using
from hff.locale.catalogue import lookup
from hff.page.api import build_api
from hff.page.clip.clip_view import ClipView
from hff.page.door.languages import LANGUAGE_PARAMETER
from hff.page.lab.lab_api import build_lab_api
from hff.page.lab.lab_view import LabView
from hff.page.live.hub import LiveHub
from hff.page.live.live_view import LiveView
from hff.page.model.model_view import ModelView
from hff.page.session.background_model import Engine
from hff.page.session.sessions import Sessions
from hff.page.shared.faults import say_faults
from hff.page.shared.glossary import build_glossary
from hff.page.shared.render import render

MAX_WAITING = 24  # events in the queue; who comes later is told that the page is busy
_CLEAN_EVERY, _KEEP_UPLOADS = 300, 4 * 3600  # s; pages left open do not keep their uploads for ever
_TOGGLE = "() => { document.body.classList.toggle('dark') }"


def build_page(engine: Engine, sessions: Sessions, live: LiveHub, name: str = DEFAULT) -> gr.Blocks:
    """The page in the language ``name``, not yet launched; ``sessions`` forgets a visitor as the page is closed.

    What other programs call by name speaks English in every language's page.
    """
    with using(name):
        page = _build(engine, sessions, live)
    for event in page.fns.values():
        if event.fn is not None:
            event.fn = speaking(DEFAULT if event.api_visibility == "public" else name, event.fn)
    say_faults(page, name)
    return page


def switch_html() -> Markup:
    """Links to the page in the other languages, each said in that language."""
    others = [(name, lookup("LANGUAGE_NAME", name)) for name in languages() if name != language()]
    return render("header.html", "switch", others, LANGUAGE_PARAMETER)


def _build(engine: Engine, sessions: Sessions, live: LiveHub) -> gr.Blocks:
    with gr.Blocks(
        title=texts.TITLE, analytics_enabled=False, fill_width=True, delete_cache=(_CLEAN_EVERY, _KEEP_UPLOADS)
    ) as page:
        with gr.Row(elem_id="hff-top"):
            gr.HTML(render("header.html", "title"), elem_id="hff-title")
            build_glossary(len(engine.config().labels))
            gr.HTML(switch_html(), elem_id="hff-language")
            theme = gr.Button(texts.THEME_BUTTON, size="sm", scale=0, elem_id="hff-theme")
        theme.click(None, None, None, js=_TOGGLE, api_visibility="private")
        with gr.Tabs(elem_id="hff-views", selected="clip") as views:
            with gr.Tab(texts.TAB_LIVE, id="live"):
                LiveView(live, sessions)
            with gr.Tab(texts.TAB_CLIP, id="clip"):
                clip = ClipView(engine, sessions)
            lab = LabView(engine, sessions, views)
            with gr.Tab(texts.TAB_MODEL, id="model") as model_tab:
                ModelView(model_tab, engine, sessions, clip)
        build_api(engine, sessions, clip.inputs)
        build_lab_api(engine, sessions, lab.benches, clip.inputs)
        lab.open_from_address(page)

        def forget(request: gr.Request) -> None:
            engine.leave(request.session_hash)
            live.leave(request.session_hash)
            sessions.end(request.session_hash)

        page.unload(forget)
    page.queue(max_size=MAX_WAITING, api_open=False)
    return page
