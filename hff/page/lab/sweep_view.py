"""The Sweep tab: one modality gets worse step by step, drawn as it goes, stopped at any time."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

import gradio as gr
from markupsafe import Markup

from hff.config import MODALITIES
from hff.errors import HFFError
from hff.locale import names, texts, translate
from hff.page.clip.clip_view import LAB
from hff.page.lab.sweep_chart import sweep_chart, sweep_sentence
from hff.page.session.sessions import Session, Sessions
from hff.page.shared import cards
from hff.page.shared.render import render

if TYPE_CHECKING:
    from hff.lab.lab import Lab, SweepPoint
    from hff.lab.state import LabState

SWEEP_FILE_NAME = "sweep.csv"


class SweepPanel:
    """``open_lab(values, session key)`` gives the lab and the state to start from."""

    def __init__(self, values: list, sessions: Sessions, open_lab: Callable[[tuple, str | None], tuple[Lab, LabState]]):
        self._open_lab, self._sessions = open_lab, sessions
        self._points: WeakKeyDictionary[Session, list[SweepPoint]] = WeakKeyDictionary()
        with gr.Row(elem_id="hff-sweep-controls"):
            self.modality = gr.Radio(
                [(names.modality(m), m) for m in MODALITIES],
                value="vision",
                label=texts.SWEEP_WHICH,
                elem_id="hff-sweep-modality",
                scale=2,
                min_width=260,
            )
            self.start = gr.Button(
                texts.SWEEP_START, variant="primary", scale=1, min_width=90, elem_id="hff-sweep-start"
            )
            self.stop = gr.Button(texts.SWEEP_STOP, scale=1, min_width=90, interactive=False, elem_id="hff-sweep-stop")
            self.data = gr.DownloadButton(
                texts.SWEEP_DATA, interactive=False, scale=1, min_width=90, elem_id="hff-sweep-data"
            )
        self.chart = gr.HTML(sweep_drawing([], "vision"), elem_id="hff-sweep-chart", min_height=300)
        buttons = [self.stop, self.data]
        running = self.start.click(
            self._sweep,
            [self.modality, *values],
            [self.chart, *buttons],
            show_progress="hidden",
            api_visibility="private",
            **LAB,
        )
        ended: dict[str, Any] = {
            "fn": self._end,
            "inputs": None,
            "outputs": buttons,
            "show_progress": "hidden",
            "queue": False,
            "api_visibility": "private",
        }
        running.then(**ended)
        self.stop.click(**ended, cancels=[running])

    def _sweep(self, request: gr.Request, modality: str, *values) -> Iterator[list]:
        """One drawing a point; the points so far are kept for the download."""
        session = self._sessions.of(request.session_hash)
        points = self._points[session] = []
        yield [
            sweep_drawing([], modality),
            gr.Button(interactive=True),
            gr.DownloadButton(value=None, interactive=False),
        ]
        try:
            lab, state = self._open_lab(values, request.session_hash)
            for point in lab.sweep(state, modality):
                points.append(point)
                yield [sweep_drawing(points, modality), gr.skip(), gr.skip()]
            if not points:
                yield [cards.alert(texts.ERROR_TITLE, texts.SWEEP_NOTHING), gr.skip(), gr.skip()]
        except HFFError as error:
            yield [cards.alert(texts.ERROR_TITLE, translate(error)), gr.skip(), gr.skip()]

    def _end(self, request: gr.Request) -> list:
        session = self._sessions.of(request.session_hash)
        points = list(self._points.get(session, []))
        if not points:
            return [gr.Button(interactive=False), gr.DownloadButton(value=None, interactive=False)]
        path = session.make_file(SWEEP_FILE_NAME, csv_text(points))
        return [gr.Button(interactive=False), gr.DownloadButton(value=path, interactive=True)]


def sweep_drawing(points: list[SweepPoint], modality: str) -> Markup:
    return render("sweep.html", "drawing", sweep_sentence(points, modality), sweep_chart(points, modality))


def csv_text(points: list[SweepPoint]) -> str:
    """One line a severity; empty where a modality is absent."""
    rows = [point.row() for point in points]
    data = io.StringIO(newline="")
    writer = csv.DictWriter(data, fieldnames=list(rows[0]))
    writer.writeheader()
    writer.writerows(rows)
    return data.getvalue()
