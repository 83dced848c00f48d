"""The Weighting lab: break one modality, watch alpha leave it, and find out why."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

import gradio as gr

from hff.errors import HFFError, InputError
from hff.lab.lesson import Lesson
from hff.lab.lesson_files import load_lessons
from hff.lab.state import YOURS, LabState
from hff.locale import texts, translate
from hff.locale.lists import listed, paragraph
from hff.page.clip.clip_view import LAB, QUICK
from hff.page.lab.before_after import comparison, unknown_after
from hff.page.lab.controls import Controls
from hff.page.lab.evidence import evidence
from hff.page.lab.lesson_view import LessonPanel, answer_html
from hff.page.lab.share import STATE_FILE_NAME, WORKSHEET_NAME, SharePanel, link, state_from_address, state_from_file
from hff.page.lab.sweep_view import SweepPanel
from hff.page.lab.workbench import Workbenches
from hff.page.lab.worksheet import weights_said, worksheet
from hff.page.session.background_model import Engine
from hff.page.session.sessions import Sessions
from hff.page.shared import cards
from hff.page.shared.render import render

log = logging.getLogger(__name__)
_ID = "lab"


class LabView:
    """Builds the tab inside the current ``gr.Tabs`` and connects it to the model."""

    def __init__(self, engine: Engine, sessions: Sessions, views: gr.Tabs) -> None:
        self.engine, self.sessions, self.benches = engine, sessions, Workbenches(engine, sessions)
        with gr.Tab(texts.TAB_LAB, id=_ID) as self.tab, gr.Row(elem_id="hff-lab"):
            with gr.Column(scale=0, min_width=340, elem_id="hff-lab-left"):
                gr.HTML(cards.heading(texts.TAB_LAB), elem_classes="hff-heard")
                with gr.Tabs(elem_id="hff-lab-controls") as left:
                    with gr.Tab(texts.LAB_TAB_LESSONS, id="lessons"):
                        self.lessons = _lesson_panel(engine.config().labels)
                    self.controls = Controls()
                    with gr.Tab(texts.LAB_TAB_SHARE, id="share"):
                        self.share = SharePanel()
            with gr.Column(scale=1, min_width=0, elem_id="hff-lab-right"), gr.Tabs(elem_id="hff-lab-views") as right:
                with gr.Tab(texts.LAB_TAB_COMPARE, id="compare"):
                    self.compared = gr.HTML(
                        render("before_after.html", "nothing_yet"), elem_id="hff-lab-compared", min_height=330
                    )
                    self.shown = gr.HTML(elem_id="hff-lab-shown")
                with gr.Tab(texts.LAB_TAB_SWEEP, id="sweep"):
                    self.sweep = SweepPanel(self.controls.values, sessions, self._open)
        self._views, self._left, self._right = views, left, right
        self._connect()

    @property
    def given(self) -> list:
        """What ``run`` reads."""
        return [self.lessons.chosen, *self.controls.values]

    @property
    def outputs(self) -> list:
        """What ``run`` fills."""
        return [self.compared, self.shown, self.controls.own_alpha, self.controls.parts_note, *self.share.outputs]

    def open_from_address(self, page: gr.Blocks) -> None:
        """Open the state that the page's address holds, when the page is loaded."""
        opened = [self._views, self._left, *self.lessons.outputs, *self.controls.values, self.compared]
        page.load(self._open_address, None, opened, show_progress="hidden", api_visibility="private").success(
            self._run_if_shared, self.given, self.outputs, **self._running
        )

    # ---- events -----------------------------------------------------------------------------------------

    @property
    def _running(self) -> dict[str, Any]:
        return {"show_progress": "minimal", "show_progress_on": self.compared, "api_visibility": "private", **LAB}

    def _connect(self) -> None:
        controls, lessons = self.controls, self.lessons
        run: dict[str, Any] = {"fn": self.run, "inputs": self.given, "outputs": self.outputs, **self._running}
        for component in (*controls.dragged, *controls.chosen):
            component.input(**run, trigger_mode="always_last")
        for weighed in controls.weighed:
            weighed.then(**run, trigger_mode="always_last")
        controls.text.submit(**run, trigger_mode="always_last")
        set_up = [*lessons.outputs, *controls.values]
        arrived = self.tab.select(self.arrive, None, set_up, **QUICK)
        arrived.then(self.run_first, self.given, self.outputs, **self._running)
        controls.reset.click(self._reset, controls.source, set_up, **QUICK).then(**run)
        for key, button in lessons.buttons.items():
            asked = button.click(self.setting_up(key), None, [self._right, *set_up], **QUICK)
            asked.then(self._pose, self.given, self.outputs, **self._running)
        lessons.reveal.click(
            self._reveal,
            [lessons.guess, *self.given],
            [lessons.answer, lessons.guess, lessons.reveal, *self.outputs],
            **self._running,
        )
        self.share.open.upload(self._open_file, self.share.open, [*set_up, self.compared], **QUICK).success(**run)

    def setting_up(self, key: str) -> Callable[[gr.Request], list]:
        lesson = self.lessons.lessons[key]

        def set_up(request: gr.Request) -> list:
            self.sessions.of(request.session_hash).lab_turn = object()
            return [gr.Tabs(selected="compare"), *self.lessons.pose(key), *self.controls.show(lesson.state)]

        return set_up

    def arrive(self, request: gr.Request) -> list:
        """A clip that was just read, or a snapshot that was sent, lies on the bench when the tab is opened."""
        session = self.sessions.of(request.session_hash)
        session.lab_turn = session.lab_arrival = object()
        if self.benches.has_new(request.session_hash):
            return self._reset(YOURS)
        return [gr.skip()] * (len(self.lessons.outputs) + len(self.controls.values))

    def _reset(self, source: str) -> list:
        return [*self.lessons.nothing(), *self.controls.show(LabState(source=source))]

    def run(self, request: gr.Request, *values) -> list:
        return self.answer(request, values, lambda lab, lesson, state: self._compare(lab, lesson, state, request))

    def run_first(self, request: gr.Request, *values) -> list:
        """When the tab is opened: what is set up now, unless a lesson waits for a guess or something else was begun."""
        session = self.sessions.of(request.session_hash)
        if session.lab_turn is not session.lab_arrival:
            return [gr.skip()] * len(self.outputs)
        return self._pose(request, *values) if values[0] else self.run(request, *values)

    def _run_if_shared(self, request: gr.Request, *values) -> list:
        try:
            shared = state_from_address(request) is not None
        except InputError:
            shared = False  # it was told when the address was opened
        return self.run(request, *values) if shared else [gr.skip()] * len(self.outputs)

    def _pose(self, request: gr.Request, *values) -> list:
        """Before the guess: what was before, and the damage to hear, read and see."""

        def show(lab, lesson: Lesson | None, state: LabState) -> list:
            before = self._before(lesson, state)
            return [
                unknown_after(lab.infer(before)),
                evidence(lab.damaged(state.untouched), lab.damaged(state)),
                *[gr.skip()] * (len(self.outputs) - 2),
            ]

        return self.answer(request, values, show)

    def _reveal(self, request: gr.Request, guess: int | None, *values) -> list:
        told = ""

        def show(lab, lesson: Lesson | None, state: LabState) -> list:
            nonlocal told
            if lesson is not None:
                told = answer_html(lesson, guess, lab.infer(lesson.before), lab.infer(lesson.state))
            return self._compare(lab, lesson, state, request)

        shown = self.answer(request, values, show)
        return [told, gr.Radio(visible=not told), gr.Button(visible=not told), *shown]

    def answer(self, request: gr.Request, values: tuple, show) -> list:
        """``show(lab, lesson, state)``, or a sentence about what went wrong; nothing if something newer has begun.

        A first reading takes seconds; a lesson begun meanwhile must not be painted over by it.
        """
        session = self.sessions.of(request.session_hash)
        session.lab_turn = turn = object()
        try:
            state = self.controls.state(values[1:])
            lab = self.benches.lab(request.session_hash, state.source)
            with self.engine.guest():
                answer = show(lab, self.lessons.lessons.get(values[0]), state)
        except HFFError as error:
            answer = self._failed(translate(error))
        except Exception as error:
            # The page is the outermost frame: a person sees a sentence, the log gets the whole story.
            log.exception("the lab failed")
            answer = self._failed(texts.UNEXPECTED.format(kind=type(error).__name__))
        return answer if session.lab_turn is turn else [gr.skip()] * len(answer)

    def _failed(self, message: str) -> list:
        return [cards.alert(texts.ERROR_TITLE, message), "", *[gr.skip()] * (len(self.outputs) - 2)]

    def _compare(self, lab, lesson: Lesson | None, state: LabState, request: gr.Request) -> list:
        was = self._before(lesson, state)
        before, after = lab.infer(was), lab.infer(state)
        session = self.sessions.of(request.session_hash)
        own = weights_said(before.alpha)
        lesson = lesson if lesson and lesson.state == state else None
        page = worksheet(state, before, after, lesson, was)
        return [
            comparison(before, after, was, state),
            evidence(lab.damaged(state.untouched), lab.damaged(state)),
            cards.note(paragraph(texts.LAB_BY_HAND_NOTE, texts.LAB_OWN_ALPHA.format(weights=own))),
            cards.note(texts.LAB_PARTS_NOTE.format(trained=_trained_with(lab.analyzer.model))),
            link(state, request),
            gr.DownloadButton(value=session.make_file(STATE_FILE_NAME, state.to_json()), interactive=True),
            gr.DownloadButton(value=session.make_file(WORKSHEET_NAME, page), interactive=True),
        ]

    @staticmethod
    def _before(lesson: Lesson | None, state: LabState) -> LabState:
        """What a state is compared with: a lesson may have its own idea of it."""
        if lesson is not None and lesson.state.source == state.source:
            return lesson.before
        return state.untouched

    def _open(self, values: tuple, key: str | None):
        state = self.controls.state(values)
        return self.benches.lab(key, state.source), state

    def _open_file(self, path: str | None, request: gr.Request) -> list:
        self.sessions.track(request.session_hash, [path])
        try:
            state = state_from_file(path)
        except HFFError as error:
            raise gr.Error(translate(error), title=texts.ERROR_TITLE, print_exception=False) from error
        return [*self.lessons.nothing(), *self.controls.show(state), gr.skip()]

    def _open_address(self, request: gr.Request) -> list:
        count = len(self.lessons.outputs) + len(self.controls.values)
        try:
            state = state_from_address(request)
        except HFFError as error:
            alert = cards.alert(texts.ERROR_TITLE, translate(error))
            return [gr.Tabs(selected=_ID), gr.skip(), *[gr.skip()] * count, alert]
        if state is None:
            return [gr.skip()] * (count + 3)
        left = gr.Tabs(selected="damage")
        return [gr.Tabs(selected=_ID), left, *self.lessons.nothing(), *self.controls.show(state), gr.skip()]


def _lesson_panel(labels: tuple[str, ...]) -> LessonPanel:
    """A broken lesson file must not keep the page from starting: its fault is told where lessons are chosen."""
    try:
        return LessonPanel(load_lessons(labels=labels))
    except InputError as error:
        log.warning("%s", error)
        return LessonPanel([], translate(error))


def _trained_with(model) -> str:
    from hff.lab.ablation import trained_without

    missing = trained_without(model)
    if not missing:
        return texts.LAB_TRAINED_ALL
    return texts.LAB_TRAINED_SOME.format(
        parts=listed(name for part, name in texts.LAB_PART_NAMES.items() if part not in missing)
    )
