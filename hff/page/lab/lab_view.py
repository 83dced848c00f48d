"""The Weighting lab: break one modality, watch alpha leave it, and find out why."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import gradio as gr

from hff.errors import HFFError, InputError
from hff.lab.lesson import Lesson
from hff.lab.lesson_files import load_lessons
from hff.lab.own_material import obstacle, there
from hff.lab.state import OWN, YOURS, LabState
from hff.locale import texts, translate
from hff.locale.lists import listed, paragraph
from hff.numbers import shown
from hff.page.clip.clip_view import LAB, QUICK
from hff.page.lab.before_after import comparison, probabilities_table, unknown_after
from hff.page.lab.controls import Controls
from hff.page.lab.evidence import FACES, evidence
from hff.page.lab.lesson_view import EXAMPLE, LessonPanel, lesson_answer_html, lesson_mark
from hff.page.lab.share import (
    STATE_FILE_NAME,
    WORKSHEET_NAME,
    WORKSHEETS_NAME,
    SharePanel,
    lesson_from_address,
    link,
    state_from_address,
    state_from_file,
)
from hff.page.lab.sweep_view import SweepPanel
from hff.page.lab.workbench import Workbenches
from hff.page.lab.worksheet import weights_said, worksheet, worksheets
from hff.page.session.background_model import Engine
from hff.page.session.sessions import Sessions
from hff.page.shared import cards
from hff.page.shared.render import render

log = logging.getLogger(__name__)
_ID = "lab"
_STATIC = Path(__file__).parents[1] / "static"
_PLACES, _SLIDERS = _STATIC / "places.js", _STATIC / "sliders.js"
# What is come by only after another tab was opened may take a moment to be there.
_WHEN_THERE = """() => {{
    const look = (tries) => {{
        const found = document.querySelector('{selector}');
        if (found && !found.disabled) found.{does}();
        else if (tries) setTimeout(look, 100, tries - 1);
    }};
    look(50);
}}"""
_FOCUS_RESULT = _WHEN_THERE.format(selector="#hff-lab-sentence", does="focus")
# A button that goes with the list of lessons takes the focus with it: to the question, which is then read out.
_FOCUS_QUESTION = """() => {
    const look = (left) => {
        const question = document.getElementById("hff-lesson-question");
        if (document.activeElement === document.body && question) question.focus({ preventScroll: true });
        else if (left) setTimeout(look, 50, left - 1);
    };
    look(20);
}"""
_START_SWEEP = _WHEN_THERE.format(selector="#hff-sweep-start", does="click")
_FETCH_ALL = _WHEN_THERE.format(selector="#hff-lab-all-file", does="click")
_TELL_PLACE = "(link) => { dispatchEvent(new CustomEvent('hff-state', { detail: link })) }"


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
                    self.controls = Controls(engine.ears())
                    with gr.Tab(texts.LAB_TAB_SHARE, id="share"):
                        self.share = SharePanel()
            with gr.Column(scale=1, min_width=0, elem_id="hff-lab-right"), gr.Tabs(elem_id="hff-lab-views") as right:
                with gr.Tab(texts.LAB_TAB_COMPARE, id="compare"):
                    self.compared = gr.HTML(
                        render("before_after.html", "nothing_yet"), elem_id="hff-lab-compared", min_height=330
                    )
                    self.explain = gr.Checkbox(label=texts.EXPLAIN, container=False, elem_id="hff-lab-explain")
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
        """Open the lesson or the state in the page's address when the page is loaded, and keep the address true."""
        opened = [self._views, self._left, *self.lessons.outputs, *self.controls.values, self.compared]
        page.load(self._open_address, None, opened, show_progress="hidden", api_visibility="private").success(
            self._run_if_shared, self.given, self.outputs, **self._running
        )
        for script in (_PLACES, _SLIDERS):
            gr.HTML(elem_classes="hff-script", js_on_load=script.read_text(encoding="utf-8"))
        self.share.link.change(None, self.share.link, None, js=_TELL_PLACE, api_visibility="private")

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
        explaining = self.explain.input(self._explains, self.explain, None, **QUICK)
        explaining.then(**run, trigger_mode="always_last")
        controls.text.submit(**run, trigger_mode="always_last")
        set_up = [lessons.on, *lessons.outputs, *controls.values]
        arrived = self.tab.select(self.arrive, None, set_up, **QUICK)
        settled = arrived.then(self.settle, lessons.card, set_up, **QUICK)
        settled.then(self.run_first, self.given, self.outputs, **self._running)
        controls.reset.click(self._reset, controls.source, set_up, **QUICK).then(**run)
        posed: dict[str, Any] = {"outputs": [self._right, *set_up], **QUICK}
        asked = [button.click(self.setting_up(key), lessons.on, **posed) for key, button in lessons.buttons.items()]
        beside = [lessons.on, lessons.chosen]
        asked.append(lessons.previous.click(self._beside(-1), beside, **posed))
        asked.append(lessons.next.click(self._beside(1), beside, **posed))
        # What it is on is not among the outputs: an answer that comes after a second press would take that one back.
        left = [*lessons.outputs, self.compared, self.shown]
        put_on = {"outputs": [self._right, *controls.values, *left], **QUICK}
        asked.append(lessons.on.input(self._put_on, beside, trigger_mode="always_last", **put_on))
        for event in asked:
            event.then(self._pose, self.given, self.outputs, **self._running)
            event.success(None, None, None, js=_FOCUS_QUESTION, api_visibility="private")
        lessons.all.click(self._leave, lessons.on, left, **QUICK)
        lessons.reveal.click(
            self._reveal,
            [lessons.guess, *lessons.hands, *self.given],
            [*lessons.asking, lessons.answer, *lessons.then, *self.outputs],
            **self._running,
        ).success(None, None, None, js=_FOCUS_RESULT, api_visibility="private")
        tried = [lessons.chosen, controls.source]
        set_then = lessons.then_state.click(
            self._then_state, tried, [self._left, self._right, *controls.values], **QUICK
        )
        set_then.then(**run)
        swept = lessons.then_sweep.click(
            self._then_sweep, tried, [self._right, self.sweep.modality, *controls.values], **QUICK
        )
        swept.success(None, None, None, js=_START_SWEEP, api_visibility="private")
        self.share.open.upload(self._open_file, self.share.open, [*set_up, self.compared], **QUICK).success(**run)
        made = self.share.make_all.click(
            self._all_worksheets, None, self.share.all, show_progress="full", api_visibility="private", **LAB
        )
        made.success(None, None, None, js=_FETCH_ALL, api_visibility="private")

    def _explains(self, wanted: bool, request: gr.Request) -> None:
        self.sessions.of(request.session_hash).lab_explains = wanted

    def setting_up(self, key: str) -> Callable[[gr.Request, str], list]:
        def set_up(request: gr.Request, on: str) -> list:
            return self._set_up(request, key, on)

        return set_up

    def _beside(self, step: int) -> Callable[[gr.Request, str, str], list]:
        """The lesson before or after the one that is on; with 0 the same one on another recording."""

        def set_up(request: gr.Request, on: str, key: str) -> list:
            return self._set_up(request, key and self.lessons.beside(key, step, self._there(request, on)), on)

        return set_up

    def _put_on(self, request: gr.Request, on: str, key: str) -> list:
        """The lesson that is on, or the list of lessons, on another recording."""
        waited = self.sessions.of(request.session_hash).lab_waits
        tabs, _, *posed = self._beside(0)(request, on, key)
        count = len(self.lessons.outputs)
        return [tabs, *posed[count:], *posed[:count], *self._unasked(request, waited)]

    def _leave(self, request: gr.Request, on: str) -> list:
        """The list of lessons instead of the one that was on."""
        waited = self.sessions.of(request.session_hash).lab_waits
        return [*self._close(request, on), *self._unasked(request, waited)]

    def _unasked(self, request: gr.Request, waited: bool) -> list:
        """What is shown where a question was that nobody asks any more."""
        if not waited or self.sessions.of(request.session_hash).lab_waits:
            return [gr.skip(), gr.skip()]
        return [render("before_after.html", "nothing_yet"), ""]

    def _set_up(self, request: gr.Request, key: str, on: str) -> list:
        """Ask a lesson's question: about its example, or about the visitor's recording where it makes sense there.

        What it is on is said with it: the tab's opening may be answered at the same time, and say something else.
        """
        session = self.sessions.of(request.session_hash)
        session.lab_turn = object()
        present = self._there(request, on)
        lesson = self.lessons.lessons.get(key)
        if lesson is None or (present is not None and obstacle(lesson, present)):
            return [gr.skip(), on, *self._close(request, on), *[gr.skip()] * len(self.controls.values)]
        session.lab_waits, session.lab_lesson = True, (key, on)
        source = on if on in OWN else ""
        state = lesson.on(source or lesson.state.source).state
        return [gr.Tabs(selected="compare"), on, *self.lessons.pose(key, source, present), *self.controls.show(state)]

    def _there(self, request: gr.Request, on: str) -> frozenset[str] | None:
        """Which modalities the visitor's own recording has; ``None`` where lessons are on their own examples."""
        if on not in OWN:
            return None
        try:
            return there(self.benches.recording(request.session_hash, on))
        except HFFError:
            return frozenset()

    def _close(self, request: gr.Request, on: str) -> list:
        """The list of lessons, with those disabled that make no sense on what is on the bench."""
        session = self.sessions.of(request.session_hash)
        session.lab_waits, session.lab_lesson = False, None
        try:
            present = there(self.benches.recording(request.session_hash, on)) if on in OWN else None
        except HFFError as error:
            return self.lessons.nothing(translate(error))
        return self.lessons.nothing(present=present)

    def arrive(self, request: gr.Request) -> list:
        """A clip that was just read, or a snapshot that was sent, lies on the bench when the tab is opened."""
        session = self.sessions.of(request.session_hash)
        session.lab_turn = session.lab_arrival = object()
        source = self.benches.new_source(request.session_hash)
        if source and session.lab_turn is session.lab_arrival:
            result = session.result if source == YOURS else None
            heard = LabState(source=source, speech_encoder=result.speech_encoder if result is not None else "")
            return [source, *self._close(request, source), *self.controls.show(heard)]
        return [gr.skip()] * (1 + len(self.lessons.outputs) + len(self.controls.values))

    def settle(self, request: gr.Request, card: str) -> list:
        """A lesson that was begun while the tab was being opened stays on, whichever answer came last.

        ``card`` is the lesson's as the browser has it: a ``gr.State`` would be what the server gave last.
        """
        session = self.sessions.of(request.session_hash)
        if session.lab_lesson is None or lesson_mark(session.lab_lesson[0]) in card:
            return [gr.skip()] * (1 + len(self.lessons.outputs) + len(self.controls.values))
        _, *posed = self._set_up(request, *session.lab_lesson)
        session.lab_arrival = session.lab_turn  # what follows the opening shows it
        return posed

    def _reset(self, request: gr.Request, source: str) -> list:
        on = source if source in OWN else EXAMPLE
        return [on, *self._close(request, on), *self.controls.show(LabState(source=source))]

    def run(self, request: gr.Request, *values) -> list:
        """What follows from the controls; while a class still guesses, no more than what was done."""
        if self.sessions.of(request.session_hash).lab_waits:
            return self._pose(request, *values)
        return self.answer(request, values, lambda lab, lesson, state: self._compare(lab, lesson, state, request))

    def run_first(self, request: gr.Request, *values) -> list:
        """When the tab is opened: what is set up now, unless a lesson waits for a guess or something else was begun."""
        session = self.sessions.of(request.session_hash)
        refused, session.lab_refused = session.lab_refused, False
        if refused or session.lab_turn is not session.lab_arrival:
            return [gr.skip()] * len(self.outputs)
        return self._pose(request, *values) if values[0] else self.run(request, *values)

    def _run_if_shared(self, request: gr.Request, *values) -> list:
        key = lesson_from_address(request)
        try:
            shared = key in self.lessons.lessons if key else state_from_address(request, self.engine.ears()) is not None
        except InputError:
            shared = False  # it was told when the address was opened
        return self.run(request, *values) if shared else [gr.skip()] * len(self.outputs)

    def _pose(self, request: gr.Request, *values) -> list:
        """Before the guess: what was before, and the corruption to hear, read and see."""
        if not values[0]:
            return [gr.skip()] * len(self.outputs)

        def show(lab, lesson: Lesson | None, state: LabState) -> list:
            was = self._before(lesson, state)
            first = self._bench(request, lab, was, state)
            return [
                unknown_after(first.infer(was)),
                evidence(first.corrupted(was), lab.corrupted(state), was, state),
                *[gr.skip()] * 2,
                link(state, request, lesson),
                *[gr.skip()] * 2,
            ]

        return self.answer(request, values, show)

    def _reveal(self, request: gr.Request, guess: int | None, *values) -> list:
        hands, values = values[: len(self.lessons.hands)], values[len(self.lessons.hands) :]
        parts: list = []

        def show(lab, lesson: Lesson | None, state: LabState) -> list:
            compared = self._compare(lab, lesson, state, request)
            if lesson is not None:
                first = self._bench(request, lab, lesson.before, lesson.state)
                told = lesson_answer_html(lesson, guess, first.infer(lesson.before), lab.infer(lesson.state), hands)
                parts.extend(self.lessons.shown(lesson, told))
            return compared

        answer = self.answer(request, values, show)
        if parts:
            self.sessions.of(request.session_hash).lab_waits = False
        count = len(self.lessons.asking) + 1 + len(self.lessons.then)
        return [*(parts or [gr.skip()] * count), *answer]

    def _then_state(self, request: gr.Request, key: str, source: str) -> list:
        lesson = self._lesson(key, source)
        if lesson is None or lesson.then_state is None:
            return [gr.skip()] * (2 + len(self.controls.values))
        state = lesson.then_state
        left = "model" if state.alpha is not None or state.without else "corruption"
        return [gr.Tabs(selected=left), gr.Tabs(selected="compare"), *self.controls.show(state)]

    def _then_sweep(self, request: gr.Request, key: str, source: str) -> list:
        lesson = self._lesson(key, source)
        if lesson is None:
            return [gr.skip()] * (2 + len(self.controls.values))
        return [gr.Tabs(selected="sweep"), lesson.then_sweep, *self.controls.show(lesson.state)]

    def _all_worksheets(self, request: gr.Request, progress=gr.Progress()) -> gr.DownloadButton:  # noqa: B008
        read = []
        try:
            with self.engine.guest():
                for number, lesson in enumerate(self.lessons.lessons.values()):
                    progress((number, len(self.lessons.lessons)), desc=lesson.title)
                    lab = self.benches.lab(request.session_hash, lesson.state.source)
                    first = self._bench(request, lab, lesson.before, lesson.state)
                    read.append((lesson, first.infer(lesson.before), lab.infer(lesson.state)))
            eps = self.engine.config().precision_eps
            path = self.sessions.of(request.session_hash).make_file(WORKSHEETS_NAME, worksheets(read, eps))
        except HFFError as error:
            raise gr.Error(translate(error), title=texts.ERROR_TITLE, print_exception=False) from error
        return gr.DownloadButton(value=path, visible=True)

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
                answer = show(lab, self._lesson(values[0], state.source), state)
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
        first = self._bench(request, lab, was, state)
        before, after = first.infer(was), lab.infer(state)
        session = self.sessions.of(request.session_hash)
        own = weights_said(before.alpha)
        lesson = lesson if lesson and lesson.state == state else None
        page = worksheet(state, before, after, lesson, was, self.engine.config().precision_eps)
        why = (first.explain(was, FACES), lab.explain(state, FACES)) if session.lab_explains else None
        return [
            comparison(before, after, was, state),
            evidence(first.corrupted(was), lab.corrupted(state), was, state, why) + probabilities_table(before, after),
            cards.note(paragraph(texts.LAB_BY_HAND_NOTE, texts.LAB_OWN_ALPHA.format(weights=own))),
            cards.note(texts.LAB_PARTS_NOTE.format(trained=_trained_with(lab.analyzer.model))),
            link(state, request, lesson),
            gr.DownloadButton(value=session.make_file(STATE_FILE_NAME, state.to_json()), interactive=True),
            gr.DownloadButton(value=session.make_file(WORKSHEET_NAME, page), interactive=True),
        ]

    def _lesson(self, key: str, source: str) -> Lesson | None:
        """The lesson that is on, about the recording on the bench; ``None`` where that is not the lesson's."""
        lesson = self.lessons.lessons.get(key)
        if lesson is None or (source in OWN and lesson.before.source != lesson.state.source):
            return None
        if source in OWN:
            return lesson.on(source)
        return lesson if lesson.state.source == source else None

    def _bench(self, request: gr.Request, lab, was: LabState, state: LabState):
        """The bench of what a state is compared with: a lesson may compare two recordings."""
        return lab if was.source == state.source else self.benches.lab(request.session_hash, was.source)

    @staticmethod
    def _before(lesson: Lesson | None, state: LabState) -> LabState:
        """What a state is compared with: a lesson may have its own idea of it."""
        return state.untouched if lesson is None else lesson.before

    def _open(self, values: tuple, key: str | None):
        state = self.controls.state(values)
        return self.benches.lab(key, state.source), state

    def _open_file(self, path: str | None, request: gr.Request) -> list:
        self.sessions.track(request.session_hash, [path])
        try:
            state = state_from_file(path, self.engine.ears())
        except HFFError as error:
            raise gr.Error(translate(error), title=texts.ERROR_TITLE, print_exception=False) from error
        on = state.source if state.source in OWN else EXAMPLE
        return [on, *self._close(request, on), *self.controls.show(state), gr.skip()]

    def _open_address(self, request: gr.Request) -> list:
        count = len(self.lessons.outputs) + len(self.controls.values)
        try:
            key = lesson_from_address(request)
            if key and key not in self.lessons.lessons:
                raise InputError(texts.LESSON_UNKNOWN.format(lesson=shown(key), names=", ".join(self.lessons.lessons)))
            state = None if key else state_from_address(request, self.engine.ears())
        except HFFError as error:
            alert = cards.alert(texts.ERROR_TITLE, translate(error))
            self.sessions.of(request.session_hash).lab_refused = True
            return [gr.Tabs(selected=_ID), gr.skip(), *[gr.skip()] * count, alert]
        if key:
            posed = self._set_up(request, key, EXAMPLE)[2:]
            return [gr.Tabs(selected=_ID), gr.Tabs(selected="lessons"), *posed, gr.skip()]
        if state is None:
            return [gr.skip()] * (count + 3)
        left = gr.Tabs(selected="corruption")
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
