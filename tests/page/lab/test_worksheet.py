"""The worksheet: what is set up, questions, answers."""

from __future__ import annotations

from hff.lab.lesson_files import load_lessons
from hff.lab.state import Corruption, LabState
from hff.locale import using
from hff.page.lab.worksheet import describe, questions, worksheet, worksheets
from tests.support.lab_fixtures import CLEAN, after, shares
from tests.support.page_fixtures import make_result


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
    assert len(questions(LabState(source="clip"))) == 2


def test_the_worksheet_asks_for_w_with_the_models_own_epsilon():
    lesson, reading = load_lessons()[0], make_result(3)
    assert "w about 1 / (σ² + 0.05)?" in worksheet(lesson.state, reading, reading, lesson, eps=0.05)
    assert "w about 1 / (σ² + 0.05)?" in worksheets([(lesson, reading, reading)], eps=0.05)
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
