"""The lessons on the page: choose one, guess, see, and read what to watch and why."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

import gradio as gr
from markupsafe import Markup

from hff.lab.lesson import Lesson
from hff.lab.lesson_files import MAX_CHOICES
from hff.lab.own_material import Obstacle, makes_sense, obstacle
from hff.lab.state import SNAPSHOT, YOURS
from hff.locale import names, sentence, texts
from hff.locale.lists import listed
from hff.page.shared.amounts import variance_parts
from hff.page.shared.cards import alert, note
from hff.page.shared.render import render
from hff.result import Result

EXAMPLE = "example"  # what a lesson is on: its own ready example, or a recording of the visitor's
MOST_HANDS = 999
_QUIET: dict[str, Any] = {"queue": False, "show_progress": "hidden", "api_visibility": "private"}


class LessonPanel:
    """The components of the Lessons tab; the lab's view connects them.

    While a lesson is on, the style sheet hides the list: its buttons stay for those who come back by the browser.
    """

    def __init__(self, lessons: list[Lesson], fault: str = "") -> None:
        self.lessons = {lesson.key: lesson for lesson in lessons}
        self.chosen = gr.State("")
        self.buttons: dict[str, gr.Button] = {}
        gr.HTML(alert(texts.ERROR_TITLE, fault), visible=bool(fault))
        sources = [
            (texts.LESSON_ON_EXAMPLE, EXAMPLE),
            (texts.LESSON_ON_CLIP, YOURS),
            (texts.LESSON_ON_SNAPSHOT, SNAPSHOT),
        ]
        self.on = gr.Radio(sources, value=EXAMPLE, label=texts.LESSON_ON, elem_id="hff-lesson-on")
        with gr.Row(elem_id="hff-lessons"):
            for lesson in lessons:
                self.buttons[lesson.key] = gr.Button(
                    lesson.title, size="sm", variant="secondary", elem_id=f"hff-lesson-{lesson.key}"
                )
        with gr.Row(elem_id="hff-lesson-steps"):
            self.previous = gr.Button(texts.LESSON_PREVIOUS, size="sm", min_width=40, elem_id="hff-lesson-previous")
            self.all = gr.Button(texts.LESSON_ALL, size="sm", min_width=40, elem_id="hff-lesson-all")
            self.next = gr.Button(texts.LESSON_NEXT, size="sm", min_width=40, elem_id="hff-lesson-next")
        self.card = gr.HTML(note(texts.LESSON_CHOOSE), elem_id="hff-lesson-card")
        self.guess = gr.Radio(
            [], label=texts.LESSON_GUESS, visible=False, show_label=False, container=False, elem_id="hff-lesson-guess"
        )
        with (
            gr.Accordion(texts.LESSON_HANDS, open=False, visible=False, elem_id="hff-lesson-tally") as self.tally,
            gr.Row(),
        ):
            self.hands = [_hands(number) for number in range(MAX_CHOICES)]
        self.reveal = gr.Button(
            texts.LESSON_SHOW, variant="primary", visible=False, interactive=False, elem_id="hff-lesson-show"
        )
        self.answer = gr.HTML(elem_id="hff-lesson-answer")
        self.then_state = gr.Button(texts.LESSON_THEN_SET, visible=False, elem_id="hff-lesson-then")
        self.then_sweep = gr.Button(texts.LESSON_THEN_SWEEP, visible=False, elem_id="hff-lesson-then-sweep")
        gr.on([self.guess.input, *(hands.input for hands in self.hands)], _ready, None, self.reveal, **_QUIET)

    @property
    def outputs(self) -> list:
        """What ``pose`` and ``nothing`` fill."""
        return [self.chosen, self.card, *self.asking, self.answer, *self.then, *self.buttons.values()]

    @property
    def asking(self) -> list:
        """What is there until the answer is shown."""
        return [self.guess, self.tally, *self.hands, self.reveal]

    @property
    def then(self) -> list:
        """What is there from then on."""
        return [self.then_state, self.then_sweep]

    def pose(self, key: str, source: str = "", present: Collection[str] | None = None) -> list:
        """Ask the question of a lesson: on its own example, or on ``source``, which has the modalities ``present``."""
        whole = self.lessons[key]
        lesson = whole.on(source) if source else whole
        fits = [present is None or makes_sense(choice, present) for choice in lesson.choices]
        choices = [(choice.text, n) for n, choice in enumerate(lesson.choices) if fits[n]]
        out = [
            _absent_choice(choice.text, choice.claim.of)
            for choice, fit in zip(lesson.choices, fits, strict=True)
            if not fit
        ]
        shown = [n for n, fit in enumerate(fits) if fit]
        hands = [
            gr.Number(value=0, label=lesson.choices[n].text, visible=True)
            if n in shown
            else gr.Number(value=0, visible=False)
            for n in range(MAX_CHOICES)
        ]
        return [
            key,
            question_html(lesson, self._place(key), out),
            gr.Radio(choices=choices, value=None, visible=True, interactive=True),
            gr.Accordion(visible=True, open=False),
            *hands,
            gr.Button(visible=True, interactive=False),
            "",
            *[gr.Button(visible=False)] * len(self.then),
            *self._marked(key, present),
        ]

    def nothing(self, why: str = "", present: Collection[str] | None = None) -> list:
        """No lesson is on; ``why`` says so where one might expect some."""
        return [
            "",
            self._list_note(why, present),
            gr.Radio(choices=[], value=None, visible=False),
            gr.Accordion(visible=False),
            *[gr.Number(value=0)] * len(self.hands),
            gr.Button(visible=False),
            "",
            *[gr.Button(visible=False)] * len(self.then),
            *self._marked("", frozenset() if why else present),
        ]

    def shown(self, lesson: Lesson, answer: Markup) -> list:
        """Instead of the question: the answer, and what to try next."""
        return [
            gr.Radio(visible=False),
            gr.Accordion(visible=False),
            *[gr.skip()] * len(self.hands),
            gr.Button(visible=False),
            answer,
            gr.Button(visible=lesson.then_state is not None),
            gr.Button(visible=bool(lesson.then_sweep)),
        ]

    def beside(self, key: str, step: int, present: Collection[str] | None = None) -> str:
        """The lesson ``step`` places further that fits, or "" at the end of the list."""
        fitting = [name for name, one in self.lessons.items() if present is None or obstacle(one, present) is None]
        place = fitting.index(key) + step if key in fitting else 0
        return fitting[place] if 0 <= place < len(fitting) else ""

    def _place(self, key: str) -> tuple[int, int]:
        return list(self.lessons).index(key) + 1, len(self.lessons)

    def _list_note(self, why: str, present: Collection[str] | None) -> Markup:
        if why:
            return note(why)
        found = {} if present is None else {key: obstacle(one, present) for key, one in self.lessons.items()}
        reasons = [_reason(self.lessons[key].title, why) for key, why in found.items() if why is not None]
        return render("lesson.html", "choose", reasons)

    def _marked(self, key: str, present: Collection[str] | None) -> list[gr.Button]:
        return [
            gr.Button(
                variant="primary" if name == key else "secondary",
                interactive=present is None or obstacle(one, present) is None,
            )
            for name, one in self.lessons.items()
        ]


def _hands(number: int) -> gr.Number:
    return gr.Number(0, precision=0, minimum=0, maximum=MOST_HANDS, min_width=120, elem_id=f"hff-lesson-hands-{number}")


def _ready() -> gr.Button:
    return gr.Button(interactive=True)


def _reason(title: str, why: Obstacle) -> str:
    """Why a lesson cannot be chosen, as a sentence of its own."""
    modality = names.modality(why.modality, "the") if why.modality else ""
    return sentence(f"LESSON_OBSTACLE_{why.kind}", title=title, the=modality)


def _absent_choice(text: str, modality: str) -> tuple[str, str]:
    """A guess that makes no sense, and why."""
    return text, texts.LESSON_CHOICE_ABSENT.format(the=names.modality(modality, "the"))


def lesson_mark(key: str) -> Markup:
    """What the card of a lesson has in its HTML: by this attribute the page's scripts know which one is on."""
    return Markup('data-lesson="{}"').format(key)


