"""The Clip view: inputs on the left, the report on the right, and the events between them."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import gradio as gr

from hff.annotations import WRITERS
from hff.errors import Cancelled, HFFError
from hff.examples.ready import EXAMPLES, Example
from hff.locale import texts, translate
from hff.page.clip import report
from hff.page.clip.clip_answers import (
    HEADS_APART,
    alerted,
    asked_for,
    beside_kept,
    example_filled,
    example_origin,
    failed_reading,
    no_files,
    no_report,
    report_of,
)
from hff.page.clip.dialogue_view import DialogueView
from hff.page.clip.inputs import Inputs, build_examples, build_inputs, status_line
from hff.page.clip.report_layout import Report, build_report
from hff.page.clip.side_by_side import for_comparison
from hff.page.clip.timeline import thumbnails
from hff.page.session.asker import asker_address, asker_gone
from hff.page.session.background_model import Engine
from hff.page.session.lanes import MOST_WAITING, TURNS
from hff.page.session.sessions import Session, Sessions
from hff.page.shared import cards
from hff.page.shared.ears import ear_choice
from hff.page.shared.explained import explained
from hff.result import Result

if TYPE_CHECKING:
    from hff.pipeline.recording import Progress, Recording

log = logging.getLogger(__name__)

# Analyses wait in lanes of our own, where short ones overtake long ones; Gradio's queue only hands them on.
MODEL: dict[str, Any] = {"concurrency_id": "model", "concurrency_limit": TURNS + MOST_WAITING + 2}
# The lab answers while it is played with: it waits for no analysis.
LAB: dict[str, Any] = {"concurrency_id": "lab", "concurrency_limit": 4}
QUICK: dict[str, Any] = {"queue": False, "show_progress": "hidden", "api_visibility": "private"}
# On a phone the report lies below the inputs, and whoever has scrolled away from it would not see that work goes on.
_SHOW_ANSWER = """() => {
    const answer = document.getElementById('hff-answer'), top = answer.getBoundingClientRect().top;
    if (top < 0 || top > innerHeight - 200) answer.scrollIntoView({block: 'start'});
}"""
# Whoever has kept a reading wants to see both, which lie below the answer.
_SHOW_BOTH = """() => requestAnimationFrame(() => {
    document.querySelector('#hff-side-by-side .hff-side')?.scrollIntoView({block: 'nearest'});
})"""
# The button that was pressed is gone, and with it the place of whoever goes through the page by its keys.
_OTHER_BUTTON = """() => requestAnimationFrame(() => {
    if (document.activeElement === document.body) document.querySelector('#hff-release, #hff-keep')?.focus();
})"""
# How many analyses this page waits for: while there are any, the style shows Stop in the place of Analyse. And how many
# it has asked for, for whoever drives the page.
_WAITING = "const page = document.body.dataset, waiting = Number(page.hffWaiting || 0)"
_ASKED = "page.hffAsked = Number(page.hffAsked || 0) + 1"
_BEGUN = f"() => {{ {_WAITING}; page.hffWaiting = waiting + 1; {_ASKED}; ({_SHOW_ANSWER})() }}"
# What of the uploaded files the page has got to know: Analyse waits for it (clip.js).
_TELL_FILES = "(...files) => { dispatchEvent(new CustomEvent('hff-files', { detail: files })) }"
# Until Clear is answered nothing new may begin: it would be taken for a part of what is to go.
_CLEARING = "() => { document.getElementById('hff-clip').inert = true; return [] }"
_CLEARED = """() => {
    document.getElementById('hff-clip').inert = false;
    if (document.activeElement === document.body) document.getElementById('hff-clear').focus({preventScroll: true});
}"""
_ENDED = f"() => {{ {_WAITING}; if (waiting > 1) page.hffWaiting = waiting - 1; else delete page.hffWaiting }}"


class ClipView:
    """Builds the tab inside the current ``gr.Blocks`` and connects it to the model."""

    def __init__(self, engine: Engine, sessions: Sessions) -> None:
        self.engine, self.sessions = engine, sessions
        self.analyses: list[Any] = []  # every event that reads a clip, for what is to follow it
        with gr.Row(elem_id="hff-clip"):
            with gr.Column(scale=0, min_width=350, elem_id="hff-inputs"):
                self.example_buttons = build_examples()
                self.inputs: Inputs = build_inputs(engine.transcribe)
                with gr.Row():
                    self.analyse = gr.Button(texts.ANALYSE, variant="primary", scale=3, elem_id="hff-analyse")
                    self.stop = gr.Button(texts.STOP, variant="stop", scale=3, elem_id="hff-stop")
                    self.clear = gr.Button(texts.CLEAR, scale=1, min_width=80, elem_id="hff-clear")
                self.status = gr.HTML(status_line({}), elem_id="hff-status", elem_classes="hff-status")
            with gr.Column(scale=1, min_width=0, elem_id="hff-report-column"):
                self.ear = ear_choice(engine.ears(), "hff-ear")
                self.report = build_report()
        self.dialogue = DialogueView(engine, sessions, MODEL)
        self._connect()

    # ---- events -----------------------------------------------------------------------------------------

    @property
    def _filling(self) -> dict[str, Any]:
        """Of an event that puts an example into the inputs."""
        return {"inputs": None, "outputs": [*self.inputs.values[:4], self.inputs.media_tabs], **QUICK}

    @property
    def _compared(self) -> list[Any]:
        """What shows the kept reading, and the buttons that keep one and let go of it."""
        return [self.report.side_by_side, self.report.keep, self.report.release]

    @property
    def _telling(self) -> dict[str, Any]:
        """Of an event that says what there is to read."""
        return {"fn": self._show_status, "inputs": self.inputs.values, "outputs": self.status, **QUICK}

    def _connect(self) -> None:
        inputs, out = self.inputs, self.report
        # One event for all: of several, an older one that is answered late would put back what it has seen.
        gr.on([component.change for component in inputs.values], trigger_mode="always_last", **self._telling)
        files = inputs.values[:3]
        gr.on([file.change for file in files], None, files, None, js=_TELL_FILES, api_visibility="private")
        filled: Any = gr.on([button.click for button in self.example_buttons], self._fill, **self._filling)
        # The downloads are among them: until the new files are made, the old reading's must not be taken.
        self._shown = [
            out.answer,
            out.sections,
            out.transcript,
            out.transcript_note,
            out.layer,
            out.head,
            *self._compared,
            *out.downloads.values(),
        ]
        for beginning, read, wanted in (
            (self.analyse.click, self._analyse, [*inputs.values, self.ear]),
            (filled.success, self._analyse, [*inputs.values, self.ear]),
            (out.rerun.click, self._rerun, [out.transcript, self.ear]),
            (self.ear.input, self._hear_again, [self.ear]),
        ):
            self._connect_analysis(beginning, read, wanted)
        self.stop.click(self._stop, None, None, **QUICK)
        for button, act in ((out.keep, self._keep), (out.release, self._release)):
            pressed = button.click(act, None, self._compared, **QUICK)
            pressed.then(None, None, None, js=_OTHER_BUTTON, api_visibility="private")
        gr.on([out.layer.input, out.head.input], inputs=[out.layer, out.head], **_map_of(self._attention, out))
        out.explain.input(
            self._explain,
            out.explain,
            [out.explained, out.timeline],
            show_progress="minimal",
            show_progress_on=out.explained,
            trigger_mode="always_last",
            api_visibility="private",
            **MODEL,
        )
        emptied = [*inputs.values[:4], *self._shown, *self.dialogue.emptied]
        cleared = self.clear.click(self._clear, None, emptied, js=_CLEARING, **QUICK)
        cleared.then(None, None, None, js=_CLEARED, api_visibility="private")
        cleared.then(**self._telling)

    def read_example(self, button: gr.Button, example: Example, watched: gr.HTML) -> None:
        """Have another view's ``button`` read ``example`` as if it had been chosen here; ``watched`` shows progress."""
        filled: Any = button.click(lambda: example_filled(example), **self._filling)
        self._connect_analysis(filled.success, self._analyse, [*self.inputs.values, self.ear], watched)

    def _connect_analysis(self, beginning, read: Callable, wanted: list, *watched: gr.HTML) -> None:
        # First: the browser begins the events of one trigger one after the other's end.
        beginning(None, None, None, js=_BEGUN, api_visibility="private")
        analysis = beginning(
            read,
            wanted,
            self._shown,
            show_progress_on=[self.report.answer, *watched],
            api_visibility="private",
            trigger_mode="multiple",  # a newer analysis of a page takes the place of an older one
            **MODEL,
        )
        analysis.then(None, None, None, js=_ENDED, api_visibility="private")
        analysis.then(**self._telling)  # the inputs may have changed meanwhile
        analysis.success(None, None, None, js=_SHOW_BOTH, api_visibility="private")
        self.analyses.append(analysis)
        self._connect_report(analysis)

    def _connect_report(self, analysis) -> None:
        """What follows an analysis: the figures, the map of all layers and heads, the files to keep."""
        out = self.report
        quietly: dict[str, Any] = {"api_visibility": "private", "concurrency_limit": 2, "concurrency_id": "draw"}
        drawn = analysis.success(
            self._draw, out.explain, [out.explained, out.timeline, out.alone], show_progress="minimal", **quietly
        )
        drawn.success(self._make_files, None, list(out.downloads.values()), show_progress="hidden", **quietly)
        analysis.success(inputs=None, **_map_of(self._whole_map, out))

    def _show_status(self, video, audio, image, text, transcribe, request: gr.Request) -> str:
        session = self.sessions.track(request.session_hash, [video, audio, image])
        inputs = {"video": video, "audio": audio, "image": image, "text": text}
        stale = session.asked is not None and session.asked != asked_for(inputs, transcribe)
        return status_line(inputs, example_origin(inputs), stale)

    def _analyse(self, video, audio, image, text, transcribe, ear, request: gr.Request, progress=gr.Progress()):  # noqa: B008
        session = self.sessions.track(request.session_hash, [video, audio, image])
        turn = self._begin(request)
        session.ear = ear
        session.inputs = {"video": video, "audio": audio, "image": image, "text": text}
        session.asked = asked_for(session.inputs, transcribe)
        session.recording = session.result = None  # not two at once: an hour of sound is 230 MB
        if not any((value or "").strip() for value in session.inputs.values()):
            return failed_reading(session, texts.NOTHING_TO_READ)
        if any(path and not Path(path).is_file() for path in (video, audio, image)):
            return failed_reading(session, texts.FILE_GONE)
        return self._answer(
            session, turn, request, progress, lambda tell: self.engine.read(session.inputs, transcribe, tell)
        )

    def _rerun(self, text, ear, request: gr.Request, progress=gr.Progress()):  # noqa: B008
        """The same clip with other words: nothing is decoded or recognised again."""
        session = self.sessions.of(request.session_hash)
        turn = self._begin(request)
        session.ear = ear
        recording = session.recording
        if recording is None:
            return failed_reading(session, texts.RESULT_GONE)
        return self._answer(session, turn, request, progress, lambda tell: recording.with_text(text))

    def _hear_again(self, ear, request: gr.Request, progress=gr.Progress()):  # noqa: B008
        """The same clip with another ear; what is still being read will be heard with it."""
        session = self.sessions.of(request.session_hash)
        session.ear = ear
        recording = session.recording
        if recording is None:
            return self._unchanged()
        return self._answer(session, self._begin(request), request, progress, lambda tell: recording)

    def _begin(self, request: gr.Request) -> object:
        """End what the page has asked for before; the mark of what begins now."""
        session = self.sessions.of(request.session_hash)
        session.clip_turn = turn = object()
        self.engine.stop(request.session_hash)
        return turn

    def _answer(
        self, session: Session, turn: object, request: gr.Request, progress, read: Callable[[Progress], Recording]
    ) -> tuple:
        """Get the raw material by ``read``, keep it for later and give its report."""

        def tell(share: float, what: str) -> None:
            progress(share, desc=translate(what))

        tell(0, texts.STARTING)
        try:
            with self.engine.work(request.session_hash, asker_gone(), tell, asker_address()):
                recording = read(tell)
                result = self.engine.analyze_recording(recording, tell, session.ear)
        except HFFError as error:
            if session.clip_turn is not turn:
                return self._unchanged()
            if isinstance(error, Cancelled):
                return alerted(session, cards.alert(texts.STOPPED_TITLE, translate(error), "warning"))
            return failed_reading(session, translate(error))
        except Exception as error:
            # The page is the outermost frame: a person sees a sentence, the log gets the whole story.
            log.exception("the analysis failed")
            if session.clip_turn is not turn:
                return self._unchanged()
            return failed_reading(session, texts.UNEXPECTED.format(kind=type(error).__name__))
        if session.clip_turn is not turn:
            return self._unchanged()
        source = next((session.inputs[kind] for kind in ("video", "audio", "image") if session.inputs.get(kind)), None)
        result.file = Path(source).name if source else None
        result.evidence.wave = None  # the recording has it, and goes when the next clip is read
        self.sessions.keep(session, recording, result)
        return report_of(session, result)

    def _unchanged(self) -> tuple:
        """All stays as it is: a newer analysis will fill it."""
        return tuple(gr.skip() for _ in self._shown)

    def _keep(self, request: gr.Request) -> tuple:
        """Put what the report shows beside what is read next, in the place of what was kept before."""
        session = self.sessions.of(request.session_hash)
        result = session.result
        if result is None:  # another analysis is on its way, or all pages keep too much
            gr.Warning(texts.RESULT_GONE)
            return gr.skip(), gr.skip(), gr.skip()
        self.sessions.keep_for_comparison(session, for_comparison(result), result)
        return beside_kept(session, result)

    def _release(self, request: gr.Request) -> tuple:
        session = self.sessions.of(request.session_hash)
        self.sessions.keep_for_comparison(session, None)
        return beside_kept(session, session.result)

    def _stop(self, request: gr.Request) -> None:
        self.engine.stop(request.session_hash)

    def _draw(self, explaining: bool, request: gr.Request) -> tuple[str, str, str]:
        result = self.sessions.result_of(request.session_hash)
        if result is None:
            return "", "", ""
        return *self._explained(result, explaining, request), report.alone_html(result)

    def _explain(self, explaining: bool, request: gr.Request) -> tuple:
        """Put the layer on, or take it off: where the network looked, and which words counted."""
        result = self.sessions.result_of(request.session_hash)
        if result is None:
            return "", ""
        shown = self._explained(result, explaining, request)
        return shown if self.sessions.result_of(request.session_hash) is result else (gr.skip(), gr.skip())

    def _explained(self, result: Result, explaining: bool, request: gr.Request) -> tuple[str, str]:
        """The layer in words and faces, and the timeline with it."""
        if not explaining:
            return "", report.timeline_html(result)
        try:
            with self.engine.work(request.session_hash, asker_gone(), address=asker_address()):
                seen = list({id(face): face for *_, face in thumbnails(result)}.values())
                explanation = self.engine.explain(seen, result.transcript, self._ear_of(result))
        except HFFError as error:
            return cards.alert(texts.ERROR_TITLE, translate(error)), report.timeline_html(result)
        return explained(explanation), report.timeline_html(result, explanation)

    def _fill(self, event: gr.EventData) -> tuple:
        """Put the example whose button was pressed into the inputs."""
        pressed = next(
            example
            for button, example in zip(self.example_buttons, EXAMPLES, strict=True)
            if button._id == event.target._id
        )
        return example_filled(pressed)

    def _whole_map(self, request: gr.Request) -> str:
        """All layers and heads: nothing is asked of the choices, which a new reading has just changed."""
        return self._attention("", "", request)

    def _attention(self, layer: str, head: str, request: gr.Request) -> str:
        result = self.sessions.result_of(request.session_hash)
        if result is None:
            return cards.alert(texts.ERROR_TITLE, texts.RESULT_GONE)
        if head == HEADS_APART:
            return report.attention_grid_html(result)
        return report.attention_html(result, *(int(value) if value else None for value in (layer, head)))

    def _make_files(self, request: gr.Request) -> list:
        result = self.sessions.result_of(request.session_hash)
        if result is None:
            return no_files()
        session = self.sessions.of(request.session_hash)
        name = Path(result.file).stem if result.file else "reading"
        if self._ear_of(result):  # two readings of a clip are two files
            name = f"{name}-{result.speech_encoder}"
        made: dict[str, str | bytes] = {
            "json": report.json_text(result),
            "csv": result.to_csv(),
            "png": report.png_bytes(result),
            "html": report.html_page(result),
            **{kind: write(result) for kind, write in WRITERS.items()},
        }
        if self.sessions.result_of(request.session_hash) is not result:
            return no_files()  # a newer reading came in between, and its own files are on their way
        return [
            gr.DownloadButton(value=session.make_file(f"{name}.{kind}", made[kind]), interactive=True)
            for kind in texts.DOWNLOADS
        ]

    def _ear_of(self, result: Result) -> str:
        """The speech encoder that heard a reading, where there is a choice."""
        return result.speech_encoder if len(self.engine.ears()) > 1 else ""

    def _clear(self, request: gr.Request) -> list:
        self._begin(request)
        self.sessions.end(request.session_hash)
        return [None, None, None, "", *no_report(cards.empty()), *self.dialogue.nothing()]


def _map_of(draw: Callable[..., str], out: Report) -> dict[str, Any]:
    """An event that draws the attention map."""
    return {
        "fn": draw,
        "outputs": out.attention,
        "show_progress": "minimal",
        "trigger_mode": "always_last",
        "api_visibility": "private",
        "concurrency_limit": 4,
    }
