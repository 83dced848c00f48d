"""The glossary in the page's header: every word of the views in one sentence, one key press away."""

from __future__ import annotations

import gradio as gr
from markupsafe import Markup

from hff.locale import texts
from hff.page.shared.amounts import decimal, guess_variance
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


def build_glossary(labels: int) -> None:
    """A button of the header that unfolds the words over whatever view is open; nothing on the page moves."""
    gr.HTML(glossary_html(labels), js_on_load=_CLOSE, elem_id="hff-glossary", apply_default_css=False)


def glossary_html(labels: int) -> Markup:
    """``texts.GLOSSARY``, of a model of so many labels, as a description list inside a disclosure widget."""
    guess = decimal(guess_variance(labels))
    words = {word: (numbers, said.format(guess=guess)) for word, (numbers, said) in texts.GLOSSARY.items()}
    return render("glossary.html", "glossary", words)