def question_html(lesson: Lesson, place: tuple[int, int], out: Sequence[tuple[str, str]] = ()) -> Markup:
    """The question, with its place among all, and the guesses that make no sense with the reason."""
    progress = texts.LESSON_PROGRESS.format(number=place[0], count=place[1])
    return render("lesson.html", "question", lesson, lesson_mark(lesson.key), progress, out)


def lesson_answer_html(
    lesson: Lesson, guess: int | None, before: Result, after: Result, hands: Sequence[int | None] = ()
) -> Markup:
    """Which guess came true, how the class guessed, what to watch, why, and the equation."""
    right = lesson.right(before, after)
    true = listed(choice.text for choice, came in zip(lesson.choices, right, strict=True) if came)
    verdict, kind = texts.LESSON_NONE_TRUE, "open"
    if true and guess is None:  # the class has raised its hands
        verdict, kind = texts.LESSON_TRUE.format(choice=true), "right"
    elif true:
        good = guess is not None and right[guess]
        verdict = (texts.LESSON_RIGHT if good else texts.LESSON_WRONG).format(choice=true)
        kind = "right" if good else "wrong"
    surprise = not all(claim.holds(before, after) for claim in lesson.expect if _there(claim.of, before, after))
    counts = [max(0, int(count or 0)) for count in hands][: len(lesson.choices)]
    votes = [(choice.text, count, came) for choice, count, came in zip(lesson.choices, counts, right, strict=False)]
    split = _split_sentences(lesson, before, after)
    return render("lesson.html", "answer", lesson, verdict, kind, surprise, votes if any(counts) else [], split)


def _split_sentences(lesson: Lesson, before: Result, after: Result) -> list[str]:
    """Both parts of sigma^2, which no table of the lab has, of the modalities about whose parts the lesson asks."""
    asked = {choice.claim.of for choice in lesson.choices if choice.claim.figure in ("aleatoric", "epistemic")}
    return [
        sentence(
            "LESSON_SPLIT",
            of=names.modality(modality, "of"),
            before=_split(before, modality),
            after=_split(after, modality),
        )
        for modality in sorted(asked)
    ]


def _split(result: Result, modality: str) -> str:
    aleatoric, epistemic = result.aleatoric[modality], result.epistemic[modality]
    if aleatoric is None or epistemic is None:
        return texts.ABSENT
    return variance_parts(aleatoric, epistemic)


def _there(modality: str, before: Result, after: Result) -> bool:
    """Whether a claim is about something that this recording has; claims about the answer always are."""
    return modality not in before.present or before.present[modality] or after.present[modality]
