"""What the lab's events give back: why a lesson does not fit, and which of two readings is shown."""

from __future__ import annotations

import re
from contextlib import nullcontext
from dataclasses import replace
from types import SimpleNamespace

import gradio as gr
import pytest
from markupsafe import escape

from hff.lab.lesson import Claim
from hff.lab.lesson_files import load_lessons
from hff.lab.state import LabState
from hff.locale import using
from hff.page.lab.lab_view import LabView
from hff.page.lab.lesson_view import LessonPanel
from hff.page.session.sessions import Sessions


@pytest.mark.parametrize("language", ["en", "de"])
def test_why_a_lesson_does_not_fit_is_said_in_sentences_that_name_it(language: str):
    with using(language), gr.Blocks():
        known = load_lessons()
        about_words = replace(known[0].choices[0], claim=Claim("alpha", "text", "rises"))
        lessons = LessonPanel([replace(known[0], choices=(*known[0].choices, about_words)), *known[1:]])
        _, card, *_ = lessons.nothing(present=frozenset({"text"}))
        _, question, *_ = lessons.pose(known[0].key, "yours", present=frozenset({"speech", "vision"}))
        titles = [lesson.title for lesson in lessons.lessons.values()]
    reasons = re.findall(r"<li>(.+?)</li>", card)
    assert len(reasons) >= 5
    for reason in reasons:
        assert reason[0] in "“„"
        assert reason[-1] == "."
        assert any(f"{escape(title)}{end}" in reason for title in titles for end in "”“")
    out = re.findall(r"<p class=\"hff-lesson-out\"[^>]*><s>.+?</s> (.+?)</p>", question)
    assert out
    assert all(why[0].isupper() and why[-1] == "." for why in out)


def test_an_older_reading_does_not_paint_over_a_newer_one(tmp_path):
    """The first reading takes seconds; a lesson begun meanwhile was lost when it came."""
    view = LabView.__new__(LabView)
    view.sessions, view.lessons = Sessions(tmp_path), SimpleNamespace(lessons={})
    view.controls = SimpleNamespace(state=lambda values: LabState())
    view.benches = SimpleNamespace(lab=lambda key, source: None)
    view.engine = SimpleNamespace(guest=nullcontext)
    page, other = (SimpleNamespace(session_hash=name) for name in ("page", "other"))

    def slow(lab, lesson, state) -> list[str]:
        assert view.answer(page, ("",), lambda *_: ["newer"]) == ["newer"]
        return ["older", "older"]

    assert view.answer(page, ("",), slow) == [gr.skip()] * 2

    def beside_another_page(lab, lesson, state) -> list[str]:
        assert view.answer(other, ("",), lambda *_: ["theirs"]) == ["theirs"]
        return ["ours"]

    assert view.answer(page, ("",), beside_another_page) == ["ours"]


def test_a_lesson_begun_while_the_tab_opens_is_not_painted_over_by_the_opening(tmp_path):
    view = LabView.__new__(LabView)
    view.sessions, view.benches = Sessions(tmp_path), SimpleNamespace(new_source=lambda key: "")
    lessons = {lesson.key: lesson for lesson in load_lessons()}
    view.lessons = SimpleNamespace(lessons=lessons, outputs=[], pose=lambda key, source, present: [])
    view.controls = SimpleNamespace(values=[], show=lambda state: [])
    view.compared = view.shown = None
    view.controls.own_alpha = view.controls.parts_note = None
    view.share = SimpleNamespace(outputs=[])
    view.run = lambda request, *values: ["read"]
    page = SimpleNamespace(session_hash="page")
    view.arrive(page)
    assert view.run_first(page, "") == ["read"]
    view.arrive(page)
    view.setting_up("lights_off")(page, "example")
    assert view.run_first(page, "") == [gr.skip()] * 4
    view.arrive(page)  # the tab is opened again
    assert view.run_first(page, "") == ["read"]
