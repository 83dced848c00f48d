"""The glossary in the page's header: every word of the views in one sentence, one key press away."""

from __future__ import annotations

import gradio as gr

from hff.locale import texts
from hff.page.shared.cards import text

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


def glossary_html() -> str:
    """``texts.GLOSSARY`` as a description list inside a disclosure widget."""
    entries = "".join(
        f"<div><dt>{text(word)}{_equations(numbers)}</dt><dd>{text(sentence)}</dd></div>"
        for word, (numbers, sentence) in texts.GLOSSARY.items()
    )
    # The panel scrolls on small screens; what scrolls has to be reachable by keyboard.
    return (
        f"<details><summary>{text(texts.GLOSSARY_TITLE)}</summary>"
        f'<section class="hff-words" tabindex="0" aria-label="{text(texts.GLOSSARY_TITLE)}">'
        f"<p>{text(texts.GLOSSARY_NOTE)}</p><dl>{entries}</dl></section></details>"
    )


def _equations(numbers: str) -> str:
    return f' <span class="hff-equations">{text(numbers)}</span>' if numbers else ""
