"""The Live view: the browser's camera and microphone stream to the server, and what it reads is drawn as it comes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import gradio as gr

from hff.config import MODALITIES
from hff.errors import HFFError
from hff.live.pace import EFFORTS
from hff.live.reading import LIVE_WINDOW_SECONDS
from hff.locale import language, names, speaking, texts, translate
from hff.media.capture import CAMERA_HEIGHT, CAMERA_WIDTH, CAPTURE_FPS
from hff.page.live.hub import LiveHub
from hff.page.live.layout import HISTORY_SECONDS, page
from hff.page.session.asker import asker_address
from hff.page.session.sessions import Sessions
from hff.page.shared.amounts import decimal, never_none, percent

_SCRIPT = Path(__file__).parents[1] / "static" / "live.js"
_WIDEST: dict[str, Any] = {
    "concurrency_limit": 8,
    "concurrency_id": "live",
    "show_progress": "hidden",
    "api_visibility": "private",
}
# The lab may not be part of the page; its tab is pressed as a person would.
_SHOW_LAB = "() => { document.querySelector('#hff-views [role=tab][data-tab-id=lab]')?.click() }"


class LiveView:
    """Builds the tab inside the current ``gr.Blocks``.

    The stream does not go through Gradio's Image and Audio components: those have no common clock, one button each,
    and write every frame to disk. Instead one HTML component asks its server function again and again, each time
    with the newest frame and the sound since, and draws the answer.
    """

    def __init__(self, hub: LiveHub, sessions: Sessions) -> None:
        self.hub, self.sessions = hub, sessions
        labels = hub.engine.config().labels

        def feed(message: dict) -> dict:
            return hub.feed(message)

        self.view = gr.HTML(
            html_template=str(page(LIVE_WINDOW_SECONDS, labels, hub.native, hub.engine.ears())),
            js_on_load=_SCRIPT.read_text(encoding="utf-8"),
            server_functions=[speaking(language(), feed)],
            elem_id="hff-live",
            apply_default_css=False,
            says=texts.LIVE_SAYS,
            most_spared=len(EFFORTS) - 1,
            modalities=list(MODALITIES),
            history=HISTORY_SECONDS,
            nobody=texts.LIVE_NOTHING,
            native=hub.native,
            camera={"width": CAMERA_WIDTH, "height": CAMERA_HEIGHT, "frameRate": CAPTURE_FPS},
            entry=None,
            emotions={label: names.emotion(label) for label in labels},
            rounded=_rounded(),
        )
        self.view.submit(self._enter, None, self.view, **_WIDEST)
        sent = self.view.select(self._send, None, None, **_WIDEST)
        sent.success(None, None, None, js=_SHOW_LAB, api_visibility="private")

    def _enter(self, request: gr.Request) -> gr.HTML:
        ticket, problem = self.hub.enter(request.session_hash, asker_address())
        return gr.HTML(entry={"ticket": ticket, "problem": problem})

    def _send(self, request: gr.Request) -> None:
        """Put the last seconds where the lab finds them."""
        try:
            recording = self.hub.snapshot(request.session_hash)
        except HFFError as error:
            raise gr.Error(translate(error), title=texts.ERROR_TITLE, print_exception=False) from error
        self.sessions.keep(self.sessions.of(request.session_hash), recording, snapshot=True)
        gr.Info(texts.LIVE_SENT.format(seconds=decimal(recording.seconds, 1)), title=texts.TAB_LAB)


def _rounded() -> dict[str, Any]:
    """What the script says of a figure that is too small, or too near to certain, to be rounded."""
    return {
        "none": percent(0.001),
        "all": percent(0.999),
        "little": never_none(0.001),
        "small": texts.SPREAD_SMALL,
        "spread": dict(texts.SPREAD),
    }
