"""Maps on faces and lines under words as HTML: nothing by colour alone, and every mark says what it means."""

from __future__ import annotations

import re

import numpy as np
import pytest

from hff.locale import texts, using
from hff.page.clip.report import timeline_html
from hff.page.shared.explained import SOME, STRONG, explained, grade, marked, meaning, overlaid
from hff.saliency.explanation import Explanation
from hff.saliency.face_map import FaceMap
from tests.support.page_fixtures import make_explanation, make_result

RESULT = make_result(4)
MADE = make_explanation(RESULT)


def text_of(markup: object) -> str:
    return " ".join(re.sub("<[^>]*>", " ", str(markup)).split())


def test_a_word_is_marked_by_what_leaving_it_out_does():
    assert [grade(effect) for effect in (0.5, STRONG, SOME, 0.0, -0.01, -SOME)] == [
        "strong",
        "strong",
        "some",
        "",
        "",
        "against",
    ]


def test_every_marked_word_says_what_becomes_of_the_answer():
    shown = str(marked(MADE.words))
    assert re.findall(r'hff-word-(\w+)"', shown) == ["some", "strong", "against"]
    assert shown.count("without it sad goes from 70% to 60%") == 2  # as a title, and for those who hear the page
    assert "sad" in text_of(shown)


def test_the_hottest_part_of_a_face_has_an_outline():
    crop = np.full((48, 48), 120, np.uint8)
    picture = overlaid(crop, MADE.faces[0][1])
    assert picture.shape == (192, 192, 3)
    white, black = ((picture == shade).all(-1) for shade in (255, 0))
    assert white.any()
    assert black.any()
    assert not white[:60].any()  # nothing hot is up there
    cold = overlaid(crop, FaceMap("happy", 0.2, np.zeros((48, 48), np.float32)))
    assert (cold == 120).all()


@pytest.mark.parametrize("language", ["en", "de"])
def test_what_is_shown_is_explained(language: str):
    with using(language):
        shown = text_of(explained(MADE))
        for sentence in (texts.EXPLAINED_FACES, texts.EXPLAINED_WORDS):
            assert sentence in shown
            assert sentence in text_of(meaning())
        assert "{" not in shown
        assert texts.EXPLAINED_NOTHING in text_of(explained(Explanation()))


def test_what_is_not_there_has_no_heading():
    shown = text_of(explained(Explanation((), MADE.words)))
    assert texts.EXPLAINED_WORDS_TITLE in shown
    assert texts.EXPLAINED_FACES_TITLE not in shown


def test_the_maps_lie_on_the_timelines_faces():
    plain, with_maps = timeline_html(RESULT), timeline_html(RESULT, MADE)
    assert plain.count("<image") == with_maps.count("<image")
    assert len(with_maps) > len(plain) + 1000  # in colour, and four times as large
