"""The glossary in the page's header: every word of the views in one sentence, one key press away."""

from __future__ import annotations

import gradio as gr
from markupsafe import Markup

from hff.page.shared.render import render

# The browser's own disclosure widget opens with Enter or Space; Escape closes it and gives the focus back.
_CLOSE = """
const details = element.querySelector("details"), summary = details.querySelector("summary");
element.addEventListener("keydown", event => {
    if (event.key === "Escape" && details.open) { details.open = false; summary.focus(); }
});
document.addEventListener("pointerdown", event => {
    if (!element.contains(event.target)) details.open = false;
});
"""


def build_glossary() -> None:
    """A button of the header that unfolds the words over whatever view is open; nothing on the page moves."""
    gr.HTML(glossary_html(), js_on_load=_CLOSE, elem_id="hff-glossary", apply_default_css=False)


def glossary_html() -> Markup:
    """``texts.GLOSSARY`` as a description list inside a disclosure widget."""
    return render("glossary.html", "glossary")
