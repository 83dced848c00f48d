"""Maps on faces and lines under words as HTML: nothing by colour alone, and every mark says what it means."""

from __future__ import annotations

import re

import numpy as np
import pytest

from hff.locale import texts, using
from hff.page.clip.report import timeline_html
from hff.page.clip.timeline import thumbnails
from hff.page.shared.explained import SOME, STRONG, explained, grade, marked, meaning, overlaid
from hff.saliency.explanation import Explanation
from hff.saliency.face_map import FaceMap
from hff.saliency.word_effect import UtteranceEffect, WordEffect
from tests.page.test_page_parts import words_of
from tests.support.page_fixtures import make_result


def made_map() -> FaceMap:
    heat = np.zeros((48, 48), np.float32)
    heat[20:35, 12:36] = 1
    return FaceMap("happy", 0.8, heat)


UTTERANCE = UtteranceEffect(
    "sad", 0.7, (WordEffect("so", 0.0), WordEffect("very", SOME), WordEffect("sad", STRONG), WordEffect("yes", -SOME))
)


def test_a_word_is_marked_by_what_leaving_it_out_does():
    assert [grade(effect) for effect in (0.5, STRONG, SOME, 0.0, -0.01, -SOME)] == [
        "strong", "strong", "some", "", "", "against",
    ]  # fmt: skip


def test_every_marked_word_says_what_becomes_of_the_answer():
    shown = str(marked([UTTERANCE]))
    assert re.findall(r'hff-word-(\w+)"', shown) == ["some", "strong", "against"]
    assert shown.count("without it sad goes from 70% to 60%") == 2  # as a title, and for those who hear the page
    assert "sad" in words_of(shown)


def test_the_hottest_part_of_a_face_has_an_outline():
    crop = np.full((48, 48), 120, np.uint8)
    picture = overlaid(crop, made_map())
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
        result = make_result(4)
        faces = tuple((face, made_map()) for *_, face in thumbnails(result))
        shown = words_of(explained(Explanation(faces, (UTTERANCE,))))
        for sentence in (texts.EXPLAINED_FACES, texts.EXPLAINED_WORDS):
            assert sentence in shown
            assert sentence in words_of(meaning())
        assert "{" not in shown
        assert texts.EXPLAINED_NOTHING in words_of(explained(Explanation()))


def test_what_is_not_there_has_no_heading():
    shown = words_of(explained(Explanation((), (UTTERANCE,))))
    assert texts.EXPLAINED_WORDS_TITLE in shown
    assert texts.EXPLAINED_FACES_TITLE not in shown


def test_the_maps_lie_on_the_timelines_faces():
    result = make_result(4)
    faces = tuple((face, made_map()) for *_, face in thumbnails(result))
    plain, with_maps = timeline_html(result), timeline_html(result, Explanation(faces))
    assert plain.count("<image") == with_maps.count("<image")
    assert len(with_maps) > len(plain) + 1000  # in colour, and four times as large
