"""The lessons on the page: choose one, guess, see, and read what to watch and why."""

from __future__ import annotations

import gradio as gr
from markupsafe import Markup

from hff.lab.lesson import Lesson
from hff.locale import texts
from hff.locale.lists import listed
from hff.page.shared.cards import alert, note
from hff.page.shared.render import render
from hff.result import Result


class LessonPanel:
    """The components of the Lessons tab; the lab's view connects them."""

    def __init__(self, lessons: list[Lesson], fault: str = "") -> None:
        self.lessons = {lesson.key: lesson for lesson in lessons}
        self.chosen = gr.State("")
        self.buttons: dict[str, gr.Button] = {}
        gr.HTML(alert(texts.ERROR_TITLE, fault), visible=bool(fault))
        with gr.Row(elem_id="hff-lessons"):
            for lesson in lessons:
                self.buttons[lesson.key] = gr.Button(
                    lesson.title, size="sm", variant="secondary", elem_id=f"hff-lesson-{lesson.key}"
                )
        self.card = gr.HTML(note(texts.LESSON_CHOOSE), elem_id="hff-lesson-card")
        self.guess = gr.Radio(
            [], label=texts.LESSON_GUESS, visible=False, show_label=False, container=False, elem_id="hff-lesson-guess"
        )
        self.reveal = gr.Button(
            texts.LESSON_SHOW, variant="primary", visible=False, interactive=False, elem_id="hff-lesson-show"
        )
        self.answer = gr.HTML(elem_id="hff-lesson-answer")
        self.guess.input(
            lambda: gr.Button(interactive=True),
            None,
            self.reveal,
            queue=False,
            show_progress="hidden",
            api_visibility="private",
        )

    @property
    def outputs(self) -> list:
        """What ``pose`` and ``nothing`` fill."""
        return [self.chosen, self.card, self.guess, self.reveal, self.answer, *self.buttons.values()]

    def pose(self, key: str) -> list:
        """Ask the question of a lesson."""
        lesson = self.lessons[key]
        choices = [(choice.text, number) for number, choice in enumerate(lesson.choices)]
        return [
            key,
            question_html(lesson),
            gr.Radio(choices=choices, value=None, visible=True, interactive=True),
            gr.Button(visible=True, interactive=False),
            "",
            *self._marked(key),
        ]

    def nothing(self) -> list:
        """No lesson is on."""
        return [
            "",
            note(texts.LESSON_CHOOSE),
            gr.Radio(choices=[], value=None, visible=False),
            gr.Button(visible=False),
            "",
            *self._marked(""),
        ]

    def _marked(self, key: str) -> list[gr.Button]:
        return [gr.Button(variant="primary" if name == key else "secondary") for name in self.buttons]


def question_html(lesson: Lesson) -> Markup:
    return render("lesson.html", "question", lesson)


def answer_html(lesson: Lesson, guess: int | None, before: Result, after: Result) -> Markup:
    """Which guess came true, what to watch, why, and the equation."""
    right = lesson.right(before, after)
    true = listed(choice.text for choice, came in zip(lesson.choices, right, strict=True) if came)
    verdict, kind = texts.LESSON_NONE_TRUE, "open"
    if true:
        good = guess is not None and right[guess]
        verdict = (texts.LESSON_RIGHT if good else texts.LESSON_WRONG).format(choice=true)
        kind = "right" if good else "wrong"
    surprise = not all(claim.holds(before, after) for claim in lesson.expect)
    return render("lesson.html", "answer", lesson, verdict, kind, surprise)
