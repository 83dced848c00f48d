"""What the Live view's script is given in the browser, as JSON for its unit tests (``-m tests.support.live_script``).

Prints {"markup", "script", "props"} of the real view, so that markup, properties and script are tested as they are.
"""

from __future__ import annotations

import json
import tempfile
from pathlib import Path

import gradio as gr

from hff.page.live.hub import LiveHub
from hff.page.live.live_view import LiveView
from hff.page.session.sessions import Sessions
from tests.support.live_fixtures import FakeAnalyzer, engine_of


def given(folder: Path) -> dict:
    """The view of a browser's camera, with two ears; ``folder`` is where its visitors' files would lie."""
    fake = FakeAnalyzer()
    engine = engine_of(fake, others={"whisper": fake.hearing_with("whisper")})
    with gr.Blocks():
        view = LiveView(LiveHub(engine), Sessions(folder)).view
    return {"markup": view.html_template, "script": view.js_on_load, "props": view.props}


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        print(json.dumps(given(Path(folder)), ensure_ascii=False, indent=1))
