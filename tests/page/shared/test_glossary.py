"""The glossary of the page's header: complete, in plain sentences, and within reach of every view."""

from __future__ import annotations

import html
import re

import pytest

from hff.locale import texts, using
from hff.page.shared.glossary import glossary_html
from tests.support.page_browser import FakeModel, browsing, outside, serving

VIEWS = (texts.TAB_LIVE, texts.TAB_CLIP, texts.TAB_LAB, texts.TAB_MODEL)
NEEDED = (
    "α,",
    "α₀",
    "precision",
    "σ²",
    "aleatoric",
    "epistemic",
    "attention",
    "β_t",
    "entropy",
    "Shapley value",
    "Monte Carlo draws",
    "calibration",
    "ECE",
)


@pytest.mark.parametrize("needed", NEEDED)
def test_every_word_of_the_views_is_explained(needed: str):
    assert any(needed in word for word in texts.GLOSSARY)


@pytest.mark.parametrize("word", texts.GLOSSARY)
def test_each_explanation_is_one_sentence(word: str):
    numbers, sentence = texts.GLOSSARY[word]
    assert len(sentence) <= 130
    assert sentence.endswith(".")
    assert not re.search(r"[.!?] [A-Z]", sentence)
    assert re.fullmatch(r"(\(\d+\)([,–] ?\(\d+\))?)?", numbers)
    assert sentence.format(guess="0.86") in html.unescape(glossary_html(7))


def test_what_a_guess_is_goes_by_the_models_labels():
    assert "0.67 and above a guess" in glossary_html(3)
    with using("de"):
        assert "ab 0,67 geraten" in glossary_html(3)


def test_the_notes_of_the_views_use_the_same_words():
    assert texts.ALPHA_MEANS in texts.GAUGES_NOTE
    assert texts.ALPHA_MEANS in texts.LIVE_NOTE
    assert texts.BETA_MEANS in texts.TIMELINE_NOTE
    assert texts.SHAPLEY_MEANS in texts.SHAPLEY_NOTE


@pytest.mark.browser
def test_the_keyboard_opens_and_closes_it_over_every_view():
    with serving(FakeModel()) as server, browsing(server.url) as page:
        summary, panel = page.locator("#hff-glossary summary"), page.locator("#hff-glossary .hff-words")
        for view in VIEWS:
            page.locator("#hff-views").get_by_role("tab", name=view, exact=True).first.click()
            assert not panel.is_visible()
            below = page.evaluate("document.getElementById('hff-views').getBoundingClientRect().top")
            summary.focus()
            page.keyboard.press("Enter")
            panel.get_by_text(texts.GLOSSARY["entropy"][1]).wait_for()
            box = panel.bounding_box()
            assert box["x"] >= 0, view
            assert box["x"] + box["width"] <= 1366, view
            assert box["y"] + box["height"] <= 768, view
            assert covers(page, box), view
            assert page.evaluate("document.getElementById('hff-views').getBoundingClientRect().top") == below, view
            page.keyboard.press("Escape")
            panel.wait_for(state="hidden")
            assert page.evaluate("document.activeElement.tagName") == "SUMMARY"
        assert outside(page.requests, server.url) == []


def covers(page, box: dict) -> bool:
    """Whether nothing of the view lies over the panel's corners."""
    return page.evaluate(
        """({x, y, width, height}) => [[x + 20, y + 20], [x + width - 30, y + height - 20], [x + 20, y + height - 20]]
        .every(([left, top]) => document.elementFromPoint(left, top).closest('#hff-glossary') !== null)""",
        box,
    )
