"""The worksheet: what is set up, questions, answers, and how it prints."""

from __future__ import annotations

import re

import pytest

from hff.lab.lesson_files import load_lessons
from hff.lab.state import Corruption, LabState
from hff.locale import using
from hff.page.lab.worksheet import describe, questions, worksheet, worksheets
from tests.support.lab_fixtures import CLEAN, after, shares
from tests.support.page_browser import chromium
from tests.support.page_fixtures import make_result

SETUPS = re.compile(r'<div class="setups">(.*?)</table>', re.DOTALL)


def test_the_worksheet_says_what_is_set_up_and_asks_about_it():
    state = LabState(
        source="clip",
        corruption=CLEAN.corruption
        | {
            "speech": Corruption("babble", 0.4),
            "text": Corruption("dropped words", 0, muted=True),
            "vision": Corruption("blur", 0.0),
        },
        alpha=tuple(shares(0.5, 0.25, 0.25).values()),
        without=("temporal",),
        text="Oh <i>no</i>",
    )
    lines = " ".join(describe(state))
    for part in ("Clip", "a room full of talk", "40", "Words: taken away", "Voice 0.50", "Time: GRU", "Oh <i>no</i>"):
        assert part in lines
    assert "Face" not in lines.split("by hand")[0]
    assert len(questions(state)) == 6
    hurt_too = state.with_severity("vision", 0.5)
    assert len(questions(hurt_too)) == 6
    assert "of the voice and of the face" in " ".join(questions(hurt_too))
    assert len(questions(LabState(source="clip"))) == 2


def test_the_worksheet_says_what_both_readings_are_of():
    """Before may be another recording, or the same one with something taken away."""
    lessons = {lesson.key: lesson for lesson in load_lessons()}
    reading = make_result(3)
    sheet = worksheets((lesson, reading, reading) for lesson in lessons.values())
    setups = dict(zip(lessons, SETUPS.findall(sheet), strict=True))
    for key, lesson in lessons.items():
        before, now = setups[key].split("<h3>After</h3>")
        for state, told in ((lesson.before, before), (lesson.state, now)):
            for line in describe(state):
                assert line in told, (key, line)
    before, now = setups["stranger"].split("<h3>After</h3>")
    assert "Actor, angry" in before
    assert "Face: taken away." in before
    assert "Sarcasm" in now
    assert "Nothing is changed in it." in now
    assert "Voice: taken away." in setups["sarcasm"].split("<h3>After</h3>")[0]


def test_the_worksheet_says_what_of_a_clip_can_be_checked():
    """w follows from the row's sigma^2; alpha is a mean over moments, unless there is but one or it is set by hand."""
    state = LabState(source="clip")
    by_hand = state.but(alpha=tuple(shares(0.5, 0.25, 0.25).values()))
    assert "only nearly" in questions(state, moments=2)[0]
    assert "only nearly" not in questions(state)[0]
    assert "only nearly" not in questions(by_hand, moments=2)[0]
    assert "each moment" in worksheet(state, make_result(3), make_result(3))
    assert "each moment" not in worksheet(state, make_result(0.5), make_result(0.5))


@pytest.mark.browser
@pytest.mark.parametrize("language", ["en", "de"])
def test_each_lessons_worksheet_is_printed_on_one_page(language):
    with using(language):
        lessons = load_lessons()
        sheet = worksheets((lesson, make_result(6), make_result(6, seed=1)) for lesson in lessons)
        state = lessons[0].state.but(text="Nobody came to my party.", alpha=tuple(shares(0.5, 0.25, 0.25).values()))
        free = worksheet(state, make_result(6), make_result(6, seed=1))
    questions_alone = "<style>.answers, footer { display: none }</style>"
    with chromium.page() as page:
        for paper in ("A4", "Letter"):
            assert printed_pages(page, sheet + questions_alone, paper) == len(lessons)
            assert printed_pages(page, sheet, paper) <= len(lessons) + -(-len(lessons) // 3)
            assert printed_pages(page, free, paper) == 2


def printed_pages(page, html: str, paper: str) -> int:
    page.set_content(html)
    return len(re.findall(rb"/Type\s*/Page\b", page.pdf(format=paper, print_background=True)))


def test_the_worksheet_asks_for_w_with_the_models_own_epsilon():
    lesson, reading = load_lessons()[0], make_result(3)
    assert "is w = 1 / (σ² + 0.05)" in worksheet(lesson.state, reading, reading, lesson, eps=0.05)
    assert "is w = 1 / (σ² + 0.05)" in worksheets([(lesson, reading, reading)], eps=0.05)
    with using("de"):
        assert "1 / (σ² + 0,05)" in worksheet(lesson.state, reading, reading, eps=0.05)


def test_the_worksheet_keeps_the_answers_for_its_last_page():
    lesson = load_lessons()[0]
    before, now = make_result(3), after({"speech": 0.8, "text": 0.15, "vision": 0.05}, {"vision": 4.321})
    sheet = worksheet(lesson.state, before, now, lesson)
    questions_page, answers = sheet.split('<section class="answers">')
    assert lesson.question in questions_page
    assert "4.32" not in questions_page
    assert "4.32" in answers
    assert f"{before.variance['text']:.2f}" in questions_page
    assert lesson.formula in answers
    assert "break-before: page" in sheet
    assert "<script" not in sheet
    assert "<i>no</i>" not in worksheet(LabState(text="<i>no</i>"), before, now)
